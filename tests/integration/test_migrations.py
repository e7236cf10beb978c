"""Databases of every released schema, with data in them, come up to date and go on working."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.audit.verify import verify_store
from gateway.clock import FrozenClock
from gateway.store import database
from gateway.store.base import Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Transport
from tests.unit.store import kit
from tests.unit.store.engines import engine, postgres, pytest_generate_tests, schemas

__all__ = ["engine", "postgres", "pytest_generate_tests", "schemas"]
FIRST = {"sqlite": 1, "postgres": 8}
"""The first schema of each engine."""
SENT = Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250")
RELEASED = [(name, number) for name in FIRST for number, _ in database.migrations(name)]


def filled(folder: Path, clock: FrozenClock) -> tuple[Outbox, dict[str, str]]:
    """A store with something in every state that data can be in."""
    store = kit.open_store(folder, clock)
    for name in "abc":
        store.accept(kit.request(name))
    first, *others = store.claim(kit.wanted(3))
    store.record(first, SENT)
    store.mark_transmitting(others[0])
    store.accept(kit.request("d", kit.mail(), account="autre"))
    return store, {row.id: str(row.state) for row in store.deliveries()}


def at_schema(source: Path, target: Path, number: int) -> None:
    """A copy as that schema held it: its tables made by its own scripts, its columns filled from today's."""
    with closing(sqlite3.connect(source)) as full, closing(sqlite3.connect(target, isolation_level=None)) as old:
        for place, script in database.migrations("sqlite"):
            if place <= number:
                old.executescript(script)
        old.execute("PRAGMA foreign_keys = OFF")
        for table in [
            name for (name,) in old.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        ]:
            if table.startswith("sqlite_"):
                continue
            columns = [row[1] for row in old.execute(f"PRAGMA table_info({table})").fetchall()]
            rows = full.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            holes = ", ".join("?" * len(columns))
            _fill(old, table, f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({holes})", rows)
        old.execute(f"PRAGMA user_version = {number}")
        old.execute("PRAGMA application_id = 1265200741")


def _fill(old: sqlite3.Connection, table: str, text: str, rows: list[tuple[object, ...]]) -> None:
    if table == "journal_head":
        old.execute("DROP TRIGGER journal_head_no_delete")
        old.execute("DELETE FROM journal_head")
    elif table != "journal":
        old.execute(f"DELETE FROM {table}")
    old.executemany(text, rows)


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("number", [number for name, number in RELEASED if name == "sqlite"])
def test_every_schema_on_sqlite_comes_up_to_date(tmp_path: Path, number: int) -> None:
    clock = kit.clock()
    store, states = filled(tmp_path / "now", clock)
    store.close()
    old = tmp_path / "old"
    for folder in ("keys", "checkpoints"):
        (old / folder).mkdir(parents=True)
        for path in (tmp_path / "now" / folder).iterdir():
            (old / folder / path.name).write_bytes(path.read_bytes())
            (old / folder / path.name).chmod(0o600)
    (old / "store").mkdir()
    at_schema(tmp_path / "now" / "store" / "gateway.db", old / "store" / "gateway.db", number)
    goes_on(kit.open_store(old, clock, seed="later"), states)


@pytest.mark.engine("postgres")
@pytest.mark.needs("postgres")
@pytest.mark.parametrize("number", [number for name, number in RELEASED if name == "postgres"])
def test_every_schema_on_postgres_comes_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, number: int
) -> None:
    """The scripts up to a number are run, what they made is filled from a full database, then the others follow."""
    server = request.getfixturevalue("postgres")
    clock, full = kit.clock(), server.fresh()
    monkeypatch.setattr(kit, "url_of", lambda _: full)
    store, states = filled(tmp_path, clock)
    store.close()
    old = server.fresh()
    source = re.sub(r".*%3D", "", full)
    with server.connect(old) as connection, connection.transaction():
        connection.execute("CREATE TABLE schema_version (number INTEGER PRIMARY KEY)")
        for place, script in database.migrations("postgres"):
            if place <= number:
                connection.execute(script.encode())
                connection.execute("INSERT INTO schema_version VALUES (%s)", [place])
        connection.execute("SET LOCAL session_replication_role = replica")
        named = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'schema_version'"
        for (table,) in connection.execute(named).fetchall():
            known = "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"
            columns = [name for (name,) in connection.execute(f"{known} AND table_name = %s", [table]).fetchall()]
            listed = ", ".join(columns)
            connection.execute(f"DELETE FROM {table}")
            connection.execute(
                f"INSERT INTO {table} ({listed}) OVERRIDING SYSTEM VALUE SELECT {listed} FROM {source}.{table}"
            )
    monkeypatch.setattr(kit, "url_of", lambda _: old)
    goes_on(kit.open_store(tmp_path, clock, seed="later"), states)


def goes_on(store: Outbox, states: dict[str, str]) -> None:
    """Nothing is lost, the journal holds, and what was under way goes on."""
    assert {row.id: str(row.state) for row in store.deliveries()} == states
    assert verify_store(store).ok
    assert len(store.recover(owner_gone=True)) == 2
    for account in ("cabinet", "autre"):
        for claim in store.claim(kit.wanted(account=account)):
            store.mark_transmitting(claim)
            assert store.record(claim, SENT)
    assert store.accept(kit.request("new")).created
    found = {row.id: str(row.state) for row in store.deliveries()}
    assert sorted(found[one] for one in states) == ["in_doubt"] + ["sent"] * (len(states) - 1)
    assert verify_store(store).ok
    store.close()


def test_the_two_engines_have_the_same_statements_and_numbers() -> None:
    one, other = (database.statements(name) for name in ("sqlite", "postgres"))
    assert set(one) == set(other)
    for name, text in one.items():
        parameters = [set(re.findall(r"(?<![:\w]):(\w+)", found)) for found in (text, other[name])]
        assert parameters[0] == parameters[1], name
    numbers = [[number for number, _ in database.migrations(name)] for name in ("sqlite", "postgres")]
    assert [number for number in numbers[0] if number >= FIRST["postgres"]] == numbers[1]
