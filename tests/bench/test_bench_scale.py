"""The store at scale (issue of the engine, point 4): documents a second, deliveries a second, flat cost, peers.

Rates depend on the machine and on who else uses it, so each is printed with the CPU that a piece costs the clients and
the server, and what is asserted is a ratio: to the bare SQL of the same rows, to a bare fsync of the same bytes, or of
the CPU to what this machine's cores could give.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import pytest

from gateway.store.base import Wanted
from gateway.store.outbox import Outbox
from gateway.store.postgres import PostgresDatabase
from gateway.store.sqlite import SqliteDatabase
from tests.bench import grown, peers_venv, scale
from tests.bench.replay import Recorder, Write
from tests.integration import database

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1200)]

BATCH = 32
"""Documents in one commit."""
TOGETHER = 64
"""Deliveries in one commit, and documents where several processes accept."""
PROCESSES = 4
TARGETS = {"sqlite_accept": 1000, "postgres_accept": 2000, "postgres_deliver": 5000}
"""A second, as the issue asks."""
BARE_SQL = 3.0
"""The store may cost so many times the bare SQL of the same rows: sealing, hashing, chaining and reading included. The
rows alone take so little where a disk syncs at once (4,100 documents a second here) that 3 is still above the target.
"""
BARE_FSYNC = 12.0
"""What a commit waits for beside its own computing may be so many times one append and fsync of the same bytes: a
rollback journal syncs four times and writes twice."""
FLAT = 1.6
"""A delivery among a million may cost so many times what it costs among a thousand."""


def report(root: Path, name: str, figures: dict[str, Any]) -> None:
    target = root / "build" / "bench" / f"{name}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(name, json.dumps(figures, indent=1))


@pytest.fixture(scope="module")
def durable(needs: Callable[..., None]) -> Iterator[database.Server]:
    """A server that syncs every commit."""
    needs("postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with database.running(port, segment=scale.WAL_SEGMENT, **scale.DURABLE) as server:
        yield server


# ------------------------------------------------------------------------------------------ beside the bare SQL


class Beside:
    """A store in this process, and the bare SQL of what it wrote, on tables of its own."""

    def __init__(self, store: Outbox, bare: Any) -> None:
        self.store, self.bare = store, bare
        self.recorder = Recorder(store.core.db)
        self.walls: list[tuple[float, float]] = []
        self.cpu = 0.0
        object.__setattr__(store.core, "db", self.recorder)
        self._catch_up()

    def _catch_up(self) -> None:
        """What stood in the store before it was recorded, so that the same rows follow."""
        with self.store.core.db.read() as tx:
            rows = [
                dict(row) | {"shard": shard}
                for shard in range(self.store.shards)
                for row in tx.all("journal_page", shard=shard, after=-1, limit=10)
            ]
            masters = [{"id": row["id"], "made_at": row["made_at"]} for row in tx.all("master_list")]
        heads = [{"shard": shard, "hash": bytes(32)} for shard in range(1, self.store.shards)]
        first: list[Write] = [("journal_head_insert", heads), ("journal_insert", rows), ("master_insert", masters)]
        self._replay([[write for write in first if write[1]]])

    def run(self, work: Callable[[], Any]) -> Any:
        """One operation through the store, then its writes by bare SQL."""
        self.recorder.commits = []
        began, cpu = perf_counter(), process_time()
        result = work()
        spent = (perf_counter() - began) * 1000
        self.cpu += (process_time() - cpu) * 1000
        began = perf_counter()
        self._replay(self.recorder.commits)
        self.walls.append((spent, (perf_counter() - began) * 1000))
        return result

    def _replay(self, commits: list[list[Write]]) -> None:
        for writes in commits:
            with self.bare.write() as tx:
                for name, rows in writes:
                    tx.many(name, rows)

    def figures(self, pieces: int) -> dict[str, float]:
        """Of all operations since the last time: `pieces` in each."""
        store, bare = (median(wall[side] for wall in self.walls) for side in (0, 1))
        rounds, self.walls = len(self.walls), []
        cpu, self.cpu = self.cpu / rounds / pieces, 0.0
        return {
            "per_second": round(pieces / store * 1000),
            "bare_per_second": round(pieces / bare * 1000),
            "client_cpu_ms": round(cpu, 3),
            "commit_ms": round(store, 2),
            "bare_commit_ms": round(bare, 2),
            "ratio": round(store / bare, 2),
        }


def measured(beside: Beside, accounts: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Accept and deliver so many batches."""
    for number in range(rounds):
        batch = [scale.document(f"{number}-{n}", accounts[number % len(accounts)]) for n in range(BATCH)]
        beside.run(partial(beside.store.accept_many, batch))
    accepted = beside.figures(BATCH)
    done = 0
    for account in accounts:
        for channel in scale.CHANNELS:
            while claims := beside.run(partial(beside.store.claim, Wanted("w", 60, TOGETHER, account, channel))):
                assert all(beside.run(partial(beside.store.record_many, [(one, scale.SENT) for one in claims])))
                done += len(claims)
            beside.walls.pop()  # the look that found nothing
    beside.walls = [
        (one[0] + two[0], one[1] + two[1]) for one, two in zip(beside.walls[::2], beside.walls[1::2], strict=True)
    ]
    assert done == rounds * BATCH * scale.PER_DOCUMENT
    return {"accept": accepted, "claim_and_record": beside.figures(TOGETHER)}


def test_sqlite_beside_bare_sql_and_bare_fsync(root: Path, tmp_path: Path) -> None:
    chosen = scale.settings(tmp_path / "store")
    store = scale.opened(chosen)
    bare = SqliteDatabase(tmp_path / "bare.db")
    figures: dict[str, Any] = measured(Beside(store, bare), [chosen.account[0].id], rounds=32)
    sync = scale.bare_fsync(tmp_path, BATCH * scale.PAYLOAD)
    figures["bare_fsync_of_as_many_bytes_ms"] = round(sync, 2)
    waits = figures["accept"]["commit_ms"] - figures["accept"]["client_cpu_ms"] * BATCH
    figures["accept"]["waits_in_bare_fsyncs"] = round(waits / sync, 1)
    figures["target"] = TARGETS["sqlite_accept"]
    report(root, "scale-sqlite", figures | {"must_reach": {"bare_sql": BARE_SQL, "bare_fsync": BARE_FSYNC}})
    store.close()
    bare.close()
    assert figures["accept"]["ratio"] <= BARE_SQL
    assert figures["claim_and_record"]["ratio"] <= BARE_SQL
    assert figures["accept"]["waits_in_bare_fsyncs"] <= BARE_FSYNC


def test_postgres_beside_bare_sql(root: Path, tmp_path: Path, durable: database.Server) -> None:
    chosen = scale.settings(tmp_path / "store", durable.fresh(), shards=4)
    store = scale.opened(chosen)
    bare = PostgresDatabase(durable.fresh())
    figures = measured(Beside(store, bare), [account.id for account in chosen.account[:4]], rounds=32)
    report(root, "scale-postgres-bare", figures | {"must_reach": {"bare_sql": BARE_SQL}})
    store.close()
    bare.close()
    assert figures["accept"]["ratio"] <= BARE_SQL
    assert figures["claim_and_record"]["ratio"] <= BARE_SQL


# ---------------------------------------------------------------------------------------- several processes


def test_four_processes_on_postgres(root: Path, tmp_path: Path, durable: database.Server) -> None:
    number = int(os.environ.get("SCALE_DOCUMENTS", "1280"))
    chosen = scale.settings(tmp_path, durable.fresh(), shards=4)
    scale.opened(chosen).close()
    accepted = scale.together(scale.accept, chosen, PROCESSES, number, TOGETHER, durable)
    delivered = scale.together(scale.deliver, chosen, PROCESSES, 0, TOGETHER, durable)
    assert accepted.pieces == PROCESSES * number
    assert delivered.pieces == accepted.pieces * scale.PER_DOCUMENT
    figures = {"accept": accepted.figures(), "claim_and_record": delivered.figures(), "cores": os.cpu_count()}
    wanted = {"accept": TARGETS["postgres_accept"], "claim_and_record": TARGETS["postgres_deliver"]}
    for name, target in wanted.items():
        figures[name]["target"] = target  # type: ignore[index]
        figures[name]["reached"] = figures[name]["per_second"] >= target  # type: ignore[index]
    report(root, "scale-postgres", figures)
    for name, target in wanted.items():  # what the cores of this machine could do, were they ours alone
        assert figures[name]["per_second_of_cpu"] * max(2, os.cpu_count() or 1) >= target * 0.6  # type: ignore[index]


# ------------------------------------------------------------------------------------------------ flat cost


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_cost_is_flat(root: Path, tmp_path: Path, durable: database.Server, engine: str) -> None:
    """CPU of client and server for a delivery taken over, claimed and recorded, among so many others."""
    most = int(os.environ.get("SCALE_ROWS", "1000000"))
    url = durable.fresh() if engine == "postgres" else None
    chosen = scale.settings(tmp_path, url)
    store, costs, there = scale.opened(chosen), {}, 0
    for size in (size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= most):
        grown.grow(store, size, start=there, steps=(), waiting=20)
        there = size
        if engine == "postgres":
            with durable.connect(url) as connection:
                connection.execute("ANALYZE")
                connection.execute("CHECKPOINT")
        costs[size] = _cost(store, size, durable if engine == "postgres" else None)
    figures = {str(size): cost for size, cost in costs.items()}
    first, last = costs[1_000]["cpu_ms"], list(costs.values())[-1]["cpu_ms"]
    report(root, f"scale-flat-{engine}", figures | {"ratio": round(last / first, 2), "must_stay_below": FLAT})
    store.close()
    assert last / first <= FLAT


def _cost(store: Outbox, size: int, server: database.Server | None) -> dict[str, float]:
    rounds, walls, best = 12, [], float("inf")
    for turn in range(rounds):
        batch = [scale.document(f"{size}-{turn}-{n}", "cabinet") for n in range(BATCH)]
        before = 0.0 if server is None else scale.server_cpu(server)
        began, cpu = perf_counter(), process_time()
        store.accept_many(batch)
        for channel in scale.CHANNELS:
            while claims := store.claim(Wanted("w", 60, TOGETHER, "cabinet", channel)):
                store.record_many([(claim, scale.SENT) for claim in claims])
        walls.append(perf_counter() - began)
        spent = process_time() - cpu + (0.0 if server is None else scale.server_cpu(server) - before)
        best = min(best, spent)
    pieces = BATCH * scale.PER_DOCUMENT
    return {"cpu_ms": round(best / pieces * 1000, 3), "wall_ms": round(median(walls) / pieces * 1000, 3)}


# ---------------------------------------------------------------------------------------------------- peers


def test_beside_two_queues(root: Path, tmp_path: Path, durable: database.Server) -> None:
    """The same server, the same durability, one piece in each commit where the tool has no batches."""
    python = peers_venv.queues(root)
    number = int(os.environ.get("SCALE_JOBS", "640"))
    rows: dict[str, Any] = {"kine-gateway": _ours(tmp_path, durable, number)}
    for name, script in (("procrastinate 3.10.0", "run_procrastinate.py"), ("dbos 3.4.0", "run_dbos.py")):
        base = script.removesuffix(".py")
        with durable.connect() as connection:
            connection.execute(f"CREATE DATABASE {base}")
        url = f"postgresql://{database.USER}@/{base}?host={durable.folder}&port={durable.port}"
        command = [str(python), str(peers_venv.HERE / script), url, str(number), str(BATCH)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        rows[name] = json.loads(done.stdout.strip().splitlines()[-1])
    report(root, "scale-peers", rows)
    best = max(row.get("worked_off", row.get("put_in_and_worked_off")) for row in list(rows.values())[1:])
    assert rows["kine-gateway"]["worked_off"] > best


def _ours(folder: Path, server: database.Server, number: int) -> dict[str, float]:
    """Deliveries, to compare with jobs: each document has one here, and brings its 30 KB."""
    store = scale.opened(scale.settings(folder, server.fresh()))
    singly = [scale.document(f"one-{n}", "cabinet-0") for n in range(number // 3)]
    batch = [scale.document(f"many-{n}", "cabinet-0") for n in range(number // 3)]
    began = perf_counter()
    for one in singly:
        store.accept(one)
    put = perf_counter() - began
    began = perf_counter()
    for first in range(0, len(batch), BATCH):
        store.accept_many(batch[first : first + BATCH])
    put_batch = perf_counter() - began
    began, cpu, done = perf_counter(), process_time(), 0
    for channel in scale.CHANNELS:
        while claims := store.claim(Wanted("w", 60, 16, "cabinet-0", channel)):
            done += sum(store.record_many([(claim, scale.SENT) for claim in claims]))
    spent, cpu = perf_counter() - began, process_time() - cpu
    store.close()
    pieces = scale.PER_DOCUMENT * len(singly)
    return {
        "put_in_one_by_one": round(pieces / put),
        "put_in_by_batch": round(pieces / put_batch),
        "worked_off": round(done / spent),
        "worker_cpu_ms": round(cpu / done * 1000, 2),
    }
