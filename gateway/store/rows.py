"""What the store gives back: documents, deliveries and their timeline, without payload."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from gateway.store.requests import ChannelName, Destination, Purpose
from gateway.store.states import Receipt, Transport


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of a delivery's timeline."""

    number: int
    kind: str
    worker: str
    started_at: datetime
    transmitting_at: datetime | None
    ended_at: datetime | None
    verdict: str | None
    reason: str | None
    text: str | None
    reference: str | None
    host: str | None


@dataclass(frozen=True, slots=True)
class Note:
    """What a person did and why, in that person's words; `text` is None once the document is erased."""

    at: datetime
    action: str
    actor: str
    text: str | None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery without its payload. Times are aware UTC; `created_at` is when it was accepted.

    `purpose` tells a document from what its withdrawal sends. `succeeds` is the delivery whose place this one took,
    `succeeded_by` the same link from the other end; `fence` grows with each claim.
    `receipt_reason` is the code of what the receipt says; after `awaited_until` a missing one is overdue; `alerted_at`
    since when the receipt, or its absence, asks for a person; `replies` how many answers nobody noted as read.
    """

    id: str
    document_id: str
    account: str
    destination: Destination
    role: str
    channel: ChannelName
    priority: int
    state: Transport
    receipt: Receipt
    reason: str | None
    actor: str | None
    means: str | None
    handed_at: datetime | None
    created_at: datetime
    changed_at: datetime
    due_at: datetime | None
    attempts: int
    reference: str | None
    purpose: Purpose = "document"
    succeeds: str | None = None
    succeeded_by: str | None = None
    fence: int = 0
    receipt_reason: str | None = None
    awaited_until: datetime | None = None
    alerted_at: datetime | None = None
    replies: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryDetail:
    """A delivery with its history."""

    row: DeliveryRow
    attempts: tuple[Attempt, ...]
    notes: tuple[Note, ...]
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """That a document was withdrawn: when, by whom, why (a code), and since when every consequence is confirmed."""

    at: datetime
    by: str
    reason: str
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document without its content."""

    id: str
    account: str
    patient: str
    kind: str
    document_type: str
    document_date: date
    replaces: str | None
    mapping_pack: str
    findings: tuple[str, ...]
    accepted_at: datetime
    erased_at: datetime | None
    content_sha256: str
    delivery_ids: tuple[str, ...]
    unique_id: str | None = None
    replaced_by: str | None = None
    withdrawn: Withdrawn | None = None
