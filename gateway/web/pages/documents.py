"""The timeline of a delivery, and of a document with all its deliveries, as the journal tells it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gateway import wording
from gateway.store.base import DeliveryDetail, DeliveryRow, DocumentRow
from gateway.web.pages import actions
from gateway.web.pages.view import Ask, Sheet, View

if TYPE_CHECKING:
    from gateway.store.rows import Attempt

COLUMNS = (
    "shard", "seq", "at", "event", "delivery", "channel", "destination", "state", "receipt", "attempt", "verdict",
    "reason", "text", "reference", "host", "by", "means", "handed_at", "due_at", "evidence_sha256", "worker", "kind",
)  # fmt: skip
"""Columns of the export: the journal's own fields."""
READINGS = frozenset({"consulted", "exported"})
"""Events that changed nothing: shown apart."""


def show_delivery(ask: Ask) -> View:
    """One delivery: where it stands, why, what to do, and every record about it."""
    identity = ask.path["delivery"]
    detail = ask.gateway.browse.delivery(identity)
    row = detail.row
    ask.check_account(row.account, "DLV-404", f"Aucun envoi {identity}.")
    document = ask.gateway.browse.document(row.document_id)
    records = timeline([detail])
    values = {
        "row": row,
        "document": document,
        "last": last_answer(detail.attempts),
        "advice": advice(row),
        "events": [one for one in records if one["event"] not in READINGS],
        "readings": [one for one in records if one["event"] in READINGS],
        # Somebody's own words may name the patient: they are for the practice alone.
        "notes": detail.notes if ask.session.may_act else (),
        "actions": actions.possible(row) if ask.session.may_act else (),
        "done": ask.query.get("done") if ask.query.get("done") in actions.ACTIONS else None,
    }
    about = ask.consulted("delivery", delivery=row.id, document=row.document_id)
    return View("delivery.html", values, lambda: Sheet("delivery", COLUMNS, records, _about(document)), about)


def show_document(ask: Ask) -> View:
    """One document: what is known of it without its content, and the timeline of all its deliveries."""
    identity = ask.path["document"]
    document = ask.gateway.browse.document(identity)
    ask.check_account(document.account, "DOC-404", f"Aucun document {identity}.")
    details = [ask.gateway.browse.delivery(one) for one in document.delivery_ids]
    records = timeline(details)
    others = [one for one in ask.gateway.browse.same_patient(identity) if one.id != document.id]
    values = {
        "document": document,
        "rows": [detail.row for detail in details],
        "advices": {detail.row.id: advice(detail.row) for detail in details},
        "places": {detail.row.id: detail.row.destination for detail in details},
        "events": [one for one in records if one["event"] not in READINGS],
        "readings": [one for one in records if one["event"] in READINGS],
        "others": others[-20:],
    }
    about = ask.consulted("document", document=document.id, patient=document.patient)
    return View("document.html", values, lambda: Sheet("document", COLUMNS, records, _about(document)), about)


def timeline(details: Iterable[DeliveryDetail]) -> list[dict[str, Any]]:
    """The records of some deliveries in the order in which they were written (time first: shards count apart)."""
    absent = dict.fromkeys(COLUMNS)
    found = [absent | json.loads(record) for detail in details for record in detail.records]
    return sorted(found, key=lambda one: (one["at"], one["shard"], one["seq"]))


def last_answer(attempts: Iterable[Attempt]) -> Attempt | None:
    """The latest attempt that ended, for its server's reply."""
    return next((one for one in reversed(list(attempts)) if one.ended_at is not None), None)


def advice(row: DeliveryRow) -> str:
    """What the practice has to do, in French; empty when nothing."""
    said = wording.receipt_next(row.receipt_reason, row.destination) if row.alerted_at is not None else ""
    return said or wording.advice(row.state.value, row.receipt.value, row.reason)


def _about(document: DocumentRow) -> dict[str, Any]:
    return {
        "document": document.id,
        "account": document.account,
        "patient": document.patient,
        "kind": document.kind,
        "type": document.document_type,
        "date": document.document_date,
        "accepted_at": document.accepted_at,
        "content_sha256": document.content_sha256,
        "findings": document.findings,
    }
