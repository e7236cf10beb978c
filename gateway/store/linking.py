"""One delivery in the place of another, and documents withdrawn: each in one transaction (DESIGN §4 rules 7 and 8)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.errors import ConflictError, NotFoundError, StateError
from gateway.store import journal, mail_keys, payload, standing, succession
from gateway.store.accepting import New, insert_delivery
from gateway.store.core import check, find_delivery, find_document, receipt_of
from gateway.store.operating import check_reason, checked_name, keep_note, withdrawn
from gateway.store.states import IN_FLIGHT, TRANSITIONS, Event, Receipt, Transport

if TYPE_CHECKING:
    from gateway.store.core import Core, Work
    from gateway.store.database import Row
    from gateway.store.linked import FollowUp, Link, LinkAction, Seen, Withdrawal
    from gateway.store.requests import PlannedDelivery
    from gateway.store.sealing import DocumentKey

REASONS: dict[LinkAction, str] = {"readdress": "ENG-READDRESSED", "reprepare": "ENG-REPREPARED"}
"""Reason of a delivery whose place a linked one took."""


def link(core: Core, request: Link) -> str:
    """See Store.link."""
    by = checked_name(request.by)
    check_reason(request.reason)
    with core.write() as work:
        row = unmoved(work, request.seen)
        check(Event.TAKEN_OVER, row, Transport.SUPERSEDED)
        _check_refused(row)
        document = find_document(work.tx, row["document_id"])
        if document["withdrawn_at"] is not None:
            raise withdrawn(row["document_id"])
        successor = insert_into(core, work, document, request.planned, succeeds=row["id"])
        work.tx.run("delivery_waits_move", id=row["id"], successor=successor)
        work.tx.run("delivery_succeeded", id=row["id"], successor=successor)
        mac = keep_note(core, work, row, request.action, by, request.reason)
        work.move(
            row,
            Event.TAKEN_OVER,
            Transport.SUPERSEDED,
            fields={"succeeded_by": successor, "note_mac": mac},
            reason=REASONS[request.action],
            actor=by,
        )
    return successor


def _check_refused(row: Row) -> None:
    """What was sent is only followed by another once the other side refused it."""
    if row["state"] == Transport.SENT and receipt_of(row) is not Receipt.REFUSED:
        message = f"Action impossible : l'envoi {row['id']} est parti et n'a pas été refusé."
        raise StateError("DLV-001", message, "Attendre l'accusé, ou appeler le destinataire.")


def unmoved(work: Work, seen: Seen) -> Row:
    """A delivery as its row. Raises ConflictError (LNK-001) when it is no longer as the caller saw it."""
    row = find_delivery(work.tx, seen.delivery)
    if (row["state"], row["receipt"], row["fence"]) != (seen.state, seen.receipt, seen.fence):
        raise ConflictError("LNK-001", f"L'envoi {seen.delivery} vient de changer d'état.", "Réessayer.")
    return row


def insert_into(
    core: Core, work: Work, document: Row, planned: PlannedDelivery, *, succeeds: str | None = None, due_in: float = 0.0
) -> str:
    """Seal and insert a new delivery of a document that is there already. Returns its id."""
    key = core.document_key(document)
    if key is None:
        raise NotFoundError("DOC-410", f"Le contenu du document {document['id']} a été effacé.")
    delivery = core.new_id()
    manifest = None if planned.context is None else _seal(work, key, document["id"], delivery, planned)
    about, keys = (document["account"], document["patient"]), mail_keys.columns(core.vault, planned.keys)
    new = New(document["id"], *about, delivery, planned, manifest, keys, succeeds, due_in)
    box = keys["recipient_mac"]
    insert_delivery(work, new, standing.barriers(work.tx, [about], [] if box is None else [(*about, box)]))
    return delivery


def _seal(work: Work, key: DocumentKey, document: str, delivery: str, planned: PlannedDelivery) -> bytes:
    parts = payload.hashed(planned.parts)
    for artifact in payload.seal_artifacts(key, parts).values():
        if work.tx.one("artifact_get", document_id=document, sha256=artifact.digest) is None:
            values = {"sha256": artifact.digest, "size": artifact.size, "sealed": artifact.sealed}
            work.tx.run("artifact_insert", document_id=document, **values)
    return payload.seal_manifest(key, "delivery", delivery, parts, planned.context)


def withdraw(core: Core, request: Withdrawal) -> tuple[str, ...]:
    """See Store.withdraw."""
    by = checked_name(request.by)
    check_reason(request.note)
    with core.write() as work:
        rows = {seen.delivery: unmoved(work, seen) for seen in request.seen}
        for document in request.documents:
            _mark(core, work, document, by, request)
        made = tuple(_follow(core, work, rows[one.after], one) for one in request.follow_ups)
        for row in map(work.delivery, rows):  # as they stand by now: one that waited for another stopped with it
            if row["purpose"] == "document" and Transport(row["state"]) in TRANSITIONS[Event.CANCEL][0]:
                work.move(row, Event.CANCEL, Transport.CANCELLED, reason=succession.WITHDRAWN, actor=by)
        for document in request.documents:
            succession.end_withdrawal(work, document)
    return made


def _mark(core: Core, work: Work, document: str, by: str, request: Withdrawal) -> None:
    row = find_document(work.tx, document)
    reason = journal.code(request.reason)
    if not work.tx.run("document_withdraw", id=document, now=work.ms, actor=by, reason=reason):
        raise withdrawn(document)
    key = core.document_key(row)
    mac = None if key is None else key.commitment(request.note)
    for delivery in work.tx.all("deliveries_of_document", document_id=document)[:1]:
        keep_note(core, work, delivery, "withdraw", by, request.note)
    work.note("document_withdrawn", document=document, by=by, reason=reason, note_mac=mac)


def _follow(core: Core, work: Work, after: Row, one: FollowUp) -> str:
    """A follow-up, waiting while the delivery that it is about is under way."""
    under_way = Transport(after["state"]) in IN_FLIGHT
    planned = replace(one.planned, waits_for=after["id"] if under_way else None, needs_it=under_way and one.certain)
    return insert_into(core, work, find_document(work.tx, after["document_id"]), planned, due_in=one.settle)
