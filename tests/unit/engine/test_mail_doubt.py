"""A mail in doubt with a self-copy: asked for, never sent again but by an explicit policy, and then not too early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.channels.mssante.imap import Copy
from gateway.channels.mssante.mailbox_faults import MailboxError
from gateway.channels.mssante.selfcopy import SelfCopy
from gateway.channels.outcome import Outcome, Verdict
from gateway.clock import FrozenClock
from gateway.package.types import MailContext
from gateway.store.outbox import RESTORED, Outbox
from tests.unit.engine.test_worker import LOST, Bench
from tests.unit.store import kit

ABSENT = Outcome(Verdict.IN_DOUBT, "MSS-COPY-ABSENT")
UNKNOWN = Outcome(Verdict.IN_DOUBT, "MSS-COPY-UNKNOWN", "IMAP-CONNECT")
FOUND = Outcome(Verdict.ACCEPTED, "MSS-COPY-FOUND", "self-copy, 1 in the box, header sha256 " + "ab" * 32)
IMAP = {"host": "imap.test", "tls": {"ca_file": "ca.pem", "cert_file": "c", "key_file": "k"}}


def bench_of(folder: Path, store: Outbox, clock: FrozenClock, **imap: Any) -> Bench:
    bench = Bench(folder, store, clock)
    first, second = (account.model_dump() for account in bench.settings.account)
    changed = [first | {"imap": IMAP | {"self_copy": True} | imap}, second]
    retry = {"delays": (30, 120, 600, 3600), "jitter": False}
    bench.settings = kit.settings(folder, account=changed, retry=retry, sidecar={"scan_every": 0.05})
    bench.mssante.answers = [LOST]
    store.accept(kit.request("a", kit.mail()))
    return bench


async def looks(bench: Bench, *seconds: float) -> list[str]:
    """The state after each of these waits."""
    await bench.deliver()
    states = []
    for wait in seconds:
        bench.clock.advance(wait)
        await bench.deliver()
        states.append(bench.states()["mssante"][0])
    return states


async def test_the_copy_proves_it_and_the_hash_is_in_the_journal(
    tmp_path: Path, store: Outbox, clock: FrozenClock
) -> None:
    bench = bench_of(tmp_path, store, clock)
    bench.mssante.evidence = [ABSENT, UNKNOWN, FOUND]
    assert await looks(bench, 30, 120, 600) == ["in_doubt", "in_doubt", "sent"]
    assert len(bench.mssante.sent) == 1
    row = store.deliveries()[0]
    assert (row.reason, row.receipt) == ("MSS-COPY-FOUND", "awaited")
    assert "ab" * 32 in "".join(store.delivery(row.id).records)


async def test_no_copy_is_no_proof(tmp_path: Path, store: Outbox, clock: FrozenClock) -> None:
    bench = bench_of(tmp_path, store, clock)
    bench.mssante.evidence = [ABSENT] * 20
    assert set(await looks(bench, *[4000] * 15)) == {"in_doubt"}
    assert (len(bench.mssante.sent), bench.mssante.asked) == (1, 15)
    assert bench.states()["mssante"][1] == "MSS-DOUBT-LOST"  # shown by what it began with


async def test_resend_waits_and_says_so(tmp_path: Path, store: Outbox, clock: FrozenClock) -> None:
    bench = bench_of(tmp_path, store, clock, in_doubt="resend", resend_after=1000)
    bench.mssante.evidence = [ABSENT] * 9
    assert await looks(bench, 30, 120, 600, 3600) == ["in_doubt", "in_doubt", "in_doubt", "retry"]
    await looks(bench, 1)
    assert (len(bench.mssante.sent), bench.mssante.asked) == (2, 4)
    assert bench.mssante.sent[0] == bench.mssante.sent[1]
    assert "resend_decided" in "".join(store.delivery(store.deliveries()[0].id).records)


@pytest.mark.parametrize("evidence", [UNKNOWN, LOST])
async def test_resend_needs_an_answer(tmp_path: Path, store: Outbox, clock: FrozenClock, evidence: Outcome) -> None:
    """A box that cannot be read does not say that the copy is not in it."""
    bench = bench_of(tmp_path, store, clock, in_doubt="resend", resend_after=60)
    bench.mssante.evidence = [evidence] * 9
    assert set(await looks(bench, *[4000] * 5)) == {"in_doubt"}
    assert len(bench.mssante.sent) == 1


async def test_resend_is_not_for_a_refused_copy(tmp_path: Path, store: Outbox, clock: FrozenClock) -> None:
    bench = bench_of(tmp_path, store, clock, in_doubt="resend", resend_after=60)
    bench.mssante.answers = [Outcome(Verdict.IN_DOUBT, "MSS-DOUBT-NO-COPY")]
    bench.mssante.evidence = [ABSENT] * 9
    assert set(await looks(bench, *[4000] * 5)) == {"in_doubt"}
    assert len(bench.mssante.sent) == 1


async def test_resend_is_not_for_a_restored_store(tmp_path: Path, store: Outbox, clock: FrozenClock) -> None:
    bench = bench_of(tmp_path, store, clock, in_doubt="resend", resend_after=60)
    bench.mssante.answers = [Outcome(Verdict.IN_DOUBT, RESTORED)]
    bench.mssante.evidence = [ABSENT] * 9
    assert set(await looks(bench, *[4000] * 5)) == {"in_doubt"}


async def test_earlier_failures_do_not_shorten_the_wait(tmp_path: Path, store: Outbox, clock: FrozenClock) -> None:
    """The time counts from when the content left, not from how often was tried before."""
    bench = bench_of(tmp_path, store, clock, in_doubt="resend", resend_after=1000)
    busy = Outcome(Verdict.TRANSIENT, "MSS-451")
    bench.mssante.answers = [busy, busy, LOST]
    bench.mssante.evidence = [ABSENT] * 9
    assert await looks(bench, 30, 120, 30) == ["retry", "in_doubt", "in_doubt"]
    assert len(bench.mssante.sent) == 3


async def test_a_person_decides_where_that_is_the_policy(tmp_path: Path, store: Outbox, clock: FrozenClock) -> None:
    bench = bench_of(tmp_path, store, clock, in_doubt="human")
    assert set(await looks(bench, *[4000] * 3)) == {"in_doubt"}
    assert bench.mssante.asked == 0


# ------------------------------------------------------------------------------------------------ the question


class Finder:
    def __init__(self, answer: Copy | MailboxError | None) -> None:
        self.answer, self.closed, self.asked = answer, False, ""

    async def find(self, message_id: str) -> Copy | None:
        self.asked = message_id
        if isinstance(self.answer, MailboxError):
            raise self.answer
        return self.answer

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("answer", "verdict", "reason", "text"),
    [
        (Copy(2, "cd" * 32), Verdict.ACCEPTED, "MSS-COPY-FOUND", f"self-copy, 2 in the box, header sha256 {'cd' * 32}"),
        (None, Verdict.IN_DOUBT, "MSS-COPY-ABSENT", ""),
        (MailboxError(Verdict.CONFIGURATION, "IMAP-LOGIN"), Verdict.IN_DOUBT, "MSS-COPY-UNKNOWN", "IMAP-LOGIN"),
    ],
)
async def test_what_the_box_says(answer: Any, verdict: Verdict, reason: str, text: str) -> None:
    finder = Finder(answer)
    outcome = await SelfCopy("a@b", "imap.test", lambda: finder).resolve(MailContext("a@b", "c@d", "<1@b>", "e"))
    assert (outcome.verdict, outcome.reason, outcome.text, outcome.host) == (verdict, reason, text, "imap.test")
    assert (finder.asked, finder.closed) == ("<1@b>", True)
