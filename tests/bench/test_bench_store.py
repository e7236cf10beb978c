"""The store alone, with pre-rendered bytes, against the bare SQL of the very rows that it wrote.

Each round does one operation through the store, with what it wrote recorded, then the same writes with sqlite3 alone on
a second database with the same schema and pragmas, commit for commit: one fsync each. The bare side neither seals,
hashes, chains nor checks anything, and reads nothing.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any

import pytest

from gateway import store as stores
from gateway.audit.export import export
from gateway.audit.verify import verify_export, verify_store
from gateway.clock import SystemClock, SystemRandomness
from gateway.store.base import AcceptRequest, Blob, Result, Wanted
from gateway.store.database import statements
from gateway.store.outbox import Outbox
from gateway.store.sqlite import SqliteDatabase
from gateway.store.states import Event, Receipt, Transport
from tests.bench.replay import Recorder, Write
from tests.unit.store import kit

BUDGET = 1.5
ROUNDS = 250
VERIFIED = 60_000
SENT = Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", text="250 ok", receipt=Receipt.AWAITED)

pytestmark = pytest.mark.bench


class Pair:
    """A store, and a bare database that is given the same rows."""

    def __init__(self, folder: Path) -> None:
        opened = stores.open(kit.settings(folder / "store"), SystemClock(), SystemRandomness())
        assert isinstance(opened, Outbox)
        self.store = opened
        self.recorder = Recorder(opened.core.db)
        self.bare = SqliteDatabase(folder / "bare.db")._connection
        self.texts = statements("sqlite")
        with opened.core.db.read() as tx:
            first = tx.all("journal_page", shard=0, after=-1, limit=10)
        self.replay([[("journal_insert", [dict(row) | {"shard": 0} for row in first])]])

    def recorded(self, work: Callable[[], Any]) -> tuple[Any, float, float, list[list[Write]]]:
        """Result, wall and CPU milliseconds of the store, and the writes to replay."""
        wall, cpu = perf_counter(), process_time()
        result = work()
        return result, (perf_counter() - wall) * 1000, (process_time() - cpu) * 1000, self.recorder.commits

    def replay(self, commits: list[list[Write]]) -> None:
        for writes in commits:
            self.bare.execute("BEGIN IMMEDIATE")
            for name, rows in writes:
                self.bare.executemany(self.texts[name], rows)
            self.bare.execute("COMMIT")

    def measure(self, prepare: Callable[[int], Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, float]:
        """The same writes recorded once, then timed plainly: first the store without its recorder."""
        walls: list[tuple[float, float]] = []
        cpus: list[tuple[float, float]] = []
        for number in range(rounds):
            work = prepare(number)
            object.__setattr__(self.store.core, "db", self.recorder)
            self.recorder.commits = []
            _, wall, cpu, commits = self.recorded(work)
            bare_wall, bare_cpu = perf_counter(), process_time()
            self.replay(commits)
            walls.append((wall, (perf_counter() - bare_wall) * 1000))
            cpus.append((cpu, (process_time() - bare_cpu) * 1000))
        return summary(walls, cpus)


def summary(walls: list[tuple[float, float]], cpus: list[tuple[float, float]]) -> dict[str, float]:
    store, bare = [pair[0] for pair in walls], [pair[1] for pair in walls]
    return {
        "store_ms": round(median(store), 3),
        "bare_sql_ms": round(median(bare), 3),
        "store_p99_ms": round(quantiles(store, n=100)[98], 3),
        "store_cpu_ms": round(median(pair[0] for pair in cpus), 3),
        "bare_cpu_ms": round(median(pair[1] for pair in cpus), 3),
        "ratio": round(median(store) / median(bare), 2),
    }


def request(number: int) -> AcceptRequest:
    """Sizes of a real bilan: 30 KB of CDA, 24 of FHIR, 42 of PDF, an archive, two mails and a DMP package."""
    cda = Blob("cda", "application/xml", os.urandom(30_000))
    renderings = (
        cda,
        Blob("fhir", "application/fhir+json", os.urandom(24_000)),
        Blob("pdf", "application/pdf", os.urandom(42_000)),
        Blob("xdm", "application/zip", os.urandom(30_000)),
    )
    mails = [kit.mail(role, parts=(Blob("message", "message/rfc822", os.urandom(100_000)),)) for role in ("mt", "pat")]
    parts = (replace(cda, name="document"), Blob("metadata", "application/xml", os.urandom(10_000)))
    return kit.request(str(number), *mails, kit.dmp(parts=parts), renderings=renderings)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.bare.close()
    made.store.close()


def write_report(root: Path, name: str, report: dict[str, Any]) -> None:
    target = root / "build" / "bench" / f"{name}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


def test_the_store_costs_at_most_half_more_than_the_bare_sql(root: Path, pair: Pair) -> None:
    """DESIGN §6: store alone, pre-rendered bytes: acceptance within 1.5x of the bare SQL, one fsync per commit."""
    accept = pair.measure(lambda number: partial(pair.store.accept, request(number)))

    def deliver() -> None:
        [claim] = pair.store.claim(Wanted("bench", 60, 1))
        pair.store.mark_transmitting(claim)
        assert pair.store.record(claim, SENT)

    send = pair.measure(lambda _: deliver)
    mode = pair.bare.execute("PRAGMA journal_mode").fetchone()[0]
    report = {
        "budget": BUDGET,
        "sqlite": sqlite3.sqlite_version,
        "journal_mode": mode,
        "accept": accept | {"commits": 1, "bytes": 336_000},
        "claim_transmit_record": send | {"commits": 3},
    }
    write_report(root, "store", report)
    same = "SELECT count(*), sum(length(record)) FROM journal"
    assert tuple(pair.bare.execute(same).fetchone()) == tuple(
        pair.recorder.inner._connection.execute(same).fetchone()
    )  # the bare side did write the same rows
    assert accept["ratio"] <= BUDGET
    assert send["ratio"] <= BUDGET


def test_a_long_journal_is_verified_quickly(root: Path, tmp_path: Path) -> None:
    """A million records within 10 s, reckoned from fewer (issue of the engine, point 6)."""
    store = kit.open_store(tmp_path)
    store.accept(kit.request())
    for start in range(0, VERIFIED, 1000):
        with store.core.write() as work:
            for number in range(start, start + 1000):
                about = {"document": "0" * 36, "channel": "dmp", "attempt": number, "worker": "w" * 18, "fence": 1}
                work.note("resolving", verdict="in_doubt", reason="DMP-SILENT", **about)
    path = tmp_path / "export.jsonl"
    path.write_text("".join(export(store)), encoding="utf-8")
    times = {}
    for name, work_on in (("store", lambda: verify_store(store)), ("export", lambda: verify_export(path))):
        start_at = process_time()
        report = work_on()
        times[name] = process_time() - start_at
        assert report.ok
        assert report.size > VERIFIED
    million = {f"{name}_seconds_for_a_million": round(t * 1e6 / VERIFIED, 2) for name, t in times.items()}
    write_report(root, "journal", {"records": VERIFIED, **million, "budget_seconds": 10})
    store.close()
    assert max(million.values()) <= 10
