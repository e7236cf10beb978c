"""The machine's rules for people and for what arrives: decisions, holds, stops, receipts."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from gateway.errors import ConflictError, StateError
from gateway.store.oppositions import Person
from tests.property.store_driver import BOXES
from tests.property.store_model import (
    ACCOUNTS,
    ACTIONS,
    CHANNELS,
    OVER,
    UNSENT,
    WAITING,
    Sending,
)
from tests.property.store_versions import NUMBERS, Versions
from tests.unit.store import kit

TARGETS = ("patient", "medecin_traitant", "dmp", BOXES[0])
WHO = {"by": "Anne", "reason": "décidé"}


class StoreMachine(Versions):
    """Everything together."""

    @rule(account=st.sampled_from(ACCOUNTS), key=st.integers(0, 11), priority=st.integers(0, 2))
    def submit(self, account: str, key: int, priority: int) -> None:
        self.hand_in(account, key, priority)

    @rule(account=st.sampled_from(ACCOUNTS), key=st.integers(0, 3))
    def submit_other_content(self, account: str, key: int) -> None:
        name = f"{account}-{key}"
        if name not in self.keys:
            return
        try:
            self.store.accept(kit.request(name, account=account, content_sha256="0" * 64))
        except ConflictError:
            return
        raise AssertionError("the same key took another content")

    # -------------------------------------------------------------------------------------------------- decisions

    @rule(number=NUMBERS, action=st.sampled_from(sorted(ACTIONS)))
    def act(self, number: int, action: Any) -> None:
        starts, state = ACTIONS[action]
        one = self.pick(number, lambda one: one.state in starts)
        fits = one.state in starts or (
            action == "handed" and one.state == "sent" and one.receipt in {"refused", "overdue"}
        )
        fits = fits and self._may(one, action)
        try:
            self.store.act(one.id, action, by="Anne", reason="décidé", means="courrier")
        except StateError:
            assert not fits
            return
        assert fits, (one, action)
        self.now  # noqa: B018
        if action == "retry" and one.may_have_arrived:
            one.wire.append("again")
        if action in {"release", "retry"}:
            self.world.due_again(one, state)
        else:
            self.world.go(one, state)

    def _may(self, one: Sending, action: str) -> bool:
        """What stands against a decision although the state allows it."""
        if one.paper.withdrawn:
            document = one.purpose == "document"
            if (document and action not in {"cancel", "confirm_sent"}) or (not document and action == "cancel"):
                return False
        if action not in {"release", "retry"}:
            return True
        free = self.world.stop(one) is None and not self.world.objected(one)
        return one.content and free and not self.world.obsolete(one)

    def _pause(self, account: str, channel: str, stop: bool) -> None:
        channel = "*" if account == "*" else channel
        if stop:
            self.store.pause(account, channel, by="Anne", reason="X-STOP")
            self.world.paused.add((account, channel))
        else:
            assert self.store.resume(account, channel, by="Anne") is ((account, channel) in self.world.paused)
            self.world.paused.discard((account, channel))

    def _resume_all(self) -> None:
        for account, channel in sorted(self.world.paused):
            assert self.store.resume(account, channel, by="Anne")
        self.world.paused.clear()

    @rule(account=st.sampled_from(ACCOUNTS), channel=st.sampled_from(CHANNELS))
    def session_ready(self, account: str, channel: Any) -> None:
        found = [o for o in self.world.all.values() if (o.account, o.channel) == (account, channel)]
        found = [one for one in found if one.state == "waiting_for_session"]
        assert self.store.session_ready(account, channel, by="Anne") == len(found)
        for one in found:
            self.world.go(one, "retry", due=self.now, back=True)

    @rule(number=NUMBERS)
    def erase(self, number: int) -> None:
        paper = self.pick(number, lambda one: all(o.state in OVER for o in self.world.of(one.paper))).paper
        fits = all(one.state in OVER for one in self.world.of(paper))
        try:
            self.store.erase(paper.id, by="Anne")
        except StateError:
            assert not fits
            return
        assert fits
        paper.erased = True

    # --------------------------------------------------------------------------------- patients and their wishes

    @rule(
        what=st.sampled_from(("stop", "oppose", "pair", "pause")),
        release=st.sampled_from((False, True, True)),
        account=st.sampled_from(ACCOUNTS),
        patient=st.sampled_from(("p0", "p1")),
        where=st.sampled_from(TARGETS),
        number=NUMBERS,
    )
    def keep_back(self, what: str, release: bool, account: str, patient: str, where: str, number: int) -> None:
        """Somebody keeps something back, or no longer does; rarer than all else, or nothing would ever go."""
        if what == "stop":
            self._resume_patient(account, patient, number % 3 > 0) if release else self._stop_patient(account, patient)
        elif what == "oppose":
            self._unoppose(number, number % 3 > 0) if release else self._oppose(account, patient, where)
        elif what == "pair":
            self._not_my_patient(number, release)
        else:
            channel = (*CHANNELS, "*")[number % 3]
            self._pause("*" if number % 7 == 0 else account, channel, not release)

    @rule()
    def go_on(self) -> None:
        """Nothing is kept back any more."""
        for account, patient in sorted(self.world.stops):
            self._resume_patient(account, patient, release=True)
        while self.world.opposed:
            self._unoppose(0, release=True)
        for account, patient, box in sorted(self.world.pairs):
            held = [o for o in self._of_patient(account, patient) if o.box == box]
            self._not_my_patient(list(self.world.all).index(held[0].id) * 4, release=True)
        self._resume_all()

    def _stop_patient(self, account: str, patient: str) -> None:
        self.store.stop_patient([account], patient, reason="TSI-STOP-902", by="Anne")
        self.world.stops[account, patient] = "TSI-STOP-902"
        for one in self._of_patient(account, patient):
            if one.state in WAITING and one.purpose == "document":
                self.world.go(one, "held", reason="TSI-STOP-902")

    def _resume_patient(self, account: str, patient: str, release: bool) -> None:
        stopped = self.world.stops.pop((account, patient), None) is not None
        found = [o for o in self._of_patient(account, patient) if o.state == "held" and o.content]
        found = [one for one in found if release and stopped and one.reason == "TSI-STOP-902"]
        released = set(self.store.resume_patient([account], patient, by="Anne", release=release))
        assert released <= {one.id for one in found}
        for one in found:
            if one.state == "held":  # a correction may have taken its place a moment ago
                assert one.id in released
                self.world.due_again(one, "prepared")

    def _oppose(self, account: str, patient: str, where: str) -> None:
        opposed = self.store.oppose(Person(account, patient), where, by="Anne")
        before = set(self.world.opposed)
        self.world.opposed.add((account, patient, where))
        assert opposed.new is (self.world.opposed != before)
        for one in self._of_patient(account, patient):
            hit = one.purpose == "document" and where in {one.destination, one.box}
            if hit and one.state in UNSENT and not (one.destination == "dmp" and one.role != "dmp"):
                self.world.go(one, "impossible", reason="DST-OPPOSITION")

    def _unoppose(self, number: int, release: bool) -> None:
        if not self.world.opposed:
            return
        account, patient, target = sorted(self.world.opposed)[number % len(self.world.opposed)]
        self.world.opposed.discard((account, patient, target))
        found = [o for o in self._of_patient(account, patient) if o.state == "impossible" and o.content]
        found = [o for o in found if o.reason == "DST-OPPOSITION" and target in {o.destination, o.box}]
        found = [o for o in found if release and not self.world.objected(o) and not self.world.obsolete(o)]
        person = Person(account, patient)
        released = set(self.store.unoppose(person, target, by="Anne", release=release))
        assert released == {one.id for one in found if not one.paper.withdrawn}, (
            "a withdrawn document stays where it is"
        )
        for one in found:
            if one.id in released:
                self.world.due_again(one, "retry")

    def _not_my_patient(self, number: int, release: bool) -> None:
        """The doctor says that it is not his patient (or that it is, after all)."""
        one = self.pick(number, lambda one: one.box in BOXES)
        if one.box is None:
            return
        pair = (one.account, one.paper.patient, one.box)
        others = [o for o in self._of_patient(one.account, one.paper.patient) if o.box == one.box]
        if not release:
            self.store.hold_pair(one.id, **WHO)
            why = self.world.pairs.setdefault(pair, "MSS-RCPT-NOT-PATIENT")
            for other in others:
                if other.state in WAITING:
                    self.world.go(other, "held", reason=why)
        elif pair in self.world.pairs:
            self._released(one, [o for o in others if o.state == "held" and o.reason == self.world.pairs[pair]], pair)

    def _released(self, one: Sending, found: list[Sending], pair: tuple[str, str, str]) -> None:
        del self.world.pairs[pair]
        released = {row.id for row in self.store.release_pair(one.id, **WHO)}
        assert released <= {other.id for other in found}
        for other in found:
            if other.state == "held":
                assert other.id in released
                self.world.due_again(other, "prepared")

    def _of_patient(self, account: str, patient: str) -> list[Sending]:
        self.now  # noqa: B018
        return [o for o in self.world.all.values() if (o.account, o.paper.patient) == (account, patient)]

    # ----------------------------------------------------------------------------------------------------- receipts

    @rule(number=NUMBERS, receipt=st.sampled_from(("delivered", "processed", "integrated", "refused")))
    def receive(self, number: int, receipt: str) -> None:
        one = self.pick(number, lambda one: one.state in {"sent", "in_doubt", "transmitting"})
        self._receive(one.id, receipt)

    @rule()
    def look_for_overdue(self) -> None:
        self.now  # noqa: B018
        assert {row.id for row in self.store.mark_overdue()} == self.world.overdue()

    @rule()
    def compare_documents(self) -> None:
        for paper in self.world.papers.values():
            row = self.store.document(paper.id)
            assert (row.withdrawn is not None, row.erased_at is not None) == (paper.withdrawn, paper.erased)
            assert (row.withdrawn is not None and row.withdrawn.ended_at is not None) is paper.ended, paper
