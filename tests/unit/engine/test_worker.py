from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway import platform
from gateway.channels.outcome import BeforeCommit, Outcome, Verdict
from gateway.clock import FrozenClock, SeededRandomness
from gateway.engine.events import DeliveryEvent
from gateway.engine.worker import Worker
from gateway.errors import ConfigError, LeaseLostError, StoreError
from gateway.package.types import Package
from gateway.store.base import Filter
from gateway.store.outbox import Outbox
from gateway.store.states import Receipt, Transport
from tests.unit.store import kit

OK = Outcome(Verdict.ACCEPTED, "MSS-250", reference="Q1", host="smtp.test")
BUSY = Outcome(Verdict.TRANSIENT, "MSS-451", text="try later")
DOWN = Outcome(Verdict.TRANSIENT, "MSS-CONNECT")
LOST = Outcome(Verdict.IN_DOUBT, "MSS-DOUBT-LOST")
TLS = {"ca_file": "ca.pem"}
DMP = {"url": "https://dmp.test/x", "tls": TLS, "sign_cert_file": "c", "sign_key_file": "k"}
QUICK = {"delays": (30, 120), "jitter": False, "breaker_failures": 3}


@dataclass
class Script:
    """A channel that answers what it is told and remembers what it was given."""

    answers: list[Outcome | Exception] = field(default_factory=list)
    evidence: list[Outcome] = field(default_factory=list)
    during: Callable[[], Any] | None = None
    commits: bool = True
    sent: list[Package] = field(default_factory=list)
    asked: int = 0
    closed: bool = False

    async def send(self, package: Package, before_commit: BeforeCommit) -> Outcome:
        if self.commits:
            await before_commit()
        if self.during is not None:
            await self.during()
        self.sent.append(package)
        answer = self.answers.pop(0) if self.answers else OK
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def resolve(self, package: Package) -> Outcome:
        self.asked += 1
        return self.evidence.pop(0) if self.evidence else LOST

    async def aclose(self) -> None:
        self.closed = True


class Bench:
    """A worker with scripted channels."""

    def __init__(self, folder: Path, store: Outbox, clock: FrozenClock, **dmp: Any) -> None:
        self.store, self.clock = store, clock
        self.mssante, self.dmp = Script(), Script()
        self.events: list[DeliveryEvent] = []
        base = kit.settings(folder)
        account = base.account[0].model_dump() | {"dmp": DMP | dmp}
        other = base.account[1].model_dump()
        self.settings = kit.settings(folder, account=[account, other], retry=QUICK, sidecar={"scan_every": 0.05})
        self.factory: Callable[[str, str], Any] = lambda _, channel: getattr(self, channel)

    def worker(self, **changes: Any) -> Worker:
        more = {"clock": self.clock, "randomness": SeededRandomness("w"), "settings": self.settings}
        return Worker(self.store, self.factory, subscribers=[self.events.append], **more, **changes)

    async def deliver(self) -> int:
        worker = self.worker()
        try:
            return await worker.deliver_due()
        finally:
            await worker.aclose()

    def states(self) -> dict[str, tuple[str, str | None]]:
        return {row.channel: (row.state, row.reason) for row in self.store.deliveries()}


@pytest.fixture
def bench(tmp_path: Path, store: Outbox, clock: FrozenClock) -> Bench:
    return Bench(tmp_path, store, clock)


async def test_everything_due_is_sent_once(bench: Bench) -> None:
    bench.store.accept(kit.request())
    assert await bench.deliver() == 2
    assert bench.states() == {"mssante": ("sent", "MSS-250"), "dmp": ("sent", "MSS-250")}
    assert await bench.deliver() == 0
    assert [package.part("message").data for package in bench.mssante.sent] == [kit.mail().parts[0].data]
    assert bench.mssante.closed
    receipts = {row.channel: row.receipt for row in bench.store.deliveries()}
    assert receipts == {"mssante": Receipt.AWAITED, "dmp": Receipt.NONE}


async def test_events_tell_the_road(bench: Bench) -> None:
    bench.store.accept(kit.request("a", kit.mail()))
    await bench.deliver()
    assert [event.event for event in bench.events] == ["claimed", "transmit", "taken"]
    assert bench.events[-1].state == "sent"
    assert kit.SECRET not in repr(bench.events)


async def test_a_failure_is_retried_when_due_with_the_same_bytes(bench: Bench) -> None:
    bench.mssante.answers = [BUSY]
    bench.store.accept(kit.request("a", kit.mail()))
    assert await bench.deliver() == 1
    assert bench.states() == {"mssante": ("retry", "MSS-451")}
    assert await bench.deliver() == 0
    bench.clock.advance(30)
    assert await bench.deliver() == 1
    assert bench.states() == {"mssante": ("sent", "MSS-250")}
    assert bench.mssante.sent[0] == bench.mssante.sent[1]


async def test_one_refusal_stops_nobody_else(bench: Bench) -> None:
    bench.dmp.answers = [Outcome(Verdict.PERMANENT, "DMP-FAULT"), OK]
    for name in "ab":
        bench.store.accept(kit.request(name))
    await bench.deliver()
    states = sorted(row.state for row in bench.store.deliveries())
    assert states == ["dead", "sent", "sent", "sent"]


async def test_a_channel_that_breaks_before_sending_is_retried(bench: Bench) -> None:
    bench.mssante.commits = False
    bench.mssante.answers = [RuntimeError(kit.SECRET)]
    bench.store.accept(kit.request("a", kit.mail()))
    await bench.deliver()
    assert bench.states() == {"mssante": ("retry", "ENG-FAULT")}
    assert kit.SECRET not in "".join(bench.store.delivery(bench.store.deliveries()[0].id).records)


async def test_a_channel_that_breaks_while_sending_leaves_a_doubt(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.mssante.answers = [RuntimeError(kit.SECRET)]
    bench.store.accept(kit.request("a", kit.mail()))
    await bench.deliver()
    assert bench.states() == {"mssante": ("in_doubt", "ENG-FAULT")}
    assert kit.SECRET not in caplog.text


async def test_a_mail_in_doubt_waits_for_a_receipt_or_a_person(bench: Bench) -> None:
    bench.mssante.answers = [LOST]
    bench.store.accept(kit.request("a", kit.mail()))
    await bench.deliver()
    bench.clock.advance(30 * 86400)
    assert await bench.deliver() == 0
    assert bench.states() == {"mssante": ("in_doubt", "MSS-DOUBT-LOST")}
    assert bench.mssante.asked == 0


async def test_the_dmp_is_asked_and_says_yes(bench: Bench) -> None:
    bench.dmp.answers, bench.dmp.evidence = [LOST], [LOST, OK]
    bench.store.accept(kit.request("a", kit.dmp()))
    await bench.deliver()
    for seconds, state in ((30, "in_doubt"), (120, "sent")):
        bench.clock.advance(seconds)
        await bench.deliver()
        assert bench.states()["dmp"][0] == state
    assert (len(bench.dmp.sent), bench.dmp.asked) == (1, 2)


async def test_the_dmp_is_asked_and_says_no(bench: Bench) -> None:
    bench.dmp.answers, bench.dmp.evidence = [LOST], [Outcome(Verdict.TRANSIENT, "DMP-ABSENT")]
    bench.store.accept(kit.request("a", kit.dmp()))
    await bench.deliver()
    bench.clock.advance(30)
    await bench.deliver()
    assert bench.states()["dmp"] == ("retry", "DMP-ABSENT")
    bench.clock.advance(120)
    await bench.deliver()
    assert bench.states()["dmp"][0] == "sent"
    assert len(bench.dmp.sent) == 2


@pytest.mark.parametrize(("policy", "sent", "asked"), [("resend", 2, 0), ("human", 1, 0)])
async def test_other_policies(
    tmp_path: Path, store: Outbox, clock: FrozenClock, policy: str, sent: int, asked: int
) -> None:
    bench = Bench(tmp_path, store, clock, in_doubt=policy)
    bench.dmp.answers = [LOST]
    store.accept(kit.request("a", kit.dmp()))
    await bench.deliver()
    for _ in range(3):
        clock.advance(3600)
        await bench.deliver()
    assert (len(bench.dmp.sent), bench.dmp.asked) == (sent, asked)
    assert bench.states()["dmp"][0] == ("sent" if policy == "resend" else "in_doubt")
    records = "".join(store.delivery(store.deliveries()[0].id).records)
    assert ("resend_decided" in records) is (policy == "resend")


async def test_a_configuration_fault_pauses_and_resumes_at_the_next_start(bench: Bench) -> None:
    bench.dmp.answers = [Outcome(Verdict.CONFIGURATION, "DMP-VIHF")]
    for name in "abc":
        bench.store.accept(kit.request(name))
    bench.settings = bench.settings.model_copy(
        update={"sidecar": bench.settings.sidecar.model_copy(update={"workers": 1})}
    )
    await bench.deliver()
    assert len(bench.dmp.sent) == 1
    assert len(bench.mssante.sent) == 3
    assert [event.event for event in bench.events].count("paused") == 1
    bench.clock.advance(1)
    await bench.deliver()
    assert len(bench.dmp.sent) == 1
    stop = asyncio.Event()
    running = asyncio.create_task(bench.worker().run(stop))
    await until(lambda: len(bench.dmp.sent) == 4)
    stop.set()
    await running
    assert bench.store.pauses() == []


async def test_a_channel_that_cannot_be_opened_pauses(bench: Bench) -> None:
    def closed(account: str, channel: str) -> Any:
        raise ConfigError("CFG-013", "no such channel")

    bench.factory = closed
    bench.store.accept(kit.request("a", kit.mail()))
    await bench.deliver()
    assert bench.states() == {"mssante": ("retry", "CFG-013")}
    assert [pause.reason for pause in bench.store.pauses()] == ["CFG-013"]


async def test_a_lost_lease_sends_nothing(bench: Bench) -> None:
    bench.mssante.commits = False
    bench.mssante.answers = [LeaseLostError("LEA-001", "late")]
    bench.store.accept(kit.request("a", kit.mail()))
    await bench.deliver()
    assert bench.states() == {"mssante": ("retry", "ENG-LEASE")}


async def test_a_host_that_is_down_costs_few_tries(bench: Bench) -> None:
    bench.mssante.answers = [DOWN] * 20
    for number in range(20):
        bench.store.accept(kit.request(str(number)))
    worker = bench.worker()
    await worker.deliver_due()
    assert len(bench.mssante.sent) < 8
    assert len(bench.dmp.sent) == 20  # nobody else is held up
    assert "breaker_opened" in {event.event for event in bench.events}
    before = len(bench.mssante.sent)
    bench.clock.advance(61)
    await worker.deliver_due()
    assert len(bench.mssante.sent) == before + 1


async def test_a_slow_host_holds_up_nobody(bench: Bench) -> None:
    released = asyncio.Event()
    bench.mssante.during = released.wait
    for number in range(10):
        bench.store.accept(kit.request(str(number)))
    stop = asyncio.Event()
    running = asyncio.create_task(bench.worker().run(stop))
    await until(lambda: len(bench.dmp.sent) == 10)
    assert bench.mssante.sent == []
    released.set()
    await until(lambda: len(bench.mssante.sent) == 10)
    stop.set()
    await running


async def test_a_stop_gives_back_what_has_not_left_and_waits_for_what_has(bench: Bench) -> None:
    leaving, forever = asyncio.Event(), asyncio.Event()
    bench.dmp.during, bench.mssante.commits = leaving.wait, False
    bench.mssante.during = forever.wait
    bench.store.accept(kit.request())
    stop = asyncio.Event()
    running = asyncio.create_task(bench.worker().run(stop))
    await until(lambda: {row.state for row in bench.store.deliveries()} == {"sending", "transmitting"})
    stop.set()
    await until(lambda: bench.states()["mssante"][0] == "retry")
    assert not running.done()
    leaving.set()
    await running
    assert bench.states() == {"mssante": ("retry", "ENG-STOPPED"), "dmp": ("sent", "MSS-250")}


async def test_a_stop_does_not_wait_for_ever(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.engine.worker.GRACE", 0.1)
    bench.dmp.during = asyncio.Event().wait
    bench.store.accept(kit.request("a", kit.dmp()))
    stop = asyncio.Event()
    running = asyncio.create_task(bench.worker().run(stop))
    await until(lambda: bench.states()["dmp"][0] == "transmitting")
    stop.set()
    await running
    assert bench.states()["dmp"] == ("in_doubt", "ENG-STOPPED")


async def test_what_is_submitted_while_running_is_sent(bench: Bench) -> None:
    stop = asyncio.Event()
    worker = bench.worker()
    running = asyncio.create_task(worker.run(stop))
    await asyncio.sleep(0.02)
    bench.store.accept(kit.request())
    worker.wake()
    await until(lambda: {row.state for row in bench.store.deliveries()} == {"sent"})
    stop.set()
    await running


@pytest.mark.engine("sqlite")  # the worker role is a lock of the machine
async def test_a_start_takes_back_what_a_dead_worker_left(bench: Bench) -> None:
    bench.store.accept(kit.request())
    claims = {claim.channel: claim for claim in bench.store.claim(kit.wanted())}
    bench.store.mark_transmitting(claims["mssante"])
    await bench.deliver()  # no lease is waited for: the role was free
    assert bench.states() == {"dmp": ("sent", "MSS-250"), "mssante": ("in_doubt", "ENG-WORKER-LOST")}
    assert [event.event for event in bench.events].count("recovered") == 2


@pytest.mark.engine("sqlite")  # the worker role is a lock of the machine
async def test_one_worker_for_each_account(bench: Bench) -> None:
    bench.store.accept(kit.request())
    with platform.exclusive_lock(Path(bench.store.lock_path("cabinet") or "")):
        assert await bench.deliver() == 0  # the other account is still served
        with (
            platform.exclusive_lock(Path(bench.store.lock_path("autre") or "")),
            pytest.raises(StoreError, match="LCK-001"),
        ):
            await bench.deliver()
    assert await bench.deliver() == 2


@pytest.mark.engine("postgres")
async def test_a_start_leaves_a_living_worker_what_it_holds(bench: Bench, clock: FrozenClock) -> None:
    """Any number of workers share an account: only leases that ran out are taken over."""
    assert bench.store.lock_path("cabinet") is None
    bench.store.accept(kit.request())
    bench.store.claim(kit.wanted(lease=60.0))
    assert await bench.deliver() == 0
    clock.advance(61)
    assert await bench.deliver() == 2
    assert [event.event for event in bench.events].count("recovered") == 2


async def test_a_result_is_recorded_although_the_store_was_busy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.store.accept(kit.request("a", kit.mail()))
    record, failures = bench.store.record, iter([True, True, False])

    def busy(*arguments: Any) -> bool:
        if next(failures):
            raise StoreError("STO-006", "busy")
        return record(*arguments)

    monkeypatch.setattr(bench.store, "record", busy)
    await bench.deliver()
    assert bench.states() == {"mssante": ("sent", "MSS-250")}


async def test_a_lease_is_renewed_while_the_answer_is_awaited(bench: Bench) -> None:
    bench.settings = bench.settings.model_copy(
        update={"retry": bench.settings.retry.model_copy(update={"lease": 0.15})}
    )
    released = asyncio.Event()
    bench.mssante.during = released.wait
    bench.store.accept(kit.request("a", kit.mail()))
    delivering = asyncio.create_task(bench.deliver())
    renewed: list[float] = []
    renew = bench.store.renew
    bench.store.renew = lambda claim, lease: renewed.append(lease) or renew(claim, lease)  # type: ignore[method-assign,func-returns-value]
    await until(lambda: len(renewed) >= 2)
    released.set()
    await delivering
    assert bench.states()["mssante"][0] == "sent"


async def test_a_broken_subscriber_hurts_nobody(bench: Bench) -> None:
    def broken(event: DeliveryEvent) -> None:
        raise ValueError(event.delivery)

    bench.store.accept(kit.request("a", kit.mail()))
    worker = Worker(
        bench.store,
        bench.factory,
        clock=bench.clock,
        randomness=SeededRandomness("w"),
        settings=bench.settings,
        subscribers=[broken, bench.events.append],
    )
    await worker.deliver_due()
    assert bench.states()["mssante"][0] == "sent"
    assert len(bench.events) == 3


async def test_only_the_named_accounts_are_served(bench: Bench) -> None:
    bench.store.accept(kit.request())
    worker = bench.worker(accounts=["autre"])
    assert await worker.deliver_due() == 0
    assert {row.state for row in bench.store.deliveries(Filter(account="cabinet"))} == {Transport.PREPARED}


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (the condition is in the database)
            await asyncio.sleep(0.005)
