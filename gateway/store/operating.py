"""What people and later evidence do to a delivery: operator actions, pauses, receipts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.errors import InputError, StateError
from gateway.findings import error
from gateway.store import homes, journal, notes, receiving, stops
from gateway.store.base import Action
from gateway.store.core import Core, Work, check, find_delivery, find_document, receipt_of, to_ms
from gateway.store.database import Row
from gateway.store.states import Event, Receipt, Transport
from gateway.store.succession import check_not_obsolete

MAX_BY = 100
"""Characters of a person's name; a journal record is not the place for more."""


@dataclass(frozen=True, slots=True)
class _Effect:
    """Where an action leads. `again`: the engine has something to send at once; `afresh`: the schedule restarts."""

    event: Event
    state: Transport
    again: bool = False
    afresh: bool = False


_EFFECTS: dict[Action, _Effect] = {
    "hold": _Effect(Event.HOLD, Transport.HELD),
    "release": _Effect(Event.RELEASE, Transport.PREPARED, again=True),
    "cancel": _Effect(Event.CANCEL, Transport.CANCELLED),
    "retry": _Effect(Event.RETRY, Transport.RETRY, again=True, afresh=True),
    "handed": _Effect(Event.HANDED, Transport.HANDED_OVER),
    "confirm_sent": _Effect(Event.CONFIRM_SENT, Transport.SENT),
}
_RESEND = _Effect(Event.RESEND_DECIDED, Transport.RETRY, again=True, afresh=True)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a named person decided, and why; for `handed` also how and when (None: now)."""

    action: Action
    by: str
    reason: str
    means: str | None = None
    at: datetime | None = None


def act(core: Core, delivery_id: str, decision: Decision) -> None:
    """Do what a named person decided.

    Raises:
        StateError: `DLV-001` not from this state, `DLV-002` nothing to send, `DLV-010` a correction went instead.
        InputError: `DLV-003` no name, `DLV-004` no reason, `DLV-005` no means, `DLV-006` handed over in the future.
    """
    by = checked_name(decision.by)
    check_reason(decision.reason)
    with core.write() as work:
        row = find_delivery(work.tx, delivery_id)
        effect = _EFFECTS[decision.action]
        if decision.action == "retry" and row["state"] == Transport.IN_DOUBT:
            effect = _RESEND
        check(effect.event, row, effect.state)
        _check_withdrawn(work, row, decision.action)
        if effect.again and row["manifest"] is None:
            raise StateError(
                "DLV-002", f"L'envoi {delivery_id} n'a rien à transmettre.", "Remettez le document autrement."
            )
        if effect.again:
            stops.check_not_stopped(work.tx, row)
            check_not_obsolete(work, row)
        columns: dict[str, Any] = {"reason": "ENG-OPERATOR", "actor": by}
        if decision.action == "handed":
            columns |= _handed(decision, work, row)
        if effect.afresh:
            columns |= {"failures": 0, "burned_ms": 0}
        fields = {"note_mac": keep_note(core, work, row, decision.action, by, decision.reason)}
        due_in = 0 if effect.again else None
        work.move(row, effect.event, effect.state, due_in=due_in, fields=fields, **columns)


def _check_withdrawn(work: Work, row: Row, action: Action) -> None:
    """A withdrawn document goes nowhere any more; what its withdrawal sends is never simply given up."""
    if find_document(work.tx, row["document_id"])["withdrawn_at"] is None:
        return
    if row["purpose"] == "document" and action not in {"cancel", "confirm_sent"}:
        raise withdrawn(row["document_id"])
    if row["purpose"] != "document" and action == "cancel":
        advice = "Déclarer plutôt comment le destinataire a été prévenu (queue handed)."
        raise StateError("WDR-002", "Une annulation de document ne s'abandonne pas.", advice)


def withdrawn(document: str) -> StateError:
    """The refusal to do anything more with a withdrawn document."""
    message = f"Le document {document} a été annulé (withdraw) : il ne part plus."
    return StateError("WDR-001", message, "Confier le bon document comme un nouveau document.")


REFUSED_OR_SILENT = frozenset({Receipt.REFUSED, Receipt.OVERDUE})
"""Receipts after which a sent delivery may still be handed over by a person."""


def _handed(decision: Decision, work: Work, row: Row) -> dict[str, Any]:
    at = decision.at or work.now
    if row["state"] == Transport.SENT and receipt_of(row) not in REFUSED_OR_SILENT:
        message = f"Action impossible : l'envoi {row['id']} est parti et n'a pas été refusé."
        raise StateError("DLV-001", message, "Attendre l'accusé.")
    if not decision.means:
        raise _refused("DLV-005", "/means", "Moyen de remise absent.", "Dire comment : en main propre, courrier, SIP.")
    if at > work.now:
        raise _refused("DLV-006", "/at", "Remise dans le futur.", "Donner la date et l'heure de la remise.")
    return {"means": journal.code(decision.means), "handed_at": to_ms(at)}


def checked_name(by: str) -> str:
    """A person's name, trimmed. Raises InputError (DLV-003): empty, too long, or with control characters."""
    by = by.strip()
    if not by or len(by) > MAX_BY or not by.isprintable():
        raise _refused("DLV-003", "/by", "Nom de la personne absent ou illisible.", "Donner son nom, sur une ligne.")
    return by


def check_reason(reason: str) -> None:
    """Raise InputError (DLV-004) where somebody does not say why."""
    if not reason.strip():
        raise _refused("DLV-004", "/reason", "Motif absent.", "Dire en quelques mots pourquoi.")


def _refused(code: str, path: str, message: str, advice: str) -> InputError:
    return InputError([error(code, path, message, advice)], "Action refusée.")


def keep_note(core: Core, work: Work, row: Row, action: str, by: str, text: str) -> str | None:
    """Seal the person's words, which may well name the patient; the journal gets a keyed hash of them."""
    key = core.document_key(find_document(work.tx, row["document_id"]))
    if key is None:
        return None
    new = {"delivery_id": row["id"], "at": work.ms, "action": action, "actor": by, "name": core.new_id()}
    work.tx.run("note_insert", sealed=key.seal(text.encode(), "note", notes.place(new), "sealed"), **new)
    return key.commitment(text)


def pause(core: Core, account: str, channel: str, by: str, reason: str) -> None:
    """Stop a channel; pausing twice changes nothing."""
    values = {"account": account, "channel": channel, "reason": journal.code(reason)}
    by = checked_name(by)
    with core.write() as work:
        if work.tx.run("pause_put", actor=by, now=work.ms, **values):
            work.note("paused", by=by, **values)


def resume(core: Core, account: str, channel: str, by: str) -> bool:
    """End a pause. Returns whether there was one."""
    by = checked_name(by)
    with core.write() as work:
        if account == channel == journal.EVERY:
            homes.refuse_copied(work.tx)
        ended = work.tx.run("pause_delete", account=account, channel=channel) > 0
        if ended:
            work.note("resumed", account=account, channel=channel, by=by)
    return ended


def session_ready(core: Core, account: str, channel: str, by: str) -> int:
    """Deliveries that waited for a person to renew the session become due."""
    by = checked_name(by)
    with core.write() as work:
        rows = work.tx.all("deliveries_waiting_for_session", account=account, channel=channel)
        for row in rows:
            work.move(row, Event.SESSION_READY, Transport.RETRY, due_in=0, actor=by)
    return len(rows)


def record_receipt(core: Core, delivery_id: str, receipt: Receipt, evidence_sha256: str, code: str | None) -> bool:
    """Note a receipt once; whatever order receipts come in, the axis only moves where `RECEIPTS` lets it."""
    code = None if code is None else journal.code(code)
    with core.write() as work:
        row = find_delivery(work.tx, delivery_id)
        new = work.tx.run(
            "receipt_insert",
            delivery_id=delivery_id,
            kind=receipt,
            evidence=bytes.fromhex(evidence_sha256),
            now=work.ms,
            code=code,
        )
        if not new:
            return False
        fields = {"evidence_sha256": evidence_sha256, "verdict": receipt, "text": code}
        return receiving.settle(work, row, receiving.Said(receipt, code), fields)
