"""kill -9 between any two steps loses nothing and doubles nothing unseen (DESIGN §1, §4 rules 3 and 4).

Documents go to two accounts: `cabinet` sends each to a mailbox that cannot be asked and to a DMP that can; `autre`
sends to a DMP with the explicit policy of sending again. Workers and submitters are killed at every named step and at
random instants; at the end the independent sink's count is compared with what the store says.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway import store as stores
from gateway.audit.verify import verify_store
from gateway.clock import SystemClock, SystemRandomness
from gateway.settings import Settings
from gateway.store.base import AcceptRequest, Blob, Filter
from gateway.store.outbox import Outbox
from tests.crash import victim
from tests.crash.sink import Sink
from tests.unit.store import kit

pytestmark = [
    pytest.mark.crash,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and forkserver are POSIX"),
]

DELIVERIES = 200
KILLS_AT_EACH_STEP = 2
RANDOM_KILLS = 40
AFTER_A_DOUBT = ("ask", "claim_doubtful")
TLS = {"ca_file": "ca.pem"}
DMP = {"url": "https://dmp.test", "tls": TLS, "sign_cert_file": "c", "sign_key_file": "k"}


def crash_settings(folder: Path) -> Settings:
    base = [account.model_dump() for account in kit.settings(folder).account]
    base[0]["dmp"], base[1]["dmp"] = DMP, DMP | {"in_doubt": "resend", "url": "https://other.test"}
    return kit.settings(
        folder,
        account=base,
        retry={"delays": (0.05, 0.1), "lease": 2.0, "breaker_failures": 1000},
        sidecar={"scan_every": 0.05, "workers": 3},
        journal={**kit.settings(folder).journal.model_dump(), "every_records": 40},
    )


def request(number: int) -> AcceptRequest:
    def named(channel: str) -> tuple[Blob, ...]:
        return (Blob("message", "text/plain", f"{number}-{channel}".encode()),)

    dmp = kit.dmp(parts=named("dmp"))
    if number % 3 == 2:
        return kit.request(str(number), dmp, account="autre")
    return kit.request(str(number), kit.mail(parts=named("mail")), dmp)


@dataclass
class Campaign:
    """Runs victims against one store and one sink."""

    settings: Settings
    sink: Sink
    chance: random.Random
    store: Outbox
    submitted: int = 0
    killed: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["tests.crash.victim", "gateway.engine.worker"])

    def submit(self, number: int) -> None:
        """Submit from this process, beside whatever works meanwhile."""
        for made in self._next(number):
            self.store.accept(made)

    def submit_mined(self, step: str) -> None:
        """Submit with a submitter that dies, then again: what a caller does after an outage."""
        requests = self._next(3)
        self._run(victim.submit, step, requests, victim.Bomb(step, self.chance.randint(1, 3)))
        for made in requests:
            self.store.accept(made)

    def work(self, step: str) -> None:
        if step.startswith(AFTER_A_DOUBT):  # there must be something to ask about
            lost = self.chance.choice(["cabinet/dmp wire.half", "cabinet/dmp wire.sent"])
            self._run(victim.work, lost, self.sink.port, victim.Bomb(lost, 1))
        once = step.startswith((*AFTER_A_DOUBT, "checkpoint", "recover"))
        self._run(victim.work, step, self.sink.port, victim.Bomb(step, 1 if once else self.chance.randint(1, 4)))

    def work_for(self, seconds: float) -> None:
        self._run(victim.work, "random", self.sink.port, victim.Bomb(victim.STEADY, 1), after=seconds)

    def finish(self) -> None:
        self._run(victim.work, "", self.sink.port, victim.Bomb(victim.STEADY, 1))

    def _next(self, number: int) -> list[AcceptRequest]:
        new = [request(n) for n in range(self.submitted, self.submitted + number)]
        self.submitted += number
        return new

    def _run(self, target: Any, step: str, *arguments: Any, after: float | None = None) -> None:
        process = self.context.Process(target=target, args=(self.settings, *arguments))
        process.start()
        if after is not None:
            time.sleep(after / 2)
            self.submit(1)
            time.sleep(after / 2)
            process.kill()
        process.join(60)
        assert process.exitcode in {0, -signal.SIGKILL}, f"victim at {step} ended with {process.exitcode}"
        if process.exitcode:
            assert step, "a victim that nobody should have killed is dead"
            self.killed[step] += 1


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    with Sink() as sink:
        seed = int(os.environ.get("KINE_CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
        print(f"seed {seed} (KINE_CRASH_SEED repeats the same kills)")
        settings = crash_settings(tmp_path)
        store = open_store(settings)
        yield Campaign(settings, sink, random.Random(seed), store)
        store.close()


def open_store(settings: Settings) -> Outbox:
    opened = stores.open(settings, SystemClock(), SystemRandomness())
    assert isinstance(opened, Outbox)
    return opened


def test_kill_at_every_step_and_at_random(campaign: Campaign) -> None:
    started = time.monotonic()
    steps = list(victim.STEPS) * KILLS_AT_EACH_STEP + ["random"] * RANDOM_KILLS
    campaign.chance.shuffle(steps)
    for step in steps:
        kill(campaign, step)
    while len(campaign.store.deliveries()) < DELIVERIES:
        campaign.submit(1)
    campaign.finish()
    figures = judge(campaign)
    print(json.dumps(figures | {"seconds": round(time.monotonic() - started, 1)}, indent=1))
    assert min(campaign.killed[step] for step in victim.STEPS) >= KILLS_AT_EACH_STEP


def kill(campaign: Campaign, step: str) -> None:
    """One kill at this step: a victim that got through without reaching it is followed by another."""
    before = campaign.killed[step]
    for turn in range(8):
        if step.startswith("accept"):
            campaign.submit_mined(step)
        elif step == "random":
            # A quick machine is through before a late kill: there is more to do, and the next kill comes sooner.
            campaign.submit(2)
            campaign.work_for(campaign.chance.uniform(0.02, 0.35) / (1 + turn))
        else:
            campaign.submit(2)
            campaign.work(step)
        if campaign.killed[step] > before:
            return
    raise AssertionError(f"{step} was never reached")


def judge(campaign: Campaign) -> dict[str, Any]:
    """Compare what the sink received with what the store says, delivery by delivery."""
    store, times = campaign.store, campaign.sink.received
    rows = store.deliveries(Filter(limit=10_000))
    name = {row.id: store.parts(row.id)[0].data.decode() for row in rows}
    expected = {f"{n}-{c}" for n in range(campaign.submitted) for c in (("dmp",) if n % 3 == 2 else ("mail", "dmp"))}
    assert set(name.values()) == expected, "lost or invented deliveries"
    assert len(rows) == len(expected) >= DELIVERIES
    assert set(times) <= expected
    sent = [row for row in rows if row.state == "sent"]
    doubtful = [row for row in rows if row.state == "in_doubt"]
    assert len(sent) + len(doubtful) == len(rows), Counter(row.state for row in rows)
    assert [name[row.id] for row in sent if times[name[row.id]] == 0] == [], "sent, yet never received"
    assert all(row.reason and row.channel == "mssante" for row in doubtful)
    twice = [row for row in rows if times[name[row.id]] > 1]
    shown = [row for row in twice if "resend_decided" in "".join(store.delivery(row.id).records)]
    assert {row.account for row in twice} <= {"autre"}, "received twice where evidence was to be had"
    assert len(shown) == len(twice), "received twice and not shown"
    report = verify_store(store)
    assert report.ok, report.summary
    assert report.signed > 0
    connection = sqlite3.connect(stores.database_path(campaign.settings))
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    return {
        "deliveries": len(rows),
        "kills": sum(campaign.killed.values()),
        "kills_at_random_instants": campaign.killed["random"],
        "steps_killed_at": len(set(campaign.killed) & set(victim.STEPS)),
        "lost": len(expected) - len(rows),
        "sent": len(sent),
        "undecided_with_reason": len(doubtful),
        "undecided_received": sum(times[name[row.id]] for row in doubtful),
        "received_twice_unseen": len(twice) - len(shown),
        "sent_again_by_policy_and_shown": len(shown),
        "asked_for_evidence": campaign.sink.asked,
        "journal_records": report.size,
        "checkpoints": report.checkpoints,
    }


def test_a_process_paused_past_its_lease_sends_nothing_on_waking(campaign: Campaign) -> None:
    store = campaign.store
    delivery = store.accept(kit.request("0", kit.mail(parts=(Blob("message", "text/plain", b"0-mail"),)))).delivery_ids[
        0
    ]
    bomb = victim.Bomb("mark_transmitting.before", 1, signal.SIGSTOP)
    process = campaign.context.Process(target=victim.work, args=(campaign.settings, campaign.sink.port, bomb))
    process.start()
    assert process.pid is not None
    _wait_stopped(process.pid)
    time.sleep(campaign.settings.retry.lease + 0.2)
    assert campaign.sink.received == Counter()
    os.kill(process.pid, signal.SIGCONT)
    process.join(30)
    assert process.exitcode == 0
    detail = store.delivery(delivery)
    assert [attempt.verdict for attempt in detail.attempts] == ["given_back", "accepted"]
    assert campaign.sink.received == Counter({"0-mail": 1})


def _wait_stopped(pid: int) -> None:
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline, "the victim was never stopped"
        time.sleep(0.01)
