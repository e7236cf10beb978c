"""Several documents, or several ended attempts, in one transaction: the same records and states as one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.verify import verify_store
from gateway.clock import FrozenClock
from gateway.errors import ConflictError
from gateway.store.base import Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Receipt, Transport
from tests.unit.store import kit

SENT = Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", reference="4F2A", receipt=Receipt.AWAITED)
FAILED = Result(Event.FAILED, Transport.RETRY, "transient", "MSS-451", due_in=30)


def requests(*names: str) -> list[Any]:
    accounts = ("cabinet", "autre")
    return [kit.request(name, account=accounts[number % 2]) for number, name in enumerate(names)]


def story(store: Outbox) -> list[tuple[int, dict[str, Any]]]:
    """Every record, but for what is drawn at random."""
    names: dict[str, int] = {}
    found = []
    for entry in store.snapshot().records():
        record = json.loads(entry.record)
        for key in ("delivery", "document", "epoch"):
            if key in record:
                record[key] = names.setdefault(record[key], len(names))
        found.append((entry.shard, record))
    return found


def test_a_batch_says_the_same_as_one_by_one(tmp_path: Path, clock: FrozenClock) -> None:
    both = [kit.open_store(tmp_path / name, clock, seed="same") for name in ("singly", "batch")]
    singly, batch = both
    for request in requests("a", "b", "c"):
        singly.accept(request)
    batch.accept_many(requests("a", "b", "c"))
    clock.advance(1)
    for account in ("cabinet", "autre"):
        one = singly.claim(kit.wanted(account=account))
        many = batch.claim(kit.wanted(account=account))
        results = [SENT if number % 2 else FAILED for number in range(len(one))]
        kept = [singly.record(claim, result) for claim, result in zip(one, results, strict=True)]
        assert batch.record_many(list(zip(many, results, strict=True))) == kept
    left, right = ([record for _, record in sorted(story(store), key=str)] for store in both)
    assert len(left) == len(right)
    assert {record["event"] for record in left} == {record["event"] for record in right}
    columns = [
        sorted((r.destination, r.state, r.receipt, str(r.awaited_until), r.attempts) for r in s.deliveries())
        for s in both
    ]
    assert columns[0] == columns[1]
    for store in both:
        assert verify_store(store).ok
        store.close()


def test_a_batch_is_all_or_nothing(store: Outbox) -> None:
    store.accept(kit.request("a"))
    spoilt = kit.request("a", content_sha256="0" * 64)
    with pytest.raises(ConflictError, match="DOC-409"):
        store.accept_many([kit.request("b"), spoilt])
    assert len(store.deliveries()) == 2


def test_a_document_that_comes_twice_in_a_batch_is_taken_once(store: Outbox) -> None:
    first, second = store.accept_many([kit.request("a"), kit.request("a")])
    assert first.created
    assert not second.created
    assert first.delivery_ids == second.delivery_ids
    assert store.accept_many([]) == []


def test_a_late_result_in_a_batch_changes_nothing(store: Outbox) -> None:
    store.accept(kit.request("a", kit.mail(), kit.mail("second")))
    claims = store.claim(kit.wanted())
    store.recover(owner_gone=True)
    [again] = store.claim(kit.wanted(limit=1))
    kept = store.record_many([(claim, SENT) for claim in claims])
    assert sum(kept) == 0
    assert store.record_many([(again, SENT)]) == [True]
    assert store.record_many([]) == []
    assert verify_store(store).ok


def test_what_hangs_on_a_result_follows_in_a_batch_too(store: Outbox) -> None:
    """A corrected version that waited goes once the earlier one was taken."""
    former = store.accept(kit.request("a", kit.mail()))
    [claim] = store.claim(kit.wanted())
    store.mark_transmitting(claim)
    new = kit.mail(waits_for=former.delivery_ids[0])
    later = store.accept(kit.request("b", new, patient=kit.request("a").patient, replaces=former.document_id))
    assert store.delivery(later.delivery_ids[0]).row.due_at is None
    assert store.record_many([(claim, SENT)]) == [True]
    assert store.delivery(later.delivery_ids[0]).row.due_at is not None
    assert verify_store(store).ok


def test_several_leave_in_one_transaction_and_who_may_not_is_told_alone(store: Outbox, clock: FrozenClock) -> None:
    for name in ("a", "b", "c", "d"):
        store.accept(kit.request(name, kit.mail()))
    late, *others = store.claim(kit.wanted(lease=60))
    clock.advance(59)
    kept = [store.renew(claim, 60) for claim in others]
    clock.advance(1)
    store.recover()
    store.claim(kit.wanted(limit=1, worker="w2"))
    stopped = store.document(kept[0].document_id)
    patient = next(kit.request(name).patient for name in "abcd" if _is_of(store, name, stopped.id))
    store.stop_patient(["cabinet"], patient, reason="TSI-STOP-1", by="Dr Test")
    told = store.mark_many([late, *kept])
    assert [None if fault is None else fault.code for fault in told] == ["LEA-001", "LEA-003", None, None]
    states = [store.delivery(claim.delivery_id).row.state for claim in (late, *kept)]
    assert states == ["sending", "sending", "transmitting", "transmitting"]
    again = store.mark_many([kept[1]])
    assert [fault.code for fault in again if fault is not None] == ["LEA-002"], "a second time nothing may leave"
    assert store.mark_many([]) == []
    assert verify_store(store).ok


def _is_of(store: Outbox, name: str, document: str) -> bool:
    request = kit.request(name)
    known = store.known(request.account, request.key, request.content_sha256)
    return known is not None and known.document_id == document


def test_what_a_batch_accepts_is_seen_by_its_next_documents(store: Outbox) -> None:
    """A likely repeat is one whether its predecessor came in the same batch or in an earlier one."""
    first, repeat, other = store.accept_many(
        [kit.request("a"), kit.request("b", patient=kit.request("a").patient), kit.request("c")]
    )
    assert (first.repeat_of, repeat.repeat_of, other.repeat_of) == (None, first.document_id, None)
    assert {store.delivery(one).row.state for one in repeat.delivery_ids} == {Transport.HELD}


def test_one_damaged_payload_does_not_stop_the_batch(store: Outbox) -> None:
    for name in ("a", "b", "c"):
        store.accept(kit.request(name, kit.mail()))
    spoilt = store.deliveries()[1]
    kit.sql(store, "UPDATE delivery SET manifest = ? WHERE id = ?", [b"\0" * 40, spoilt.id])
    claims = store.claim(kit.wanted())
    assert spoilt.id not in {claim.delivery_id for claim in claims}
    assert len(claims) == 2
    assert store.delivery(spoilt.id).row.state == Transport.DEAD
    assert all(claim.parts for claim in claims)
