"""The master key changes while others take documents over and deliver; whoever changes it is killed at every step."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from gateway.api import Gateway
from gateway.audit.verify import verify_store
from gateway.settings import Settings
from gateway.store import keyring
from gateway.store.base import Filter
from tests.integration import pg_victim, rotation_victim
from tests.integration.pg_victim import Sink
from tests.integration.rotation_victim import STEPS, WHO
from tests.unit.store import kit
from tests.unit.store.engines import engine, postgres, pytest_generate_tests, schemas

__all__ = ["engine", "postgres", "pytest_generate_tests", "schemas"]
pytestmark = pytest.mark.timeout(120)
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.integration.rotation_victim"])
PATIENCE = 60.0
ALL = Filter(limit=100_000)


@pytest.fixture
def chosen(tmp_path: Path, engine: str) -> Settings:
    return pg_victim.settings(tmp_path, kit.url_of(tmp_path))


@pytest.fixture
def around(chosen: Settings, tmp_path: Path) -> Iterator[tuple[Sink, list[Any], Any]]:
    """One process that takes documents over, two that deliver, until the event."""
    rotation_victim.open_store(chosen).close()
    stop, sink = CONTEXT.Event(), Sink(tmp_path / "received")
    jobs = [
        CONTEXT.Process(target=rotation_victim.accept, args=(chosen, "d", stop)),
        *(CONTEXT.Process(target=rotation_victim.deliver, args=(chosen, name, sink, stop)) for name in ("w1", "w2")),
    ]
    for job in jobs:
        job.start()
    yield sink, jobs, stop
    for job in jobs:
        if job.is_alive():
            job.kill()
        job.join()


def rotate(chosen: Settings, step: str | None) -> int:
    process = CONTEXT.Process(target=rotation_victim.rotate, args=(chosen, step))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode is not None
    return process.exitcode


def wait_for_more(sink: Sink) -> None:
    deadline, enough = time.monotonic() + PATIENCE, len(sink.received()) + 4
    while len(sink.received()) < enough:
        assert time.monotonic() < deadline, "nothing moves"
        time.sleep(0.05)


def check_whole(chosen: Settings, sink: Sink) -> None:
    """Every document opens, everything was sent once, the journal verifies."""
    store = rotation_victim.open_store(chosen)
    rows = store.deliveries(ALL)
    assert dict(sink.received()) == {row.id: 1 for row in rows}
    assert {row.state for row in rows} == {"sent"}
    for row in rows:
        assert store.parts(row.id)
        assert store.rendering(row.document_id, "submission").data
    assert len(store.facts()) == len(rows)
    assert verify_store(store).ok
    store.close()


def test_killed_at_every_step(chosen: Settings, around: tuple[Sink, list[Any], Any]) -> None:
    sink, jobs, stop = around
    first = keyring.load(chosen.sealing.key_file).store
    for step in STEPS:
        wait_for_more(sink)  # the others go on, with whatever key
        assert rotate(chosen, step) == -signal.SIGKILL, step
        assert rotation_victim.answers(chosen)
    assert rotate(chosen, None) == 0
    wait_for_more(sink)
    stop.set()
    for job in jobs:
        job.join(PATIENCE)
        assert job.exitcode == 0
    with Gateway.open(chosen) as gateway:
        while left := [key.id for key in gateway.keys.listing() if key.in_use and not key.current]:
            gateway.keys.rotate(**WHO)  # what was under way while the last one ended
            assert left
        for key in gateway.keys.listing():
            if key.here and not key.current:
                gateway.keys.retire(key.id, **WHO)
        [current] = [key for key in gateway.keys.listing() if key.current]
    ring = keyring.load(chosen.sealing.key_file)
    assert [key.id for key in ring.keys] == [current.id] != [first]
    assert ring.store == first
    check_whole(chosen, sink)
