"""Several machines, as several processes: the queue is shared, and nothing that happens to one loses or doubles."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.audit.verify import verify_store
from gateway.errors import StoreError
from gateway.settings import Settings
from gateway.store.outbox import Outbox
from tests.integration import database, pg_victim
from tests.integration.pg_fleet import DOCUMENTS, Start, check, ended, is_stopped, sink, start, wait_until
from tests.integration.pg_victim import Sink
from tests.unit.store import kit
from tests.unit.store.engines import postgres

__all__ = ["postgres", "sink", "start"]
pytestmark = [pytest.mark.needs("postgres"), pytest.mark.timeout(120)]


@pytest.fixture
def chosen(postgres: database.Server, tmp_path: Path) -> Iterator[Settings]:
    url = postgres.fresh()
    yield pg_victim.settings(tmp_path, url)
    postgres.clean(url)


def fill(chosen: Settings) -> None:
    pg_victim.submit(chosen, "doc", DOCUMENTS)


def test_workers_share_the_queue(chosen: Settings, sink: Sink, start: Start) -> None:
    """Submitting and sending at once; each delivery is attempted once, by one of them."""
    jobs = [start(pg_victim.submit, chosen, "doc", DOCUMENTS) for _ in range(2)]  # the same documents, twice
    wait_until(lambda: not any(job.is_alive() for job in jobs[:1]))
    jobs += [start(pg_victim.work, chosen, f"w{number}", sink, 60.0, 0.0) for number in range(3)]
    for job in jobs:
        ended(job)
    records = check(chosen, sink)
    claimed = [record for record in records if record["event"] == "claimed"]
    assert len(claimed) == DOCUMENTS
    assert len({record["worker"] for record in claimed}) > 1


def test_a_lost_machine_is_taken_over_after_its_lease(chosen: Settings, sink: Sink, start: Start) -> None:
    fill(chosen)
    lost = start(pg_victim.work, chosen, "lost", sink, 1.0, 0.2)
    wait_until(lambda: len(sink.received()) >= 2)
    os.kill(lost.pid, signal.SIGKILL)
    other = start(pg_victim.work, chosen, "other", sink, 30.0, 0.0)
    ended(other)
    records = check(chosen, sink)
    assert {record["worker"] for record in records if record["event"] == "recovered"} == {"lost"}


def test_a_process_paused_past_its_lease_sends_nothing(chosen: Settings, sink: Sink, start: Start) -> None:
    fill(chosen)
    paused = start(pg_victim.work, chosen, "paused", sink, 1.0, 0.0, 3)
    wait_until(lambda: is_stopped(paused))
    before = sink.received()
    other = start(pg_victim.work, chosen, "other", sink, 30.0, 0.0)
    ended(other)
    assert len(sink.received()) == DOCUMENTS > len(before)
    os.kill(paused.pid, signal.SIGCONT)
    ended(paused)
    records = check(chosen, sink)
    late = [record for record in records if record["event"] == "late_result"]
    assert late, "what it had to say is journalled"
    assert {record["worker"] for record in late} == {"paused"}


def test_a_process_paused_inside_a_transaction_holds_nobody_up(postgres: database.Server, chosen: Settings) -> None:
    """The server ends a transaction that sleeps; its owner learns that nothing of it was done."""
    asleep = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"

    def sleep_over(store: Outbox, other: Outbox) -> None:
        with store.core.write("cabinet") as work, postgres.connect() as administrator:
            work.note("paused", account="cabinet")
            administrator.execute(asleep)  # as idle_in_transaction_session_timeout does after a while
            assert other.accept(kit.request("a")).created
            work.tx.one("pause_covering", account="cabinet", channel="dmp")

    with closing(pg_victim.open_store(chosen)) as store, closing(pg_victim.open_store(chosen)) as other:
        with pytest.raises(StoreError, match="STO-010"):
            sleep_over(store, other)
        assert store.accept(kit.request("b")).created
        assert verify_store(store).ok
        assert store.snapshot().size == 1 + 2 * 3


def test_a_failover_loses_and_doubles_nothing(
    postgres: database.Server, chosen: Settings, sink: Sink, start: Start
) -> None:
    """The server is killed and comes back, twice, while documents come in and go out."""
    jobs = [start(pg_victim.submit, chosen, "doc", DOCUMENTS)]
    jobs += [start(pg_victim.work, chosen, f"w{number}", sink, 20.0, 0.05) for number in range(2)]
    for part in (DOCUMENTS // 5, DOCUMENTS // 2):
        jobs[1:] = [
            job if job.is_alive() else start(pg_victim.work, chosen, "more", sink, 20.0, 0.05) for job in jobs[1:]
        ]
        wait_until(lambda part=part: len(sink.received()) >= part or not any(job.is_alive() for job in jobs[1:]))  # type: ignore[misc]
        postgres.restart()
    for job in jobs:
        ended(job)
    last = start(pg_victim.work, chosen, "last", sink, 20.0, 0.0)
    last.join(60)
    check(chosen, sink)
