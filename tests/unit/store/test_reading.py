from __future__ import annotations

from datetime import timedelta

from gateway.clock import FrozenClock
from gateway.store.base import Filter, Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Transport
from tests.unit.store import kit


def test_listing_and_filters(store: Outbox, clock: FrozenClock) -> None:
    first = store.accept(kit.request("a"))
    clock.advance(60)
    second = store.accept(kit.request("b", kit.mail(), account="autre"))
    assert [row.id for row in store.deliveries()] == [*second.delivery_ids, *reversed(first.delivery_ids)]
    assert [row.id for row in store.deliveries(Filter(account="autre"))] == list(second.delivery_ids)
    assert len(store.deliveries(Filter(destination="dmp"))) == 1
    assert len(store.deliveries(Filter(since=clock.now()))) == 1
    assert len(store.deliveries(Filter(limit=2))) == 2
    assert store.deliveries(Filter(states=(Transport.SENT, Transport.DEAD))) == []
    assert len(store.deliveries(Filter(states=(Transport.PREPARED,), destination="medecin_traitant"))) == 2


def test_filters_within_one_document(store: Outbox, clock: FrozenClock) -> None:
    accepted = store.accept(kit.request("a"))
    store.accept(kit.request("b"))
    document = accepted.document_id
    assert tuple(row.id for row in store.deliveries(Filter(document_id=document))) == accepted.delivery_ids
    assert len(store.deliveries(Filter(document_id=document, destination="dmp"))) == 1
    assert store.deliveries(Filter(document_id=document, account="autre")) == []
    assert store.deliveries(Filter(document_id=document, since=clock.now() + timedelta(seconds=1))) == []
    assert store.deliveries(Filter(document_id=document, states=(Transport.SENT,))) == []


def test_counts_and_the_oldest(store: Outbox, clock: FrozenClock) -> None:
    start = clock.now()
    for name in "abc":
        store.accept(kit.request(name))
        clock.advance(60)
    [claim] = store.claim(kit.wanted(1, channel="mssante"))
    store.record(claim, Result(Event.REFUSED, Transport.DEAD, "permanent", "MSS-550"))
    found = {(c.channel, c.state): (c.number, c.oldest) for c in store.counts()}
    assert found == {
        ("dmp", Transport.PREPARED): (3, start),
        ("mssante", Transport.PREPARED): (2, start + timedelta(seconds=60)),
    }  # what is at an end is counted no more


def test_what_is_due_next(store: Outbox, clock: FrozenClock) -> None:
    assert store.next_due(["cabinet", "autre"]) is None
    store.accept(kit.request("a", kit.mail()))
    assert store.next_due(["cabinet"]) == clock.now()
    assert store.next_due(["autre"]) is None
    [claim] = store.claim(kit.wanted())
    assert store.next_due(["cabinet"]) is None
    store.record(claim, Result(Event.DOUBT, Transport.IN_DOUBT, "in_doubt", "DMP-LOST", due_in=45))
    assert store.next_due(["cabinet"]) == clock.now() + timedelta(seconds=45)
    store.pause("cabinet", "mssante", by="Anne", reason="x")
    assert store.next_due(["cabinet"]) is None


def test_locks_are_one_for_each_account(store: Outbox, engine: str) -> None:
    if engine == "postgres":  # any number of workers: leases and fences carry it
        assert store.lock_path("a") is None
    else:
        assert store.lock_path("a") != store.lock_path("b")
