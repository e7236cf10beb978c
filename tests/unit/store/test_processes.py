"""Any process may write: several of them, at once, on one database."""

from __future__ import annotations

import multiprocessing
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway import store as stores
from gateway.audit.verify import verify_store
from gateway.clock import SystemClock, SystemRandomness
from gateway.settings import Settings
from gateway.store.base import Filter, Result, Wanted
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Receipt, Transport
from tests.unit.store import kit

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forkserver is POSIX")

WRITERS, EACH, WORKERS = 3, 12, 3
EXPECTED = WRITERS * EACH + EACH
SENT = Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", receipt=Receipt.AWAITED)


def open_store(settings: Settings, wal: bool) -> Outbox:
    with pytest.MonkeyPatch.context() as patch:  # whatever the library here is
        patch.setattr("gateway.store.sqlite.WAL_SAFE", (3, 0, 0) if wal else (9, 0, 0))
        opened = stores.open(settings, SystemClock(), SystemRandomness())
    assert isinstance(opened, Outbox)
    return opened


def submit(settings: Settings, wal: bool, writer: int) -> None:
    store = open_store(settings, wal)
    for number in range(EACH):
        assert store.accept(kit.request(f"{writer}-{number}", kit.mail())).created
        store.accept(kit.request(f"common-{number}", kit.mail()))  # everybody submits these too
    store.close()


def work(settings: Settings, wal: bool, worker: int) -> None:
    store = open_store(settings, wal)
    deadline = time.monotonic() + 80
    while len(store.deliveries(Filter(states=(Transport.SENT,), limit=EXPECTED))) < EXPECTED:
        assert time.monotonic() < deadline, "the others never finished"
        for claim in store.claim(Wanted(f"w{worker}", 60, 4)):
            store.mark_transmitting(claim)
            assert store.record(claim, SENT)
        time.sleep(0.02)
    store.close()


# WAL with several writers is what SQLite before 3.51.3 must not do, so it is not tried on such a library.
@pytest.mark.parametrize("wal", [False] if sqlite3.sqlite_version_info < (3, 51, 3) else [False, True])
def test_writers_and_workers_at_once(tmp_path: Path, wal: bool) -> None:
    settings = kit.settings(tmp_path)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gateway.store", "tests.unit.store.kit"])
    jobs: list[tuple[Any, int]] = [(submit, n) for n in range(WRITERS)] + [(work, n) for n in range(WORKERS)]
    processes = [context.Process(target=target, args=(settings, wal, number)) for target, number in jobs]
    for process in processes:  # all of them create keys, schema and first record at once
        process.start()
    for process in processes:
        process.join(90)
    assert [process.exitcode for process in processes] == [0] * len(processes)
    store = open_store(settings, wal)
    rows = store.deliveries()
    assert len(rows) == EXPECTED
    assert {row.state for row in rows} == {Transport.SENT}
    assert {row.attempts for row in rows} == {1}
    report = verify_store(store)
    assert report.ok, report.summary
    assert report.size == 1 + len(rows) * 5
    store.close()
