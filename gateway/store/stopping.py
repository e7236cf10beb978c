"""Stopping a patient and resuming him: what `gateway.store.stops` describes, in one transaction each."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.store import journal
from gateway.store.core import Core, Work, from_ms
from gateway.store.database import Row
from gateway.store.operating import checked_name
from gateway.store.states import TRANSITIONS, Event, Transport
from gateway.store.stops import PREFIX, Access, PatientStop, Stopped, carries_document

T = Transport
_LEFT = frozenset({T.SENT, T.SENDING, T.TRANSMITTING, T.IN_DOUBT, T.HANDED_OVER})
_WAITING = frozenset(TRANSITIONS[Event.HOLD][0])


def note_access(core: Core, access: Access, patient: str | None) -> None:
    """See PatientStore."""
    by = checked_name(access.by)
    pseudonym = None if patient is None else core.vault.pseudonym(access.account, patient)
    with core.write() as work:
        work.note(
            "insi_asked",
            account=access.account,
            by=by,
            kind=journal.code(access.kind),
            verdict=journal.code(access.outcome),
            size=access.calls,
            host=access.host,
            patient=pseudonym,
        )


def stop(core: Core, accounts: Sequence[str], patient: str, reason: str, by: str) -> Stopped:
    """See PatientStore. A stop in force takes the new reason."""
    by, reason = checked_name(by), journal.code(reason)
    with core.write() as work:
        rows = [row for account in accounts for row in _stop_one(core, work, account, patient, reason, by)]
        held = tuple(row["id"] for row in rows if row["state"] in _WAITING)
        for row in map(work.delivery, held):
            if row["state"] in _WAITING:  # or a correction took its place when another one was held
                work.move(row, Event.HOLD, Transport.HELD, reason=reason, actor=by)
    waiting = tuple(row["id"] for row in rows if row["state"] == Transport.HELD)
    return Stopped(held, waiting, tuple(row["id"] for row in rows if row["state"] in _LEFT))


def _stop_one(core: Core, work: Work, account: str, patient: str, reason: str, by: str) -> list[Row]:
    """Note the stop, and give what the patient has in this account."""
    name = core.vault.pseudonym(account, patient)
    work.tx.run("patient_stop_put", account=account, patient=name, reason=reason, actor=by, now=work.ms)
    work.note("patient_stopped", account=account, patient=name, reason=reason, by=by)
    rows = work.tx.all("deliveries_of_patient", account=account, patient=name)
    return [row for row in rows if carries_document(row)]


def resume(core: Core, accounts: Sequence[str], patient: str, by: str, release: bool) -> tuple[str, ...]:
    """See PatientStore."""
    by = checked_name(by)
    released: list[str] = []
    with core.write() as work:
        for account in accounts:
            name = core.vault.pseudonym(account, patient)
            if not work.tx.run("patient_stop_delete", account=account, patient=name):
                continue
            work.note("patient_resumed", account=account, patient=name, by=by)
            found = work.tx.all("deliveries_of_patient", account=account, patient=name) if release else ()
            released += [row["id"] for row in found if _let_go(work, row["id"], by)]
    return tuple(released)


def _let_go(work: Work, delivery: str, by: str) -> bool:
    """Release what a stop held; a correction that was released a moment ago may have superseded it."""
    row = work.delivery(delivery)
    mine = row["state"] == Transport.HELD and str(row["reason"]).startswith(PREFIX) and bool(row["manifest"])
    if mine:
        work.move(row, Event.RELEASE, Transport.PREPARED, due_in=0, actor=by)
    return mine


def listing(core: Core, accounts: Sequence[str], patient: str | None) -> list[PatientStop]:
    """See PatientStore."""
    names = None if patient is None else {(one, core.vault.pseudonym(one, patient)) for one in accounts}
    with core.db.read() as tx:
        rows = tx.all("patient_stops")
    return [
        PatientStop(row["account"], row["patient"], row["reason"], row["actor"], from_ms(row["since"]))
        for row in rows
        if names is None or (row["account"], row["patient"]) in names
    ]
