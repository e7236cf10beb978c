"""What the engine does when the wall clock jumps, when the machine sleeps, and when nobody can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from gateway.channels.outcome import Outcome, Verdict
from gateway.clock import FrozenClock
from gateway.engine.recover import Jumps
from gateway.store.base import Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Transport
from tests.unit.engine import test_worker
from tests.unit.engine.test_worker import DOWN, Bench, bench
from tests.unit.store import kit

__all__ = ["bench"]
TICK = 21.0
"""Seconds after which leases are looked at again (a third of sixty)."""


async def until(condition: Callable[[], bool]) -> None:
    await test_worker.until(condition, seconds=30)


@pytest.mark.engine("none")
def test_a_jump_is_seen_once_and_sleep_is_none() -> None:
    clock = FrozenClock(kit.START)
    jumps = Jumps(clock)
    assert jumps.seen(clock.now()) == 0
    clock.advance(3 * 86400)  # asleep: both clocks go on
    assert jumps.seen(clock.now()) == 0
    clock.at += timedelta(days=1)
    assert jumps.seen(clock.now()) == 86400
    assert jumps.seen(clock.now()) == 0
    clock.at -= timedelta(hours=1)
    assert jumps.seen(clock.now()) == -3600
    clock.at += timedelta(seconds=59)
    assert jumps.seen(clock.now()) == 0


async def test_a_jump_forward_while_an_answer_is_awaited_doubts_and_doubles_nothing(bench: Bench) -> None:
    released = asyncio.Event()
    bench.mssante.during = released.wait
    bench.store.accept(kit.request("a", kit.mail()))
    stop = asyncio.Event()
    running = asyncio.create_task(bench.worker().run(stop))
    await until(lambda: bench.states() == {"mssante": ("transmitting", None)})
    bench.clock.at += timedelta(days=1)
    bench.clock.passed += TICK  # every lease in the table seems long over
    bench.store.accept(kit.request("b", kit.dmp()))
    await until(lambda: len(bench.dmp.sent) == 1)  # a whole round of the worker went by
    assert bench.states()["mssante"] == ("transmitting", None)
    released.set()
    await until(lambda: bench.states()["mssante"][0] == "sent")
    stop.set()
    await running
    assert len(bench.mssante.sent) == 1
    assert "recovered" not in {event.event for event in bench.events}


async def test_a_jump_back_delays_nothing_although_others_wrote_meanwhile(bench: Bench) -> None:
    bench.mssante.answers = [Outcome(Verdict.TRANSIENT, "MSS-451")]
    bench.store.accept(kit.request("a", kit.mail()))
    stop = asyncio.Event()
    running = asyncio.create_task(bench.worker().run(stop))
    await until(lambda: bench.states() == {"mssante": ("retry", "MSS-451")})
    bench.clock.at -= timedelta(hours=1)
    bench.store.accept(kit.request("b", kit.dmp()))  # the journal's last record lies in the present again
    await until(lambda: len(bench.dmp.sent) == 1)
    assert len(bench.mssante.sent) == 1
    bench.clock.advance(TICK)
    await until(lambda: len(bench.mssante.sent) == 2)
    stop.set()
    await running
    assert bench.states()["mssante"][0] == "sent"


def test_a_start_frees_what_a_clock_set_back_froze(store: Outbox, clock: FrozenClock) -> None:
    store.accept(kit.request("a", kit.mail()))
    claim = store.claim(kit.wanted())[0]
    store.record(claim, Result(Event.FAILED, Transport.RETRY, "transient", "MSS-451", due_in=21_600))
    clock.at -= timedelta(days=1)
    store.accept(kit.request("b", kit.dmp()))
    assert store.claim(kit.wanted(channel="mssante")) == []
    store.recover(went_back=True)
    assert len(store.claim(kit.wanted(channel="mssante"))) == 1


async def test_a_lease_follows_the_clock_that_never_jumps(bench: Bench) -> None:
    """Between claim and DATA the wall clock jumps a day: the lease still holds, and the mail goes, once."""
    bench.mssante.commits = False

    async def jump() -> None:
        bench.clock.at += timedelta(days=1)

    bench.mssante.during = jump
    bench.store.accept(kit.request("a", kit.mail()))
    claim = bench.store.claim(kit.wanted())[0]
    bench.clock.at += timedelta(days=1)
    bench.store.mark_transmitting(claim)
    bench.clock.at -= timedelta(days=2)
    assert bench.store.record(claim, Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250"))
    assert bench.states() == {"mssante": ("sent", "MSS-250")}


async def test_a_month_without_network_burns_nothing(bench: Bench) -> None:
    bench.mssante.answers = [DOWN] * 1000
    document = bench.store.accept(kit.request("a", kit.mail()))
    delivery = document.delivery_ids[0]
    for _ in range(120):
        await bench.deliver()
        bench.clock.advance(6 * 3600)
    row = kit.sql(bench.store, "SELECT state, failures, burned_ms FROM delivery WHERE id = ?", (delivery,))[0]
    assert tuple(row) == ("retry", 0, 0)
    bench.mssante.answers = []
    await bench.deliver()
    assert bench.states()["mssante"][0] == "sent"


async def test_a_month_switched_off_burns_nothing(bench: Bench) -> None:
    bench.mssante.answers = [Outcome(Verdict.TRANSIENT, "MSS-451")] * 2
    document = bench.store.accept(kit.request("a", kit.mail()))
    await bench.deliver()
    bench.clock.advance(30 * 86400)
    await bench.deliver()
    row = kit.sql(
        bench.store, "SELECT state, failures, burned_ms FROM delivery WHERE id = ?", (document.delivery_ids[0],)
    )[0]
    assert tuple(row) == ("retry", 2, 150_000)  # two steps of the schedule, not a month
    bench.clock.advance(120)
    await bench.deliver()
    assert bench.states()["mssante"][0] == "sent"
