"""The machine's rules for workers: claims, attempts, leases that end, clocks that jump, processes that start again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from gateway.errors import LeaseLostError
from gateway.store.base import Claim, Progress, Result
from gateway.store.states import Event, Receipt, Transport
from tests.property.store_driver import Driver
from tests.property.store_model import ACCOUNTS, CHANNELS, DEADLINES, LEASE, RESULTS, SETTLE, Sending
from tests.unit.store import kit

WORKERS = ("w1", "w2", "w3")
PROVEN = {"failed", "refused", "no_destination", "misconfigured", "session_needed", "given_back"}
"""Answers that prove that nothing was taken."""


class Workers(Driver):
    """What workers do, and what happens to them."""

    @rule(lane=st.integers(0, 7), limit=st.integers(1, 4), worker=st.sampled_from(WORKERS))
    def claim(self, lane: int, limit: int, worker: str) -> None:
        self._claim_of(lane, limit, worker)

    def _claim_of(self, lane: int, limit: int, worker: str) -> list[Claim]:
        """For a lane that has work, when one has."""
        lanes = [(a, c, doubtful) for a in ACCOUNTS for c in CHANNELS for doubtful in (False, True)]
        busy = [one for one in lanes if self._due(*one)] or lanes
        account, channel, doubtful = busy[lane % len(busy)]
        claims = self._claim(account, channel, limit, doubtful, worker)
        self.flown += claims
        return claims

    def _due(self, account: str, channel: str, doubtful: bool) -> list[Sending]:
        states, now = {"in_doubt"} if doubtful else {"prepared", "retry"}, self.now
        return [
            one
            for one in self.world.all.values()
            if one.state in states and (one.account, one.channel) == (account, channel)
            if one.due is not None and one.due <= now and (one.lease is None or one.lease < now)
        ]

    def _claim(self, account: str, channel: str, limit: int, doubtful: bool, worker: str) -> list[Claim]:
        due = self._due(account, channel, doubtful)
        due.sort(key=lambda one: ((0 if doubtful else -one.priority), one.due or 0, one.number))
        ask = self.store.claim_doubtful if doubtful else self.store.claim
        claims = ask(kit.wanted(limit, account=account, channel=channel, lease=LEASE, worker=worker))
        if self.world.lane_stopped(account, channel):
            assert claims == []
            return []
        taken = due[:limit]
        if len({(one.priority, one.due) for one in due}) == len(due):  # nothing says who is first among equals
            assert [claim.delivery_id for claim in claims] == [one.id for one in taken if not one.paper.erased]
        else:
            taken = self._taken(due, limit)
        for one in taken:
            self._hold(one, "in_doubt" if doubtful else "sending")
        return claims

    def _taken(self, due: list[Sending], limit: int) -> list[Sending]:
        """Those that the store chose, checked to be as many and as urgent as they may be."""
        chosen = [one for one in due if self.store.delivery(one.id).row.fence == one.fence + 1]
        assert len(chosen) == min(limit, len(due))
        urgency = sorted(-one.priority if one.state != "in_doubt" else 0 for one in due)
        assert sorted(-one.priority if one.state != "in_doubt" else 0 for one in chosen) == urgency[: len(chosen)]
        return chosen

    def _hold(self, one: Sending, state: str) -> None:
        one.fence, one.attempts = one.fence + 1, one.attempts + 1
        one.state, one.changed, one.lease = state, self.now, self.now + round(LEASE * 1000)
        if one.paper.erased:  # nothing to send: a person sees why
            self.world.go(one, "dead")

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
        claims = self._claim_of(lane, 3, "w1")
        self.clock.advance(before)
        if taken:  # by another worker, who believes that this one is dead
            self.recover(gone=True)
            self._claim_of(lane, 4, "w2")
        for claim in claims:
            self._transmit(claim)
        self.clock.advance(after)
        if after:
            self.recover(gone=False)
        for claim in claims:
            if told is not None:
                self._receive(claim.delivery_id, told)
            self._record(claim, event, 30)

    @rule(lane=st.integers(0, 7), seconds=st.sampled_from((0.0, 61.0, 3600.0)))
    def deliver(self, lane: int, seconds: float) -> None:
        """What mostly happens: all that is due on a lane is taken by the other side."""
        self.clock.advance(seconds)
        for claim in self._claim_of(lane, 3, "w3"):
            self._transmit(claim)
            self._record(claim, "taken", 1)

    def _receive(self, delivery: str, receipt: str) -> None:
        one = self.world.all[delivery]
        self.now  # noqa: B018 (the model looks at the clock)
        expected, evidence = self.world.receive(one, receipt), self.evidence()
        assert self.store.record_receipt(delivery, Receipt(receipt), evidence_sha256=evidence) is expected
        assert not self.store.record_receipt(delivery, Receipt(receipt), evidence_sha256=evidence)

    def _latest(self, back: int) -> Claim | None:
        return self.flown[-1 - back % len(self.flown)] if self.flown else None

    @rule(back=st.integers(0, 5))
    def transmit(self, back: int) -> None:
        if (claim := self._latest(back)) is not None:
            self._transmit(claim)

    def _transmit(self, claim: Claim) -> None:
        one = self.world.all[claim.delivery_id]
        mine = one.fence == claim.fence and one.state == "sending" and self.clock.elapsed() < claim.deadline
        mine = mine and self.world.stop(one) is None and not self.world.objected(one)
        try:
            self.store.mark_transmitting(claim)
        except LeaseLostError:
            assert not mine
            return
        assert mine, "bytes would have left without a lease, or against a stop"
        self.now  # noqa: B018
        self.world.leave(one)

    @rule(back=st.integers(0, 5), event=st.sampled_from(sorted(RESULTS)), due_in=st.integers(0, 900))
    def record(self, back: int, event: str, due_in: int) -> None:
        if (claim := self._latest(back)) is not None:
            self._record(claim, event, due_in)

    def _record(self, claim: Claim, event: str, due_in: int) -> None:
        one, (starts, state) = self.world.all[claim.delivery_id], RESULTS[event]
        result = _result(event, state, due_in)
        fits = one.fence == claim.fence and one.state in starts
        if event == "taken" and due_in % 2:  # in bulk, as a batch is written
            assert self.store.record_many([(claim, result)]) == [fits]
        else:
            assert self.store.record(claim, result) is fits
        if fits:
            self._recorded(one, event, state, self.now + due_in * 1000 if result.due_in is not None else None)
            if result.pause:
                self.world.paused.add((one.account, one.channel))

    def _recorded(self, one: Sending, event: str, state: str, due: int | None) -> None:
        self.now  # noqa: B018
        if one.wire and one.wire[-1] in {"left", "unknown"}:
            one.wire.append("refused" if event in PROVEN else "again" if event == "resend_decided" else "unknown")
        if event == "taken" and one.receipt == "none":
            one.receipt = "awaited"
        if state == "sent" and one.receipt == "awaited":
            one.until = self.now + DEADLINES[one.priority]
        back = event in {"failed", "misconfigured", "given_back", "resend_decided"}
        self.world.go(one, state, due=due, reason=event, back=back)

    @rule(back=st.integers(0, 5))
    def renew(self, back: int) -> None:
        if (claim := self._latest(back)) is None:
            return
        one = self.world.all[claim.delivery_id]
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
        now = self.now
        held = {d: o for d, o in self.world.all.items() if o.lease is not None and (gone or o.lease < now)}
        assert set(self.store.recover(owner_gone=gone, settle=SETTLE)) == set(held)
        for one in held.values():
            unsent = one.state == "sending"
            if one.state == "transmitting":
                one.wire.append("unknown")
            due = now + (0 if unsent else round(SETTLE * 1000))
            self.world.go(one, "retry" if unsent else "in_doubt", due=due, reason="ENG-WORKER-LOST", back=True)

    # ----------------------------------------------------------------------------------------------- world

    @rule(seconds=st.sampled_from((0.001, 1.0, 29.0, 61.0, 3600.0, 5 * 3600.0, 3 * 86_400.0)))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(back=st.sampled_from((30, 7200)))
    def jump_back(self, back: int) -> None:
        """The wall clock was wrong, and is put right: nothing must wait for a time that is far off."""
        for account in self.everywhere:  # so that the last word of each shard is of now
            self.store.pause(account, "nothing", by="Anne", reason="X")
            self.store.resume(account, "nothing", by="Anne")
        self.clock.at -= timedelta(seconds=back)
        limit = self.now + 60_000
        ahead = [
            one
            for one in self.world.all.values()
            if one.due is not None and one.changed > limit and one.state in {"prepared", "retry", "in_doubt"}
        ]
        if back > 60:
            for one in ahead:
                one.due = one.changed = self.now
        self.recover(gone=False)

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        self.stores[which].close()
        self.stores[which] = self._opened()


def _result(event: str, state: str, due_in: int) -> Result:
    later = state in {"retry", "in_doubt"}
    awaited: Any = Receipt.AWAITED if event == "taken" else Receipt.NONE
    waits = float(due_in) if later else None
    return Result(
        Event(event),
        Transport(state),
        event,
        event,
        due_in=waits,
        progress=Progress(1, 2.0),
        receipt=awaited,
        pause=event == "misconfigured",
    )
