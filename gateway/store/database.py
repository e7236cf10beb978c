"""What a database engine offers to the store: named statements in short transactions.

The statements live in sql/<engine>/statements.sql, one after each `-- name:` line, with `:named` parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from gateway.errors import StoreError
from gateway.store.homes import Home, Verdict

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_MIGRATION = re.compile(r"^(\d{4})_\w+\.sql$")

Row = Mapping[str, Any]


class Transaction(Protocol):
    """Statements by name. Rows come back as mappings from column to value."""

    def one(self, name: str, /, **values: Any) -> Row | None:
        """The first row, or None."""
        ...

    def all(self, name: str, /, **values: Any) -> list[Row]:
        """Every row."""
        ...

    def run(self, name: str, /, **values: Any) -> int:
        """Execute and return the number of rows touched."""
        ...

    def many(self, name: str, /, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute once for each row."""
        ...

    def later(self, name: str, /, **values: Any) -> None:
        """Insert a row, at the latest before the next other statement or the end: rows of several go together."""
        ...

    def gather(self, name: str, /, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
        """What a query finds for each of these values, all in one list: a row has to say what it is about."""
        ...

    def head(self, shard: int) -> Row:
        """The head of a journal shard; in a write transaction nobody else can change it before the end."""
        ...

    def now(self) -> datetime | None:
        """The database's own clock, aware UTC, once the locks were had; None where the gateway's counts."""
        ...


class Database(Protocol):
    """One database, opened by this process."""

    def write(self, shards: Sequence[int] | None = None) -> AbstractContextManager[Transaction]:
        """A transaction that holds its write locks from its start; durable when the block ends, undone if it raises.

        `shards` are the journal's that it may add to (None: all); an engine with one write lock takes no notice.
        """
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """A transaction that sees one consistent state and changes nothing."""
        ...

    def scrub(self) -> bool:
        """Drop what deleted rows leave behind, as far as the engine can. False: it could not, now or with these rights.

        Outside any transaction.
        """
        ...

    def home(self) -> Home:
        """Where this database is. Outside any transaction."""
        ...

    def compare(self, known: Home, here: Home, epoch: str) -> Verdict:
        """What it means that a store of this epoch was there and is here now. Outside any transaction."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


@cache
def statements(engine: str) -> dict[str, str]:
    """The statements of an engine, by name."""
    text = (files(__package__) / "sql" / engine / "statements.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


NEWER = "STO-004"
"""Code of the error that a newer release has changed the schema: this one must stop."""


def refuse_newer(present: int, latest: int) -> None:
    """Raise StoreError (STO-004) where the schema is of a newer release than this one, which knows up to `latest`.

    Asked at the beginning of each transaction: a process that was left running writes nothing into a migrated schema.
    """
    if present > latest:
        raise StoreError(NEWER, "La base vient d'une version plus récente.", "Mettez la passerelle à jour.")


@cache
def migrations(engine: str) -> tuple[tuple[int, str], ...]:
    """The numbered schema scripts of an engine, in order; each leads from the number before it to its own."""
    folder = files(__package__) / "sql" / engine
    found = {int(match[1]): entry for entry in folder.iterdir() if (match := _MIGRATION.match(entry.name))}
    return tuple((number, found[number].read_text(encoding="utf-8")) for number in sorted(found))
