"""The disk of a PostgreSQL server is really full: nothing is lost, nothing half done, and everything goes on by itself.

Two ways of being full: no room for the tables, which the server tells and lives on; no room for its WAL, at which it
stops (PANIC), and cannot even recover before somebody made room and started it again.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from gateway.audit.verify import verify_store
from gateway.clock import SystemClock
from gateway.errors import StoreError
from gateway.store import postgres
from gateway.store.base import Filter
from gateway.store.outbox import Outbox
from tests.integration import database
from tests.integration.full_store import LONG, accept_many, bench, until
from tests.integration.mailserver import free_ports
from tests.integration.smalldisk import SmallDisk, mounted
from tests.unit.engine.test_worker import Script
from tests.unit.store import kit

pytestmark = [pytest.mark.needs("postgres", "tmpfs"), pytest.mark.timeout(120)]
FULL, GONE, UNSURE = "STO-007", "STO-010", "STO-011"
ELSEWHERE = "elsewhere"
SOON = {"delays": (0.2,), "jitter": False, "breaker_pause": 0.3}
QUIET = {  # nobody but the test's own commits writes WAL
    "autovacuum": "off",
    "bgwriter_lru_maxpages": "0",
    "checkpoint_timeout": "1h",
    "max_wal_size": "1GB",
    "wal_writer_delay": "10s",
}

_WRITE = "SELECT pg_logical_emit_message(true, 'x', repeat('x', %s))"
_NEXT_FILE = "SELECT pg_switch_wal() FROM pg_logical_emit_message(true, 'x', 'x')"
_SPARE = "SELECT count(*) > %s FROM pg_ls_waldir() WHERE name > pg_walfile_name(pg_current_wal_insert_lsn())"


@dataclass
class Small:
    """A server whose folder is a small disk, and a folder of it on another disk."""

    server: database.Server
    disk: SmallDisk

    def mend(self) -> None:
        """Make room; start the server again where it stopped, as whoever runs it does."""
        self.disk.free()
        if self.is_down():
            self.server.start()

    def is_down(self) -> bool:
        """Whether it has stopped for good."""
        return not (self.server.folder / "data" / "postmaster.pid").exists()

    def fill(self, spare: int) -> None:
        """Take all room. The server keeps a new file for its WAL (1 MB), and `spare` more to come at most."""
        with self.server.connect() as connection:
            connection.execute(_NEXT_FILE)
            while connection.execute(_SPARE, [spare]).fetchone() == (True,):
                connection.execute(_NEXT_FILE)
            connection.execute(_WRITE, [1])
        self.disk.fill()

    def use_up_wal(self) -> None:
        """What any other database of the server may write, until it has stopped for good: it recovers while it can."""
        deadline = time.monotonic() + LONG
        while not self.is_down():
            assert time.monotonic() < deadline, "it never stopped"
            try:
                with self.server.connect() as connection:
                    connection.execute(_WRITE, [60_000])
            except psycopg.Error:
                time.sleep(0.05)


@pytest.fixture(scope="module")
def small(needs: Callable[..., None]) -> Iterator[Small]:
    needs("postgres", "tmpfs")
    root, other = (Path(tempfile.mkdtemp(prefix="kine-disk-")) for _ in range(2))
    database.give(other)
    try:
        with mounted(root, "64m") as disk:
            database.give(root)
            with database.running(free_ports(1)[0], place=database.Place(parent=root), **QUIET) as server:
                with server.connect() as administrator:
                    administrator.execute(f"CREATE TABLESPACE {ELSEWHERE} LOCATION '{other}'")
                made = Small(server, disk)
                yield made
                made.mend()  # so that it can be stopped
    finally:
        root.rmdir()
        shutil.rmtree(other)


@pytest.fixture
def url(small: Small, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(postgres, "PATIENCE", 0.3)
    yield small.server.fresh()
    small.mend()


def opened(folder: Path, url: str) -> Outbox:
    return kit.open_store(folder, SystemClock(), store={"url": url})


def submit(store: Outbox, name: str) -> str:
    """The code of what was said: nothing for a document that was accepted."""
    try:
        store.accept(kit.request(name, kit.mail()))
    except StoreError as fault:
        return fault.code if fault.advice else "no advice"
    return ""


def test_what_cannot_be_stored_is_not_accepted(small: Small, url: str, tmp_path: Path) -> None:
    """As on SQLite, with the same code; the server lives on, and there is nothing to start again."""
    with closing(opened(tmp_path, url)) as store:
        store.accept(kit.request("a"))
        small.fill(spare=8)
        with pytest.raises(StoreError) as raised:
            accept_many(store)
        assert (raised.value.code, bool(raised.value.advice)) == (FULL, True)
        accepted = len({row.document_id for row in store.deliveries(Filter(limit=1000))})
        assert not small.is_down()
        small.disk.free()
        assert store.accept(kit.request("again")).created
        assert len({row.document_id for row in store.deliveries(Filter(limit=1000))}) == accepted + 1
        assert verify_store(store).ok


def test_a_commit_that_finds_no_room_for_the_wal_is_told_as_unknown(small: Small, url: str, tmp_path: Path) -> None:
    """The server calls it a full disk; what the WAL holds of it, nobody knows before it has recovered."""
    with closing(opened(tmp_path, f"{url}%20-cdefault_tablespace%3D{ELSEWHERE}")) as store:
        store.accept(kit.request("a"))
        small.fill(spare=1)
        said, names = [""], [f"more-{number}" for number in range(2000)]
        while not said[-1]:
            said.append(submit(store, names[len(said)]))
        print(f"{len(said) - 1} more accepted, then {said[-1]}")
        assert said[-1] == UNSURE
        small.use_up_wal()
        small.mend()
        again = store.accept(kit.request(names[len(said) - 1], kit.mail()))
        assert not store.accept(kit.request(names[len(said) - 1], kit.mail())).created
        print("it had been" + (" rolled back" if again.created else " committed"))
        assert len({row.document_id for row in store.deliveries(Filter(limit=10_000))}) == len(said)
        assert verify_store(store).ok


async def test_everything_goes_on_when_there_is_room_again(small: Small, url: str, tmp_path: Path) -> None:
    """Documents come in and go out while the disk fills up, the server stops, and comes back."""
    store, script, told = opened(tmp_path, url), Script(), []
    script.during = lambda: asyncio.sleep(0.05)
    said = {f"doc-{number}": submit(store, f"doc-{number}") for number in range(8)}
    assert set(said.values()) == {""}
    worker, stop = bench(store, tmp_path, script, told, **SOON), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: len(script.sent) >= 1)
    small.fill(spare=8)
    for number in range(8, 60):
        said[f"doc-{number}"] = await asyncio.to_thread(submit, store, f"doc-{number}")
    await asyncio.to_thread(small.use_up_wal)
    for number in range(60, 64):
        said[f"doc-{number}"] = await asyncio.to_thread(submit, store, f"doc-{number}")
    await until(lambda: "store_unavailable" in told)
    await asyncio.to_thread(small.mend)
    print({code: list(said.values()).count(code) for code in sorted(set(said.values()))})
    assert FULL in said.values()
    assert set(said.values()) <= {"", FULL, GONE, UNSURE}
    for name, code in said.items():
        created = (await asyncio.to_thread(store.accept, kit.request(name, kit.mail()))).created
        assert code == UNSURE or created == bool(code), "what was refused was not kept, what was accepted was"
    await until(lambda: {row.state for row in store.deliveries(Filter(limit=1000))} == {"sent"})
    await until(lambda: "store_back" in told)
    stop.set()
    await running
    assert len(store.deliveries(Filter(limit=1000))) == len(script.sent) == len(said)
    assert (told.count("store_unavailable"), told.count("store_back")) == (1, 1)
    assert verify_store(store).ok
    store.close()
