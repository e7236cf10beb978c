"""The store driven at random beside a model of what was physically received: nothing twice unseen, nothing lost.

Workers that live, die, sleep and come back late, people who interfere, and clocks that jump. A seed is one history;
`KINE_STORE_SEED` repeats it.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.verify import verify_store
from gateway.channels.outcome import Outcome, Verdict
from gateway.clock import FrozenClock
from gateway.engine import retry
from gateway.errors import LeaseLostError, StateError
from gateway.settings import RetrySettings
from gateway.store.base import Action, Claim
from gateway.store.outbox import Outbox
from gateway.store.states import FINAL, Event, Receipt, Transport
from tests.unit.store import kit

STEPS = 1500
SCHEDULE = RetrySettings(delays=(30, 120, 600), give_up_after=1800, lease=60)
ACTIONS: tuple[Action, ...] = ("hold", "release", "cancel", "retry", "handed", "confirm_sent")
LIKELY = {Verdict.TRANSIENT: 6, Verdict.IN_DOUBT: 4, Verdict.ACCEPTED: 2}
WEIGHTS = {"submit": 3, "attempt": 14, "come_back": 8, "recover": 5, "wait": 8, "act": 4}
WEIGHTS |= {"receipt": 1, "restart": 1, "jump": 1}
IN_FLIGHT = {Transport.SENDING, Transport.TRANSMITTING}


@dataclass
class World:
    """A store, and beside it what the other side may physically hold of each delivery."""

    folder: Path
    chance: random.Random
    clock: FrozenClock = field(default_factory=kit.clock)
    opened: int = 0
    documents: int = 0
    maybe_there: dict[str, set[int]] = field(default_factory=dict)
    """Of each delivery, the fences under which bytes left and were not proven lost."""
    transmitted: set[tuple[str, int]] = field(default_factory=set)
    claims: list[Claim] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    besides: frozenset[Transport] = frozenset()
    """Where a delivery may be at once after an attempt, besides where its result leads."""

    def __post_init__(self) -> None:
        self.store = self._open()

    def _open(self) -> Outbox:
        self.opened += 1
        opened = kit.open_store(self.folder, self.clock, seed=str(self.opened))
        opened.core.db._connection.execute("PRAGMA synchronous = OFF")  # type: ignore[attr-defined]  # no power cut here
        return opened

    def step(self) -> None:
        [name] = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        self.seen[name] += 1
        getattr(self, name)()

    # ------------------------------------------------------------------------------------- what callers do

    def submit(self) -> None:
        """Now and then a document that is there already: it must not be there twice."""
        again = self.documents and self.chance.random() < 0.5
        number = self.chance.randrange(self.documents) if again else self.documents
        accepted = self.store.accept(kit.request(str(number), kit.mail()))
        assert accepted.created is (number == self.documents)
        assert all(delivery in self.maybe_there for delivery in accepted.delivery_ids) is not accepted.created
        self.documents += accepted.created
        for delivery in accepted.delivery_ids:
            self.maybe_there.setdefault(delivery, set())

    # ------------------------------------------------------------------------------------- what workers do

    def attempt(self) -> None:
        """A worker takes something and gets so far with it before it dies, or falls asleep."""
        doubtful, how_far = self.chance.random() < 0.3, self.chance.choice(["claimed", "transmitted", "answered"])
        wanted = kit.wanted(self.chance.randint(1, 3))
        for claim in self.store.claim_doubtful(wanted) if doubtful else self.store.claim(wanted):
            assert claim.kind == ("resolve" if doubtful else "send")
            self.claims.append(claim)
            if how_far != "claimed":
                self._transmit(claim)
            if how_far == "answered":
                self._finish(claim)

    def come_back(self) -> None:
        """A worker goes on with an old claim, whatever happened to it meanwhile."""
        if self.claims:
            claim = self.chance.choice(self.claims[-8:])
            self.chance.choice([self._transmit, self._finish, self._renew])(claim)

    def _transmit(self, claim: Claim) -> None:
        """Bytes leave only when the store says so, and only if nothing may be there already."""
        if claim.kind == "resolve":
            return
        try:
            self.store.mark_transmitting(claim)
        except LeaseLostError:
            self.seen["lease lost"] += 1
            return
        assert self.clock.elapsed() < claim.deadline, "bytes left after the lease"
        assert not self.maybe_there[claim.delivery_id], "sent again without proof or decision"
        self.maybe_there[claim.delivery_id].add(claim.fence)
        self.transmitted.add((claim.delivery_id, claim.fence))

    def _finish(self, claim: Claim) -> None:
        """An answer, on time or late; the other side does not lie about what it has."""
        [verdict] = self.chance.choices(list(Verdict), [LIKELY.get(verdict, 1) for verdict in Verdict])
        there = bool(self.maybe_there[claim.delivery_id])
        if claim.kind == "send":
            there = (claim.delivery_id, claim.fence) in self.transmitted
        if verdict in {Verdict.ACCEPTED, Verdict.IN_DOUBT} and not there:
            verdict = Verdict.TRANSIENT
        case = retry.Case(claim.kind, claim.attempt, claim.progress, "query", receipt=True)
        reason = self.chance.choice(["X-451", "X-CONNECT"])
        result = retry.judge(Outcome(verdict, reason), case, SCHEDULE, self.chance.random())
        before = self.store.delivery(claim.delivery_id).row.state
        taken = self.store.record(claim, replace(result, pause=False))
        after = self.store.delivery(claim.delivery_id).row.state
        self.seen[result.event if taken else "late result"] += 1
        # A receipt that came while the attempt was under way ends its doubt at once.
        proven = Transport.SENT if self.store.delivery(claim.delivery_id).row.receipt is not Receipt.NONE else None
        assert after in ({result.state, proven, *self.besides} if taken else {before})
        if taken and after not in {Transport.SENT, Transport.IN_DOUBT}:
            # Proven: a question answers for all attempts, an attempt for itself alone.
            gone = {claim.fence} if claim.kind == "send" else self.maybe_there[claim.delivery_id]
            self.maybe_there[claim.delivery_id] -= set(gone)

    def _renew(self, claim: Claim) -> None:
        try:
            self.claims.append(self.store.renew(claim, 60))
        except LeaseLostError:
            self.seen["lease lost"] += 1

    def recover(self) -> None:
        before = {row.id: row.state for row in self.store.deliveries()}
        for delivery in self.store.recover(owner_gone=self.chance.random() < 0.3):
            after = self.store.delivery(delivery).row.state
            self.seen[f"{before[delivery]} to {after}"] += 1

    def restart(self) -> None:
        self.store.close()
        self.store = self._open()
        assert self.store.pauses() == []

    # -------------------------------------------------------------------------------- what people and time do

    def act(self) -> None:
        if not self.maybe_there:
            return
        delivery, action = self.chance.choice(list(self.maybe_there)), self.chance.choice(ACTIONS)
        before = self.store.delivery(delivery).row.state
        try:
            after = self.store.act(delivery, action, by="Anne", reason="x", means="courrier").state
        except StateError:
            assert self.store.delivery(delivery).row.state is before
            return
        assert before not in IN_FLIGHT, "nobody interferes with what is under way"
        self.seen[action] += 1
        if before is Transport.IN_DOUBT and after is Transport.RETRY:
            assert f'"{Event.RESEND_DECIDED}"' in self.store.delivery(delivery).records[-1]
            self.maybe_there[delivery].clear()  # decided, and shown: sent again on purpose

    def receipt(self) -> None:
        arrived = [delivery for delivery, maybe in self.maybe_there.items() if maybe]
        if arrived:
            receipt = self.chance.choice([Receipt.DELIVERED, Receipt.PROCESSED, Receipt.REFUSED])
            self.store.record_receipt(self.chance.choice(arrived), receipt, evidence_sha256="00" * 32)

    def wait(self) -> None:
        self.clock.advance(self.chance.choice([1, 29, 61, 61, 700, 90_000]))

    def jump(self) -> None:
        """Somebody sets the wall clock; the boot clock knows nothing of it."""
        self.clock.at += timedelta(hours=self.chance.choice([-400, -2, 3]))

    # ------------------------------------------------------------------------------------- what always holds

    def check(self) -> None:
        rows = {row.id: row for row in self.store.deliveries()}
        assert rows.keys() == self.maybe_there.keys(), "lost or invented"
        for row in rows.values():
            if row.state in {Transport.PREPARED, Transport.RETRY}:
                assert row.due_at is not None, "it would wait for ever"
            if row.state in {Transport.IN_DOUBT, Transport.DEAD, Transport.HELD, Transport.IMPOSSIBLE}:
                assert row.reason, "a person would not know why"
            if row.state in FINAL:
                assert row.due_at is None
            assert self.maybe_there[row.id] or row.state not in {Transport.SENT, Transport.TRANSMITTING}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    seed = int(os.environ.get("KINE_STORE_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
    print(f"KINE_STORE_SEED={seed}")
    made = World(tmp_path, random.Random(seed))
    yield made
    made.store.close()


def test_a_long_random_history(world: World) -> None:
    for _ in range(STEPS):
        world.step()
        world.check()
    report = verify_store(world.store)
    assert report.ok, report.summary
    print(dict(world.seen))
    must: dict[str, Any] = dict.fromkeys(
        ["lease lost", "late result", "sending to retry", "transmitting to in_doubt", "taken", "failed", "doubt"], 3
    )
    assert {name: world.seen[name] for name, least in must.items() if world.seen[name] < least} == {}
