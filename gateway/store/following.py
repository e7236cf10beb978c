"""Following deliveries: what has moved since a place in the journal. Whoever polls misses nothing and asks no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.store.core import Core
    from gateway.store.database import Transaction
    from gateway.store.rows import DeliveryRow

WINDOW = 500
"""Journal records that one question looks at: a page has at most as many deliveries."""
_SHARD = 0


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


def moved(core: Core, account: str, after: int, window: int) -> Moved:
    """See FollowStore."""
    from gateway.store import reading  # it needs the protocol above

    with core.db.read() as tx:
        size = _size(tx, _SHARD)
        upto = min(size, after + window)
        about = {"shard": _SHARD, "after": after, "upto": upto, "account": account}
        rows = tx.all("deliveries_moved", **about) if upto > after else []
    return Moved(tuple(reading.delivery_row(row) for row in rows), max(after, upto), more=upto < size)


def size(core: Core, account: str) -> int:  # noqa: ARG001 (one journal holds every account)
    """See FollowStore."""
    with core.db.read() as tx:
        return _size(tx, _SHARD)


def _size(tx: Transaction, shard: int) -> int:
    head = tx.one("journal_head", shard=shard)
    assert head is not None
    return int(head["size"])
