"""The same search on PostgreSQL: every column, the server's own files, its WAL and its log."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.api import Gateway
from tests.integration import database
from tests.integration.pg_practice import on_postgres
from tests.integration.practice import CASES, ROOT, Practice
from tests.security import life
from tests.security.needles import Needle, Needles, of_cases

pytestmark = [pytest.mark.timeout(1200), pytest.mark.needs("postgres")]


@pytest.fixture
def server(needs: Callable[..., None]) -> Iterator[database.Server]:
    needs("postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with database.running(port, log_min_error_statement="debug5", log_parameter_max_length_on_error="-1") as found:
        yield found


@pytest.fixture
def practice(tmp_path: Path, certificates: Path, server: database.Server) -> Iterator[Practice]:
    with on_postgres(tmp_path / "practice", certificates, server.url()) as made:
        yield made


_FILES = """
SELECT pg_relation_filepath(one.oid) FROM pg_class AS one WHERE relkind IN ('r', 'i', 't') AND (
  relnamespace = current_schema()::regnamespace
  OR oid IN (SELECT reltoastrelid FROM pg_class WHERE relnamespace = current_schema()::regnamespace))
"""


def written(server: database.Server) -> Iterator[tuple[str, bytes]]:
    """What the server holds of our tables: their files once everything is flushed, its WAL, its log."""
    with server.connect() as connection:
        connection.execute("CHECKPOINT")
        tables = connection.execute(_FILES).fetchall()
    data = server.folder / "data"
    for path in (*(data / name for (name,) in tables), *sorted((data / "pg_wal").glob("0*"))):
        yield str(path.relative_to(data)), path.read_bytes()
    yield "log", (server.folder / "log").read_bytes()


def columns(server: database.Server) -> Iterator[tuple[str, bytes]]:
    """Every value of every table, as it is."""
    with server.connect() as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
        for (table,) in tables:
            found = [value for row in connection.execute(f"SELECT * FROM {table}").fetchall() for value in row]
            yield table, b"\n".join(one if isinstance(one, bytes) else str(one).encode() for one in found)


def searched(needles: Needles, found: Iterator[tuple[str, bytes]]) -> dict[str, set[Needle]]:
    return {name: seen for name, data in found if (seen := needles.within(data))}


def test_nothing_that_the_server_keeps_says_who_or_what(practice: Practice, server: database.Server) -> None:
    needles = of_cases(CASES)
    ours = {
        one
        for page in ("mappings/faces.toml", "docs/findings.md")
        for one in needles.within((ROOT / page).read_bytes())
    }
    needles = needles.without(ours)
    with Gateway.open(practice.config) as gateway:
        life.by_library(gateway)
        gateway.deliver_due()
        life.receipts(practice, gateway)
        life.people(gateway)
    tables = dict(columns(server))
    assert len(tables["artifact"]) > 1_000_000
    assert len(tables["journal"]) > 10_000
    assert searched(needles, iter(tables.items())) == {}
    assert searched(needles, written(server)) == {}
    with server.connect() as connection:  # the search does see what is there
        connection.execute("CREATE TABLE seen AS SELECT 'Le Goff-Essai'::text AS name")
    assert "seen" in searched(needles, columns(server))
    assert [name for name in searched(needles, written(server)) if "pg_wal" in name]
