"""The SQLite file of the DMP: one connection, short transactions, any thread."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from gateway.errors import ConfigError

_LAYOUT = 2
_TABLES = (
    "exchange", "seen", "question", "reception", "association", "document", "content", "submission",
    "refused_structure", "patient",
)  # fmt: skip
_ADVICE = "Relancer avec « kine-gateway sandbox --reset » (le contenu du bac à sable est effacé)."


class Database:
    """Access to the file; every method is safe from any thread.

    Raises ConfigError SBX-005 when the file was written by another version of the sandbox.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        # One process writes. NORMAL survives the death of the process, and a sandbox need not survive a power cut.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA foreign_keys=ON")
        if self._stale():
            self._db.close()
            raise ConfigError("SBX-005", f"{file.name} vient d'une autre version du bac à sable.", _ADVICE)
        schema = files("gateway.sandbox.dmp").joinpath("schema.sql").read_text(encoding="utf-8")
        self._db.executescript(f"BEGIN; {schema} PRAGMA user_version={_LAYOUT}; COMMIT;")

    def _stale(self) -> bool:
        [version] = self._db.execute("PRAGMA user_version").fetchone()
        used = self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
        return used and version != _LAYOUT

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Checks and writes of one request, together or not at all."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Rows of a statement."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def insert(self, table: str, *values: object) -> int:
        """Add a row to a table of the schema (its number first, given by SQLite) and return that number."""
        assert table in _TABLES
        marks = ", ?" * len(values)
        with self._lock:
            number = self._db.execute(f"INSERT INTO {table} VALUES (NULL{marks})", values).lastrowid  # noqa: S608
        assert number is not None
        return number

    def changed(self, sql: str, *values: object) -> int:
        """How many rows a statement changed."""
        with self._lock:
            return self._db.execute(sql, values).rowcount

    def clear(self) -> None:
        """Empty every table, in one transaction: safe while another process has the file open."""
        with self.transaction():
            for table in _TABLES:
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 names of this module
