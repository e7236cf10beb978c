"""The ground of the store's state machine: two open stores on one database, the model beside, and what both are told.

The rules are in store_workers.py and store_people.py; the model (store_model.py) knows nothing of the store's code.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256
from itertools import count
from typing import Any, ClassVar

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from gateway.audit.verify import verify_store
from gateway.clock import FrozenClock
from gateway.store.base import AcceptRequest, Claim, DeliveryRow, Filter, PlannedDelivery
from gateway.store.journal import shard_of
from gateway.store.outbox import Outbox
from gateway.store.received import MailKeys
from gateway.store.states import Transport
from tests.property.store_model import ACCOUNTS, Paper, Sending, World
from tests.unit.store import kit

EVERY = Filter(limit=10_000)
BOXES = ("dr.un@example.mssante.fr", "dr.deux@example.mssante.fr")


class Driver(RuleBasedStateMachine):
    """One history. `open` gives a store of its own, `release` takes it back; `steps` counts over all histories."""

    open: ClassVar[Callable[[FrozenClock, int], Outbox]]
    release: ClassVar[Callable[[], None]]
    steps: ClassVar[int] = 0
    met: ClassVar[Counter[str]] = Counter()

    @initialize()
    def begin(self) -> None:
        self.clock = kit.clock()
        self.opened = count()
        self.turns = count()
        self.stores = [self._opened(), self._opened()]
        self.world = World()
        self.everywhere = _one_of_each_shard(self.stores[0].shards)
        self.keys: dict[str, str] = {}
        self.numbers = count()
        self.flown: list[Claim] = []
        for account in ACCOUNTS:
            self.hand_in(account, 0, 1)

    def _opened(self) -> Outbox:
        return type(self).open(self.clock, next(self.opened))

    @property
    def store(self) -> Outbox:
        """Another process's view of the database each time."""
        return self.stores[next(self.turns) % len(self.stores)]

    @property
    def now(self) -> int:
        self.world.now = int(self.clock.at.timestamp() * 1000 + 0.5)
        return self.world.now

    def teardown(self) -> None:
        if not hasattr(self, "stores"):
            return
        rows = self.stores[0].deliveries(EVERY)
        assert {row.id for row in rows} == set(self.world.all)
        for row in rows:
            self._check_told(row)
        self._count()
        report = verify_store(self.stores[0])
        assert report.ok, report.summary
        for store in self.stores:
            store.close()
        type(self).release()

    def _count(self) -> None:
        """What this history was about, for whoever wonders whether the machine reaches anything."""
        world = self.world
        self.met.update(one.state for one in world.all.values())
        self.met.update(one.purpose for one in world.all.values() if one.purpose != "document")
        self.met["followed another"] += sum(one.waits_for is not None for one in world.all.values())
        self.met["withdrawn"] += sum(paper.withdrawn for paper in world.papers.values())
        self.met["erased"] += sum(paper.erased for paper in world.papers.values())
        self.met["sendings"] += sum(one.wire.count("left") for one in world.all.values())

    def _check_told(self, row: DeliveryRow) -> None:
        """The journal's last word on a delivery is what the row says; each departure stands in it."""
        told = [json.loads(record) for record in self.stores[0].delivery(row.id).records]
        assert [one["state"] for one in told if "state" in one][-1] == row.state
        assert sum(one["event"] == "transmit" for one in told) == self.world.all[row.id].wire.count("left")

    @invariant()
    def the_store_is_as_the_model_says(self) -> None:
        if not hasattr(self, "stores"):
            return
        type(self).steps += 1
        for row in self.store.deliveries(EVERY):
            model = self.world.all[row.id]
            due = None if row.due_at is None else int(row.due_at.timestamp() * 1000 + 0.5)
            assert (row.state, row.receipt, row.fence) == (model.state, model.receipt, model.fence), (row, model)
            assert row.attempts == model.attempts
            if model.state in {"prepared", "retry", "in_doubt"}:
                assert due == model.due, (row, model)
            if model.state in {"held", "impossible", "superseded", "cancelled"} and model.reason is not None:
                assert row.reason == model.reason, (row, model)

    # ----------------------------------------------------------------------------------------------- helpers

    def pick(self, number: int, fits: Callable[[Sending], bool]) -> Sending:
        """A delivery, mostly one that fits."""
        everything = list(self.world.all.values())
        found = [one for one in everything if fits(one)] if number % 4 else []
        return (found or everything)[number // 4 % len(found or everything)]

    def evidence(self) -> str:
        """The hash of a mail that nobody sent before."""
        return sha256(str(next(self.numbers)).encode()).hexdigest()

    def planned(self, role: str, box: int, **changes: Any) -> PlannedDelivery:
        """A delivery as the engine plans it: the doctor's mail, the patient's, the DMP's, or one to hand over."""
        if role == "dmp":
            return kit.dmp(**changes)
        if role == "hand":
            manual = {"destination": "hand", "channel": "manual", "state": Transport.HELD, "reason": "DST-HAND"}
            return replace(kit.mail("hand", context=None, parts=()), **manual, **changes)
        number = next(self.numbers)
        keys = MailKeys(
            f"<{number}@kine>", f"env{number}", BOXES[box] if role == "medecin_traitant" else f"{role}@x.fr"
        )
        return replace(kit.mail(role, keys=keys, destination=role), **changes)

    def request(self, paper: Paper, name: str, deliveries: Iterable[PlannedDelivery], **changes: Any) -> AcceptRequest:
        """A document as the engine hands it in."""
        same = {
            "account": paper.account,
            "patient": paper.patient,
            "document_date": date(2026, 1, 1) + timedelta(paper.day),
        }
        return kit.request(name, *deliveries, **same, **changes)

    def hand_in(self, account: str, key: int, priority: int) -> None:
        """Submit a document for the first time or again, or one that looks like another."""
        name = f"{account}-{key}"
        known = name in self.keys
        paper = Paper("", account, f"p{key % 2}", key % 8)
        roles = ("medecin_traitant", "patient", "dmp", *(("hand",) if key % 3 == 0 else ()))
        planned = [self.planned(role, key % 2, priority=priority) for role in roles]
        accepted = self.store.accept(self.request(paper, name, planned))
        assert accepted.created is not known
        assert accepted.document_id == self.keys.setdefault(name, accepted.document_id)
        if known:
            return
        repeat = any(self._like(paper, one) for one in self.world.papers.values())
        assert (accepted.repeat_of is not None) is repeat
        paper.id = accepted.document_id
        for delivery, one in zip(accepted.delivery_ids, planned, strict=True):
            self.add(paper, delivery, one, held="ENG-REPEAT" if repeat else None)

    def _like(self, paper: Paper, other: Paper) -> bool:
        same = (paper.account, paper.patient, paper.day) == (other.account, other.patient, other.day)
        return same and not other.withdrawn

    def add(
        self, paper: Paper, delivery: str, planned: PlannedDelivery, *, held: str | None = None, due: float = 0
    ) -> Sending:
        """Tell the model of a delivery that the store has taken."""
        self.world.papers[paper.id] = paper
        now = self.now
        box = None if planned.keys is None else planned.keys.recipient
        one = Sending(
            delivery,
            paper,
            planned.channel,
            planned.destination,
            planned.role,
            box,
            planned.priority,
            next(self.numbers),
            str(planned.state),
            now + round(due * 1000) if planned.state == "prepared" else None,
            now,
            planned.purpose,
            planned.context is not None,
            planned.waits_for,
            planned.needs_it,
            reason=planned.reason,
        )
        self.world.add(one, held=held)
        return one


def _one_of_each_shard(shards: int) -> list[str]:
    """Names of accounts that are journalled in different shards, together in all of them."""
    found: dict[int, str] = {}
    for number in count():
        if len(found) == shards:
            return list(found.values())
        found.setdefault(shard_of(f"poste-{number}", shards), f"poste-{number}")
    raise AssertionError
