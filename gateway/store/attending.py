"""What people do about receipts: they called, they read a reply, they say whose patient it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gateway.errors import StateError
from gateway.store import reading, receiving
from gateway.store.core import Core, Work, find_delivery, from_ms
from gateway.store.operating import check_reason, checked_name, keep_note
from gateway.store.received import PairHold
from gateway.store.states import Event, Transport

if TYPE_CHECKING:
    from gateway.store.database import Row
    from gateway.store.rows import DeliveryRow

NOT_PATIENT = "MSS-RCPT-NOT-PATIENT"
"""Reason of a hold that a person put between a patient and a recipient."""
_DONE = {"called": "receipt_called", "seen": "reply_seen"}


def attend(core: Core, delivery_id: str, action: Literal["called", "seen"], by: str, reason: str) -> DeliveryRow:
    """See ReceiptStore.attend."""
    by = checked_name(by)
    check_reason(reason)
    with core.write() as work:
        row = find_delivery(work.tx, delivery_id)
        if row["replies" if action == "seen" else "alerted_at"] in {None, 0}:
            raise _nothing_asked(delivery_id, action)
        columns = {"alerted_at": row["alerted_at"], "replies": row["replies"]}
        columns["replies" if action == "seen" else "alerted_at"] = 0 if action == "seen" else None
        same = {"receipt": row["receipt"], "reason": row["receipt_reason"], "awaited_until": row["awaited_until"]}
        work.tx.run("delivery_receipt", id=row["id"], **same, **columns)
        mac = keep_note(core, work, row, action, by, reason)
        work.note_delivery(_DONE[action], row, state=row["state"], receipt=row["receipt"], by=by, note_mac=mac)
        return reading.delivery_row(find_delivery(work.tx, delivery_id))


def _nothing_asked(delivery_id: str, action: str) -> StateError:
    what = "aucun appel n'est attendu" if action == "called" else "aucune réponse n'attend"
    return StateError("DLV-007", f"Envoi {delivery_id} : {what}.", "Voir `kine-gateway queue show`.")


def hold_pair(core: Core, delivery_id: str, by: str, reason: str) -> list[DeliveryRow]:
    """See ReceiptStore.hold_pair."""
    by = checked_name(by)
    check_reason(reason)
    with core.write() as work:
        row = _mail(work, delivery_id)
        keep_note(core, work, row, "not_my_patient", by, reason)
        return [reading.delivery_row(one) for one in receiving.hold_pair(work, row, NOT_PATIENT, by)]


def release_pair(core: Core, delivery_id: str, by: str, reason: str) -> list[DeliveryRow]:
    """See ReceiptStore.release_pair."""
    by = checked_name(by)
    check_reason(reason)
    with core.write() as work:
        row = _mail(work, delivery_id)
        pair = _pair(work, row)
        hold = work.tx.one("pair_get", **pair)
        if hold is None:
            raise StateError("DLV-009", f"Rien n'est retenu entre le patient et le destinataire de {delivery_id}.")
        work.tx.run("pair_delete", **pair)
        mac = keep_note(core, work, row, "my_patient", by, reason)
        about = {"account": row["account"], "patient": pair["patient"]}
        work.note_delivery("pair_released", row, by=by, note_mac=mac, **about)
        ids = [row["id"] for row in work.tx.all("deliveries_of_pair", **pair)]
        # One at a time: a correction that is let go may supersede the earlier version beside it.
        return [_let_go(work, one, by) for one in map(work.delivery, ids) if _held_by(one, hold)]


def _held_by(row: Row, hold: Row) -> bool:
    return bool(row["state"] == Transport.HELD and row["reason"] == hold["reason"])


def _let_go(work: Work, row: Row, by: str) -> DeliveryRow:
    work.move(row, Event.RELEASE, Transport.PREPARED, due_in=0, reason="ENG-OPERATOR", actor=by)
    return reading.delivery_row(find_delivery(work.tx, row["id"]))


def _pair(work: Work, row: Row) -> dict[str, object]:
    patient = receiving.patient_of(work, row)
    return {"account": row["account"], "patient": patient, "recipient_mac": row["recipient_mac"]}


def _mail(work: Work, delivery_id: str) -> Row:
    row = find_delivery(work.tx, delivery_id)
    if row["channel"] != "mssante" or row["recipient_mac"] is None:
        message = f"L'envoi {delivery_id} n'est pas un courriel à un destinataire."
        raise StateError("DLV-008", message, "Choisir un envoi MSSanté (queue list).")
    return row


def pair_holds(core: Core) -> list[PairHold]:
    """See ReceiptStore.pair_holds."""
    with core.db.read() as tx:
        rows = tx.all("pair_all")
    return [PairHold(r["account"], r["delivery_id"], r["reason"], r["actor"], from_ms(r["since"])) for r in rows]
