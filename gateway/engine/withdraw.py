"""Withdrawing a document, every version of it: what is stopped, what is taken back, what no machine can take back.

What has not left is cancelled. Whoever got it, or may have, is told by mail; the DMP is asked to delete it (TD3.3c);
what was handed over on paper becomes a person's errand. Each of these is a delivery of its own, with its retries, and
the withdrawal ends when all are confirmed (DESIGN §4 rule 8).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.engine import evidence, remake
from gateway.findings import Finding, Severity, error, warning
from gateway.package.change import change_package
from gateway.package.mail import retraction_reasons
from gateway.package.retraction import Letter, retraction
from gateway.package.types import DmpContext, MailContext, Package, Part, context_to_json
from gateway.store.base import URGENT, Blob, PlannedDelivery
from gateway.store.linked import FollowUp, Seen, Withdrawal
from gateway.store.states import Transport
from gateway.store.succession import SETTLE

if TYPE_CHECKING:
    from gateway.document.model import Header
    from gateway.engine.linked import Office
    from gateway.settings import AccountSettings
    from gateway.store.base import DeliveryDetail, DeliveryRow, DocumentRow, Purpose, Store

PAPER = "WDR-PAPER"
"""Reason of an errand: a paper copy was handed over, and only a person can take it back."""
_IN_FLIGHT = frozenset({Transport.SENDING, Transport.TRANSMITTING})


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for: `reason` is a code of mappings/mail.toml, `note` that person's own words."""

    document: str
    reason: str
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one delivery: `cancel`, `retract`, `delete`, `recall`, or `nothing` (never there, or told once).

    `certain`: it was received for sure.
    """

    delivery: str
    document: str
    destination: str
    role: str
    transport: str
    receipt: str
    what: str
    certain: bool

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Plan:
    """A withdrawal before it is done. `withdrawal` is None when a finding stops it."""

    documents: tuple[str, ...]
    reason: str
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]
    withdrawal: Withdrawal | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "documents": list(self.documents),
            "reason": self.reason,
            "ok": self.withdrawal is not None,
            "steps": [one.as_dict() for one in self.steps],
            "findings": [one.as_dict() for one in self.findings],
        }


def versions(store: Store, document_id: str) -> list[DocumentRow]:
    """Every version of a document, newest first. Raises NotFoundError."""
    row = store.document(document_id)
    while row.replaced_by is not None:
        row = store.document(row.replaced_by)
    found = [row]
    while (before := found[-1].replaces) is not None:
        found.append(store.document(before))
    return found


def plan(office: Office, wish: Wish) -> Plan:
    """What withdrawing a document would do. Raises NotFoundError."""
    rows = versions(office.store, wish.document)
    ids = tuple(row.id for row in rows)
    account = office.settings.find_account(rows[0].account)
    stop = _stops(rows, account, wish)
    if stop or account is None:
        return Plan(ids, wish.reason, (), tuple(stop))
    planner = _Planner(office, account, wish)
    for row in rows:
        for delivery in row.delivery_ids:
            planner.look(row, office.store.delivery(delivery))
    withdrawal = Withdrawal(ids, wish.by, wish.reason, wish.note, tuple(planner.seen), tuple(planner.follow_ups()))
    return Plan(ids, wish.reason, tuple(planner.steps), tuple(planner.findings), withdrawal)


def _stops(rows: list[DocumentRow], account: AccountSettings | None, wish: Wish) -> list[Finding]:
    found = []
    if wish.reason not in retraction_reasons():
        known = ", ".join(retraction_reasons())
        found.append(error("WDR-003", "/reason", "Motif d'annulation inconnu.", f"Choisir parmi : {known}."))
    if any(row.withdrawn is not None for row in rows):
        found.append(error("WDR-001", "/document", "Ce document est déjà annulé.", "Voir withdraw --status."))
    if account is None:
        advice = "Rétablir le compte dans la configuration, le temps de prévenir les destinataires."
        found.append(error("LNK-NO-ACCOUNT", "/document", "Le compte de ce document n'est plus configuré.", advice))
    return found


@dataclass
class _Mails:
    """The mails that took versions of a document to one mailbox, newest first, and what they took."""

    newest: DeliveryRow
    document: DocumentRow
    context: MailContext
    certain: bool
    message_ids: list[str] = field(default_factory=list)
    older: bool = False


class _Planner:
    """Goes through the deliveries of every version, newest first, and gathers what to do."""

    def __init__(self, office: Office, account: AccountSettings, wish: Wish) -> None:
        self.steps: list[Step] = []
        self.seen: list[Seen] = []
        self.findings: list[Finding] = []
        self._office = office
        self._account = account
        self._wish = wish
        self._mails: dict[str, _Mails] = {}
        self._others: list[FollowUp] = []
        self._headers: dict[tuple[str, str], Header] = {}

    def look(self, document: DocumentRow, detail: DeliveryDetail) -> None:
        """Decide about one delivery."""
        row = detail.row
        if row.purpose != "document":
            return
        self.seen.append(Seen.of(row))
        arrived = _arrived(detail)
        if arrived is None:
            what = (
                "cancel" if row.state not in {Transport.SENT, Transport.CANCELLED, Transport.SUPERSEDED} else "nothing"
            )
            self._step(row, what, certain=False)
        elif row.state is Transport.HANDED_OVER:
            self._recall(row)
        elif document.erased_at is not None:
            self._erased(row)
        else:
            self._take_back(document, row, certain=arrived)

    def _take_back(self, document: DocumentRow, row: DeliveryRow, *, certain: bool) -> None:
        context = remake.context_of(self._office.store, row.id)
        if isinstance(context, MailContext):
            self._mail(document, row, context, certain=certain)
        elif isinstance(context, DmpContext):
            self._delete(row, context, certain=certain)

    def _step(self, row: DeliveryRow, what: str, *, certain: bool) -> None:
        about = (row.id, row.document_id, row.destination, row.role, row.state.value, row.receipt.value)
        self.steps.append(Step(*about, what=what, certain=certain))

    def _mail(self, document: DocumentRow, row: DeliveryRow, context: MailContext, *, certain: bool) -> None:
        """One retraction for each mailbox, in the thread of all the mails that it got."""
        place = context.envelope_to.lower()
        known = self._mails.get(place)
        if known is None:
            self._mails[place] = _Mails(row, document, context, certain, [context.message_id])
            self._step(row, "retract", certain=certain)
            return
        known.message_ids.append(context.message_id)
        known.older = True
        self._step(row, "nothing", certain=certain)

    def _delete(self, row: DeliveryRow, context: DmpContext, *, certain: bool) -> None:
        store, office = self._office.store, self._office
        parts = tuple(Part(one.name, one.media_type, one.data) for one in store.parts(row.id))
        package = change_package(Package(parts, context), "delete", now=office.clock.now(), ids=office.ids)
        planned = _planned(row, "deletion", package)
        settle = SETTLE if row.state is Transport.IN_DOUBT else 0.0
        self._others.append(FollowUp(row.id, planned, certain=_only_now(store, row), settle=settle))
        self._step(row, "delete", certain=certain)

    def _recall(self, row: DeliveryRow) -> None:
        planned = PlannedDelivery(
            row.destination, row.role, "manual", Transport.HELD, PAPER, priority=URGENT, purpose="recall"
        )
        self._others.append(FollowUp(row.id, planned))
        self._step(row, "recall", certain=True)
        advice = "Le reprendre ou le faire détruire, puis le déclarer : queue handed."
        self.findings.append(warning("WDR-PAPER", "/document", "Un exemplaire papier a été remis.", advice))

    def _erased(self, row: DeliveryRow) -> None:
        self._step(row, "nothing", certain=True)
        message = f"Contenu effacé de la passerelle : {row.role} ne peut pas être prévenu par elle."
        self.findings.append(warning("WDR-ERASED", "/document", message, "Le prévenir par téléphone."))

    def follow_ups(self) -> list[FollowUp]:
        """Everything to send, once all deliveries were looked at."""
        found = [self._retraction(one) for one in self._mails.values()]
        if found:
            message = "Un message déjà lu, imprimé ou classé ne se rattrape pas : chaque destinataire est prévenu."
            self.findings.append(Finding("WDR-READ", Severity.INFO, "/document", message, "Appeler s'il y a urgence."))
        return [*found, *self._others]

    def _retraction(self, mails: _Mails) -> FollowUp:
        row, patient = mails.newest, mails.newest.destination == "patient"
        letter = Letter(
            mails.context.envelope_to, mails.message_ids[::-1], row.changed_at, self._wish.reason, to_patient=patient
        )
        now, ids = self._office.clock.now(), self._office.ids
        package = retraction(self._header(mails), letter, account=self._account, now=now, ids=ids)
        certain = not mails.older and _only_now(self._office.store, row)
        return FollowUp(row.id, _planned(row, "retraction", package), certain=certain)

    def _header(self, mails: _Mails) -> Header:
        key = mails.document.id, mails.context.document_id
        if key not in self._headers:
            terms = self._office.world.terminology
            edition = remake.edition_of(self._office.store, mails.document.id, terms, mails.context)
            assert edition is not None  # it was mailed
            self._headers[key] = edition.document.header
        return self._headers[key]


def _arrived(detail: DeliveryDetail) -> bool | None:
    """Whether a delivery arrived: True for sure, False perhaps, None certainly not."""
    row = detail.row
    if row.state is Transport.HANDED_OVER:
        return True
    if row.state is Transport.SENT:
        return None if evidence.unproven(detail) is None else True
    if row.state is Transport.IN_DOUBT or row.state in _IN_FLIGHT or evidence.may_have_arrived(detail.records):
        return False
    return None


def _only_now(store: Store, row: DeliveryRow) -> bool:
    """Whether nothing but the attempt under way can have brought it there."""
    return row.state in _IN_FLIGHT and not evidence.may_have_arrived(store.delivery(row.id).records)


def _planned(row: DeliveryRow, purpose: Purpose, package: Package) -> PlannedDelivery:
    """A follow-up: to the same destination, before anything else that waits."""
    return PlannedDelivery(
        destination=row.destination,
        role=row.role,
        channel=row.channel,
        priority=URGENT,
        parts=tuple(Blob(part.name, part.media_type, part.data) for part in package.parts),
        context=context_to_json(package.context),
        purpose=purpose,
    )


__all__ = ["PAPER", "Plan", "Step", "Wish", "plan", "versions"]
