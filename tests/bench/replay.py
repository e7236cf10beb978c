"""The writes of a store, recorded to be done again by bare SQL: the same rows and statements, commit for commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Write = tuple[str, list[dict[str, Any]]]
"""A statement of the store, and the rows that it was given."""


class Recorder:
    """Keeps the writes of each transaction that goes by. Stands in a Core in the place of its database."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.commits: list[list[Write]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def write(self, *shards: Any) -> Iterator[Any]:
        with self.inner.write(*shards) as tx:
            recorded = _Recorded(tx)
            yield recorded
        self.commits.append(recorded.grouped())


class _Recorded:
    def __init__(self, tx: Any) -> None:
        self._tx = tx
        self._writes: list[Write] = []

    def __getattr__(self, name: str) -> Any:  # what reads
        return getattr(self._tx, name)

    def run(self, name: str, /, **values: Any) -> int:
        self._writes.append((name, [values]))
        return int(self._tx.run(name, **values))

    def later(self, name: str, /, **values: Any) -> None:
        self._writes.append((name, [values]))
        self._tx.later(name, **values)

    def many(self, name: str, /, rows: Any) -> None:
        kept = list(rows)
        self._writes.append((name, kept))
        self._tx.many(name, kept)

    def gather(self, name: str, /, rows: Any) -> list[Any]:
        if name == "delivery_transmit":  # the one statement that changes rows and tells which
            self._writes.append((name, list(rows)))
        return list(self._tx.gather(name, rows))

    def grouped(self) -> list[Write]:
        """The rows of each insert together, as bare SQL would have them."""
        inserts: dict[str, list[dict[str, Any]]] = {}
        rest: list[Write] = []
        for name, rows in self._writes:
            if name.endswith("_insert"):
                inserts.setdefault(name, []).extend(rows)
            else:
                rest.append((name, rows))
        return [*inserts.items(), *rest]
