"""PostgreSQL can reach the rows of every statement by an index: plans asked of a real planner, on analysed tables.

The planner reads small tables whole because that is cheaper; here it may not, so that a table that is read whole all
the same has no index for the question. That it takes the index once tables have grown is what tests/bench measures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from gateway import store as stores
from gateway.clock import SeededRandomness, SystemClock
from gateway.store.database import statements
from gateway.store.outbox import Outbox
from tests.bench.grown import grow
from tests.integration import database
from tests.unit.store import kit
from tests.unit.store.test_plans import GROWS, PARTIAL, WHOLE

pytestmark = [pytest.mark.engine("none"), pytest.mark.needs("postgres")]

DELIVERIES = 3_000
FILLED = (
    "artifact SELECT 'd' || n, sha256(n::text::bytea), 1, ''",
    "attempt (delivery_id, number, kind, worker, started_at) SELECT 'd' || n, 1, 'send', 'w', n",
    "episode_fact SELECT 'd' || n, 'cabinet', 'p' || n, 'e' || n, 'a', '', 'k' || n % 3",
    "note (delivery_id, at, action, actor, sealed) SELECT 'd' || n, n, 'hold', 'x', ''",
    "receipt (delivery_id, kind, evidence, at) SELECT 'd' || n, 'delivered', sha256(n::text::bytea), n",
    "received_mail SELECT 'cabinet', sha256(n::text::bytea), n, 'dsn', 'matched', NULL, 'd' || n",
)
"""Rows of the tables that `grow` leaves empty."""
HERE = {"store_bytes": "a cap on the size is looked at now and then; SQLite knows its file's without a look"}
"""Statements that read a whole table on PostgreSQL only."""
EXPLAINED = {
    named: text for named, text in statements("postgres").items() if re.match(r"(SELECT|UPDATE|DELETE|WITH)\b", text)
}


@pytest.fixture(scope="module")
def connection(postgres: database.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[psycopg.Connection]:
    url = postgres.fresh()
    folder = tmp_path_factory.mktemp("plans")
    store = stores.open(kit.settings(folder, store={"url": url}), SystemClock(), SeededRandomness("plans"))
    assert isinstance(store, Outbox)
    grow(store, DELIVERIES, steps=("claimed",), waiting=50)
    store.close()
    with postgres.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")  # rows without what they refer to
        for text in FILLED:
            connection.execute(f"INSERT INTO {text} FROM generate_series(1, {DELIVERIES}) AS n".encode())
        connection.execute("UPDATE document SET wrapped_key = ''")
        connection.execute("ANALYZE")
        for setting in ("enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off"):
            connection.execute(f"SET {setting}")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        yield connection
    postgres.clean(url)


def scans(connection: psycopg.Connection, text: str) -> set[str]:
    """Growing tables that the plan reads from end to end."""
    names = list(dict.fromkeys(re.findall(r"(?<![:\w]):(\w+)", text)))
    numbered = re.sub(r"(?<![:\w]):(\w+)", lambda found: f"${names.index(found[1]) + 1}", text)
    connection.execute(f"PREPARE asked AS {numbered}".encode())
    try:
        given = f"({', '.join('NULL' for _ in names)})" if names else ""
        row = connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE asked{given}".encode()).fetchone()
    finally:
        connection.execute("DEALLOCATE asked")
    assert row is not None
    return GROWS & set(_whole(row[0][0]["Plan"], limited="LIMIT" in text))


def _whole(plan: dict[str, Any], *, limited: bool) -> Iterator[str]:
    table = plan.get("Relation Name", "")
    if plan["Node Type"] == "Seq Scan":
        yield table
    index = plan.get("Index Name", "")
    if index and "Index Cond" not in plan and index not in PARTIAL and not limited:  # from its one end to the other
        yield table
    for inner in plan.get("Plans", []):
        yield from _whole(inner, limited=limited)


@pytest.mark.parametrize("named", sorted(EXPLAINED))
def test_no_growing_table_is_read_whole(connection: psycopg.Connection, named: str) -> None:
    found = scans(connection, EXPLAINED[named])
    assert found == set() or named in {*WHOLE, *HERE}, f"{found}: {EXPLAINED[named]}"


def test_a_scan_is_seen(connection: psycopg.Connection) -> None:
    assert scans(connection, "SELECT * FROM delivery WHERE role = :role::text") == {"delivery"}
    assert scans(connection, "SELECT * FROM delivery WHERE id = :id") == set()
