"""A database put back from a backup knows less than the checkpoints outside: it must not send blindly."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg

from gateway import store as stores
from gateway.audit.verify import verify_store
from gateway.clock import FrozenClock
from gateway.store.base import Filter, Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Receipt, Transport
from tests.unit.store import kit

SENT = Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", receipt=Receipt.AWAITED)


def backup(folder: Path) -> Callable[[], None]:
    """Take a copy of the database; what is returned puts it back."""
    settings = kit.settings(folder)
    if stores.on_postgres(settings):
        return copy_of_schema(settings.store.url)
    database = stores.database_path(settings)
    shutil.copy(database, folder / "backup.db")

    def put_back() -> None:
        shutil.copy(folder / "backup.db", database)

    return put_back


def copy_of_schema(url: str) -> Callable[[], None]:
    """As a dump and its restoration would do."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
        kept = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in found}

    def put_back() -> None:
        with psycopg.connect(url) as connection:
            connection.execute("SET LOCAL session_replication_role = replica")
            for name, rows in kept.items():
                connection.execute(f"DELETE FROM {name}")
                for row in rows:
                    holes = ", ".join(["%s"] * len(row))
                    connection.execute(f"INSERT INTO {name} OVERRIDING SYSTEM VALUE VALUES ({holes})", row)

    return put_back


def restored(folder: Path, clock: FrozenClock) -> Outbox:
    """A store whose first document was sent after the backup was taken."""
    store = kit.open_store(folder, clock)
    store.accept(kit.request("a"))
    store.close()
    put_back = backup(folder)
    store = kit.open_store(folder, clock, seed="after")
    for claim in store.claim(kit.wanted()):
        store.mark_transmitting(claim)
        store.record(claim, SENT)
    store.accept(kit.request("b"))
    store.close()
    put_back()
    return kit.open_store(folder, clock, seed="restored")


def test_a_restored_store_starts_held_and_doubtful(tmp_path: Path, clock: FrozenClock) -> None:
    store = restored(tmp_path, clock)
    rows = store.deliveries()
    assert {(row.state, row.reason) for row in rows} == {(Transport.IN_DOUBT, "ENG-RESTORED")}
    assert [(p.account, p.channel, p.reason) for p in store.pauses()] == [("*", "*", "ENG-RESTORED")]
    assert store.claim(kit.wanted()) == []
    assert store.claim_doubtful(kit.wanted()) == []
    store.accept(kit.request("c"))  # intake goes on
    assert store.claim(kit.wanted()) == []
    assert store.resume("*", "*", by="Anne")
    assert len(store.claim(kit.wanted())) == 2
    assert len(store.claim_doubtful(kit.wanted())) == 2
    store.close()


def test_it_is_noticed_once(tmp_path: Path, clock: FrozenClock) -> None:
    store = restored(tmp_path, clock)
    store.resume("*", "*", by="Anne")
    store.accept(kit.request("c"))
    store.close()
    store = kit.open_store(tmp_path, clock, seed="again")
    assert store.pauses() == []
    assert {row.state for row in store.deliveries(Filter(document_id=store.deliveries()[0].document_id))} == {
        "prepared"
    }
    store.close()


def test_the_audit_tells_what_was_lost(tmp_path: Path, clock: FrozenClock) -> None:
    store = restored(tmp_path, clock)
    report = verify_store(store)
    assert report.ok
    assert {finding.code for finding in report.findings} == {"JRN-112"}
    held = tmp_path / "checkpoints"  # of every shard
    assert not verify_store(store, checkpoint=held).ok  # for who holds a later checkpoint, records are missing
    store.close()


def test_a_store_that_was_not_restored_is_not_suspected(tmp_path: Path, clock: FrozenClock) -> None:
    for number in range(3):
        store = kit.open_store(tmp_path, clock, seed=str(number))
        store.accept(kit.request(str(number)))
        assert store.pauses() == []
        store.close()
