"""Questions of who follows an account's deliveries. See `gateway.store.following`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store import journal, reading
from gateway.store.following import Moved

if TYPE_CHECKING:
    from gateway.store.core import Core


def moved(core: Core, account: str, after: int, window: int) -> Moved:
    """See FollowStore."""
    shard = journal.shard_of(account, core.shards)
    with core.db.read() as tx:
        size = journal.head(tx, shard)[0]
        upto = min(size, after + window)
        about = {"shard": shard, "after": after, "upto": upto, "account": account}
        rows = tx.all("deliveries_moved", **about) if upto > after else []
    return Moved(tuple(reading.delivery_row(row) for row in rows), max(after, upto), more=upto < size)


def size(core: Core, account: str) -> int:
    """See FollowStore."""
    with core.db.read() as tx:
        return journal.head(tx, journal.shard_of(account, core.shards))[0]


def mark(core: Core, account: str, place: int) -> str | None:
    """See FollowStore."""
    if place == 0:
        return "0"
    with core.db.read() as tx:
        row = tx.one("journal_hash", shard=journal.shard_of(account, core.shards), seq=place - 1)
    return None if row is None else bytes(row["hash"])[:6].hex()
