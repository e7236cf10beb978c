"""Questions to the store: documents, deliveries with their timeline, counts, what is due next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from gateway.errors import NotFoundError
from gateway.store import journal, notes, payload
from gateway.store.base import (
    URGENT,
    Attempt,
    Blob,
    Count,
    DeliveryDetail,
    DeliveryRow,
    DocumentRow,
    Filter,
    Note,
    Pause,
    Withdrawn,
)
from gateway.store.core import Core, find_delivery, find_document, from_ms, to_ms
from gateway.store.database import Row, Transaction
from gateway.store.sealing import DocumentKey
from gateway.store.states import Receipt, Transport

CHANNELS = ("mssante", "dmp")
"""Channels that the engine serves by itself."""


def document(core: Core, document_id: str) -> DocumentRow:
    """One document. Raises NotFoundError."""
    with core.db.read() as tx:
        return _document(tx, find_document(tx, document_id))


def named(core: Core, account: str, name: str) -> DocumentRow:
    """One document of an account, by either of its identifiers. Raises NotFoundError (DOC-404)."""
    with core.db.read() as tx:
        row = tx.one("document_named", account=account, name=name)
        if row is None:
            raise NotFoundError("DOC-404", f"Aucun document {name}.")
        return _document(tx, row)


def documents(core: Core, account: str, patient: str) -> list[DocumentRow]:
    """A patient's documents, oldest first."""
    name = core.vault.pseudonym(account, patient)
    with core.db.read() as tx:
        rows = tx.all("documents_of_patient", account=account, patient=name)
        return [_document(tx, row) for row in rows]


def same_patient(core: Core, document_id: str) -> list[DocumentRow]:
    """The documents that carry the same pseudonym in the same account, oldest first. Raises NotFoundError."""
    with core.db.read() as tx:
        row = find_document(tx, document_id)
        rows = tx.all("documents_of_patient", account=row["account"], patient=row["patient"])
        return [_document(tx, found) for found in rows]


def _document(tx: Transaction, row: Row) -> DocumentRow:
    deliveries = tx.all("deliveries_of_document", document_id=row["id"])
    successor = tx.one("document_successor", id=row["id"])
    return DocumentRow(
        id=row["id"],
        account=row["account"],
        patient=row["patient"],
        kind=row["kind"],
        document_type=row["document_type"],
        document_date=date.fromisoformat(row["document_date"]),
        replaces=row["replaces"],
        mapping_pack=row["mapping_pack"],
        findings=tuple(json.loads(row["findings"])),
        accepted_at=from_ms(row["accepted_at"]),
        erased_at=_time(row["erased_at"]),
        content_sha256=row["content_sha256"].hex(),
        delivery_ids=tuple(delivery["id"] for delivery in deliveries),
        unique_id=row["unique_id"],
        replaced_by=None if successor is None else successor["id"],
        withdrawn=_withdrawn(row),
    )


def _withdrawn(row: Row) -> Withdrawn | None:
    if row["withdrawn_at"] is None:
        return None
    ended = _time(row["withdrawal_ended_at"])
    return Withdrawn(from_ms(row["withdrawn_at"]), row["withdrawn_by"], row["withdrawn_for"], ended)


def rendering(core: Core, document_id: str, name: str) -> Blob:
    """One rendering, or the submission, opened. Raises NotFoundError (DOC-405 no such one, DOC-410 erased)."""
    with core.db.read() as tx:
        row = find_document(tx, document_id)
        key = core.document_key(row)
        if key is None:
            raise _erased(document_id)
        return payload.open_part(tx, key, document_id, row["manifest"], name)


def parts(core: Core, delivery_id: str) -> tuple[Blob, ...]:
    """The frozen parts of a delivery; none when it has no package. Raises NotFoundError (DOC-410 erased)."""
    with core.db.read() as tx:
        row = find_delivery(tx, delivery_id)
        if row["manifest"] is None:
            return ()
        document = find_document(tx, row["document_id"])
        key = _key(core, document)
        if document["mails_erased_at"] is not None and row["channel"] == "mssante":
            raise _mail_erased(document["id"])
        return payload.open_manifest(tx, key, "delivery", delivery_id, document["id"], row["manifest"])[0]


def context(core: Core, delivery_id: str) -> bytes | None:
    """What the channel was given beside the parts. Raises NotFoundError (DOC-410 erased)."""
    with core.db.read() as tx:
        row = find_delivery(tx, delivery_id)
        if row["manifest"] is None:
            return None
        key = _key(core, find_document(tx, row["document_id"]))
        return payload.open_context(key, "delivery", delivery_id, row["manifest"])


def _key(core: Core, document: Row) -> DocumentKey:
    key = core.document_key(document)
    if key is None:
        raise _erased(document["id"])
    return key


def _mail_erased(document_id: str) -> NotFoundError:
    message = f"Le message transmis du document {document_id} a été effacé (durée de conservation)."
    return NotFoundError("DOC-410", message, "Le document lui-même est encore là.")


def _erased(document_id: str) -> NotFoundError:
    return NotFoundError("DOC-410", f"Le contenu du document {document_id} a été effacé.")


def delivery(core: Core, delivery_id: str) -> DeliveryDetail:
    """One delivery with attempts, notes and journal records. Raises NotFoundError."""
    with core.db.read() as tx:
        row = find_delivery(tx, delivery_id)
        return DeliveryDetail(
            delivery_row(row),
            tuple(_attempt(found) for found in tx.all("attempts_of", delivery_id=delivery_id)),
            tuple(_notes(core, tx, row)),
            tuple(found["record"] for found in tx.all("journal_of_delivery", delivery=delivery_id)),
        )


def _notes(core: Core, tx: Transaction, row: Row) -> list[Note]:
    found = tx.all("notes_of", delivery_id=row["id"])
    key = core.document_key(find_document(tx, row["document_id"])) if found else None

    def text(note: Row) -> str | None:
        return None if key is None else key.open(note["sealed"], "note", notes.place(note), "sealed").decode()

    return [Note(from_ms(note["at"]), note["action"], note["actor"], text(note)) for note in found]


def deliveries(core: Core, wanted: Filter) -> list[DeliveryRow]:
    """Deliveries, newest first."""
    with core.db.read() as tx:
        if wanted.document_id is not None:
            rows = tx.all("deliveries_of_document", document_id=wanted.document_id)
            return [found for row in rows if _matches(found := delivery_row(row), wanted)][: wanted.limit]
        rows = tx.all(
            "deliveries_list",
            account=wanted.account,
            states=json.dumps(wanted.states) if wanted.states else None,
            destination=wanted.destination,
            since=0 if wanted.since is None else to_ms(wanted.since),
            limit=wanted.limit,
        )
    return [delivery_row(row) for row in rows]


def _matches(row: DeliveryRow, wanted: Filter) -> bool:
    return (
        wanted.account in {None, row.account}
        and (not wanted.states or row.state in wanted.states)
        and wanted.destination in {None, row.destination}
        and (wanted.since is None or row.created_at >= wanted.since)
    )


def counts(core: Core) -> list[Count]:
    """Deliveries by account, channel and state, with the oldest of each."""
    with core.db.read() as tx:
        rows = tx.all("delivery_counts")
    return [
        Count(row["account"], row["channel"], Transport(row["state"]), row["number"], from_ms(row["oldest"]))
        for row in rows
    ]


def next_due(core: Core, accounts: Sequence[str], channel: str | None) -> datetime | None:
    """The earliest instant at which one of these accounts has something to do (there); pauses count."""
    found: list[int] = []
    channels = CHANNELS if channel is None else (channel,)
    with core.db.read() as tx:
        for account in accounts:
            for one in channels:
                if not tx.one("pause_covering", account=account, channel=one):
                    found += _lane_due(tx, account, one)
    return from_ms(min(found)) if found else None


def _lane_due(tx: Transaction, account: str, channel: str) -> list[int]:
    lane = {"account": account, "channel": channel}
    rows = [tx.one("delivery_next_due", priority=priority, **lane) for priority in range(URGENT + 1)]
    rows.append(tx.one("delivery_next_doubtful", **lane))
    return [row["due_at"] for row in rows if row is not None and row["due_at"] is not None]


def pauses(core: Core) -> list[Pause]:
    """What is paused, by whom and since when."""
    with core.db.read() as tx:
        rows = tx.all("pause_all")
    return [Pause(row["account"], row["channel"], row["reason"], row["actor"], from_ms(row["since"])) for row in rows]


def touched(core: Core, after: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """What the journal has been about since it had those sizes."""
    after = after or (0,) * core.shards
    found: dict[str, None] = {}
    with core.db.read() as tx:
        sizes = tuple(journal.head(tx, shard)[0] for shard in range(core.shards))
        for shard, (size, before) in enumerate(zip(sizes, after, strict=True)):
            rows = tx.all("documents_touched", shard=shard, after=before) if size > before else []
            found |= {row["document_id"]: None for row in rows}
    return sizes, tuple(found)


def delivery_row(row: Row) -> DeliveryRow:
    """A row of the table as the rest of the gateway sees it."""
    same = ("id", "document_id", "account", "destination", "role", "channel", "priority", "reason", "actor", "means")
    linked = ("purpose", "succeeds", "succeeded_by", "fence", "receipt_reason", "replies")
    values: dict[str, Any] = {name: row[name] for name in (*same, *linked)}
    return DeliveryRow(
        state=Transport(row["state"]),
        receipt=Receipt(row["receipt"]),
        created_at=from_ms(row["created_at"]),
        changed_at=from_ms(row["changed_at"]),
        due_at=_time(row["due_at"]),
        handed_at=_time(row["handed_at"]),
        awaited_until=_time(row["awaited_until"]),
        alerted_at=_time(row["alerted_at"]),
        attempts=row["attempts"],
        reference=row["reference"],
        **values,
    )


def _attempt(row: Row) -> Attempt:
    same = ("number", "kind", "worker", "verdict", "reason", "text", "reference", "host")
    values: dict[str, Any] = {name: row[name] for name in same}
    return Attempt(
        started_at=from_ms(row["started_at"]),
        transmitting_at=_time(row["transmitting_at"]),
        ended_at=_time(row["ended_at"]),
        **values,
    )


def _time(value: int | None) -> datetime | None:
    return None if value is None else from_ms(value)
