from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.clock import FrozenClock, SystemClock
from gateway.engine.rate import Bucket
from gateway.settings import RateSettings, SmtpSettings
from gateway.store.base import URGENT
from gateway.store.outbox import Outbox
from tests.unit.engine.test_worker import Bench, bench, until
from tests.unit.store import kit

__all__ = ["bench"]
SMTP, DMP_HOST = "smtp.test", "dmp.test"


def limited(bench: Bench, **rate: object) -> Bench:
    smtp = SmtpSettings.model_validate({"host": SMTP, "tls": {"ca_file": "ca.pem"}})
    accounts = tuple(one.model_copy(update={"smtp": smtp}) for one in bench.settings.account)
    changes = {"account": accounts, "rate": RateSettings.model_validate(rate)}
    bench.settings = bench.settings.model_copy(update=changes)
    return bench


@pytest.mark.engine("none")
def test_a_bucket_gives_a_burst_then_its_rate() -> None:
    clock = FrozenClock(kit.START)
    bucket = Bucket(clock, per_minute=30, burst=3)
    assert (bucket.slots(10), bucket.slots(2), bucket.wait()) == (3, 2, 0)
    for _ in range(3):
        bucket.take()
    assert bucket.slots(10) == 0
    assert bucket.wait() == pytest.approx(2)
    clock.advance(1)
    assert bucket.slots(10) == 0
    clock.advance(1)
    assert bucket.slots(10) == 1
    clock.advance(3600)
    assert bucket.slots(10) == 3  # a rest saves up no more than the burst


@pytest.mark.engine("none")
def test_without_a_limit_nothing_is_counted() -> None:
    bucket = Bucket(FrozenClock(kit.START), per_minute=0, burst=1)
    bucket.take()
    bucket.take()
    assert (bucket.slots(50), bucket.wait()) == (50, 0)


@pytest.mark.engine("none")
def test_the_limit_of_a_host() -> None:
    rate = RateSettings.model_validate({"per_minute": 60, "host": [{"host": "Smtp.Test", "per_minute": 6, "burst": 2}]})
    assert (rate.of("smtp.test"), rate.of("other")) == ((6, 2), (60, 10))
    assert RateSettings().of("any")[0] == 0
    with pytest.raises(ValidationError, match="deux limites"):
        RateSettings.model_validate({"host": [{"host": "a", "per_minute": 1}, {"host": "A", "per_minute": 2}]})


async def test_what_has_no_token_holds_no_lease_and_holds_up_nobody(bench: Bench) -> None:
    limited(bench, host=[{"host": DMP_HOST, "per_minute": 1, "burst": 2}])
    for number in range(6):
        bench.store.accept(kit.request(str(number)))
    stop = asyncio.Event()
    running = asyncio.create_task(bench.worker().run(stop))
    await until(lambda: len(bench.mssante.sent) == 6 and len(bench.dmp.sent) == 2)
    waiting = [row for row in bench.store.deliveries() if row.channel == "dmp" and row.state != "sent"]
    assert {(row.state, row.attempts) for row in waiting} == {("prepared", 0)}
    bench.clock.advance(60)
    await until(lambda: len(bench.dmp.sent) == 3)
    stop.set()
    await running
    assert sum(row.state == "prepared" for row in bench.store.deliveries()) == 3


async def test_the_next_token_goes_to_the_most_urgent(bench: Bench) -> None:
    limited(bench, host=[{"host": SMTP, "per_minute": 1, "burst": 1}])
    for number in range(3):
        bench.store.accept(kit.request(str(number), kit.mail()))
    stop = asyncio.Event()
    running = asyncio.create_task(bench.worker().run(stop))
    await until(lambda: len(bench.mssante.sent) == 1)
    late = bench.store.accept(kit.request("urgent", kit.mail(priority=URGENT)))
    bench.clock.advance(60)
    await until(lambda: len(bench.mssante.sent) == 2)
    stop.set()
    await running
    assert [row.state for row in bench.store.deliveries() if row.document_id == late.document_id] == ["sent"]


async def test_accounts_share_the_limit_of_their_host(bench: Bench) -> None:
    accounts = [one.model_copy(update={"dmp": bench.settings.account[0].dmp}) for one in bench.settings.account]
    bench.settings = bench.settings.model_copy(update={"account": tuple(accounts)})
    limited(bench, host=[{"host": DMP_HOST, "per_minute": 1, "burst": 3}])
    for number in range(4):
        bench.store.accept(kit.request(f"a{number}", kit.dmp()))
        bench.store.accept(kit.request(f"b{number}", kit.dmp(), account="autre"))
    stop = asyncio.Event()
    running = asyncio.create_task(bench.worker().run(stop))
    await until(lambda: len(bench.dmp.sent) == 3)
    bench.clock.advance(120)
    await until(lambda: len(bench.dmp.sent) == 5)
    stop.set()
    await running
    assert len(bench.dmp.sent) == 5


@pytest.mark.engine("sqlite")
async def test_one_pass_takes_the_time_that_the_limit_asks_for(tmp_path: Path) -> None:
    store = kit.open_store(tmp_path, SystemClock())  # type: ignore[arg-type]
    bench = limited(Bench(tmp_path, store, SystemClock()), host=[{"host": SMTP, "per_minute": 600, "burst": 1}])  # type: ignore[arg-type]
    for number in range(4):
        store.accept(kit.request(str(number), kit.mail()))
    started = time.monotonic()
    assert await bench.deliver() == 4
    assert time.monotonic() - started >= 0.3  # three tokens, one each tenth of a second
    store.close()


def test_the_store_says_when_a_channel_is_due(store: Outbox, clock: FrozenClock) -> None:
    store.accept(kit.request("a", kit.mail()))
    assert store.next_due(["cabinet"], "mssante") == clock.now()
    assert store.next_due(["cabinet"], "dmp") is None
