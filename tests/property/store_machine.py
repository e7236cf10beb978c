"""A machine that drives a store step by step, beside a model of its own that says what must come of each step.

The model (store_model.py) knows nothing of the store's code.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from itertools import count
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from gateway.audit.verify import verify_store
from gateway.clock import FrozenClock
from gateway.errors import ConflictError, LeaseLostError, NotFoundError, StateError
from gateway.store.base import Claim, Filter, Progress, Result
from gateway.store.linked import Link, Seen
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Receipt, Transport
from tests.property.store_model import (
    ACCOUNTS,
    ACTIONS,
    CHANNELS,
    LATER,
    LEASE,
    OVER,
    RESULTS,
    SETTLE,
    STOPPABLE,
    WAITING,
    Model,
)
from tests.unit.store import kit


class StoreMachine(RuleBasedStateMachine):
    """One history. `open` gives a store of its own, `release` takes it back; `steps` counts over all histories."""

    open: ClassVar[Callable[[FrozenClock, int], Outbox]]
    release: ClassVar[Callable[[], None]]
    steps: ClassVar[int] = 0
    ids = Bundle("ids")

    @initialize()
    def begin(self) -> None:
        self.clock = kit.clock()
        self.store = type(self).open(self.clock, 0)
        self.opened = 1
        self.all: dict[str, Model] = {}
        self.keys: dict[str, tuple[str, ...]] = {}
        self.paused: set[tuple[str, str]] = set()
        self.erased: set[str] = set()
        self.numbers = count()
        self.flown: list[Claim] = []
        for account in ACCOUNTS:
            self.submit(account, 0, 1)

    @property
    def now(self) -> int:
        return int(self.clock.at.timestamp() * 1000 + 0.5)

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        report = verify_store(self.store)
        assert report.ok, report.summary
        assert {row.id for row in self.store.deliveries(Filter(limit=10_000))} == set(self.all)
        self.store.close()
        type(self).release()

    @invariant()
    def the_store_is_as_the_model_says(self) -> None:
        if not hasattr(self, "store"):
            return
        type(self).steps += 1
        for row in self.store.deliveries(Filter(limit=10_000)):
            model = self.all[row.id]
            due = None if row.due_at is None else int(row.due_at.timestamp() * 1000 + 0.5)
            assert (row.state, row.receipt, row.fence) == (model.state, model.receipt, model.fence), row.id
            assert row.attempts == model.attempts
            if model.state in {"prepared", "retry", "in_doubt"}:
                assert due == model.due

    # --------------------------------------------------------------------------------------------- callers

    @rule(target=ids, account=st.sampled_from(ACCOUNTS), key=st.integers(0, 9), priority=st.integers(0, 2))
    def submit(self, account: str, key: int, priority: int) -> Any:
        name = f"{account}-{key}"
        deliveries = (kit.mail(priority=priority), kit.dmp(priority=priority))
        accepted = self.store.accept(kit.request(name, *deliveries, account=account))
        assert accepted.created is (name not in self.keys)
        if accepted.created:
            self.keys[name] = accepted.delivery_ids
            for delivery, channel in zip(accepted.delivery_ids, CHANNELS, strict=True):
                self._add(delivery, accepted.document_id, account, channel, priority)
        assert accepted.delivery_ids[:2] == self.keys[name][:2]
        return multiple(*accepted.delivery_ids[:2])

    def _add(self, delivery: str, document: str, account: str, channel: str, priority: int) -> None:
        number = next(self.numbers)
        self.all[delivery] = Model(document, account, channel, priority, number, "prepared", self.now, self.now)

    @rule(account=st.sampled_from(ACCOUNTS), key=st.integers(0, 3))
    def submit_other_content(self, account: str, key: int) -> None:
        name = f"{account}-{key}"
        if name not in self.keys:
            return
        try:
            self.store.accept(kit.request(name, account=account, content_sha256=sha256(b"other").hexdigest()))
        except ConflictError:
            return
        raise AssertionError("the same key took another content")

    # --------------------------------------------------------------------------------------------- workers

    @rule(lane=st.integers(0, 7), limit=st.integers(1, 4))
    def claim(self, lane: int, limit: int) -> None:
        self._claim_of(lane, limit)

    def _claim_of(self, lane: int, limit: int) -> list[Claim]:
        """For a lane that has work, when one has."""
        lanes = [(a, c, doubtful) for a in ACCOUNTS for c in CHANNELS for doubtful in (False, True)]
        busy = [one for one in lanes if self._due(*one)] or lanes
        account, channel, doubtful = busy[lane % len(busy)]
        claims = self._claim(account, channel, limit, doubtful)
        self.flown += claims
        return claims

    def _due(self, account: str, channel: str, doubtful: bool) -> list[tuple[str, Model]]:
        states = {"in_doubt"} if doubtful else {"prepared", "retry"}
        return [
            (delivery, one)
            for delivery, one in self.all.items()
            if one.state in states and (one.account, one.channel) == (account, channel)
            if one.due is not None and one.due <= self.now and (one.lease is None or one.lease < self.now)
        ]

    def _claim(self, account: str, channel: str, limit: int, doubtful: bool) -> list[Claim]:
        due = self._due(account, channel, doubtful)
        due.sort(key=lambda item: ((0 if doubtful else -item[1].priority), item[1].due, item[1].number))
        ask = self.store.claim_doubtful if doubtful else self.store.claim
        claims = ask(kit.wanted(limit, account=account, channel=channel, lease=LEASE))
        if {(account, channel), (account, "*"), ("*", "*")} & self.paused:
            assert claims == []
            return []
        taken = due[:limit]
        if len({(one.priority, one.due) for _, one in due}) == len(due):  # nothing says who is first among equals
            readable = [delivery for delivery, one in taken if one.document not in self.erased]
            assert [claim.delivery_id for claim in claims] == readable
        else:
            taken = self._taken(due, limit)
        for delivery, one in taken:
            self._hold(one, "in_doubt" if doubtful else "sending", readable=one.document not in self.erased)
            assert self.store.delivery(delivery).row.fence == one.fence
        return claims

    @rule(
        lane=st.integers(0, 7),
        before=st.sampled_from((0.0, 0.0, 0.0, 59.0, 60.0, 61.0)),
        after=st.sampled_from((0.0, 0.0, 61.0)),
        event=st.sampled_from(sorted(RESULTS)),
        told=st.sampled_from((None, None, "delivered", "refused")),
        taken=st.sampled_from((False, False, True)),
    )
    def fly(self, lane: int, before: float, after: float, event: str, told: str | None, taken: bool) -> None:
        """An attempt from end to end, with sleep in between, and maybe a receipt that overtakes its answer."""
        claims = self._claim_of(lane, 2)
        self.clock.advance(before)
        if taken:  # by another worker, who believes that this one is dead
            self.recover(gone=True)
            self._claim_of(lane, 4)
        for claim in claims:
            self._transmit(claim)
        self.clock.advance(after)
        if after:
            self.recover(gone=False)
        for claim in claims:
            if told is not None:
                self.receive(claim.delivery_id, told)
            self._record(claim, event, 30)

    def _latest(self, back: int) -> Claim | None:
        return self.flown[-1 - back % len(self.flown)] if self.flown else None

    def _taken(self, due: list[tuple[str, Model]], limit: int) -> list[tuple[str, Model]]:
        """Those that the store chose, checked to be as many and as urgent as they may be."""
        chosen = [item for item in due if self.store.delivery(item[0]).row.fence == item[1].fence + 1]
        assert len(chosen) == min(limit, len(due))
        urgency = sorted(-one.priority if one.state != "in_doubt" else 0 for _, one in due)
        assert sorted(-one.priority if one.state != "in_doubt" else 0 for _, one in chosen) == urgency[: len(chosen)]
        return chosen

    def _hold(self, one: Model, state: str, *, readable: bool) -> None:
        one.fence, one.attempts = one.fence + 1, one.attempts + 1
        one.state, one.changed, one.lease = state, self.now, self.now + round(LEASE * 1000)
        if not readable:  # its content is erased: a person sees why
            one.move("dead", self.now)
            one.prove(self.now)

    @rule(back=st.integers(0, 5))
    def transmit(self, back: int) -> None:
        if (claim := self._latest(back)) is not None:
            self._transmit(claim)

    def _transmit(self, claim: Claim) -> None:
        one = self.all[claim.delivery_id]
        mine = one.fence == claim.fence and one.state == "sending" and self.clock.elapsed() < claim.deadline
        try:
            self.store.mark_transmitting(claim)
        except LeaseLostError:
            assert not mine
            return
        assert mine, "bytes would have left without a lease"
        one.state, one.changed = "transmitting", self.now

    @rule(back=st.integers(0, 5), event=st.sampled_from(sorted(RESULTS)), due_in=st.integers(0, 900))
    def record(self, back: int, event: str, due_in: int) -> None:
        if (claim := self._latest(back)) is not None:
            self._record(claim, event, due_in)

    def _record(self, claim: Claim, event: str, due_in: int) -> None:
        one, (starts, state) = self.all[claim.delivery_id], RESULTS[event]
        later = state in {"retry", "in_doubt"}
        result = Result(
            Event(event),
            Transport(state),
            event,
            "X-1",
            due_in=float(due_in) if later else None,
            progress=Progress(1, 2.0),
            receipt=Receipt.AWAITED if event == "taken" else Receipt.NONE,
            pause=event == "misconfigured",
        )
        fits = one.fence == claim.fence and one.state in starts
        assert self.store.record(claim, result) is fits
        if not fits:
            return
        one.receipt = "awaited" if event == "taken" and one.receipt == "none" else one.receipt
        one.move(state, self.now, self.now + due_in * 1000 if later else None)
        if result.pause:
            self.paused.add((one.account, one.channel))
        one.prove(self.now)

    @rule(back=st.integers(0, 5))
    def renew(self, back: int) -> None:
        if (claim := self._latest(back)) is None:
            return
        one = self.all[claim.delivery_id]
        mine = one.fence == claim.fence and one.lease is not None
        try:
            self.flown.append(self.store.renew(claim, LEASE))
        except LeaseLostError:
            assert not mine
            return
        assert mine
        one.lease = self.now + round(LEASE * 1000)

    @rule(gone=st.booleans())
    def recover(self, gone: bool) -> None:
        held = {d: one for d, one in self.all.items() if one.lease is not None and (gone or one.lease < self.now)}
        assert set(self.store.recover(owner_gone=gone, settle=SETTLE)) == set(held)
        for one in held.values():
            unsent = one.state == "sending"
            one.move("retry" if unsent else "in_doubt", self.now, self.now + (0 if unsent else round(SETTLE * 1000)))
            one.prove(self.now)

    # ---------------------------------------------------------------------------------------------- people

    @rule(delivery=ids, action=st.sampled_from(sorted(ACTIONS)))
    def act(self, delivery: str, action: Any) -> None:
        one, (starts, state) = self.all[delivery], ACTIONS[action]
        fits = one.state in starts or (action == "handed" and (one.state, one.receipt) == ("sent", "refused"))
        try:
            self.store.act(delivery, action, by="Anne", reason="décidé", means="courrier")
        except StateError:
            assert not fits
            return
        assert fits
        one.move(state, self.now, self.now if action in {"release", "retry"} else None)

    @rule(account=st.sampled_from((*ACCOUNTS, "*")), channel=st.sampled_from((*CHANNELS, "*")), stop=st.booleans())
    def pause(self, account: str, channel: str, stop: bool) -> None:
        channel = "*" if account == "*" else channel
        if stop:
            self.store.pause(account, channel, by="Anne", reason="X-STOP")
            self.paused.add((account, channel))
        else:
            assert self.store.resume(account, channel, by="Anne") is ((account, channel) in self.paused)
            self.paused.discard((account, channel))

    @rule(account=st.sampled_from(ACCOUNTS), channel=st.sampled_from(CHANNELS))
    def session_ready(self, account: str, channel: Any) -> None:
        found = [
            o for o in self.all.values() if (o.account, o.channel, o.state) == (account, channel, "waiting_for_session")
        ]
        assert self.store.session_ready(account, channel, by="Anne") == len(found)
        for one in found:
            one.move("retry", self.now, self.now)

    @rule(delivery=ids, receipt=st.sampled_from(("delivered", "processed", "integrated", "refused")))
    def receive(self, delivery: str, receipt: str) -> None:
        one = self.all[delivery]
        moves, proves = receipt in LATER[one.receipt], one.state in STOPPABLE
        evidence = sha256(str(next(self.numbers)).encode()).hexdigest()
        assert self.store.record_receipt(delivery, Receipt(receipt), evidence_sha256=evidence) is (moves or proves)
        assert not self.store.record_receipt(delivery, Receipt(receipt), evidence_sha256=evidence)
        one.receipt = receipt if moves else one.receipt
        if proves:
            one.move("sent", self.now)

    @rule(delivery=ids, target=ids)
    def readdress(self, delivery: str) -> Any:
        one, row = self.all[delivery], self.store.delivery(delivery).row
        fits = one.state in WAITING | {"held", "dead", "impossible"} or (one.state, one.receipt) == ("sent", "refused")
        planned = kit.mail(priority=one.priority)
        try:
            new = self.store.link(Link(Seen.of(row), planned, "readdress", "Anne", "autre adresse"))
        except (StateError, NotFoundError):
            assert not fits or one.document in self.erased
            return multiple()
        assert fits
        assert one.document not in self.erased
        one.move("superseded", self.now)
        self._add(new, one.document, one.account, "mssante", one.priority)
        return new

    @rule(delivery=ids)
    def erase(self, delivery: str) -> None:
        document = self.all[delivery].document
        fits = all(one.state in OVER for one in self.all.values() if one.document == document)
        try:
            self.store.erase(document, by="Anne")
        except StateError:
            assert not fits
            return
        assert fits
        self.erased.add(document)

    # ----------------------------------------------------------------------------------------------- world

    @rule(seconds=st.sampled_from((0.001, 1.0, 29.0, 61.0, 3600.0)))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(back=st.sampled_from((30, 7200)))
    def jump_back(self, back: int) -> None:
        """The wall clock was wrong, and is put right: nothing must wait for a time that is far off."""
        self.store.pause("cabinet", "nothing", by="Anne", reason="X")  # so that the journal's last word is of now
        self.store.resume("cabinet", "nothing", by="Anne")
        self.clock.at -= timedelta(seconds=back)
        limit = self.now + 60_000
        self.recover(gone=False)
        for one in self.all.values():
            ahead = one.due is not None and one.changed > limit and one.state in {"prepared", "retry", "in_doubt"}
            if ahead and back > 60:
                one.due = one.changed = self.now

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = type(self).open(self.clock, self.opened)
        self.opened += 1
