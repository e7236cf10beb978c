"""`gateway.linked`: send a document another way, take it back, hand it over on paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.api.withdrawals import WithdrawalView, withdrawal_view
from gateway.errors import ConflictError, GatewayError, InputError, StateError
from gateway.views import DeliveryView, delivery_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.api.directory import DirectoryFace
    from gateway.api.machinery import Machinery
    from gateway.engine.linked import Office, Order, Proposal
    from gateway.engine.withdraw import Plan
    from gateway.package.keys import SigningKeys
    from gateway.settings import AccountSettings

T = TypeVar("T")
_TRIES = 5
"""A delivery moves a few times in its life: that many in a row means something else is wrong."""


@dataclass(frozen=True, slots=True)
class Linking:
    """What was planned and, unless it was a preview, the new delivery."""

    proposal: Proposal
    delivery: DeliveryView | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        made = None if self.delivery is None else self.delivery.as_dict()
        return {**self.proposal.as_dict(), "new_delivery": made}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the directory says of an address that was refused. `state`: same, changed, gone, ask, unknown.

    `addresses` are those that it gives now; `command` what to type, where there is one to choose.
    """

    delivery: str
    state: str
    why: str
    addresses: tuple[str, ...]
    command: str

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {name: getattr(self, name) for name in self.__slots__}


class Linked:
    """Linked deliveries and withdrawals. Nothing leaves before these return; a worker sends what they planned."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    # ------------------------------------------------------------------------------------------ another way

    def readdress(
        self, delivery_id: str, *, to: str, by: str, reason: str, name: str | None = None, dry_run: bool = False
    ) -> Linking:
        """Send the same document to another box of the same doctor, once it is proven that nobody has it.

        `name` is whose box it is, where the directory does not say. Raises InputError with the findings that stop it
        (a preview returns them), NotFoundError, ConflictError (LNK-001) when the delivery keeps moving.
        """
        from gateway.engine import linked

        return self._link(linked.readdress, linked.Order(delivery_id, by, reason, to.strip(), name), dry_run=dry_run)

    def reprepare(self, delivery_id: str, *, by: str, reason: str, dry_run: bool = False) -> Linking:
        """Pack and sign the same document again for the same place: same bytes and identifiers, a new envelope.

        Raises like `readdress`.
        """
        from gateway.engine import linked

        return self._link(linked.reprepare, linked.Order(delivery_id, by, reason), dry_run=dry_run)

    def _link(self, propose: Callable[[Office, Order], Proposal], order: Order, *, dry_run: bool) -> Linking:
        store = self._machinery.store

        def once() -> Linking:
            proposal = propose(self._office(), order)
            if dry_run:
                return Linking(proposal)
            if proposal.link is None:
                raise InputError(proposal.findings, "Envoi refusé.")
            made = store.link(proposal.link)
            return Linking(proposal, delivery_view(store.delivery(made).row))

        found = _insist(once)
        self._machinery.wake()
        return found

    def suggestion(self, delivery_id: str) -> Suggestion | None:
        """The present address of a doctor whose box was refused, by the directory; asks it, so it may take seconds.

        None when nothing is to be looked up: another state, no RPPS, no directory. Never raises for want of an answer.
        """
        from gateway.engine import linked

        directory = self._directory()
        wanted = linked.refused_box(self._office(), delivery_id)
        if directory is None or wanted is None:
            return None
        try:
            found = directory.recheck(wanted.rpps, wanted.address, wanted.structure, since=wanted.refused_at)
        except GatewayError as fault:
            return Suggestion(delivery_id, "unknown", fault.message, (), "")
        boxes = [found.new] if found.new is not None else list(found.choice.boxes)
        addresses = tuple(box.address for box in boxes if box.address.lower() != wanted.address.lower())
        to = addresses[0] if len(addresses) == 1 else "ADRESSE"
        command = f"kine-gateway queue readdress {delivery_id} --to {to} --reason '...'" if addresses else ""
        return Suggestion(delivery_id, found.state.value, found.why, addresses, command)

    # ------------------------------------------------------------------------------------------- withdrawing

    def plan_withdrawal(self, document_id: str, *, reason: str, by: str, note: str) -> Plan:
        """What `withdraw` would do. Raises NotFoundError."""
        from gateway.engine import withdraw

        return withdraw.plan(self._office(), withdraw.Wish(document_id, reason, by, note))

    def withdraw(self, document_id: str, *, reason: str, by: str, note: str) -> WithdrawalView:
        """Withdraw a document with all its versions. Withdrawing again changes nothing and says where it stands.

        Raises InputError with the findings that stop it, NotFoundError, ConflictError (LNK-001).
        """

        def once() -> WithdrawalView:
            plan = self.plan_withdrawal(document_id, reason=reason, by=by, note=note)
            if plan.withdrawal is None:
                if {one.code for one in plan.findings} == {"WDR-001"}:
                    return self.withdrawal(document_id)
                raise InputError(plan.findings, "Annulation refusée.")
            self._machinery.store.withdraw(plan.withdrawal)
            return self.withdrawal(document_id)

        found = _insist(once)
        self._machinery.wake()
        return found

    def withdrawal(self, document_id: str) -> WithdrawalView:
        """Where a withdrawal stands. Raises NotFoundError, StateError (WDR-004) when it was not withdrawn."""
        from gateway.engine import withdraw

        store = self._machinery.store
        rows = withdraw.versions(store, document_id)
        if rows[0].withdrawn is None:
            raise StateError("WDR-004", f"Le document {document_id} n'est pas annulé.", "Voir kine-gateway withdraw.")
        return withdrawal_view(rows, [store.delivery(one).row for row in rows for one in row.delivery_ids])

    # ----------------------------------------------------------------------------------------------- on paper

    def handout(self, delivery_id: str) -> bytes:
        """The document as PDF/A to hand over, behind a page for date, name and signature. Raises InputError where the
        document may not be handed over, NotFoundError.
        """
        from gateway.engine import handout

        return handout.make(self._office(), delivery_id)

    # -------------------------------------------------------------------------------------------------- parts

    def _office(self) -> Office:
        from gateway.engine.linked import Office

        one = self._machinery
        return Office(one.store, one.settings, one.world, one.clock, one.randomness, _keys, self._owners)

    def _directory(self) -> DirectoryFace | None:
        return None if self._machinery.settings.annuaire is None else self._machinery.directory

    def _owners(self, address: str) -> set[str]:
        from gateway.channels.annuaire.directory import Directory

        settings, trust = self._machinery.settings.annuaire, self._machinery.world.trust
        if settings is None or trust is None:
            return set()
        directory = Directory(settings, trust, self._machinery.clock)
        try:
            return directory.owners(address)
        except GatewayError:  # a directory that cannot answer says nothing: a person has to
            return set()
        finally:
            directory.close()


def _keys(account: AccountSettings) -> SigningKeys | None:
    from gateway.package.keys import signing_keys

    return None if account.dmp is None else signing_keys(account.dmp)


def _insist(once: Callable[[], T]) -> T:
    for _ in range(_TRIES - 1):
        try:
            return once()
        except ConflictError as fault:
            if fault.code != "LNK-001":
                raise
    return once()
