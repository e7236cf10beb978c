"""What the faces show: reports, plans, documents and deliveries as plain immutable data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gateway import wording
from gateway.findings import Finding, Severity
from gateway.identity.ins import patient_mailbox

if TYPE_CHECKING:
    from gateway.records.level1 import AnySubmission
    from gateway.rules.routes import Route
    from gateway.settings import Settings
    from gateway.store.base import Count, DeliveryDetail, DeliveryRow, DocumentRow, Pause
    from gateway.store.received import ReceivedLine

UNREADABLE = frozenset({"INP-001", "PDF-010"})


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One destination of a submission, before anything is sent. `reason` is set where it is impossible."""

    destination: str
    role: str
    label: str
    channel: str
    address: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """What `check` found and where the document would go."""

    findings: tuple[Finding, ...]
    plan: tuple[PlanLine, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the document can be sent: no finding is an error."""
        return all(f.severity is not Severity.ERROR for f in self.findings)

    @property
    def unreadable(self) -> bool:
        """Whether the input could not even be read as JSON: it may still be under way."""
        return any(f.code in UNREADABLE for f in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready (schema: docs/schemas/report.json)."""
        return {
            "format": "kine-gateway/report/1",
            "ok": self.ok,
            "findings": [f.as_dict() for f in self.findings],
            "plan": [asdict(line) for line in self.plan],
        }


@dataclass(frozen=True, slots=True)
class Rendered:
    """File name -> bytes, and the report of the checks."""

    files: Mapping[str, bytes]
    report: Report


@dataclass(frozen=True, slots=True)
class Submitted:
    """What `submit` committed. `created` is False when this very document was known already."""

    document_id: str
    delivery_ids: tuple[str, ...]
    created: bool


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery as faces show it: transport (what we did) and receipt (what the other side confirmed).

    `purpose`: document, retraction, deletion or recall. `succeeds` is the delivery whose place this one took.
    """

    id: str
    document_id: str
    account: str
    destination: str
    role: str
    channel: str
    transport: str
    receipt: str
    attempts: int
    reason: str | None
    reference: str | None
    due_at: datetime | None
    changed_at: datetime
    purpose: str = "document"
    succeeds: str | None = None
    succeeded_by: str | None = None
    receipt_reason: str | None = None
    awaited_until: datetime | None = None
    alerted_at: datetime | None = None
    replies: int = 0

    @property
    def receipt_meaning(self) -> str:
        """What the receipt says, in French; empty where there is none."""
        return wording.receipt_meaning(self.receipt_reason)

    @property
    def receipt_next(self) -> str:
        """What the receipt, its absence or a reply asks of the practice; empty when nothing."""
        if self.alerted_at is not None:
            said = wording.receipt_next(self.receipt_reason, self.destination)
            return said or wording.advice("sent", self.receipt, None)
        return wording.receipt_next("MSS-RCPT-REPLY") if self.replies else ""

    @property
    def label(self) -> str:
        """French name of the destination."""
        return wording.delivery(self.destination, self.role)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        value = asdict(self)
        for name in ("due_at", "changed_at", "awaited_until", "alerted_at"):
            value[name] = value[name].isoformat() if value[name] else None
        return {**value, "receipt_meaning": self.receipt_meaning, "receipt_next": self.receipt_next}


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document and all its deliveries."""

    id: str
    account: str
    kind: str
    document_type: str
    accepted_at: datetime
    deliveries: tuple[DeliveryView, ...]
    replaces: str | None = None
    replaced_by: str | None = None
    withdrawn_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "document_id": self.id,
            "account": self.account,
            "kind": self.kind,
            "document_type": self.document_type,
            "accepted_at": self.accepted_at.isoformat(),
            "replaces": self.replaces,
            "replaced_by": self.replaced_by,
            "withdrawn_at": self.withdrawn_at.isoformat() if self.withdrawn_at else None,
            "deliveries": [d.as_dict() for d in self.deliveries],
        }


@dataclass(frozen=True, slots=True)
class DeliveryHistory:
    """A delivery with its attempts, what people decided and the mails that came back, JSON-ready."""

    view: DeliveryView
    attempts: tuple[dict[str, Any], ...]
    notes: tuple[dict[str, Any], ...]
    received: tuple[dict[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        lists = {"history": list(self.attempts), "notes": list(self.notes), "received": list(self.received)}
        return {**self.view.as_dict(), **lists}


def delivery_view(row: DeliveryRow) -> DeliveryView:
    """A stored delivery as faces show it."""
    return DeliveryView(
        id=row.id,
        document_id=row.document_id,
        account=row.account,
        destination=row.destination,
        role=row.role,
        channel=row.channel,
        transport=row.state.value,
        receipt=row.receipt.value,
        attempts=row.attempts,
        reason=row.reason,
        reference=row.reference,
        due_at=row.due_at,
        changed_at=row.changed_at,
        purpose=row.purpose,
        succeeds=row.succeeds,
        succeeded_by=row.succeeded_by,
        receipt_reason=row.receipt_reason,
        awaited_until=row.awaited_until,
        alerted_at=row.alerted_at,
        replies=row.replies,
    )


def document_view(row: DocumentRow, deliveries: list[DeliveryRow]) -> DocumentView:
    """A stored document with its deliveries in the order in which they were planned."""
    ordered = sorted(deliveries, key=lambda d: row.delivery_ids.index(d.id))
    views = tuple(delivery_view(d) for d in ordered)
    return DocumentView(
        row.id,
        row.account,
        row.kind,
        row.document_type,
        row.accepted_at,
        views,
        row.replaces,
        row.replaced_by,
        row.withdrawn.at if row.withdrawn is not None else None,
    )


def history(detail: DeliveryDetail, received: Sequence[ReceivedLine] = ()) -> DeliveryHistory:
    """A delivery's timeline as plain data."""
    return DeliveryHistory(
        delivery_view(detail.row),
        tuple(_plain(asdict(a)) for a in detail.attempts),
        tuple(_plain(asdict(n)) for n in detail.notes),
        tuple({**_plain(asdict(r)), "meaning": wording.receipt_meaning(r.reason)} for r in received),
    )


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    return {key: inner.isoformat() if isinstance(inner, datetime) else inner for key, inner in value.items()}


def plan_line(submission: AnySubmission, route: Route) -> PlanLine:
    """A destination before anything is sent."""
    address = None
    if route.recipient is not None:
        address = submission.recipients[route.recipient].mssante
    elif route.destination == "patient" and route.reason is None and submission.patient.ins is not None:
        address = patient_mailbox(submission.patient.ins)
    return PlanLine(
        route.destination, route.role, wording.destination(route.destination), route.channel, address, route.reason
    )


@dataclass(frozen=True, slots=True)
class AccountState:
    """One account at a glance. `unattended`: it can send without a person at the keyboard."""

    account: str
    mailbox: str
    unattended: bool
    waiting: int
    oldest: datetime | None
    paused: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "oldest": self.oldest.isoformat() if self.oldest else None}


_WAITING = frozenset({"prepared", "sending", "transmitting", "retry", "in_doubt", "waiting_for_session"})


def account_states(settings: Settings, counts: list[Count], pauses: list[Pause]) -> list[AccountState]:
    """What waits in each account, and what is paused."""
    found = []
    for account in settings.account:
        mine = [c for c in counts if c.account == account.id and c.state.value in _WAITING]
        found.append(
            AccountState(
                account=account.id,
                mailbox=account.mailbox,
                # Certificates on disk need nobody; a personal card or token does (direct mode).
                unattended=account.dmp is None or account.dmp.mode == "indirect",
                waiting=sum(c.number for c in mine),
                oldest=min((c.oldest for c in mine), default=None),
                paused=tuple(f"{p.channel} ({p.reason})" for p in pauses if p.account in (account.id, "*")),
            )
        )
    return found
