"""What is PostgreSQL's own: how it is reached and guarded, how its errors are told, which rights are enough."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway import inspection
from gateway import store as stores
from gateway.audit.verify import verify_store
from gateway.clock import SeededRandomness, SystemClock
from gateway.errors import StoreError
from gateway.store import pg_doctor, pg_session
from gateway.store.base import Result
from gateway.store.outbox import Outbox
from gateway.store.pg_errors import translated
from gateway.store.pg_session import Dsn
from gateway.store.postgres import PostgresDatabase
from gateway.store.states import Event, Transport
from tests.integration import database
from tests.unit.store import kit

pytestmark = [pytest.mark.engine("postgres"), pytest.mark.needs("postgres")]
SECRET = "mot-de-passe-secret"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return kit.url_of(tmp_path)


def codes(found: list[Any]) -> set[str]:
    return {one.code for one in found}


# ------------------------------------------------------------------------------------------ reaching it


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://kine@db.example/kine", "verify-full"),
        ("postgresql://kine@10.0.0.5/kine", "verify-full"),
        ("postgresql://kine@localhost,db.example/kine", "verify-full"),
        ("postgresql:///kine?service=somewhere", "verify-full"),
        ("postgresql://kine@db.example/kine?sslmode=require", "require"),
        ("postgresql://kine@127.0.0.1/kine", None),
        ("postgresql://kine@[::1]/kine", None),
        ("postgresql://kine@localhost/kine", None),
        ("postgresql:///kine?host=/run/postgresql", None),
        ("postgresql:///kine", None),
    ],
)
def test_a_server_elsewhere_must_prove_who_it_is(url: str, mode: str | None) -> None:
    assert Dsn.parse(url).parameters.get("sslmode") == mode


def test_the_password_is_never_told(postgres: database.Server) -> None:
    dsn = Dsn.parse(f"postgresql://kine:{SECRET}@db.example/kine")
    assert dsn.parameters["password"] == SECRET
    assert SECRET not in dsn.place
    wrong = f"postgresql://nobody:{SECRET}@/kine?host={postgres.folder}&port={postgres.port}"
    with pytest.raises(StoreError, match="STO-013") as refused:
        PostgresDatabase(wrong)
    assert SECRET not in str(refused.value)
    with pytest.raises(StoreError, match="STO-005") as refused:
        PostgresDatabase(f"postgresql://kine:{SECRET}@[db/kine")
    assert SECRET not in str(refused.value)


def test_a_server_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="STO-010"):
        PostgresDatabase(f"postgresql:///kine?host={tmp_path}")


def test_a_server_that_cannot_prove_itself_is_refused(postgres: database.Server) -> None:
    over_network = postgres.url(host="127.0.0.1") + "&sslmode=verify-full"
    with pytest.raises(StoreError, match=r"STO-01[03]"):
        PostgresDatabase(over_network)


def test_without_the_driver_the_advice_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name.startswith("psycopg"):
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(StoreError, match=r"STO-012.*kine-gateway\[postgres\]"):
        pg_session.driver()


def test_every_connection_is_guarded(postgres: database.Server, url: str) -> None:
    with postgres.connect() as administrator:
        administrator.execute("ALTER ROLE kine SET synchronous_commit = off")
    try:
        with closing(PostgresDatabase(url)) as opened, opened.write() as tx:
            shown = {
                name: tx._connection.execute(f"SHOW {name}").fetchone()[name]  # type: ignore[attr-defined]
                for name in ("lock_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")
            }
    finally:
        with postgres.connect() as administrator:
            administrator.execute("ALTER ROLE kine RESET synchronous_commit")
    assert shown == {
        "lock_timeout": "30s",
        "idle_in_transaction_session_timeout": "15s",
        "synchronous_commit": "on",
    }


# ------------------------------------------------------------------------------------------ what is there


def test_other_tables_are_not_taken_for_ours(postgres: database.Server) -> None:
    other = postgres.fresh()
    with postgres.connect(other) as connection:
        connection.execute("CREATE TABLE document (x int)")
    with pytest.raises(StoreError, match="STO-003"):
        PostgresDatabase(other)


def test_a_newer_schema_is_refused(postgres: database.Server, url: str) -> None:
    PostgresDatabase(url).close()
    with postgres.connect(url) as connection:
        connection.execute("INSERT INTO schema_version VALUES (999)")
    try:
        with pytest.raises(StoreError, match="STO-004"):
            PostgresDatabase(url)
    finally:
        with postgres.connect(url) as connection:
            connection.execute("DELETE FROM schema_version WHERE number = 999")


def test_a_new_master_key_does_not_replace_a_lost_one(tmp_path: Path) -> None:
    kit.open_store(tmp_path).close()
    (tmp_path / "keys" / "master.key").unlink()
    with pytest.raises(StoreError, match="SEA-009"):
        kit.open_store(tmp_path)


def test_the_shards_of_a_store_are_fixed_when_it_is_founded(tmp_path: Path) -> None:
    one = {**kit.settings(tmp_path).journal.model_dump(), "shards": 2}
    kit.open_store(tmp_path, journal=one).close()
    store = kit.open_store(tmp_path, journal={**one, "shards": 7})
    assert store.shards == 2
    store.close()


# --------------------------------------------------------------------------------- errors, locks, clocks


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT pg_sleep(1)", "STO-006"),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'disk_full'; END $$", "STO-007"),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'data_corrupted'; END $$", "STO-008"),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'deadlock_detected'; END $$", "STO-006"),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'insufficient_privilege'; END $$", "STO-013"),
        ("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'system_error'; END $$", "STO-005"),
    ],
)
def test_errors_are_told_by_code_alone(store: Outbox, statement: str, code: str) -> None:
    def run() -> None:
        with store.core.db.write() as tx:
            connection = tx._connection  # type: ignore[attr-defined]
            connection.execute("SET LOCAL statement_timeout = 20")
            connection.execute(statement)

    with pytest.raises(StoreError, match=code):
        run()
    assert store.accept(kit.request()).created


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("connection failed: connection to server at x failed: SSL error: certificate verify failed", "STO-013"),
        ("connection failed: connection to server at x failed: server does not support SSL, but SSL was r", "STO-013"),
        ("connection failed: FATAL:  password authentication failed for user x", "STO-013"),
        ("connection failed: connection to server at x failed: SSL SYSCALL error: EOF detected", "STO-010"),
        ("connection failed: connection to server at x failed: Connection refused", "STO-010"),
        ("connection timeout expired", "STO-010"),
        ("consuming input failed: SSL SYSCALL error: Connection timed out", "STO-010"),
        ("consuming input failed: SSL connection has been closed unexpectedly", "STO-010"),
        ("consuming input failed: SSL error: unexpected eof while reading", "STO-010"),
        ("sending query failed: server closed the connection unexpectedly", "STO-010"),
    ],
)
def test_a_connection_that_is_lost_is_no_refusal(words: str, code: str) -> None:
    """TLS tells of both; and at COMMIT a loss leaves open what was done."""
    with pytest.raises(StoreError, match=code), translated("x"):
        raise psycopg.OperationalError(words)
    at_commit = "STO-011" if code == "STO-010" else code
    with pytest.raises(StoreError, match=at_commit), translated("x", committing=True):
        raise psycopg.OperationalError(words)


def test_an_answer_that_never_came_is_told_apart(store: Outbox, postgres: database.Server) -> None:
    """The connection goes away at COMMIT: nobody knows whether it was done, and asking again does it once."""

    def cut() -> None:
        with store.core.write("cabinet") as work:
            work.note("paused", account="cabinet")
            connection = work.tx._connection  # type: ignore[attr-defined]
            real = connection.execute

            def execute(query: Any, *rest: Any, **options: Any) -> Any:
                if query == "COMMIT":
                    with postgres.connect() as administrator:
                        administrator.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
                return real(query, *rest, **options)

            connection.execute = execute

    with pytest.raises(StoreError, match="STO-011"):
        cut()
    assert store.accept(kit.request()).created


def test_a_connection_that_died_while_idle_is_replaced(store: Outbox, postgres: database.Server) -> None:
    store.accept(kit.request("a"))
    with postgres.connect() as administrator:
        administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert store.accept(kit.request("b")).created


def test_accounts_of_other_shards_are_not_held_up(store: Outbox, tmp_path: Path) -> None:
    other = kit.open_store(tmp_path, seed="other")
    with store.core.write("cabinet"):
        assert other.accept(kit.request("b", account="autre")).created
    other.close()


def test_due_times_follow_the_servers_clock(tmp_path: Path) -> None:
    store = stores.open(kit.settings(tmp_path), SystemClock(), SeededRandomness("x"))
    accepted = store.accept(kit.request("a", kit.mail()))
    with psycopg.connect(kit.url_of(tmp_path)) as connection:
        [(skew,)] = connection.execute(
            "SELECT extract(epoch FROM clock_timestamp()) * 1000 - due_at FROM delivery WHERE id = %s",
            [accepted.delivery_ids[0]],
        ).fetchall()
    assert 0 <= skew < 60_000
    assert abs((store.now() - SystemClock().now()).total_seconds()) < 60
    store.close()


# ------------------------------------------------------------------------------------------ rights, doctor


@pytest.fixture
def narrow(postgres: database.Server, url: str, root: Path) -> Iterator[str]:
    """The schema as seen by a role with the rights of config/postgres-rights.sql."""
    PostgresDatabase(url).close()
    with postgres.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS narrow")
        connection.execute("CREATE ROLE narrow LOGIN")
    script = root / "config" / "postgres-rights.sql"
    command = [str(database.find("psql")), url, "-q", "-v", "ON_ERROR_STOP=1", "-v", "role=narrow", "-f", str(script)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    yield url.replace(f"{database.USER}@", "narrow@", 1)
    with postgres.connect(url) as connection:
        connection.execute("DROP OWNED BY narrow")
        connection.execute("DROP ROLE narrow")


def test_the_suggested_rights_are_enough_and_no_more(narrow: str, tmp_path: Path) -> None:
    store = kit.open_store(tmp_path, store={"url": narrow})
    store.accept(kit.request())
    for claim in store.claim(kit.wanted()):
        store.mark_transmitting(claim)
        store.record(claim, Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250"))
    store.pause("cabinet", by="Anne", reason="X")
    assert store.resume("cabinet", by="Anne")
    store.erase(store.deliveries()[0].document_id, by="Anne")
    for statement in (
        "UPDATE journal SET record = 'x'",
        "DELETE FROM journal",
        "TRUNCATE journal",
        "DELETE FROM journal_head",
        "DELETE FROM delivery",
        "ALTER TABLE journal DISABLE TRIGGER ALL",
        "DROP TRIGGER journal_no_update ON journal",
        "UPDATE schema_version SET number = 1",
        "SET session_replication_role = replica",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            kit.sql(store, statement)
    assert verify_store(store).ok
    store.close()
    assert "CFG-135" not in codes(pg_doctor.inspect(narrow))


def test_doctor_tells_what_may_lose_a_commit_or_the_journal(tmp_path: Path, url: str) -> None:
    found = codes(pg_doctor.inspect(url))
    assert {"CFG-132", "CFG-135"} <= found  # the server of these tests runs without fsync, and we own it
    assert "CFG-134" not in found
    assert found <= codes(inspection.inspect_machine(kit.settings(tmp_path)))


def test_doctor_sees_a_clock_that_is_off(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    monkeypatch.setattr(pg_doctor, "SKEW", timedelta(seconds=-60))
    assert "CFG-134" in codes(pg_doctor.inspect(url))


def test_doctor_says_what_does_not_answer(tmp_path: Path) -> None:
    [found] = pg_doctor.inspect(f"postgresql:///kine?host={tmp_path}")
    assert found.code == "STO-010"
    assert codes(pg_doctor.inspect("postgresql://kine@192.0.2.1/kine?sslmode=require&connect_timeout=1")) == {"STO-010"}
