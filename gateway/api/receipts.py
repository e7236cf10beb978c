"""What came back: for programs that read the mailbox themselves, and for people who answer what a receipt asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway import wording
from gateway.errors import ConfigError
from gateway.views import DeliveryView, delivery_view

if TYPE_CHECKING:
    from gateway.api.machinery import Machinery
    from gateway.settings import AccountSettings
    from gateway.store.received import PairHold, Place, TakenMail


@dataclass(frozen=True, slots=True)
class Received:
    """What was done with a mail: `verdict` and `reason` are codes, `delivery` None where none is concerned.

    Verdicts: `applied` and `noted` (about a delivery, and believed), `doubled` and `known` (had already), `ignored`
    (none of the gateway's business), and `forged`, `wrong_recipient`, `unmatched`, `ambiguous` (not believed).
    """

    kind: str
    verdict: str
    reason: str | None
    meaning: str
    delivery: DeliveryView | None
    held: tuple[DeliveryView, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "kind": self.kind,
            "verdict": self.verdict,
            "reason": self.reason,
            "meaning": self.meaning,
            "delivery": None if self.delivery is None else self.delivery.as_dict(),
            "held": [one.as_dict() for one in self.held],
        }


class Receipts:
    """Receipts, replies and holds. Every decision is journalled with the name of who took it."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def take_in(self, account: str, raw: bytes, *, place: Place | None = None) -> Received:
        """Take in one mail of an account's mailbox, as bytes, whatever it is; twice changes nothing.

        For programs that read the mailbox themselves; the gateway does it alone where IMAP is configured. A mail that
        is none of its business leaves no trace. Raises ConfigError (CFG-012) for an unknown account, StoreError.
        """
        from gateway.engine import receipts

        one = self._machinery
        trust = one.wiring.trust
        assert trust is not None  # there is a configuration, so there is a list
        taken = receipts.take_in(
            one.store,
            self._account(account),
            raw,
            trust,
            place=place,
            reporters=one.settings.receipts.reporters,
        )
        return _received(taken)

    def mark_overdue(self, account: str | None = None) -> list[DeliveryView]:
        """Look for receipts whose time is over (a running worker does it by itself). Returns those found now."""
        from gateway.engine import receipts

        receipts.index_older(self._machinery.store)
        return [delivery_view(row) for row in self._machinery.store.mark_overdue(account)]

    def called(self, delivery_id: str, *, by: str, reason: str) -> DeliveryView:
        """The recipient was called: ends what a receipt, or its absence, asked. `reason` is what came of it, sealed.

        Raises StateError (DLV-007) when nothing is asked, InputError without name or words.
        """
        return delivery_view(self._machinery.store.attend(delivery_id, "called", by=by, reason=reason))

    def seen(self, delivery_id: str, *, by: str, reason: str) -> DeliveryView:
        """The replies in the mailbox were read. Raises like `called`."""
        return delivery_view(self._machinery.store.attend(delivery_id, "seen", by=by, reason=reason))

    def not_my_patient(self, delivery_id: str, *, by: str, reason: str) -> list[DeliveryView]:
        """Not this recipient's patient: hold what is queued between the two, and what comes, until `my_patient`.

        Returns what is held by it now. Raises StateError (DLV-008) for what is no mail.
        """
        return [delivery_view(row) for row in self._machinery.store.hold_pair(delivery_id, by=by, reason=reason)]

    def my_patient(self, delivery_id: str, *, by: str, reason: str) -> list[DeliveryView]:
        """The recipient's patient after all: let go what was held. Raises StateError (DLV-009) when nothing was."""
        found = [delivery_view(row) for row in self._machinery.store.release_pair(delivery_id, by=by, reason=reason)]
        self._machinery.wake()
        return found

    def loose(self, account: str | None = None) -> list[dict[str, Any]]:
        """Receipts that were not believed or belong to no delivery, newest first: code, time and place of each."""
        return [
            {
                "account": one.account,
                "at": one.line.at.isoformat(),
                "kind": one.line.kind,
                "verdict": one.line.verdict,
                "reason": one.line.reason,
                "meaning": wording.receipt_meaning(one.line.reason),
                "delivery": one.delivery_id,
                "folder": one.line.folder,
                "uid": one.line.uid,
            }
            for one in self._machinery.store.loose_mails(account)
        ]

    def holds(self) -> list[PairHold]:
        """Every hold between a patient and a recipient, by the delivery that began it."""
        return self._machinery.store.pair_holds()

    def _account(self, account: str) -> AccountSettings:
        found = self._machinery.settings.find_account(account)
        if found is None:
            message = f"Le compte {account} n'est pas dans la configuration."
            raise ConfigError("CFG-012", message, "Voir kine-gateway config show.")
        return found


def _received(taken: TakenMail) -> Received:
    view = None if taken.delivery is None else delivery_view(taken.delivery)
    held = tuple(delivery_view(row) for row in taken.held)
    return Received(taken.kind, taken.verdict, taken.reason, wording.receipt_meaning(taken.reason), view, held)
