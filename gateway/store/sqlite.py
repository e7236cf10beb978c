"""SQLite as the store's engine: how the file is opened, made durable, and migrated.

Reasons for the pragmas: https://sqlite.org/wal.html#walresetbug (several writers on a WAL database before 3.51.3
can corrupt it) and the measurements behind them in docs/engine.md.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway import platform
from gateway.errors import StoreError
from gateway.store.database import Row, Transaction, migrations, refuse_newer, statements
from gateway.store.homes import Home, Verdict

ENGINE = "sqlite"
APPLICATION_ID = 0x4B696E65  # "Kine", so that another program's database is not taken for ours
WAL_SAFE = (3, 51, 3)
BUSY_TIMEOUT = 30_000
"""Milliseconds to wait for another process's transaction; ours last a few."""
OLDEST = (3, 37, 0)  # STRICT tables


class SqliteDatabase:
    """One connection, used by one thread at a time. A forked child must open its own."""

    def __init__(self, path: Path, *, wal: bool | None = None) -> None:
        """Open `path`, creating it private to its owner, and bring its schema up to date.

        `wal` forces the journal mode (tests); by default the library's version decides.

        Raises:
            StoreError: STO-001 network file system, STO-002 SQLite too old, STO-003 not ours, STO-004 newer
                schema, STO-005 cannot be opened, STO-006 busy, STO-007 full, STO-008 damaged.
        """
        self.path = path
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._statements = statements(ENGINE)
        self._latest = migrations(ENGINE)[-1][0]
        _refuse_unsafe(path)
        with _translated(path):
            _create_private(path)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        try:
            with _translated(path):
                self._configure(sqlite3.sqlite_version_info >= WAL_SAFE if wal is None else wal)
                self._migrate()
        except BaseException:
            self._connection.close()
            raise

    def write(self, shards: Sequence[int] | None = None) -> AbstractContextManager[Transaction]:  # noqa: ARG002
        """A BEGIN IMMEDIATE transaction: it holds the whole database."""
        return self._transaction("BEGIN IMMEDIATE")

    def read(self) -> AbstractContextManager[Transaction]:
        """A deferred transaction: one snapshot for all its reads."""
        return self._transaction("BEGIN")

    def scrub(self) -> bool:
        """Empty the WAL: deleted content is overwritten in the file (`secure_delete`), older pages stand there alone.

        False while another process reads (https://sqlite.org/pragma.html#pragma_wal_checkpoint).
        """
        with self._lock, _translated(self.path):
            busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy

    def home(self) -> Home:
        """This machine and the file."""
        return Home(platform.machine_digest(), str(self.path.resolve()))

    def compare(self, known: Home, here: Home, epoch: str) -> Verdict:
        """Another machine is told by its identity; on this one, a file that is still there makes this one a copy."""
        if known.host is not None and here.host is not None and known.host != here.host:
            return Verdict.OTHER_MACHINE
        before = Path(known.place)
        if before == Path(here.place) or same_file(before, self.path):
            return Verdict.AT_HOME
        return Verdict.STILL_THERE if holds_epoch(before, epoch) else Verdict.MOVED

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Transaction]:
        if os.getpid() != self._pid:  # SQLite connections must not cross a fork
            raise StoreError("STO-009", "La base a été ouverte par un autre processus.")
        with self._lock, _translated(self.path):
            self._connection.execute(begin)
            try:
                refuse_newer(self._version(), self._latest)
                yield _Transaction(self._connection, self._statements)
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # the first error matters; SQLite may have rolled back already
                    self._connection.execute("ROLLBACK")
                raise

    def _configure(self, wal: bool) -> None:
        connection = self._connection
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA recursive_triggers = ON")  # INSERT OR REPLACE fires the DELETE triggers
        connection.execute("PRAGMA secure_delete = ON")  # an erased key leaves no trace in a free page
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        if owner != APPLICATION_ID and not empty:
            raise StoreError("STO-003", f"{self.path} n'est pas une base de la passerelle.")
        mode = "wal" if wal else "delete"
        actual = connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0]
        if actual != mode:
            raise StoreError("STO-005", f"{self.path} : mode de journal {actual} au lieu de {mode}.")
        # EXTRA also syncs the folder after the rollback journal is deleted: without it a power cut can undo a commit.
        connection.execute(f"PRAGMA synchronous = {'FULL' if wal else 'EXTRA'}")

    def _migrate(self) -> None:
        scripts = migrations(ENGINE)
        latest = scripts[-1][0]
        if self._version() == latest:
            return
        connection = self._connection
        connection.execute("BEGIN EXCLUSIVE")
        try:
            present = self._version()  # another process may have migrated while this one waited
            refuse_newer(present, latest)
            for number, script in scripts:
                if number > present:
                    _execute_script(connection, script)
                    connection.execute(f"PRAGMA user_version = {number:d}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])


class _Transaction:
    def __init__(self, connection: sqlite3.Connection, texts: dict[str, str]) -> None:
        self._connection = connection
        self._texts = texts

    def one(self, name: str, /, **values: Any) -> Row | None:
        row: Row | None = self._connection.execute(self._texts[name], values).fetchone()
        return row

    def all(self, name: str, /, **values: Any) -> list[Row]:
        return self._connection.execute(self._texts[name], values).fetchall()

    def run(self, name: str, /, **values: Any) -> int:
        return self._connection.execute(self._texts[name], values).rowcount

    def many(self, name: str, /, rows: Iterable[Mapping[str, Any]]) -> None:
        self._connection.executemany(self._texts[name], rows)

    def later(self, name: str, /, **values: Any) -> None:
        self._connection.execute(self._texts[name], values)  # nothing is far away here: no use in waiting

    def gather(self, name: str, /, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
        return [found for values in rows for found in self._connection.execute(self._texts[name], values)]

    def head(self, shard: int) -> Row:
        row = self.one("journal_head", shard=shard)
        assert row is not None
        return row

    def now(self) -> datetime | None:
        return None


def same_file(one: Path, other: Path) -> bool:
    """Whether two names lead to one file; a mount or a link may give it several."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def holds_epoch(path: Path, epoch: str) -> bool:
    """Whether a store of that epoch is there, or something that cannot be looked into."""
    try:
        if not path.exists():
            return False
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            row = connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
        finally:
            connection.close()
    except (OSError, sqlite3.Error):
        return True
    return row is not None and row[0] == epoch


def _refuse_unsafe(path: Path) -> None:
    if sqlite3.sqlite_version_info < OLDEST:
        raise StoreError("STO-002", f"SQLite {sqlite3.sqlite_version} est trop ancien (3.37 au moins).")
    if platform.is_network_filesystem(path):
        raise StoreError(
            "STO-001",
            f"{path} est sur un partage réseau, où les verrous de SQLite ne sont pas sûrs.",
            "Placez la base sur un disque de ce poste.",
        )


def _create_private(path: Path) -> None:
    """Create the file before SQLite does, for the mode; SQLite gives its journal files the same one."""
    if not path.parent.exists():
        platform.make_private_dir(path.parent)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, platform.PRIVATE_FILE))


def _execute_script(connection: sqlite3.Connection, script: str) -> None:
    """Run a script inside the present transaction (`executescript` would commit it first)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


_TRANSLATIONS = {
    sqlite3.SQLITE_BUSY: ("STO-006", "La base est occupée.", "Réessayez ; si cela dure, un autre programme la tient."),
    sqlite3.SQLITE_LOCKED: ("STO-006", "La base est occupée.", "Réessayez."),
    sqlite3.SQLITE_FULL: ("STO-007", "Le disque est plein.", "Libérez de la place : rien n'a été perdu."),
    sqlite3.SQLITE_CORRUPT: ("STO-008", "La base est abîmée.", "Arrêtez la passerelle et restaurez une sauvegarde."),
    sqlite3.SQLITE_NOTADB: ("STO-003", "Ce fichier n'est pas une base de la passerelle.", "Corriger store.url."),
}


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's errors as StoreError; a broken constraint is a fault of ours and stays what it is."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.Error as error:
        primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
        code, message, advice = _TRANSLATIONS.get(primary, ("STO-005", f"Base inutilisable ({error}).", ""))
        raise StoreError(code, f"{path} : {message}", advice) from error
    except OSError as error:
        raise StoreError("STO-005", f"{path} : {error.strerror}.", "Vérifiez le chemin et les droits.") from error
