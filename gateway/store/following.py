"""Following deliveries: what has moved since a place in the journal. Whoever polls misses nothing and asks no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.store.rows import DeliveryRow

WINDOW = 500
"""Journal records that one question looks at: a page has at most as many deliveries."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Deliveries as they stand now that the journal speaks of between two of its sizes. `upto` is where to go on,
    `more` whether there is something beyond it already.
    """

    rows: tuple[DeliveryRow, ...]
    upto: int
    more: bool


class FollowStore(Protocol):
    """What the store offers to who follows the deliveries of an account."""

    def moved(self, account: str, after: int, *, window: int = WINDOW) -> Moved:
        """What the next `window` records of the account's journal, from `after` on, are about."""
        ...

    def journal_size(self, account: str) -> int:
        """How many records the account's journal has: where to start following from now on."""
        ...

    def journal_mark(self, account: str, place: int) -> str | None:
        """What stands in the account's journal just before a place, in short (its chain hash); None: it is not so long.

        Another mark at the same place is another journal: a database restored from a backup, for example.
        """
        ...
