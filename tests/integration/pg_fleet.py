"""What the tests of several workers on one PostgreSQL share: processes of theirs, and what must be so in the end."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.verify import verify_store
from gateway.settings import Settings
from gateway.store.base import Filter
from tests.integration import pg_victim
from tests.integration.pg_victim import Sink

DOCUMENTS = 40
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.integration.pg_victim"])
Start = Callable[..., Any]


@pytest.fixture
def sink(tmp_path: Path) -> Sink:
    return Sink(tmp_path / "received")


@pytest.fixture
def start() -> Iterator[Start]:
    """Processes of the test; none outlives it."""
    started: list[Any] = []

    def run(target: Callable[..., None], *arguments: Any) -> Any:
        process = CONTEXT.Process(target=target, args=arguments)
        process.start()
        started.append(process)
        return process

    yield run
    for process in started:
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join(10)


def check(chosen: Settings, sink: Sink, documents: int = DOCUMENTS) -> list[dict[str, Any]]:
    """Every document sent and received exactly once, the journal whole. Returns its records."""
    with closing(pg_victim.open_store(chosen)) as store:
        rows = store.deliveries(Filter(limit=10_000))
        assert len(rows) == documents
        assert {row.state for row in rows} == {"sent"}
        assert sink.received() == dict.fromkeys((row.id for row in rows), 1)
        report = verify_store(store)
        assert report.ok, report.summary
        assert len(report.shards) == 4
        return [json.loads(entry.record) for entry in store.snapshot().records()]


def ended(process: Any, seconds: float = 60) -> None:
    """Wait until a process has ended well."""
    process.join(seconds)
    assert process.exitcode == 0


def wait_until(said: Callable[[], bool], seconds: float = 30) -> float:
    """Wait until it is so. Returns the seconds that it took."""
    started = time.monotonic()
    while not said():
        assert time.monotonic() - started < seconds, "it never happened"
        time.sleep(0.02)
    return time.monotonic() - started


def is_stopped(process: Any) -> bool:
    """Whether the system says that the process is stopped (Linux)."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
