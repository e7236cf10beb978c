"""Real processes that are offline, stopped, switched off, and told twice to end: time of that kind burns nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.daemon import Daemon
from tests.integration.practice import Practice, case, open_practice

RETRY = "delays = [0.2, 0.4]\njitter = false\nbreaker_pause = 0.3\ngive_up_after = 1.5\n"
ACCOUNT = "cabinet-01"
BILAN_CASE = "01_entorse_cheville_bilan"


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, retry=RETRY, certificates=certificates)
    yield made
    made.box.close()


@pytest.fixture
def start(practice: Practice, tmp_path: Path) -> Iterator[Callable[[str], Daemon]]:
    """Starts a sidecar; none of them outlives the test."""
    started: list[Daemon] = []

    def one(name: str) -> Daemon:
        started.append(Daemon(practice.config, tmp_path, name))
        return started[-1]

    yield one
    for daemon in started:
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait(30)


def rows(practice: Practice, columns: str) -> list[tuple[object, ...]]:
    """What the table says, read from beside."""
    database = practice.folder / "gateway.sqlite"
    if not database.exists():
        return []
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        where = "WHERE channel IN ('mssante', 'dmp') AND state <> 'impossible'"
        return connection.execute(f"SELECT {columns} FROM delivery {where} ORDER BY id").fetchall()
    except sqlite3.OperationalError:  # not founded yet, or in the middle of it
        return []
    finally:
        connection.close()


def attempts(practice: Practice) -> int:
    return sum(int(str(row[0])) for row in rows(practice, "attempts"))


def test_offline_stopped_and_switched_off_burn_nothing(
    practice: Practice, start: Callable[[str], Daemon], tmp_path: Path
) -> None:
    """Each lasts longer than `give_up_after`, which is a second and a half here and five days by default."""
    practice.box.stop()
    practice.drop(case(BILAN_CASE), "bilan", ACCOUNT)
    daemon = start("offline")
    daemon.wait_for(lambda: attempts(practice) >= 4)
    time.sleep(1.6)  # offline
    daemon.process.send_signal(signal.SIGSTOP)
    time.sleep(2)  # asleep
    before = attempts(practice)
    daemon.process.send_signal(signal.SIGCONT)
    daemon.wait_for(lambda: attempts(practice) > before)
    assert daemon.stop() == 0
    time.sleep(1.6)  # switched off
    assert {row[0] for row in rows(practice, "state")} <= {"retry", "prepared"}
    assert {row[:] for row in rows(practice, "failures, burned_ms")} == {(0, 0)}
    practice.box.start()
    daemon = start("late")
    daemon.wait_for(lambda: {row[0] for row in rows(practice, "state")} == {"sent"})
    assert daemon.stop() == 0
    assert len(practice.box.dmp.documents()) == 1
    assert "delivery_gave_up" not in (tmp_path / "offline.log").read_text()


def test_the_second_signal_does_not_wait(practice: Practice, start: Callable[[str], Daemon]) -> None:
    practice.box.faults.set("dmp", "delay", count=10, seconds=25.0)
    practice.drop(case(BILAN_CASE), "bilan", ACCOUNT)
    daemon = start("hurried")
    daemon.wait_for(lambda: ("dmp", "transmitting") in rows(practice, "channel, state"))
    os.kill(daemon.process.pid, signal.SIGTERM)
    time.sleep(1)
    assert daemon.process.poll() is None  # it waits for the answer
    started = time.monotonic()
    os.kill(daemon.process.pid, signal.SIGTERM)
    assert daemon.process.wait(20) == 0
    assert time.monotonic() - started < 15
    assert ("dmp", "in_doubt", "ENG-STOPPED") in rows(practice, "channel, state, reason")
