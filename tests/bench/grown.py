"""A store that has grown: deliveries by the hundred thousand and a journal of a million records, written in bulk.

Rows and records are those of the store's own statements and chain, so it verifies; payloads are left out, since no
page of the auditor reads one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from gateway.store.core import Work, to_ms
from gateway.store.outbox import Outbox

PER_DOCUMENT = 3
PLACES = (("medecin_traitant", "mssante"), ("patient", "mssante"), ("dmp", "dmp"))
STEPS = ("claimed", "failed", "claimed", "doubt", "still_in_doubt", "resend_decided", "claimed", "transmit")
AT_ONCE = 2000


@dataclass(frozen=True)
class Grown:
    """How much there is, and one delivery of the middle."""

    deliveries: int
    records: int
    middle: str


def grow(store: Outbox, deliveries: int, *, start: int = 0, steps: tuple[str, ...] = STEPS, waiting: int = 0) -> Grown:
    """Fill a store that holds `start` such deliveries: two journal records for each, and one more for each step.

    One in `waiting` (0: none) is to be tried again some day; the others are at an end.
    """
    documents = deliveries // PER_DOCUMENT
    for first in range(start // PER_DOCUMENT, documents, AT_ONCE):
        with store.core.write() as work:
            for number in range(first, min(first + AT_ONCE, documents)):
                _document(work, number, documents, steps, waiting)
    return Grown(documents * PER_DOCUMENT, store.journal_records(), name(documents // 2, 0))


def name(document: int, place: int | None = None) -> str:
    """The identifier of a document, or of one of its deliveries."""
    return str(UUID(int=(document << 8) + (0xFF if place is None else place)))


def _document(work: Work, number: int, documents: int, steps: tuple[str, ...], waiting: int) -> None:
    identity, at = name(number), to_ms(work.now - timedelta(minutes=5 * (documents - number)))
    patient = f"{number % (documents // 4 or 1):032x}"
    account = ("cabinet", "autre")[number % 2]
    common = {"account": account, "patient": patient, "kind": "assessment", "replaces": None, "mapping_pack": "2026.11"}
    hashes = dict.fromkeys(("wrapped_key", "manifest", "unique_id", "traits_mac", "pdf_mac"))
    work.tx.later(
        "document_insert", id=identity, key_mac=number.to_bytes(16), content_sha256=bytes(32), document_type="11490-0",
        document_date="2026-03-01", findings="[]", accepted_at=at, key_id=work.core.vault.key_id, **common, **hashes,
    )  # fmt: skip
    work.note("document_accepted", document=identity, type="11490-0", **common)
    for place in range(PER_DOCUMENT):
        for row in _delivery(number, place, account, at):
            again = {"state": "retry", "due_at": work.ms + 10**9 + number} if waiting and number % waiting == 0 else {}
            work.tx.later("delivery_insert", **row | again)
        _records(work, number, place, account, steps)


def _state(number: int, place: int) -> tuple[str, str, str | None]:
    """One in five hundred failed; the others arrived."""
    if (number + place) % 500 == 0:
        return "dead", "none", "MSS-550-5.1.1"
    return "sent", "delivered", "MSS-250"


def _delivery(number: int, place: int, account: str, at: int) -> Iterator[dict[str, Any]]:
    destination, channel = PLACES[place]
    state, receipt, reason = _state(number, place)
    absent = ("actor", "due_at", "waits_for", "succeeds", "message_mac", "envid_mac", "recipient_mac")
    yield {
        "id": name(number, place), "document_id": name(number), "account": account, "destination": destination,
        "role": destination, "channel": channel, "priority": 0, "state": state, "receipt": receipt, "reason": reason,
        "at": at, "needs_it": 0, "purpose": "document", "manifest": bytes(600), **dict.fromkeys(absent),
    }  # fmt: skip


def _records(work: Work, number: int, place: int, account: str, steps: tuple[str, ...]) -> None:
    state, receipt, reason = _state(number, place)
    about = {"of": account, "document": name(number), "delivery": name(number, place), "channel": PLACES[place][1]}
    work.note("accepted", state="prepared", receipt="none", destination=PLACES[place][0], **about)
    for step in steps:
        work.note(step, state="sending", receipt="none", attempt=1, worker="w" * 12, **about)
    text = "250 2.0.0 Ok: queued as 4F5D" if state == "sent" else "550 5.1.1 no such user"
    work.note("taken", state=state, receipt=receipt, reason=reason, text=text, host="mail.example", **about)
