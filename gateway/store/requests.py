"""What goes into the store: a document to take over, its deliveries, and what tells whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from gateway.store.states import Transport

if TYPE_CHECKING:
    from gateway.store.facts import NewFacts
    from gateway.store.received import MailKeys

Destination = Literal["medecin_traitant", "professional", "patient", "dmp", "hand", "post", "sip"]
ChannelName = Literal["mssante", "dmp", "manual"]
Purpose = Literal["document", "retraction", "deletion", "recall"]
"""What a delivery delivers: a document; or, once it is withdrawn, a mail that says so, its deletion from the DMP, or a
person's errand (a sheet of paper to take back)."""

NORMAL, SOON, URGENT = 0, 1, 2
"""Priorities of a delivery: the higher goes first."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Named bytes, sealed at rest. `name` is unique in its document or delivery."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """One delivery of a document being accepted.

    `state` is `prepared`, `held` or `impossible`; `reason` a code. `context` is what the channel needs beside the
    parts, as bytes that the store seals unread; None: there is nothing to send. `waits_for` is the delivery of the
    replaced version to the same place, when it left; `needs_it`: this one makes no sense unless that one arrived.
    `keys` are what a receipt will name of a mail.
    """

    destination: Destination
    role: str
    channel: ChannelName
    state: Transport = Transport.PREPARED
    reason: str | None = None
    priority: int = NORMAL
    parts: tuple[Blob, ...] = ()
    context: bytes | None = None
    waits_for: str | None = None
    needs_it: bool = False
    keys: MailKeys | None = None
    purpose: Purpose = "document"


@dataclass(frozen=True, slots=True)
class Guard:
    """What tells whose document it is: kept as keyed hashes, and compared with those of earlier documents.

    `traits` are the birth traits in one text, `pdf_sha256` the hex hash of a PDF handed over as it is (level 1 only:
    such a document is compared, and held). `hold` is a reason for holding it that was found without the store.
    """

    traits: str
    pdf_sha256: str | None = None
    hold: str | None = None


@dataclass(frozen=True, slots=True)
class AcceptRequest:
    """A document to take over, with everything frozen.

    `key` is the caller's idempotency key (the content's hash stands in for it), `content_sha256` the hex SHA-256 of
    the canonical submission, `patient` whatever identifies the patient in this account (matricule and OID, or a
    local number): it is stored as a keyed pseudonym only. `findings` are codes. `unique_id` is the CDA's identifier.
    `replaces` is the earlier version, `supersedes` those of its deliveries that never left. `facts` outlive the bytes.
    """

    account: str
    key: str | None
    content_sha256: str
    patient: str
    kind: str
    document_type: str
    document_date: date
    submission: bytes
    renderings: tuple[Blob, ...]
    deliveries: tuple[PlannedDelivery, ...]
    findings: tuple[str, ...] = ()
    mapping_pack: str = ""
    replaces: str | None = None
    supersedes: tuple[str, ...] = ()
    unique_id: str | None = None
    guard: Guard | None = None
    facts: NewFacts | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What `accept` did. `created` is False when the same key and content were already there.

    `repeat_of` is the document that this one seems to repeat: its deliveries are held.
    """

    document_id: str
    delivery_ids: tuple[str, ...]
    created: bool
    repeat_of: str | None = None
