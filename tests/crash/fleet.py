"""The processes of a campaign: what each is told, when it dies, and who takes its place."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.crash import crew, errands, papers, steps
from tests.crash.paused import Pauses

if TYPE_CHECKING:
    from tests.crash.campaign import Plan

LIVES = (0.4, 7.0)
"""Seconds that a process without mine lives, at least and at most."""
NEVER = float("inf")
EARLY = ("rotating", "keyring", "traces", "imap.look", "receiving.mark_overdue", "folder.write_p")
"""Steps that come first: a rotation hands over every document that there is, a look reads every mail that came."""
PRELOADED = [
    "tests.crash.crew",
    "tests.crash.errands",
    "tests.crash.warm",
    "gateway.api",
    "gateway.sidecar.daemon",
    "gateway.engine.worker",
    "gateway.engine.ways",
    "gateway.engine.mailboxes",
    "gateway.pipeline",
    "gateway.package.keys",
    "gateway.channels.mssante.channel",
    "gateway.channels.dmp.channel",
    "gateway.store.postgres",
    "gateway.audit.verify",
    "fhir.resources.R4B.bundle",
    "httpx2",
    "psycopg",
    "typst",
]
ROLES: dict[str, Callable[[crew.Orders], None]] = {
    "sidecar": crew.sidecar,
    "worker": crew.worker,
    "submitter": crew.submitter,
    "operator": errands.operator,
}


@dataclass
class Slot:
    """One place in the fleet and the process that holds it now."""

    name: str
    role: str
    config: Path
    process: Any = None
    orders: crew.Orders | None = None
    started: float = 0.0
    dies_at: float = NEVER
    wakes_at: float = NEVER
    hit: bool = False
    """Whether we killed it ourselves."""

    def strike(self) -> None:
        """`kill -9`."""
        self.hit = True
        self.tell(signal.SIGKILL)

    def tell(self, number: int) -> None:
        """Send a signal; a process that died this very moment hears nothing."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)


def _turn(step: str) -> int:
    return next(place for place, name in enumerate(steps.FOUNDING) if step.startswith(name))


def roles_of(step: str) -> tuple[str, ...]:
    """Who comes to a step."""
    site = step.rpartition(".")[0]
    if site in errands.ERRANDS:
        return ("operator",)
    if step.startswith("folder."):
        return ("sidecar",)
    if step.startswith("accepting."):
        return ("submitter", "sidecar")
    return ("worker", "sidecar")


@dataclass
class Fleet:
    """Keeps every place taken. `alone`: SQLite, where one worker at a time serves an account."""

    folder: Path
    configs: dict[str, Path]
    plan: Plan
    chance: random.Random
    alone: bool
    until: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    by_process: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    turned_away: int = 0
    calmed: bool = False

    def __post_init__(self) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(PRELOADED)
        one = self.configs
        places = ("folders", "third", "fourth") if self.alone else ("all", "all", "all")
        self.slots = [
            Slot("sidecar", "sidecar", one[places[0]]),
            Slot("worker-1", "worker", one[places[1]]),
            Slot("worker-2", "worker", one[places[2]]),
            Slot("submitter", "submitter", one["all"]),
            Slot("operator", "operator", one["all"]),
        ]
        self.pauses = Pauses(self.folder, self.plan.pauses)
        self._found()

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return sum(self.killed.values())

    @property
    def lacking(self) -> list[str]:
        """Steps that were not killed at often enough."""
        return [step for step in self.plan.steps if self.killed[step] < self._wanted(step)]

    def _wanted(self, step: str) -> int:
        return 1 if step.startswith(steps.FOUNDING) else self.plan.at_each

    @property
    def satisfied(self) -> bool:
        """Whether everything planned was done."""
        return self.kills >= self.plan.kills and not self.lacking and self.pauses.enough

    def turn(self, share: float) -> None:
        """Look at every process once. `share` of the documents, or of the time, is over: kills keep step with it."""
        ahead = self.kills > self.plan.kills * share + 5 and share < 1
        for slot in self.slots:
            if slot.process is None:
                self._start(slot)
            elif slot.process.exitcode is not None:
                self._ended(slot)
            else:
                self._watch(slot, ahead)

    def _watch(self, slot: Slot, ahead: bool) -> None:
        now = time.monotonic()
        assert slot.orders is not None
        if slot.orders.stops:
            if slot.wakes_at == NEVER and stopped(slot.process.pid):
                slot.wakes_at = now + papers.LEASE + self.chance.uniform(0.2, 1.0)
            elif now > slot.wakes_at:
                slot.tell(signal.SIGCONT)
                slot.wakes_at, slot.dies_at = NEVER, now + 3.0
                slot.orders = crew.Orders(self.folder, slot.config, slot.name)
        elif now > slot.dies_at and not slot.hit and not ahead and not self.calmed:
            slot.strike()

    def _ended(self, slot: Slot) -> None:
        code, orders = slot.process.exitcode, slot.orders
        assert orders is not None
        slot.process.join()
        if code == -signal.SIGKILL:
            self.killed["random" if slot.hit else orders.step] += 1
            self.by_process[slot.role] += 1
            self.missed[orders.step] += slot.hit
        elif code == crew.REFUSED:
            self.turned_away += 1
            time.sleep(0.05)
        elif code != 0:
            self.faults.append(f"{slot.name} ended with {code}, see {orders.log}")
        idle = code == 0 and slot.role in {"submitter", "operator"}
        slot.process = None
        slot.started = time.monotonic() + (1.0 if idle else 0.0)

    def _start(self, slot: Slot) -> None:
        if time.monotonic() < slot.started or (self.calmed and slot.role == "operator"):
            return
        step, stops = self._mine_for(slot)
        rare = step.startswith(steps.RARE) or self.missed[step] or self.plan.at_each == 1
        count = 1 if rare else self.chance.randint(1, 3)
        orders = crew.Orders(self.folder, slot.config, slot.name, step, count, stops, self.until)
        slot.process = self.context.Process(target=ROLES[slot.role], args=(orders,))
        slot.process.start()
        slot.orders, slot.hit, slot.wakes_at = orders, False, NEVER
        slot.started = time.monotonic()
        # A step that was not come to in time gets more of it the next time: a busy machine is no fault of the step.
        life = self.plan.patience * (1 + self.missed[step]) if step else self.chance.uniform(*LIVES)
        slot.dies_at = NEVER if self.calmed else slot.started + life

    def _mine_for(self, slot: Slot) -> tuple[str, bool]:
        """The step at which the next process of this place dies or stops; "" for a random instant."""
        if self.calmed:
            return "", False
        if slot.role == "worker" and not self.pauses.enough and self.chance.random() < 0.25:
            return self.pauses.next(self.chance), True
        mined = {other.orders.step for other in self.slots if other.process is not None and other.orders is not None}
        wanted = [step for step in self.lacking if slot.role in roles_of(step) and step not in mined]
        wanted = [step for step in wanted if not step.startswith(steps.FOUNDING)]
        if wanted and (slot.role == "operator" or self.chance.random() < 0.6):
            early = [step for step in wanted if step.startswith(EARLY)]
            return self.chance.choice(early or wanted), False
        return "", False

    def _found(self) -> None:
        """Kill at what happens once in a store's life: its keys and its first record."""
        once = [step for step in self.plan.steps if step.startswith(steps.FOUNDING)]
        for step in sorted(once, key=_turn):  # the keys come first
            orders = crew.Orders(self.folder, self.configs["all"], "founder", step)
            process = self.context.Process(target=crew.founder, args=(orders,))
            process.start()
            process.join(60)
            if process.exitcode == -signal.SIGKILL:
                self.killed[step] += 1
                self.by_process["founder"] += 1

    def calm(self, until: int) -> None:
        """Let every process end in its own time, and start others that nobody disturbs."""
        self.calmed, self.until = True, until
        for slot in self.slots:
            if slot.process is not None and slot.process.exitcode is None:
                slot.tell(signal.SIGCONT)
                assert slot.orders is not None
                if slot.orders.step or slot.orders.stops or slot.role == "operator":
                    slot.strike()
                slot.dies_at = NEVER

    def end(self) -> None:
        """Stop them as a service manager does; what does not stop in a minute is a fault."""
        for slot in self.slots:
            if slot.process is not None and slot.process.exitcode is None:
                slot.tell(signal.SIGTERM)
        for slot in self.slots:
            if slot.process is not None:
                slot.process.join(60)
                if slot.process.exitcode is None:
                    self.faults.append(f"{slot.name} did not stop")
                    slot.process.kill()
                    slot.process.join()


def stopped(pid: int) -> bool:
    """Whether the system says that a process is stopped (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False
