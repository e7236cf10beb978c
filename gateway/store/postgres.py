"""PostgreSQL as the store's engine: any number of workers on any number of machines (docs/scale.md).

A write transaction begins by locking the heads of the journal shards that it may add to. Whatever concerns an account
is journalled in one shard, so writers of one account follow each other exactly as all writers do on SQLite, and those
of other shards go on beside them.
"""

from __future__ import annotations

import os
import re
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gateway.errors import StoreError
from gateway.store import pg_home
from gateway.store.core import from_ms
from gateway.store.database import Row, Transaction, migrations, refuse_newer, statements
from gateway.store.homes import Home, Verdict
from gateway.store.pg_errors import translated
from gateway.store.pg_session import OLDEST, Dsn, connect, named

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[dict[str, Any]]

ENGINE = "postgres"
MIGRATION_LOCK = 0x6B696E65
"""Key of the advisory lock that lets one process at a time bring the schema up to date ("kine")."""
KEPT = 4
"""Idle connections that a process keeps."""
PATIENCE = 10.0
"""Seconds that a transaction waits for a server which was there before: a restart or a failover takes as long."""
_PLANS = "; ".join(
    f"SET LOCAL {setting}"
    for setting in (
        "plan_cache_mode = force_generic_plan",
        "enable_seqscan = off",
        "enable_hashjoin = off",
        "enable_mergejoin = off",
    )
)
"""Statements of a write are planned once and by index: planning each batch anew costs more than running it, and a plan
made while a table was small, the server's own checks of references included, would read it whole as it grows. Every
statement has its index (tests/unit/store/test_plans_postgres.py). Not for reading: an absent filter is planned away.
"""
_NOW = """
SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms,
       (SELECT max(number) FROM schema_version) AS schema
"""
_HEADS = "SELECT shard, size, hash, frontier FROM journal_head {where} ORDER BY shard FOR UPDATE"
_OWNED = (
    "SELECT pg_has_role(relowner, 'USAGE') AS owned, pg_total_relation_size(oid) AS size"
    " FROM pg_class WHERE oid = to_regclass('document')"
)
REWRITTEN = 64 * 2**20
"""Bytes up to which the table of documents is rewritten under lock after an erasure: a second or so."""
LOCK_WAIT = 2000
"""Milliseconds to wait for that lock; who cannot have it holds nobody up."""


class PostgresDatabase:
    """A few connections to one database; each transaction has one to itself. A forked child must open its own."""

    def __init__(self, url: str, *, server_clock: bool = True) -> None:
        """Connect and bring the schema up to date. `server_clock`: leases and due times follow the server's clock, the
        same for every machine; without it (tests) they follow the one that is injected.

        Raises:
            StoreError: STO-002 server too old, STO-003 other tables are there, STO-004 newer schema, STO-005 cannot be
                used, STO-010 no answer, STO-012 the driver is missing, STO-013 refused.
        """
        self.dsn = Dsn.parse(url)
        self._server_clock = server_clock
        self._pid = os.getpid()
        self._guard = threading.Lock()
        self._idle: list[Connection] = []
        self._closed = False
        texts = statements(ENGINE)
        self._latest = migrations(ENGINE)[-1][0]
        self._statements = {name: named(text) for name, text in texts.items()}
        self._bulk = frozenset(name for name, text in texts.items() if "unnest(" in text)
        with translated(self.dsn.place):
            first = connect(self.dsn)
        try:
            with translated(self.dsn.place):
                _check_version(first)
                _migrate(first)
        except BaseException:
            first.close()
            raise
        self._idle.append(first)
        weakref.finalize(self, _close_all, self._idle)  # psycopg complains of connections that nobody closed

    def write(self, shards: Sequence[int] | None = None) -> AbstractContextManager[Transaction]:
        """A transaction that holds these shards of the journal (None: all) from its start."""
        where = "" if shards is None else f"WHERE shard IN ({', '.join(f'{int(shard):d}' for shard in shards)})"
        return self._transaction(f"BEGIN; {_PLANS}; {_HEADS.format(where=where)}; {_NOW}")

    def read(self) -> AbstractContextManager[Transaction]:
        """A transaction with one snapshot for all its reads."""
        return self._transaction(f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {_NOW}")

    def scrub(self) -> bool:
        """Rewrite the table that held the erased keys: VACUUM alone leaves their bytes in the free space of its pages.

        False where the role does not own it, it is too large to lock meanwhile, somebody holds it, or a transaction of
        before the erasure lasts, for which the old rows are kept: docs/scale.md.
        """
        import psycopg

        with self._one() as connection:
            row = connection.execute(_OWNED).fetchone()
            if row is None or not row["owned"] or row["size"] > REWRITTEN:
                return False
            connection.execute(f"SET lock_timeout = {LOCK_WAIT}")
            deadline = time.monotonic() + LOCK_WAIT / 1000
            try:
                while _rewrite(connection):
                    if time.monotonic() > deadline:
                        return False
                    time.sleep(0.1)
            except psycopg.errors.LockNotAvailable:
                return False
            finally:
                with suppress(psycopg.Error):
                    connection.execute("RESET lock_timeout")
        return True

    def home(self) -> Home:
        """The server, by its system identifier where this user may read it, the database and the schema."""
        with self._one() as connection:
            return pg_home.home(connection)

    def compare(self, known: Home, here: Home, epoch: str) -> Verdict:  # noqa: ARG002 (names of schemas tell enough)
        """Another server is told by its identifier; on this one, a database that is still there makes this a copy."""
        with self._one() as connection:
            return pg_home.compare(connection, known, here)

    def close(self) -> None:
        """Close every connection that no transaction holds."""
        with self._guard:
            self._closed = True
            _close_all(self._idle)

    @contextmanager
    def _one(self) -> Iterator[Connection]:
        """A connection outside any transaction."""
        with translated(self.dsn.place):
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Transaction]:
        if os.getpid() != self._pid:  # a connection must not be used from both sides of a fork
            raise StoreError("STO-009", "La base a été ouverte par un autre processus.")
        with translated(self.dsn.place):
            connection, results = self._begin(begin)
        try:
            with translated(self.dsn.place):
                refuse_newer(results[-1][0]["schema"], self._latest)
                tx = _Transaction(connection, self._statements, self._bulk, results, self._server_clock)
                yield tx
                tx.flush()
            with translated(self.dsn.place, committing=True):
                connection.execute("COMMIT")
        except BaseException:
            with suppress(Exception):  # the first error matters; a lost connection has rolled back already
                connection.execute("ROLLBACK")
            raise
        finally:
            self._give_back(connection)

    def _begin(self, begin: str) -> tuple[Connection, list[list[Row]]]:
        """A connection inside a new transaction. Nothing was asked of it before, so a dead one is simply replaced."""
        import psycopg

        deadline = time.monotonic() + PATIENCE
        while True:
            connection: Connection | None = None
            try:
                connection = self._take()
                return connection, _results(connection, begin)
            except psycopg.OperationalError as fault:
                if connection is not None:
                    connection.close()
                if not _gone(fault) or time.monotonic() > deadline:
                    raise
                if connection is None:
                    time.sleep(0.2)
            except BaseException:
                if connection is not None:
                    connection.close()
                raise

    def _take(self) -> Connection:
        with self._guard:
            if self._closed:
                raise StoreError("STO-005", "La base est fermée.")
            if self._idle:
                return self._idle.pop()
        return connect(self.dsn)

    def _give_back(self, connection: Connection) -> None:
        from psycopg.pq import TransactionStatus

        fit = not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE
        with self._guard:
            if fit and not self._closed and len(self._idle) < KEPT:
                self._idle.append(connection)
                return
        connection.close()


class _Transaction:
    def __init__(
        self,
        connection: Connection,
        texts: dict[str, str],
        bulk: frozenset[str],
        results: list[list[Row]],
        server_clock: bool,
    ) -> None:
        self._connection = connection
        self._texts = texts
        self._bulk = bulk
        self._now = from_ms(results[-1][0]["ms"]) if server_clock else None
        self._heads = {row["shard"]: row for rows in results[:-1] for row in rows}
        self._waiting: dict[str, list[dict[str, Any]]] = {}

    def now(self) -> datetime | None:
        return self._now

    def head(self, shard: int) -> Row:
        if shard not in self._heads:
            row = self.one("journal_head", shard=shard)
            assert row is not None
            return row
        return self._heads[shard]

    def one(self, name: str, /, **values: Any) -> Row | None:
        return self._each(name, values).fetchone()

    def all(self, name: str, /, **values: Any) -> list[Row]:
        return list(self._each(name, values).fetchall())

    def run(self, name: str, /, **values: Any) -> int:
        return self._each(name, values).rowcount

    def many(self, name: str, /, rows: Iterable[Mapping[str, Any]]) -> None:
        self.flush()
        self._many(name, list(rows))

    def later(self, name: str, /, **values: Any) -> None:
        self._waiting.setdefault(name, []).append(values)

    def gather(self, name: str, /, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
        self.flush()
        if not rows:
            return []
        if name in self._bulk:
            return list(self._execute(name, _columns(rows)).fetchall())
        return [found for values in rows for found in self._execute(name, dict(values)).fetchall()]

    def flush(self) -> None:
        """Send the rows that wait, kind by kind in the order in which each came first."""
        while self._waiting:
            name = next(iter(self._waiting))
            self._many(name, self._waiting.pop(name))

    def _many(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        if name in self._bulk:
            self._execute(name, _columns(rows))
        else:
            with self._connection.cursor() as cursor:
                cursor.executemany(self._texts[name], rows)

    def _each(self, name: str, values: dict[str, Any]) -> psycopg.Cursor[dict[str, Any]]:
        self.flush()
        if name in self._bulk:
            values = {column: [value] for column, value in values.items()}
        return self._execute(name, values)

    def _execute(self, name: str, values: dict[str, Any]) -> psycopg.Cursor[dict[str, Any]]:
        return self._connection.execute(self._texts[name], values, binary=True)


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {column: [row[column] for row in rows] for column in rows[0]}


def _close_all(connections: list[Connection]) -> None:
    while connections:
        connections.pop().close()


def _results(connection: Connection, statements: str) -> list[list[Row]]:
    """The rows of each statement of a text that has any: one round trip for all of them."""
    cursor = connection.execute(statements)
    found: list[list[Row]] = []
    while True:
        if cursor.description is not None:
            found.append(list(cursor.fetchall()))
        if not cursor.nextset():
            return found


def _rewrite(connection: Connection) -> int:
    """Rewrite the table of documents; how many dead rows had to be kept, by the number that the report begins with."""
    kept: list[int] = []

    def heard(notice: psycopg.errors.Diagnostic) -> None:
        number = re.match(r"\d+", notice.message_detail or "")
        kept.extend([int(number[0])] if number else [])

    connection.add_notice_handler(heard)
    try:
        connection.execute("VACUUM (FULL, VERBOSE) document")
    finally:
        connection.remove_notice_handler(heard)
    return sum(kept)


def _gone(fault: Exception) -> bool:
    """Whether the server went away or is coming back, so that waiting helps."""
    state = getattr(fault, "sqlstate", None)
    return state is None or state[:2] == "08" or state in {"57P01", "57P02", "57P03", "25006"}


def _check_version(connection: Connection) -> None:
    if connection.info.server_version < OLDEST:
        raise StoreError("STO-002", "Ce serveur PostgreSQL est trop ancien (13 au moins).")


def _migrate(connection: Connection) -> None:
    scripts = migrations(ENGINE)
    latest = scripts[-1][0]
    if _version(connection) == latest:
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        present = _version(connection)  # another process may have migrated while this one waited
        refuse_newer(present, latest)
        if not present and connection.execute("SELECT to_regclass('document') AS found").fetchone()["found"]:  # type: ignore[index]
            raise StoreError("STO-003", "Ce schéma contient déjà d'autres tables que celles de la passerelle.")
        connection.execute("CREATE TABLE IF NOT EXISTS schema_version (number INTEGER PRIMARY KEY)")
        for number, script in scripts:
            if number > present:
                connection.execute(script.encode())
                connection.execute("INSERT INTO schema_version VALUES (%s)", [number])


def _version(connection: Connection) -> int:
    found = connection.execute("SELECT to_regclass('schema_version') AS found").fetchone()
    if found is None or found["found"] is None:
        return 0
    row = connection.execute("SELECT max(number) AS number FROM schema_version").fetchone()
    return 0 if row is None or row["number"] is None else int(row["number"])
