"""No path leads from a doubt to a second mail without evidence: random histories, linked deliveries, withdrawals.

The world of test_store.py, with people who readdress whatever `evidence` lets them. Beside it, what physically
arrived is counted anew: a decision to send again does not make the first sending undone.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.audit.verify import verify_store
from gateway.engine import evidence
from gateway.errors import StateError
from gateway.store.base import Claim
from gateway.store.linked import FollowUp, Link, Seen, Withdrawal
from gateway.store.states import FINAL, Event, Receipt, Transport
from tests.property import test_store
from tests.unit.store import kit

STEPS = 1200
WEIGHTS = test_store.WEIGHTS | {"readdress": 6, "withdraw": 2, "come_home": 2}


@dataclass
class LinkedWorld(test_store.World):
    """`arrived`: of each delivery, the fences under which it may have been taken; nothing but the truth empties it."""

    arrived: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    withdrawn: set[str] = field(default_factory=set)
    besides: frozenset[Transport] = frozenset({Transport.CANCELLED})

    def step(self) -> None:
        [name] = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        self.seen[name] += 1
        getattr(self, name)()

    def _transmit(self, claim: Claim) -> None:
        before = len(self.transmitted)
        super()._transmit(claim)
        if len(self.transmitted) > before:
            self.arrived[claim.delivery_id].add(claim.fence)

    def _finish(self, claim: Claim) -> None:
        size = self.store.snapshot().size
        super()._finish(claim)
        records = list(self.store.snapshot().records())[size:]
        for entry in records:
            self._learn(claim, entry.record)

    def _learn(self, claim: Claim, record: str | bytes) -> None:
        """The other side does not lie: an answer that is no acceptance and no doubt says that nothing was taken."""
        told = told_by(record)
        if told.get("delivery") != claim.delivery_id or "verdict" not in told:
            return
        if told["verdict"] in {"accepted", "in_doubt"} or told["event"] == "still_in_doubt":
            return
        if claim.kind == "send":
            self.arrived[claim.delivery_id].discard(claim.fence)
        elif told["event"] != "late_result":
            self.arrived[claim.delivery_id].clear()

    # ------------------------------------------------------------------------------------- what people do

    def readdress(self) -> None:
        """Somebody wants it sent elsewhere; only proof lets it."""
        if not self.maybe_there:
            return
        delivery = self.chance.choice(list(self.maybe_there))
        detail = self.store.delivery(delivery)
        why = evidence.unproven(detail)
        if why is not None:
            self.seen[why] += 1
            return
        action = self.chance.choice(["readdress", "reprepare"])
        link = Link(Seen.of(detail.row), kit.mail("autre"), action, "Anne", "x")  # type: ignore[arg-type]
        if detail.row.document_id in self.withdrawn:
            with pytest.raises(StateError):
                self.store.link(link)
            return
        assert not self.arrived[delivery], "a second mail although the first may have arrived"
        self.maybe_there[self.store.link(link)] = set()
        self.seen["linked"] += 1

    def come_home(self) -> None:
        """A mail that was sent comes back: a report of the operator, or (sometimes) the reader's own software."""
        sent = [
            row for row in self.store.deliveries() if row.state is Transport.SENT and row.receipt is not Receipt.NONE
        ]
        if not sent:
            return
        row = self.chance.choice(sent)
        back = self.chance.random() < 0.7 and row.receipt is Receipt.AWAITED
        code = "MSS-RCPT-5-1-1" if back else "MSS-RCPT-902"
        evidence_sha256 = self.chance.randbytes(32).hex()
        if self.store.record_receipt(row.id, Receipt.REFUSED, evidence_sha256=evidence_sha256, code=code) and back:
            self.arrived[row.id].clear()

    def withdraw(self) -> None:
        """A document is taken back, in whatever state its deliveries are."""
        documents = {row.document_id for row in self.store.deliveries()} - self.withdrawn
        if not documents or self.chance.random() < 0.5:
            return
        document = self.chance.choice(sorted(documents))
        rows = [self.store.delivery(one).row for one in self.store.document(document).delivery_ids]
        ups = [FollowUp(row.id, kit.mail(purpose="retraction"), certain=self._certain(row.id)) for row in rows]
        made = self.store.withdraw(
            Withdrawal((document,), "Anne", "error", "x", tuple(Seen.of(row) for row in rows), tuple(ups))
        )
        self.withdrawn.add(document)
        self.maybe_there |= {one: set() for one in made}
        self.seen["withdrawn"] += 1

    def _certain(self, delivery: str) -> bool:
        return not evidence.may_have_arrived(self.store.delivery(delivery).records)

    # ------------------------------------------------------------------------------------- what always holds

    def check(self) -> None:
        rows = {row.id: row for row in self.store.deliveries()}
        assert rows.keys() == self.maybe_there.keys(), "lost or invented"
        for row in rows.values():
            waits = row.reason == "ENG-AFTER-OUTCOME"
            if row.state in {Transport.PREPARED, Transport.RETRY} and not waits:
                assert row.due_at is not None, "it would wait for ever"
            if row.document_id in self.withdrawn and row.purpose == "document":
                assert row.state not in {Transport.PREPARED, Transport.RETRY, Transport.IN_DOUBT, Transport.HELD}
            if row.succeeded_by is not None:
                assert row.state is Transport.SUPERSEDED
                assert rows[row.succeeded_by].succeeds == row.id
            if row.state in FINAL:
                assert row.due_at is None


def told_by(record: str | bytes) -> dict[str, object]:
    """A journal record."""
    import json

    value: dict[str, object] = json.loads(record)
    return value


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LinkedWorld]:
    seed = int(os.environ.get("KINE_STORE_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
    print(f"KINE_STORE_SEED={seed}")
    made = LinkedWorld(tmp_path, random.Random(seed))
    yield made
    made.store.close()


def test_a_second_mail_only_where_the_first_is_proven_not_to_be_there(world: LinkedWorld) -> None:
    for _ in range(STEPS):
        world.step()
        world.check()
    assert verify_store(world.store).ok
    print(dict(world.seen))
    for name in ("linked", "withdrawn", evidence.IN_DOUBT, evidence.SENT, Event.DOUBT):
        assert world.seen[name], name
