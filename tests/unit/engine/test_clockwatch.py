from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from email.utils import format_datetime

import pytest

from gateway.channels.outcome import BeforeCommit, Outcome, Verdict
from gateway.clock import FrozenClock
from gateway.engine.clockwatch import ClockWatch
from gateway.engine.worker import Worker
from gateway.package.types import Package
from gateway.skew import Skew
from gateway.store.core import Core
from gateway.store.outbox import Outbox
from tests.unit.engine import test_worker
from tests.unit.engine.test_worker import OK, Bench, Script, bench
from tests.unit.store import kit

__all__ = ["bench"]


async def until(condition: Callable[[], bool]) -> None:
    await test_worker.until(condition, seconds=30)


HOST = "dmp.test"
REFUSED = Outcome(Verdict.CONFIGURATION, "DMP-VIHF", "assertion not yet valid", host=HOST)


@dataclass
class Strict(Script):
    """A DMP that tells the true time with every answer, and takes nothing from a clock that is a minute off."""

    ours: FrozenClock | None = None
    skew: Skew | None = None
    wrong_by: float = 0.0

    async def send(self, package: Package, before_commit: BeforeCommit) -> Outcome:
        assert self.ours is not None
        assert self.skew is not None
        started = self.skew.started()
        await super().send(package, before_commit)
        self.skew.dated(HOST, format_datetime(self.ours.now() - timedelta(seconds=self.wrong_by)), started)
        return OK if abs(self.wrong_by) < 60 else REFUSED

    def set_clock(self, seconds: float) -> None:
        """Somebody moves our clock."""
        assert self.ours is not None
        self.ours.at += timedelta(seconds=seconds)
        self.wrong_by += seconds


def with_clock(bench: Bench) -> Worker:
    skew = Skew(bench.clock)
    bench.store.core = _replaced(bench.store, skew)
    bench.dmp = Strict(ours=bench.clock, skew=skew)
    worker = bench.worker()
    worker.watch_clock(ClockWatch(bench.store, skew, bench.settings.clock, bench.clock))
    return worker


def _replaced(store: Outbox, skew: Skew) -> Core:
    return replace(store.core, skew=skew)


def records(bench: Bench) -> list[dict[str, object]]:
    rows = kit.sql(bench.store, "SELECT record FROM journal ORDER BY shard, seq")
    return [json.loads(row[0]) for row in rows]


@pytest.mark.engine("sqlite")  # several machines: the next test
async def test_a_wrong_clock_pauses_the_dmp_until_it_is_right(bench: Bench) -> None:
    worker = with_clock(bench)
    strict = bench.dmp
    assert isinstance(strict, Strict)
    strict.set_clock(7200)
    for name in "abc":
        bench.store.accept(kit.request(name))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: [pause.reason for pause in bench.store.pauses()] == ["ENG-CLOCK"])
    await until(lambda: len(bench.mssante.sent) == 3)  # mail needs no such clock
    tried = len(strict.sent)
    waiting = [row for row in bench.store.deliveries() if row.channel == "dmp"]
    assert {row.state for row in waiting} <= {"retry", "prepared"}
    assert "ENG-CLOCK" in {row.reason for row in waiting}
    assert {bench.store.delivery(row.id).row.state for row in waiting} <= {"retry", "prepared"}
    await asyncio.sleep(0.2)
    assert len(strict.sent) == tried  # nothing more is tried
    strict.set_clock(-7200)
    bench.clock.advance(21)  # what was planned two hours ahead is freed when leases are looked at
    await until(lambda: [row.state for row in bench.store.deliveries() if row.channel == "dmp"] == ["sent"] * 3)
    stop.set()
    await running
    assert bench.store.pauses() == []
    told = [(event.event, event.reason) for event in bench.events if event.event in {"paused", "resumed"}]
    assert told == [("paused", "ENG-CLOCK"), ("resumed", "ENG-CLOCK")]
    noted = [record["event"] for record in records(bench) if record["event"] in {"clock_wrong", "clock_right"}]
    assert noted == ["clock_wrong", "clock_right"]


@pytest.mark.engine("postgres")
async def test_only_the_machine_with_the_wrong_clock_keeps_still(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.platform.boot_id", lambda: "one machine")
    worker = with_clock(bench)
    strict = bench.dmp
    assert isinstance(strict, Strict)
    strict.set_clock(-600)
    bench.store.accept(kit.request("a", kit.dmp()))
    await worker.deliver_due()
    await worker.deliver_due()
    assert len(strict.sent) == 1
    assert bench.states()["dmp"] == ("retry", "ENG-CLOCK")
    assert bench.store.pauses() == []
    bench.clock.advance(1)
    monkeypatch.setattr("gateway.platform.boot_id", lambda: "another machine")
    other = bench.worker()
    strict.wrong_by = 0.0
    assert await other.deliver_due() == 1
    assert bench.states()["dmp"][0] == "sent"


async def test_each_record_has_the_measured_offset(bench: Bench) -> None:
    worker = with_clock(bench)
    strict = bench.dmp
    assert isinstance(strict, Strict)
    strict.set_clock(20)
    bench.store.accept(kit.request("a", kit.dmp()))
    await worker.deliver_due()
    bench.store.accept(kit.request("b", kit.dmp()))
    first, last = records(bench)[1], records(bench)[-1]
    assert "clock_offset_ms" not in first  # nobody had been asked yet
    assert abs(int(str(last["clock_offset_ms"])) + 20_000) <= int(str(last["clock_error_ms"])) + 1000
    assert bench.states()["dmp"][0] in {"sent", "prepared"}  # twenty seconds stop nobody


async def test_a_measurement_of_this_run_of_the_machine_outlives_the_process(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.platform.boot_id", lambda: "boot-1")
    worker = with_clock(bench)
    strict = bench.dmp
    assert isinstance(strict, Strict)
    strict.set_clock(3600)
    bench.store.accept(kit.request("a", kit.dmp()))
    await worker.deliver_due()
    tried = len(strict.sent)
    next_one = with_clock(bench)
    strict = bench.dmp
    assert isinstance(strict, Strict)
    strict.wrong_by = 3600
    bench.store.accept(kit.request("b", kit.dmp()))
    stop = asyncio.Event()
    running = asyncio.create_task(next_one.run(stop))
    await asyncio.sleep(0.2)
    assert (tried, strict.sent) == (1, [])  # it knew before it tried
    strict.set_clock(-3600)
    bench.clock.advance(21)
    await until(lambda: len(strict.sent) == 2)
    stop.set()
    await running
    assert bench.store.clock_readings("boot-2") == []


@pytest.mark.engine("sqlite")
async def test_a_person_may_overrule_the_pause(bench: Bench) -> None:
    worker = with_clock(bench)
    strict = bench.dmp
    assert isinstance(strict, Strict)
    strict.set_clock(3600)
    bench.store.accept(kit.request("a", kit.dmp()))
    await worker.deliver_due()
    assert bench.store.resume("cabinet", "dmp", by="Dr Test")
    bench.clock.advance(1)
    await worker.deliver_due()
    assert len(strict.sent) == 2
    assert bench.store.pauses() == []


async def test_a_limit_of_zero_pauses_nothing(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(
        update={"clock": bench.settings.clock.model_copy(update={"max_skew": 0.0})}
    )
    worker = with_clock(bench)
    strict = bench.dmp
    assert isinstance(strict, Strict)
    strict.set_clock(7200)
    bench.store.accept(kit.request("a", kit.dmp()))
    await worker.deliver_due()
    assert [pause.reason for pause in bench.store.pauses()] == ["DMP-VIHF"]  # what the DMP itself said
