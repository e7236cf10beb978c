"""A document handed in on one machine wakes the worker of another; a lost hint costs one look, and loses nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from gateway.api import Gateway
from tests.integration import database
from tests.integration.pg_practice import practice
from tests.integration.practice import CASES, ROOT, Practice
from tests.unit.store.engines import postgres

__all__ = ["postgres", "practice"]
pytestmark = [pytest.mark.needs("postgres"), pytest.mark.timeout(120)]
FIRST, SECOND = (CASES / f"{name}.json" for name in ("01_entorse_cheville_bilan", "03_epaule_operee_bilan"))
LISTENS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN kine%'"


def wait_until(said: Callable[[], bool], seconds: float) -> float:
    """Seconds until it was so."""
    started = time.monotonic()
    while not said():
        assert time.monotonic() - started < seconds, "it never happened"
        time.sleep(0.02)
    return time.monotonic() - started


def look_every(practice: Practice, seconds: float) -> None:
    text = practice.config.read_text(encoding="utf-8")
    practice.config.write_text(text.replace("scan_every = 0.1", f"scan_every = {seconds}"), encoding="utf-8")


@pytest.fixture
def worker(practice: Practice) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.integration.pg_waker", str(practice.config)]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT))
        return started[-1]

    yield start
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


def sent(gateway: Gateway, document: str) -> Callable[[], bool]:
    return lambda: {"sent"} == {d.transport for d in gateway.status(document).deliveries if d.due_at or d.attempts}


def test_a_waiting_worker_is_woken(
    postgres: database.Server, practice: Practice, worker: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """It looks every ten minutes, and has just looked: only the hint can make it look again so soon."""
    look_every(practice, 600)
    with Gateway.open(practice.config) as gateway:
        before = gateway.submit(FIRST.read_bytes())
        process = worker()
        with postgres.connect() as administrator:
            wait_until(lambda: administrator.execute(LISTENS).fetchone() == (1,), 40)
        wait_until(sent(gateway, before.document_id), 40)
        document = gateway.submit(SECOND.read_bytes()).document_id
        took = wait_until(sent(gateway, document), 60)
        print(f"woken and sent after {took:.2f} s, looking every 600 s")
        assert process.poll() is None


def test_a_lost_hint_loses_nothing(
    postgres: database.Server, practice: Practice, worker: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """Whoever listens is cut off just before the document comes, again and again: the look every second finds it."""
    look_every(practice, 1)
    with Gateway.open(practice.config) as gateway, postgres.connect() as administrator:
        worker()
        wait_until(lambda: administrator.execute(LISTENS).fetchone() == (1,), 40)
        gateway.__dict__["hints"] = None  # nobody is told either
        administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN kine%'")
        document = gateway.submit(FIRST.read_bytes()).document_id
        wait_until(sent(gateway, document), 60)
        wait_until(lambda: administrator.execute(LISTENS).fetchone() == (1,), 40)  # and it listens again
