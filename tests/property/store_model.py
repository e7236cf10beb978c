"""What a store must make of each step, written out a second time from DESIGN §4 and docs/engine.md.

Nothing of the store's code is used here: states, events and reasons are plain words. Times are milliseconds of the wall
clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ACCOUNTS, CHANNELS, LEASE, SETTLE = ("cabinet", "autre"), ("mssante", "dmp"), 60.0, 30.0
FLYING, WAITING = {"sending", "transmitting"}, {"prepared", "retry", "waiting_for_session"}
UNSETTLED = FLYING | {"in_doubt"}
OVER = {"sent", "impossible", "handed_over", "superseded", "dead", "cancelled"}
STOPPABLE = WAITING | {"held", "in_doubt", "dead"}
UNSENT = WAITING | {"held"}
REPLACEABLE = UNSENT | {"dead", "impossible"}
ACTIONS = {
    "hold": (WAITING, "held"),
    "release": ({"held"}, "prepared"),
    "cancel": (STOPPABLE, "cancelled"),
    "retry": ({"retry", "waiting_for_session", "dead", "impossible", "in_doubt"}, "retry"),
    "handed": (STOPPABLE | {"impossible"}, "handed_over"),
    "confirm_sent": ({"in_doubt"}, "sent"),
}
RESULTS = {
    "taken": (UNSETTLED, "sent"),
    "failed": (UNSETTLED, "retry"),
    "refused": (UNSETTLED, "dead"),
    "gave_up": (UNSETTLED, "dead"),
    "no_destination": (UNSETTLED, "impossible"),
    "misconfigured": (FLYING, "retry"),
    "session_needed": (FLYING, "waiting_for_session"),
    "doubt": (FLYING, "in_doubt"),
    "given_back": (FLYING, "retry"),
    "still_in_doubt": ({"in_doubt"}, "in_doubt"),
    "resend_decided": ({"in_doubt"}, "retry"),
}
LATER = {
    "none": {"delivered", "processed", "integrated", "refused"},
    "awaited": {"delivered", "processed", "integrated", "refused"},
    "overdue": {"delivered", "processed", "integrated", "refused"},
    "delivered": {"processed", "integrated", "refused"},
    "processed": {"integrated", "refused"},
    "refused": {"processed", "integrated"},
    "integrated": set[str](),
}
DEADLINES = (2 * 86_400_000, 86_400_000, 4 * 3_600_000)
"""How long a receipt is awaited, by priority: ordinary, soon, urgent."""


@dataclass
class Paper:
    """A document."""

    id: str
    account: str
    patient: str
    day: int
    replaced: bool = False
    withdrawn: bool = False
    ended: bool = False
    erased: bool = False


@dataclass
class Sending:
    """A delivery. `waits_for` is the one before it in the place that it goes to; `wire` what its bytes did so far."""

    id: str
    paper: Paper
    channel: str
    destination: str
    role: str
    box: str | None
    priority: int
    number: int
    state: str
    due: int | None
    changed: int
    purpose: str = "document"
    content: bool = True
    waits_for: str | None = None
    needs: bool = False
    receipt: str = "none"
    reason: str | None = None
    fence: int = 0
    attempts: int = 0
    lease: int | None = None
    until: int | None = None
    wire: list[str] = field(default_factory=list)

    @property
    def account(self) -> str:
        """Whose it is."""
        return self.paper.account

    @property
    def waits(self) -> bool:
        """Whether it waits for another one's outcome."""
        return self.waits_for is not None and self.state in {"prepared", "retry"} and self.due is None

    @property
    def proven(self) -> bool:
        """Whether the other side said something, so that the bytes arrived."""
        return self.receipt not in {"none", "overdue"}

    @property
    def may_have_arrived(self) -> bool:
        """Whether bytes left and nobody proved that they were not taken."""
        return bool(self.wire) and self.wire[-1] in {"left", "unknown", "arrived"}


class World:
    """Every delivery of a store and what keeps them back."""

    def __init__(self) -> None:
        self.now = 0
        self.all: dict[str, Sending] = {}
        self.papers: dict[str, Paper] = {}
        self.paused: set[tuple[str, str]] = set()
        self.stops: dict[tuple[str, str], str] = {}
        self.opposed: set[tuple[str, str, str]] = set()
        self.pairs: dict[tuple[str, str, str], str] = {}

    def of(self, paper: Paper) -> list[Sending]:
        """The deliveries of a document."""
        return [one for one in self.all.values() if one.paper is paper]

    # ----------------------------------------------------------------------------------- what keeps one back

    def stop(self, one: Sending) -> str | None:
        """Why the patient's documents stay; what takes a document back always goes."""
        return self.stops.get((one.account, one.paper.patient)) if one.purpose == "document" else None

    def objected(self, one: Sending) -> bool:
        """Whether the patient objects to where it goes; what changes a document in the DMP is no delivery of it."""
        if one.purpose != "document" or (one.destination == "dmp" and one.role != "dmp"):
            return False
        targets = {target for account, patient, target in self.opposed if (account, patient) == _whose(one)}
        return one.destination in targets or one.box in targets

    def pair(self, one: Sending) -> str | None:
        """Why nothing goes from this patient to this mailbox."""
        return None if one.box is None else self.pairs.get((*_whose(one), one.box))

    def lane_stopped(self, account: str, channel: str) -> bool:
        """Whether a pause covers a channel of an account."""
        return bool({(account, channel), (account, "*"), ("*", "*"), ("*", channel)} & self.paused)

    def obsolete(self, one: Sending) -> bool:
        """Whether a corrected version went in its place: it must not go after that one."""
        if not one.paper.replaced or one.purpose != "document":
            return False
        later = [w for w in self.all.values() if w.waits_for == one.id and w.purpose == "document"]
        return not any(w.state == "held" or w.waits or (w.needs and w.state in {"dead", "impossible"}) for w in later)

    # ------------------------------------------------------------------------------------------------ moving

    def add(self, one: Sending, *, held: str | None = None) -> None:
        """A new delivery, as it is accepted: stopped, objected to, held for a doubt, or waiting for another."""
        self.all[one.id] = one
        held = self.stop(one) or held or self.pair(one)
        if held and one.state == "prepared":
            one.state, one.due, one.reason = "held", None, held
        if one.state != "impossible" and self.objected(one):
            one.state, one.due, one.reason = "impossible", None, "DST-OPPOSITION"
        before = None if one.waits_for is None else self.all[one.waits_for]
        if one.state == "prepared" and before is not None and before.state in UNSETTLED:
            one.due = None

    def go(
        self, one: Sending, state: str, *, due: int | None = None, reason: str | None = None, back: bool = False
    ) -> None:
        """Put a delivery in a state, and do what follows from it. `back`: the engine made it wait again by itself."""
        before = one.state
        one.state, one.due, one.changed, one.lease, one.reason = state, due, self.now, None, reason
        if state in {"handed_over", "superseded", "cancelled"}:
            one.until = None
        if before in UNSETTLED and one.proven and state in STOPPABLE:  # a receipt is there: nothing goes twice
            self.go(one, "sent", reason="ENG-RECEIPT")
            return
        if state == "sent":
            one.wire.append("arrived")
        if back and state in {"prepared", "retry"} and (why := self.pair(one)):
            self.go(one, "held", reason=why)
        self._those_that_wait(one)
        self._keep_back(one)
        self._taken_back(one)

    def _keep_back(self, one: Sending) -> None:
        stop = self.stop(one)
        if stop and one.state in {"prepared", "retry"}:
            self.go(one, "held", reason=stop)
        elif not stop and self.objected(one) and one.state in {"prepared", "retry"}:
            self.go(one, "impossible", reason="DST-OPPOSITION")

    def _those_that_wait(self, one: Sending) -> None:
        """A corrected version goes once the outcome of the earlier one is known, in its place if that can be."""
        if one.state in UNSETTLED:
            return
        for later in [w for w in self.all.values() if w.waits_for == one.id and w.purpose == "document"]:
            if not later.waits:
                continue
            if one.state == "sent" or (not later.needs and one.state in OVER):
                self.go(later, "prepared", due=self.now, back=True)
            elif not later.needs:
                self.go(one, "superseded", reason="ENG-REPLACED")
            elif one.state in OVER:
                self.go(later, "held", reason="ENG-NO-PREDECESSOR")

    def due_again(self, one: Sending, state: str) -> None:
        """A person lets it go: now, or after the earlier version whose outcome nobody knows."""
        before = None if one.waits_for is None else self.all[one.waits_for]
        wait = before is not None and (before.state in UNSETTLED or (one.needs and before.state in UNSENT))
        if before is not None and not wait and not one.needs and before.state in UNSENT and one.purpose == "document":
            self.go(before, "superseded", reason="ENG-REPLACED")
        self.go(one, state, due=None if wait else self.now)

    def _taken_back(self, one: Sending) -> None:
        """A delivery of a withdrawn document moved: it stops, and what waited for its outcome goes or is needless."""
        if not one.paper.withdrawn:
            return
        if one.purpose == "document" and one.state not in FLYING:
            for later in [w for w in self.all.values() if w.waits_for == one.id and w.purpose != "document"]:
                if not later.waits:
                    continue
                if later.needs and one.state not in {"sent", "in_doubt", "handed_over"}:
                    self.go(later, "cancelled", reason="ENG-NOT-RECEIVED")
                else:
                    late = 30_000 if one.state == "in_doubt" and later.purpose == "deletion" else 0
                    self.go(later, "prepared", due=self.now + late, back=True)
            if one.state in STOPPABLE:
                self.go(one, "cancelled", reason="ENG-WITHDRAWN")
        self.look_for_the_end(one.paper)

    def look_for_the_end(self, paper: Paper) -> None:
        """A withdrawal ends once everything that it asked for is confirmed."""
        paper.ended = paper.ended or (paper.withdrawn and not any(map(_open, self.of(paper))))

    # ---------------------------------------------------------------------------------------------- receipts

    def receive(self, one: Sending, receipt: str) -> bool:
        """Whether a receipt changes anything, having done so."""
        moves, proves = receipt in LATER[one.receipt], one.state in STOPPABLE
        if moves:
            one.receipt = receipt
        if proves:
            self.go(one, "sent", reason="ENG-RECEIPT")
        if moves and not (receipt == "delivered" and one.priority == 2):  # an urgent one has to be read in time
            one.until = None
        return moves or proves

    def overdue(self) -> set[str]:
        """Receipts whose time is over, each once."""
        late = [one for one in self.all.values() if one.until is not None and one.until <= self.now]
        told = {one.id for one in late if one.receipt in {"awaited", "delivered"}}
        for one in late:
            one.until = None
            one.receipt = "overdue" if one.id in told else one.receipt
        return told

    # ------------------------------------------------------------------------------------------------- wire

    def leave(self, one: Sending) -> None:
        """Bytes leave: nothing may stand against it, and nobody may have them already."""
        assert not one.may_have_arrived, f"{one.id} leaves a second time: {one.wire}"
        assert self.stop(one) is None, "a stopped patient's document leaves"
        assert not self.objected(one), "a document leaves for where its patient objects to"
        assert not one.paper.erased, "what was erased leaves"
        before = None if one.waits_for is None else self.all[one.waits_for]
        assert before is None or before.state not in UNSETTLED, "a correction overtakes the earlier version"
        later = [w for w in self.all.values() if w.waits_for == one.id and w.purpose == "document"]
        assert not any("left" in w.wire for w in later), "the earlier version comes after its correction"
        one.state, one.changed = "transmitting", self.now
        one.wire.append("left")


def _whose(one: Sending) -> tuple[str, str]:
    return one.account, one.paper.patient


def _open(one: Sending) -> bool:
    if one.purpose == "document":
        return one.state in UNSENT | UNSETTLED
    return one.state not in {"sent", "handed_over", "cancelled", "superseded"} or (
        one.state == "sent" and one.receipt == "refused"
    )
