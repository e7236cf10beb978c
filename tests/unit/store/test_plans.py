"""Every statement reaches its rows by an index: what it costs does not grow with the table."""

from __future__ import annotations

import re
import sqlite3

import pytest

from gateway.store.database import statements
from tests.unit.store import kit

pytestmark = pytest.mark.engine("sqlite")

GROWS = {
    "artifact",
    "attempt",
    "delivery",
    "document",
    "episode_fact",
    "journal",
    "note",
    "receipt",
    "received_mail",
}
"""Tables with a row or more for each document, for ever."""

WHOLE = {
    "delivery_states": "an audit compares every delivery with the journal",
    "facts_list": "indicators count every document",
    "documents_by_master": "keys list counts what each master key opens",
    "facts_by_master": "keys list counts what each master key opens",
    "deliveries_unsent": "once, when a backup was restored",
}
"""Statements that read a whole table on purpose, and why."""

PARTIAL = {"delivery_open", "delivery_due", "delivery_doubt", "delivery_leased", "delivery_awaited", "received_loose"}
"""Indexes that hold only rows which are not at an end."""

EXPLAINED = {
    name: text for name, text in statements("sqlite").items() if re.match(r"(SELECT|UPDATE|DELETE|WITH)\b", text)
}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    folder = tmp_path_factory.mktemp("plans")
    store = kit.open_store(folder)
    for number in range(40):
        store.accept(kit.request(str(number)))
    store.close()
    return sqlite3.connect(folder / "store" / "gateway.db")


def scans(connection: sqlite3.Connection, text: str) -> set[str]:
    names = dict.fromkeys(re.findall(r":([a-z_0-9]+)", text))
    plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", names).fetchall()
    whole = {found[1]: row[3] for row in plan if (found := re.match(r"SCAN (\w+)", row[3]))}
    # In the order of an index and with a limit, it reads as many rows as it gives; a partial index holds few.
    return {table for table, line in whole.items() if table in GROWS and not _few(line, text)}


def _few(line: str, text: str) -> bool:
    used = re.search(r"USING (?:COVERING )?INDEX (\w+)", line)
    return used is not None and ("LIMIT" in text or used[1] in PARTIAL)


@pytest.mark.parametrize("name", sorted(EXPLAINED))
def test_no_growing_table_is_read_whole(connection: sqlite3.Connection, name: str) -> None:
    found = scans(connection, EXPLAINED[name])
    assert bool(found) == (name in WHOLE), f"{found}: {EXPLAINED[name]}"


def test_a_scan_is_seen(connection: sqlite3.Connection) -> None:
    assert scans(connection, "SELECT * FROM delivery WHERE role = :role") == {"delivery"}
    assert scans(connection, "SELECT * FROM delivery WHERE id = :id") == set()


def test_the_exceptions_exist() -> None:
    assert WHOLE.keys() - EXPLAINED.keys() == set()


def test_the_tables_exist(connection: sqlite3.Connection) -> None:
    there = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert there >= GROWS
