"""Where a store lives, so that a copy of it started elsewhere is recognised: two would send everything twice.

The store remembers the machine and the place (a SQLite file) or the server and the database (PostgreSQL) that it works
at. A file that was moved on the same machine is where it is; a file that is also still where it was, or another
machine, is a copy. What a copy cannot be told by (a whole machine cloned, its identity included) shows when both sign
checkpoints into one folder: then one of them finds there what it did not write.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from gateway.errors import StateError

if TYPE_CHECKING:
    from gateway.store.database import Transaction


FLAG = "copied"
"""Name of the row of `home` that says that this store is a copy, and how it was told."""


def refuse_copied(tx: Transaction) -> None:
    """Raise StateError (STO-015) where only an adoption may let a store send again."""
    if tx.one("home_get", name=FLAG) is not None:
        advice = "Si c'est elle qui doit continuer : kine-gateway store adopt."
        raise StateError("STO-015", "Cette base est une copie : l'original travaille peut-être encore.", advice)


class Verdict(StrEnum):
    """What the present place says of a store."""

    AT_HOME = "at_home"
    MOVED = "moved"
    OTHER_MACHINE = "other_machine"
    STILL_THERE = "still_there"
    OTHER_SERVER = "other_server"
    FORKED = "forked"

    @property
    def copied(self) -> bool:
        """Whether this is a copy beside which the original may work."""
        return self not in {Verdict.AT_HOME, Verdict.MOVED}


@dataclass(frozen=True, slots=True)
class Home:
    """`host`: a digest of the machine's identity, or the server's; None: it has none. `place`: the file, or the
    database and the schema.
    """

    host: str | None
    place: str

    def dump(self) -> str:
        """As it is kept."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def load(cls, text: str) -> Home:
        """What `dump` wrote."""
        return cls(**json.loads(text))


class HomeStore(Protocol):
    """What the store offers to who starts working on it."""

    def at_home(self) -> Verdict:
        """Whether it stands where it worked last. Changes nothing. Raises StoreError."""
        ...

    def settle_in(self) -> Verdict:
        """Before sending: a store that was moved takes its new place; a copy is paused, with a journal record.

        The pause (`*`, reason ENG-COPIED) stays until `adopt`; whatever waits stays as it is meanwhile.
        """
        ...

    def forked(self) -> bool:
        """While working: whether a checkpoint of this journal lies outside that this store did not write. Then it is
        paused like any copy. Costs a look at the folder.
        """
        ...

    def adopt(self, *, by: str, reason: str, original_stopped: bool) -> int:
        """A named person says that this copy is the store that goes on, and where it is, is home.

        Unless the original was stopped before the copy was made and never ran again, what is not known to be sent
        becomes in doubt. Returns how many did. Raises StateError (STO-016): this is no copy; InputError (DLV-003,
        DLV-004).
        """
        ...
