"""Answers of the API kept beside the imported list, with their date, for a day or while the API is unreachable."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from gateway import platform
from gateway.channels.annuaire.model import Person, person_as_dict, person_of

_SCHEMA = "CREATE TABLE IF NOT EXISTS answer (rpps TEXT PRIMARY KEY, at TEXT NOT NULL, people TEXT NOT NULL) STRICT"


class Cache:
    """Answers about one RPPS number each. It holds nothing that cannot be asked again, so its faults are no faults."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, rpps: str) -> tuple[datetime, tuple[Person, ...]] | None:
        """When the API answered, and what."""
        with contextlib.suppress(sqlite3.Error, OSError, ValueError, KeyError, TypeError), self._open() as base:
            row = base.execute("SELECT at, people FROM answer WHERE rpps = ?", (rpps,)).fetchone()
            if row is not None:
                return datetime.fromisoformat(row[0]), tuple(person_of(one) for one in json.loads(row[1]))
        return None

    def put(self, rpps: str, at: datetime, people: tuple[Person, ...]) -> None:
        """Keep an answer in place of the one before."""
        with contextlib.suppress(sqlite3.Error, OSError), self._open() as base, base:
            text = json.dumps([person_as_dict(person) for person in people])
            base.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", (rpps, at.isoformat(), text))

    def forget(self, before: datetime) -> int:
        """Delete answers older than `before`; how many are left."""
        if not self.path.exists():
            return 0
        with contextlib.suppress(sqlite3.Error, OSError), self._open() as base, base:
            base.execute("DELETE FROM answer WHERE at < ?", (before.isoformat(),))
            return int(base.execute("SELECT count(*) FROM answer").fetchone()[0])
        return 0

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if not self.path.parent.exists():
            platform.make_private_dir(self.path.parent)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, platform.PRIVATE_FILE))
        base = sqlite3.connect(self.path, timeout=5)
        try:
            base.execute(_SCHEMA)
            yield base
        except sqlite3.DatabaseError as fault:
            if getattr(fault, "sqlite_errorcode", 0) in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
                base.close()
                self.path.unlink(missing_ok=True)  # begun afresh by the next question
            raise
        finally:
            base.close()
