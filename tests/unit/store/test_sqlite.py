from __future__ import annotations

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from gateway import platform
from gateway import store as stores
from gateway.errors import ConfigError, StoreError
from gateway.store import database
from gateway.store.outbox import Outbox
from gateway.store.sqlite import APPLICATION_ID, SqliteDatabase
from tests.unit.store import kit

pytestmark = pytest.mark.engine("sqlite")


def pragma(opened: SqliteDatabase, name: str) -> object:
    return opened._connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.mark.parametrize(
    ("version", "mode", "synchronous"), [((3, 40, 1), "delete", 3), ((3, 51, 2), "delete", 3), ((3, 51, 3), "wal", 2)]
)
def test_the_journal_mode_follows_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], mode: str, synchronous: int
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    opened = SqliteDatabase(tmp_path / "a.db")
    assert (pragma(opened, "journal_mode"), pragma(opened, "synchronous")) == (mode, synchronous)
    expected = {"foreign_keys": 1, "recursive_triggers": 1, "secure_delete": 1, "trusted_schema": 0}
    assert {name: pragma(opened, name) for name in expected} == expected
    assert pragma(opened, "busy_timeout") == 30_000
    assert pragma(opened, "application_id") == APPLICATION_ID
    opened.close()


def test_a_wal_database_comes_back_to_delete_when_the_library_is_older(tmp_path: Path) -> None:
    SqliteDatabase(tmp_path / "a.db", wal=True).close()
    opened = SqliteDatabase(tmp_path / "a.db", wal=False)
    assert pragma(opened, "journal_mode") == "delete"
    opened.close()


def test_too_old_a_library_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(StoreError, match="STO-002"):
        SqliteDatabase(tmp_path / "a.db")


@pytest.mark.parametrize("wal", [True, False])
def test_files_are_private(tmp_path: Path, wal: bool) -> None:
    opened = SqliteDatabase(tmp_path / "new" / "a.db", wal=wal)
    with opened.write() as tx:
        tx.run("meta_put", name="x", value="y")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    assert len(modes) >= 2  # the database and its journal
    assert set(modes.values()) == {0o600}, modes
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    opened.close()


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir(mode=0o755)
    SqliteDatabase(tmp_path / "old" / "a.db").close()
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o755


def test_network_shares_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "is_network_filesystem", lambda path: True)
    with pytest.raises(StoreError, match="STO-001"):
        SqliteDatabase(tmp_path / "a.db")
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_refused_untouched(tmp_path: Path) -> None:
    text, other = tmp_path / "text.db", tmp_path / "other.db"
    text.write_bytes(b"not a database at all, only some text that is long enough" * 20)
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(StoreError, match="STO-003"):
            SqliteDatabase(path)
        assert path.read_bytes() == before


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    opened = SqliteDatabase(tmp_path / "a.db")
    opened._connection.execute("PRAGMA user_version = 999")
    opened.close()
    with pytest.raises(StoreError, match="STO-004"):
        SqliteDatabase(tmp_path / "a.db")


def test_a_folder_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="STO-005"):
        SqliteDatabase(tmp_path)


def test_migrations_are_numbered_in_order() -> None:
    numbers = [number for number, _ in database.migrations("sqlite")]
    assert numbers == sorted(set(numbers))
    assert numbers[:9] == list(range(1, 10))


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SqliteDatabase(tmp_path / "a.db").close()
    known = database.migrations("sqlite")
    scripts = (*known, (known[-1][0] + 1, "CREATE TABLE extra (x INTEGER) STRICT;\nCREATE TABLE broken (;\n"))
    monkeypatch.setattr("gateway.store.sqlite.migrations", lambda engine: scripts)
    with pytest.raises(StoreError):
        SqliteDatabase(tmp_path / "a.db")
    monkeypatch.undo()
    opened = SqliteDatabase(tmp_path / "a.db")
    names = {row[0] for row in opened._connection.execute("SELECT name FROM sqlite_schema")}
    assert "extra" not in names
    opened.close()


def test_a_later_migration_is_applied_to_an_older_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = kit.open_store(tmp_path)
    accepted = store.accept(kit.request())
    store.close()
    known = database.migrations("sqlite")
    scripts = (*known, (known[-1][0] + 1, "ALTER TABLE document ADD COLUMN extra TEXT;\n"))
    monkeypatch.setattr("gateway.store.sqlite.migrations", lambda engine: scripts)
    store = kit.open_store(tmp_path)
    assert store.document(accepted.document_id).id == accepted.document_id
    store.close()


def test_every_table_is_strict(store: Outbox) -> None:
    rows = store.core.db._connection.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")  # type: ignore[attr-defined]
    assert {row["name"] for row in rows if not row["strict"] and not row["name"].startswith("sqlite_")} == set()


def test_every_statement_is_valid_and_used(store: Outbox, root: Path) -> None:
    import re

    code = "".join(path.read_text() for path in (root / "gateway" / "store").glob("*.py"))
    for name, text in database.statements("sqlite").items():
        assert f'"{name}"' in code, name
        values = dict.fromkeys(re.findall(r":(\w+)", text))
        store.core.db._connection.execute(f"EXPLAIN {text}", values)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["delivery_due", "delivery_doubtful", "deliveries_leased", "journal_of_delivery"])
def test_frequent_questions_use_an_index(store: Outbox, name: str) -> None:
    import re

    text = database.statements("sqlite")[name]
    values = dict.fromkeys(re.findall(r":(\w+)", text))
    plan = [row["detail"] for row in store.core.db._connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]  # type: ignore[attr-defined]
    assert all("SCAN" not in step for step in plan), plan
    assert any("INDEX" in step for step in plan), plan


def test_a_busy_database_is_said_to_be_busy(tmp_path: Path) -> None:
    first, second = SqliteDatabase(tmp_path / "a.db"), SqliteDatabase(tmp_path / "a.db")
    second._connection.execute("PRAGMA busy_timeout = 10")
    with first.write(), pytest.raises(StoreError, match="STO-006"), second.write():
        pass
    with second.write() as tx:
        tx.run("meta_put", name="x", value="y")
    first.close()
    second.close()


def test_a_full_disk_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    store = kit.open_store(tmp_path)
    kept = store.accept(kit.request("a"))
    connection = store.core.db._connection  # type: ignore[attr-defined]
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="STO-007"):
        store.accept(kit.request("b", renderings=(kit.Blob("pdf", "application/pdf", b"x" * 100_000),)))
    connection.execute("PRAGMA max_page_count = 1000000")
    assert store.accept(kit.request("b")).created
    assert store.document(kept.document_id).id == kept.document_id
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    store.close()


def test_threads_share_one_connection(store: Outbox) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(5):
                store.accept(kit.request(f"{number}-{step}"))
                store.deliveries()
        except BaseException as fault:  # noqa: BLE001
            errors.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(store.deliveries()) == 60


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_may_not_use_the_connection(store: Outbox) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            store.deliveries()
        except StoreError as fault:
            os._exit(0 if fault.code == "STO-009" else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_only_known_engines(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="CFG-010"):
        stores.database_path(kit.settings(tmp_path, store={"url": "postgresql://x"}))
