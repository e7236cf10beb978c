"""What the store holds about one patient of one account, and the erasure of it: rights of RGPD articles 15 and 17."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.store.oppositions import Opposition, Person
from gateway.store.rows import DocumentRow
from gateway.store.stops import PatientStop


@dataclass(frozen=True, slots=True)
class HeldPair:
    """That nothing goes to one recipient about this patient; `delivery` is what made it so, `reason` a code."""

    delivery: str
    reason: str
    by: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Holding:
    """Everything kept about a patient. `patient` is his pseudonym.

    `alike` are documents of the account with the same birth traits under another identifier (accepted before the INS
    was known, say): a person decides whether they are his. `facts` counts the frozen facts of care.
    """

    account: str
    patient: str
    documents: tuple[DocumentRow, ...] = ()
    alike: tuple[str, ...] = ()
    stops: tuple[PatientStop, ...] = ()
    oppositions: tuple[Opposition, ...] = ()
    pairs: tuple[HeldPair, ...] = ()
    facts: int = 0


@dataclass(frozen=True, slots=True)
class Disclosed:
    """That a patient's data were handed out: by whom, how many documents. `patient` is his pseudonym."""

    account: str
    patient: str
    by: str
    documents: int


class RightsStore(Protocol):
    """What the store does for a patient who asks what is held of him, or wants it gone."""

    def holding(self, person: Person, traits: str | None = None) -> Holding:
        """Everything held about a patient. `traits` (as in Guard) also finds documents under another identifier.

        Raises NotFoundError (DOC-404) for an unknown document.
        """
        ...

    def note_disclosed(self, disclosed: Disclosed) -> None:
        """Journal that a patient's data were exported. Raises InputError (DLV-003) without a name."""
        ...

    def erase(self, document_id: str, *, by: str, reason: str | None = None) -> bool:
        """Destroy a document's key and its content, in one transaction. `reason` is a code. False: it was gone already.

        Raises NotFoundError (DOC-404), StateError (DOC-001) while one of its deliveries is not at an end.
        """
        ...

    def scrub(self) -> bool:
        """Have the engine drop what erased rows leave behind. False: not now, or not with these rights.

        SQLite overwrites what is deleted (`secure_delete`); its WAL is emptied here. PostgreSQL rewrites the table that
        held the keys.
        """
        ...
