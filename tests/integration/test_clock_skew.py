"""A practice whose clock is an hour off, and a DMP that checks times: nothing is lost, and it goes on by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.api import Gateway
from gateway.clock import SystemClock
from tests.integration.practice import CASES, Practice, open_practice

BILAN = CASES / "01_entorse_cheville_bilan.json"
HOUR = 3600.0


class Shifted(SystemClock):
    """This machine's clock, had somebody set it wrong. The one that counts since the start is never wrong."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.seconds)


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, certificates=certificates)
    yield made
    made.box.close()


def states(gateway: Gateway) -> dict[str, tuple[str, str | None]]:
    return {row.destination: (row.transport, row.reason) for row in gateway.deliveries()}


def test_an_hour_off_is_measured_told_and_over_by_itself(practice: Practice) -> None:
    clock = Shifted(-HOUR)
    with Gateway.open(practice.config, clock=clock) as gateway:
        gateway.submit(BILAN.read_bytes())
        gateway.deliver_due()
        assert states(gateway)["dmp"] == ("retry", "ENG-CLOCK")
        assert states(gateway)["medecin_traitant"][0] == "sent"  # mail is sent by any clock
        pauses = {(pause.channel, pause.reason, pause.actor) for pause in gateway.pauses()}
        assert pauses == {("dmp", "ENG-CLOCK", "gateway")}
        (measured,) = gateway.clocks.measured()
        assert measured.offset == pytest.approx(HOUR, abs=measured.error + 1)
        assert [finding.code for finding in gateway.clocks.inspect()] == ["CLK-001"]
        assert len(practice.box.dmp.documents()) == 0
        clock.seconds = 0.0
        assert gateway.clocks.inspect() == []
        gateway.deliver_due()
        assert states(gateway)["dmp"][0] == "sent"
        assert gateway.pauses() == []
        assert len(practice.box.dmp.documents()) == 1
        verification = gateway.verify_journal()
        records = [json.loads(line)["record"] for line in gateway.export_journal() if line.startswith('{"hash"')]
    assert verification.ok
    events = [record["event"] for record in records]
    assert {"clock_wrong", "clock_right"} <= set(events)
    taken = next(record for record in reversed(records) if record["event"] == "taken")
    assert abs(taken["clock_offset_ms"]) <= taken["clock_error_ms"] + 50
    wrong = next(record for record in records if record["event"] == "clock_wrong")
    assert wrong["clock_offset_ms"] == pytest.approx(HOUR * 1000, abs=wrong["clock_error_ms"] + 1000)


def test_the_next_process_of_this_machine_knows_it_too(practice: Practice) -> None:
    with Gateway.open(practice.config, clock=Shifted(HOUR)) as gateway:
        gateway.submit(BILAN.read_bytes())
        gateway.deliver_due()
    with Gateway.open(practice.config, clock=Shifted(HOUR)) as gateway:
        assert [finding.code for finding in gateway.clocks.inspect()] == ["CLK-001"]
        asyncio.run(_run_a_while(gateway))
        assert states(gateway)["dmp"] == ("retry", "ENG-CLOCK")
        assert gateway.store.delivery(_dmp(gateway)).row.attempts == 1  # nothing was tried again


async def _run_a_while(gateway: Gateway) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(gateway.arun(stop))
    async with asyncio.timeout(30):
        while not gateway.pauses():  # noqa: ASYNC110 (it is set in a thread)
            await asyncio.sleep(0.05)
    stop.set()
    await running


def _dmp(gateway: Gateway) -> str:
    return next(row.id for row in gateway.deliveries() if row.destination == "dmp")
