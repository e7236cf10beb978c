"""The journal as an auditor reads it: one size, and everything up to it, whatever is written meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from gateway.store import journal
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


class Standing(NamedTuple):
    """What the delivery table says at the snapshot's instant."""

    delivery: str
    state: str
    receipt: str


@dataclass(frozen=True)
class Snapshot:
    """`size`, `root` and `hash` are the head's; `states` belongs to the same instant.

    `tokens` are the time-stamped notes, each with its RFC 3161 response.
    """

    size: int
    root: bytes
    hash: bytes
    states: tuple[Standing, ...]
    notes: tuple[str, ...]
    tokens: tuple[tuple[str, bytes], ...]
    verifier: Verifier
    core: Core

    def records(self) -> Iterator[Entry]:
        """Every record below `size`, in order. The journal only grows, so pages read one by one fit together."""
        after = -1
        while after + 1 < self.size:
            with self.core.db.read() as tx:
                limit = min(PAGE, self.size - 1 - after)
                rows = tx.all("journal_page", shard=journal.SHARD, after=after, limit=limit)
            if not rows:
                return
            for row in rows:
                yield Entry(row["seq"], row["record"].encode(), row["hash"], row["delivery"])
            after = rows[-1]["seq"]


def take(core: Core) -> Snapshot:
    """The journal as it stands now.

    The checkpoints are read first: one that another process writes meanwhile would seem to be ahead of the journal.
    """
    notes, tokens = tuple(read_notes(core.folder.path)), tuple(read_tokens(core.folder.path))
    with core.db.read() as tx:
        head = tx.one("journal_head", shard=journal.SHARD)
        assert head is not None
        states = tuple(Standing(row["id"], row["state"], row["receipt"]) for row in tx.all("delivery_states"))
    root = Frontier(head["size"], head["frontier"]).root()
    return Snapshot(head["size"], root, head["hash"], states, notes, tokens, core.folder.verifier, core)
