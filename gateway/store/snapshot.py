"""The journal as an auditor reads it: one size, and everything up to it, whatever is written meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from gateway.store.checkpoint import Verifier, read_notes, read_tokens
from gateway.store.core import Core
from gateway.store.merkle import Frontier

PAGE = 5_000
"""Records read in one transaction, so that no reader holds up a writer for long."""


class Entry(NamedTuple):
    """A record as stored: its exact bytes, its chain hash, and the delivery it was filed under."""

    seq: int
    record: bytes
    hash: bytes
    delivery: str | None
    shard: int = 0


class Head(NamedTuple):
    """Where a shard of the journal stands: how many records, the root of its tree, the last link of its chain."""

    size: int
    root: bytes
    hash: bytes


class Standing(NamedTuple):
    """What the delivery table says at the snapshot's instant."""

    delivery: str
    state: str
    receipt: str


@dataclass(frozen=True)
class Snapshot:
    """`heads` are those of the shards, by number; `states` belongs to the same instant.

    `tokens` are the time-stamped notes, each with its RFC 3161 response.
    """

    heads: tuple[Head, ...]
    states: tuple[Standing, ...]
    notes: tuple[str, ...]
    tokens: tuple[tuple[str, bytes], ...]
    verifier: Verifier
    core: Core

    @property
    def size(self) -> int:
        """Records of every shard."""
        return sum(head.size for head in self.heads)

    @property
    def root(self) -> bytes:
        """Root of the first shard; the only one on SQLite."""
        return self.heads[0].root

    def records(self) -> Iterator[Entry]:
        """Every record below the heads, shard by shard, in order."""
        for shard in range(len(self.heads)):
            yield from self.records_of(shard)

    def records_of(self, shard: int) -> Iterator[Entry]:
        """The records of one shard. The journal only grows, so pages read one by one fit together."""
        after, size = -1, self.heads[shard].size
        while after + 1 < size:
            with self.core.db.read() as tx:
                limit = min(PAGE, size - 1 - after)
                rows = tx.all("journal_page", shard=shard, after=after, limit=limit)
            if not rows:
                return
            for row in rows:
                yield Entry(row["seq"], row["record"].encode(), row["hash"], row["delivery"], shard)
            after = rows[-1]["seq"]


def take(core: Core) -> Snapshot:
    """The journal as it stands now.

    The checkpoints are read first: one that another process writes meanwhile would seem to be ahead of the journal.
    """
    notes, tokens = tuple(read_notes(core.folder.path)), tuple(read_tokens(core.folder.path))
    with core.db.read() as tx:
        rows = [tx.head(shard) for shard in range(core.shards)]
        states = tuple(Standing(row["id"], row["state"], row["receipt"]) for row in tx.all("delivery_states"))
    heads = tuple(Head(row["size"], Frontier(row["size"], row["frontier"]).root(), row["hash"]) for row in rows)
    return Snapshot(heads, states, notes, tokens, core.folder.verifier, core)
