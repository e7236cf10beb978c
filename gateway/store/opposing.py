"""A patient who objects to a destination after the fact: recorded by a named person, and respected from then on.

What waits for that destination becomes `impossible` (`DST-OPPOSITION`), and so does what comes later, until a named
person ends the opposition. A target is a kind of destination (`patient`, `medecin_traitant`, `professional`, `dmp`) or
one mailbox, kept as keyed hash. What takes a document back (a deletion, a retraction, a mask in the DMP) always goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import StateError
from gateway.store import mail_keys, succession
from gateway.store.core import Core, Work, find_document, from_ms
from gateway.store.operating import checked_name
from gateway.store.oppositions import KINDS, Opposed, Opposition, Person
from gateway.store.states import TRANSITIONS, Event, Transport
from gateway.store.stops import OPPOSED, box_target, carries_document, opposes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.store.database import Row, Transaction

_BOX = "box"
_LEFT = frozenset({Transport.SENT, Transport.SENDING, Transport.TRANSMITTING, Transport.IN_DOUBT})
_STOPPED = frozenset(TRANSITIONS[Event.OPPOSE][0])


def oppose(core: Core, person: Person, target: str, by: str) -> Opposed:
    """See OppositionStore."""
    by = checked_name(by)
    with core.write(person.account) as work:
        name, key = _named(work, person), _key(work, target)
        values = {"account": person.account, "patient": name, "target": key}
        new = work.tx.run("opposition_put", actor=by, now=work.ms, **values) > 0
        if new:
            work.note("opposition_recorded", by=by, **_told(person.account, name, key))
        rows = [row for row in _deliveries(work, person.account, name) if opposes({key}, row)]
        stopped = [row for row in rows if row["state"] in _STOPPED]
        for row in (work.delivery(one["id"]) for one in stopped):  # one may be held because another one stopped
            work.move(row, Event.OPPOSE, Transport.IMPOSSIBLE, reason=OPPOSED, actor=by)
    gone = tuple(row["id"] for row in rows if row["state"] in _LEFT)
    return Opposed(new, tuple(row["id"] for row in stopped), gone)


def unoppose(core: Core, person: Person, target: str, by: str, release: bool) -> tuple[str, ...]:
    """See OppositionStore."""
    by = checked_name(by)
    released: list[str] = []
    with core.write(person.account) as work:
        name, key = _named(work, person), _key(work, target)
        if not work.tx.run("opposition_delete", account=person.account, patient=name, target=key):
            raise StateError("OPP-001", "Aucune opposition de ce patient à cette destination.", "Voir patient list.")
        work.note("opposition_ended", by=by, **_told(person.account, name, key))
        left = {row["target"] for row in work.tx.all("opposition_list", account=person.account, patient=name)}
        for row in _deliveries(work, person.account, name) if release else ():
            mine = _stopped_here(row) and opposes({key}, row) and not opposes(left, row)
            if mine and not succession.obsolete(work, row) and not _is_withdrawn(work, row):
                work.move(row, Event.RETRY, Transport.RETRY, due_in=0, actor=by)
                released.append(row["id"])
    return tuple(released)


def listing(core: Core, person: Person | None) -> list[Opposition]:
    """See OppositionStore."""
    with core.db.read() as tx:
        account = None if person is None else person.account
        name = None if person is None else pseudonym_of(core, person, tx)
        rows = tx.all("opposition_list", account=account, patient=name)
    return [
        Opposition(row["account"], row["patient"], _shown(row["target"]), row["actor"], from_ms(row["since"]))
        for row in rows
    ]


def _named(work: Work, person: Person) -> str:
    return pseudonym_of(work.core, person, work.tx)


def pseudonym_of(core: Core, person: Person, tx: Transaction) -> str:
    """The pseudonym of a patient, however he is named. Raises NotFoundError (DOC-404)."""
    if person.patient is not None:
        return core.vault.pseudonym(person.account, person.patient)
    assert person.document is not None  # a person is named one way or the other
    return str(find_document(tx, person.document)["patient"])


def _key(work: Work, target: str) -> str:
    if target in KINDS:
        return target
    return box_target(mail_keys.recipient(work.core.vault, target))


def _shown(target: str) -> str:
    return target if target in KINDS else _BOX


def _told(account: str, patient: str, key: str) -> Mapping[str, str]:
    return {"account": account, "patient": patient, "destination": key}


def _deliveries(work: Work, account: str, patient: str) -> list[Row]:
    rows = work.tx.all("deliveries_of_patient", account=account, patient=patient)
    return [row for row in rows if carries_document(row)]


def _is_withdrawn(work: Work, row: Row) -> bool:
    return find_document(work.tx, row["document_id"])["withdrawn_at"] is not None


def _stopped_here(row: Row) -> bool:
    """Whether an opposition recorded here stopped it: what the submission itself objected to has nothing to send."""
    return row["state"] == Transport.IMPOSSIBLE and row["reason"] == OPPOSED and row["manifest"] is not None
