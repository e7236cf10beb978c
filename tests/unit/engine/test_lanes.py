"""Nobody waits behind somebody else: lanes, priorities, stops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from gateway.channels.tokens import TokenUnavailableError
from gateway.clock import FrozenClock
from gateway.engine.mailwatch import MailRoom
from gateway.engine.sessions import SessionWatch
from gateway.settings import SmtpSettings
from gateway.store.base import URGENT, Result
from gateway.store.states import Event, Receipt, Transport
from tests.unit.engine import test_worker
from tests.unit.engine.test_worker import DOWN, Bench, bench
from tests.unit.store import kit

__all__ = ["bench"]


async def until(condition: Callable[[], bool]) -> None:
    await test_worker.until(condition, seconds=30)


async def test_an_urgent_document_overtakes_two_hundred(bench: Bench) -> None:
    for number in range(200):
        bench.store.accept(kit.request(str(number), kit.mail()))
    bench.mssante.during = lambda: asyncio.sleep(0.002)
    stop = asyncio.Event()
    running = asyncio.create_task(bench.worker().run(stop))
    await until(lambda: len(bench.mssante.sent) >= 8)
    urgent = bench.store.accept(kit.request("urgent", kit.mail(priority=URGENT))).delivery_ids[0]
    before = len(bench.mssante.sent)
    await until(lambda: bench.store.delivery(urgent).row.state == "sent")
    overtaken = 201 - len(bench.mssante.sent)
    stop.set()
    await running
    # Only what was under way or claimed by then went before it.
    assert overtaken > 100, (before, overtaken)


async def test_a_paused_account_a_dead_host_and_a_slow_upload_delay_nobody(bench: Bench) -> None:
    accounts = [one.model_copy(update={"dmp": bench.settings.account[0].dmp}) for one in bench.settings.account]
    bench.settings = bench.settings.model_copy(update={"account": tuple(accounts)})
    slow, first = asyncio.Event(), []

    async def one_is_slow() -> None:
        if not first:
            first.append(True)
            await slow.wait()

    bench.dmp.during = one_is_slow
    bench.mssante.answers = [DOWN] * 1000
    bench.store.pause("autre", "dmp", by="Dr Test", reason="maintenance")
    for number in range(10):
        bench.store.accept(kit.request(f"a{number}"))
        bench.store.accept(kit.request(f"b{number}", kit.dmp(), account="autre"))
    stop = asyncio.Event()
    running = asyncio.create_task(bench.worker().run(stop))
    await until(lambda: len(bench.dmp.sent) == 9)  # all of `cabinet` but the slow one
    slow.set()
    await until(lambda: len(bench.dmp.sent) == 10)
    stop.set()
    await running
    states = [(row.account, row.channel, row.state) for row in bench.store.deliveries()]
    assert states.count(("cabinet", "dmp", "sent")) == 10
    assert states.count(("autre", "dmp", "prepared")) == 10
    assert not [one for one in states if one[:2] == ("cabinet", "mssante") and one[2] == "sent"]


@pytest.mark.engine("sqlite")
async def test_a_slow_token_program_holds_nobody_up(bench: Bench) -> None:
    smtp = SmtpSettings.model_validate({"host": "smtp.test", "tls": {"ca_file": "ca.pem"}, "auth": "xoauth2"})
    first = bench.settings.account[0].model_copy(update={"smtp": smtp})
    bench.settings = bench.settings.model_copy(update={"account": (first, bench.settings.account[1])})
    bench.store.accept(kit.request("a", kit.mail()))
    claim = bench.store.claim(kit.wanted())[0]
    wants = Result(Event.SESSION_NEEDED, Transport.WAITING_FOR_SESSION, "session", "MSS-SESSION")
    bench.store.record(claim, wants)
    asked, answer = threading.Event(), threading.Event()

    def slow(_: str) -> str:
        asked.set()
        answer.wait(60)
        raise TokenUnavailableError

    worker = bench.worker()
    worker.watch_sessions(SessionWatch(bench.store, bench.settings, slow, bench.clock))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await until(asked.is_set)
    bench.store.accept(kit.request("b", kit.dmp()))
    worker.wake()
    await until(lambda: len(bench.dmp.sent) == 1)  # although nobody has a token yet
    answer.set()
    stop.set()
    await running


async def test_a_stop_can_be_hurried(bench: Bench) -> None:
    bench.dmp.during = asyncio.Event().wait
    bench.mssante.commits = False
    bench.mssante.during = asyncio.Event().wait
    bench.store.accept(kit.request())
    stop, worker = asyncio.Event(), bench.worker()
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: {row.state for row in bench.store.deliveries()} == {"sending", "transmitting"})
    stop.set()
    await until(lambda: bench.states()["mssante"][0] == "retry")
    assert not running.done()  # what is being transmitted is waited for
    worker.hurry()
    async with asyncio.timeout(20):  # much less than GRACE
        await running
    assert bench.states() == {"mssante": ("retry", "ENG-STOPPED"), "dmp": ("in_doubt", "ENG-STOPPED")}


class Deaf:
    """A watch that has not looked into its box yet."""

    account = "cabinet"
    current = False


async def test_silence_counts_only_once_the_mailbox_was_read(bench: Bench, clock: FrozenClock) -> None:
    document = bench.store.accept(kit.request("a", kit.mail()))
    await bench.deliver()
    clock.advance(30 * 86400)  # switched off meanwhile: receipts may lie in the box
    room, watch, worker = MailRoom(lambda _: None), Deaf(), bench.worker()
    room._watches = [watch]  # type: ignore[list-item]
    worker.read_mail(room)
    worker._owned = {"cabinet"}
    await worker._tell_overdue("cabinet")
    assert bench.store.delivery(document.delivery_ids[0]).row.receipt == Receipt.AWAITED
    watch.current = True
    await worker._tell_overdue("cabinet")
    assert bench.store.delivery(document.delivery_ids[0]).row.receipt == Receipt.OVERDUE
