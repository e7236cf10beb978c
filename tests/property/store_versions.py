"""The machine's rules for versions: corrections, deliveries in the place of others, withdrawals, changes in the DMP."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from gateway.errors import ConflictError, NotFoundError, StateError
from gateway.store.base import PlannedDelivery
from gateway.store.dmp_acts import DmpChange
from gateway.store.linked import FollowUp, Link, Seen, Withdrawal
from tests.property.store_driver import BOXES
from tests.property.store_model import FLYING, REPLACEABLE, STOPPABLE, UNSETTLED, Paper, Sending
from tests.property.store_workers import Workers
from tests.unit.store import kit

NUMBERS = st.integers(0, 399)


class Versions(Workers):
    """What becomes of a document after it was accepted."""

    @rule(number=NUMBERS, priority=st.integers(0, 2), box=st.integers(0, 1))
    def replace(self, number: int, priority: int, box: int) -> None:
        paper = self.pick(number, lambda one: not one.paper.withdrawn and not one.paper.replaced).paper
        if paper.withdrawn or paper.erased:
            return  # the engine refuses that before the store is asked
        unsent = [one for one in self.world.of(paper) if one.state in REPLACEABLE and one.purpose == "document"]
        new = Paper("", paper.account, paper.patient, paper.day)
        planned = [self._next(paper, role, box, priority) for role in ("medecin_traitant", "patient", "dmp")]
        ids = tuple(one.id for one in unsent)
        name = f"version {next(self.numbers)}"
        request = self.request(new, name, planned, replaces=paper.id, supersedes=ids)
        try:
            accepted = self.store.accept(request)
        except ConflictError:
            assert paper.replaced
            return
        assert not paper.replaced
        self.now  # noqa: B018 (the model looks at the clock)
        new.id, paper.replaced = accepted.document_id, True
        for old in unsent:
            self.world.go(old, "superseded", reason="ENG-REPLACED")
        for delivery, one in zip(accepted.delivery_ids, planned, strict=True):
            self.add(new, delivery, one)

    def _next(self, paper: Paper, role: str, box: int, priority: int) -> PlannedDelivery:
        """The correction to a place: behind the earlier version as long as nobody knows whether that one arrived."""
        earlier = [one for one in self.world.all.values() if one.role == role and one.state in UNSETTLED]
        earlier = [one for one in earlier if (one.account, one.paper.patient, one.paper.day) == _of(paper)]
        follows = {"waits_for": earlier[-1].id, "needs_it": role == "dmp"} if earlier else {}
        return self.planned(role, box, priority=priority, **follows)

    @rule(number=NUMBERS)
    def replace_what_just_moved(self, number: int) -> None:
        """The engine read a state that is no longer so: nothing at all is taken."""
        one = self.pick(number, lambda one: one.state in UNSETTLED | {"sent"} and not one.paper.replaced)
        if one.state in REPLACEABLE or one.paper.replaced:
            return
        paper = Paper("", one.account, one.paper.patient, one.paper.day)
        planned = [self.planned("patient", 0)]
        try:
            self.store.accept(self.request(paper, "moved", planned, replaces=one.paper.id, supersedes=(one.id,)))
        except ConflictError:
            return
        raise AssertionError("a version that had left was superseded")

    @rule(number=NUMBERS, box=st.integers(0, 1), anew=st.booleans())
    def readdress(self, number: int, box: int, anew: bool) -> None:
        """To another mailbox, or packed anew for the same one."""
        one = self.pick(number, lambda one: one.state in REPLACEABLE and one.purpose == "document")
        if one.purpose != "document" or one.channel == "manual" or one.paper.replaced:
            return
        row = self.store.delivery(one.id).row
        fits = one.state in REPLACEABLE or (one.state, one.receipt) == ("sent", "refused")
        fits = fits and not one.paper.withdrawn and not one.paper.erased
        behind = {"waits_for": one.waits_for, "needs_it": one.needs} if one.waits else {}
        planned = self.planned(one.role, box, priority=one.priority, **behind)
        try:
            new = self.store.link(Link(Seen.of(row), planned, "reprepare" if anew else "readdress", "Anne", "adresse"))
        except (StateError, NotFoundError):
            assert not fits
            return
        assert fits
        self.add(one.paper, new, planned)
        for later in self.world.all.values():
            if later.waits and later.waits_for == one.id:
                later.waits_for = new
        self.world.go(one, "superseded", reason="ENG-REPREPARED" if anew else "ENG-READDRESSED")

    @rule(number=NUMBERS)
    def readdress_what_just_moved(self, number: int) -> None:
        row = self.store.delivery(self.pick(number, lambda one: one.state in REPLACEABLE).id).row
        stale = Seen(row.id, row.state, row.receipt, row.fence + 1)
        try:
            self.store.link(Link(stale, self.planned("patient", 0), "readdress", "Anne", "adresse"))
        except ConflictError:
            return
        raise AssertionError("a delivery that had moved was superseded")

    # ---------------------------------------------------------------------------------------------- withdrawals

    @rule(number=NUMBERS, certain=st.booleans())
    def withdraw(self, number: int, certain: bool) -> None:
        papers = self._versions(self.pick(number, lambda one: one.state in {"sent", "held"} | UNSETTLED).paper)
        rows = [one for paper in papers for one in self.world.of(paper)]
        seen = tuple(Seen.of(self.store.delivery(one.id).row) for one in rows)
        follow_ups = [one for one in map(self._follow_up, rows) if one is not None]
        follow_ups = [
            FollowUp(o.after, o.planned, certain and not self.world.all[o.after].wire, o.settle) for o in follow_ups
        ]
        wanted = Withdrawal(tuple(p.id for p in papers), "Anne", "error", "erreur", seen, tuple(follow_ups))
        try:
            made = self.store.withdraw(wanted)
        except StateError:
            assert any(paper.withdrawn for paper in papers)
            return
        assert not any(paper.withdrawn for paper in papers)
        self._withdrawn(papers, rows, follow_ups, made)

    def _withdrawn(
        self, papers: list[Paper], rows: list[Sending], follow_ups: list[FollowUp], made: tuple[str, ...]
    ) -> None:
        self.now  # noqa: B018
        for paper in papers:
            paper.withdrawn = True
        for delivery, one in zip(made, follow_ups, strict=True):
            self._plan(delivery, one)
        for row in rows:
            if row.purpose == "document" and row.state in STOPPABLE:
                self.world.go(row, "cancelled", reason="ENG-WITHDRAWN")
        for paper in papers:
            self.world.look_for_the_end(paper)

    def _plan(self, delivery: str, one: FollowUp) -> None:
        after = self.world.all[one.after]
        new = self.add(after.paper, delivery, one.planned, due=one.settle)
        if after.state in FLYING:
            new.waits_for, new.needs = after.id, one.certain
            new.due = None if new.state == "prepared" else new.due

    def _versions(self, paper: Paper) -> list[Paper]:
        """All versions of a document: they share patient and day."""
        return [one for one in self.world.papers.values() if (one.account, one.patient, one.day) == _of(paper)]

    def _follow_up(self, one: Sending) -> FollowUp | None:
        if one.purpose != "document" or one.paper.erased or one.role == "mask":
            return None
        if one.state == "handed_over":
            manual: dict[str, Any] = {"purpose": "recall"}
            return FollowUp(one.id, self.planned("hand", 0, **manual))
        if one.state not in UNSETTLED | {"sent"} or one.receipt == "refused" or one.channel == "manual":
            return None
        if one.channel == "dmp":
            settle = 30.0 if one.state == "in_doubt" else 0.0
            return FollowUp(one.id, self.planned("dmp", 0, purpose="deletion", priority=2), settle=settle)
        return FollowUp(
            one.id,
            self.planned(one.role, BOXES.index(one.box) if one.box in BOXES else 0, purpose="retraction", priority=2),
        )

    @rule(number=NUMBERS)
    def change_in_the_dmp(self, number: int) -> None:
        """Mask a document: a delivery of its own, which an opposition to the DMP does not stop."""
        fed = self.pick(number, lambda one: one.channel == "dmp" and one.state == "sent" and not one.paper.withdrawn)
        if fed.channel != "dmp" or fed.state != "sent" or fed.paper.erased:
            return
        planned = kit.dmp(role="mask")
        try:
            made = self.store.change(
                DmpChange(Seen.of(self.store.delivery(fed.id).row), planned, "mask", "Anne", "non")
            )
        except StateError:
            assert fed.paper.withdrawn
            return
        assert not fed.paper.withdrawn
        self.add(fed.paper, made, planned)


def _of(paper: Paper) -> tuple[str, str, int]:
    return paper.account, paper.patient, paper.day
