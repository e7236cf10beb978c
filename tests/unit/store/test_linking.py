"""One delivery in the place of another, and documents withdrawn: all or nothing, both ends linked, all journalled."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.audit.verify import verify_store
from gateway.clock import FrozenClock
from gateway.errors import ConflictError, InputError, StateError
from gateway.store.base import Accepted, Blob, PlannedDelivery, Result
from gateway.store.linked import FollowUp, Link, LinkAction, Seen, Withdrawal
from gateway.store.outbox import Outbox
from gateway.store.states import TRANSITIONS, Event, Receipt, Transport
from tests.unit.store import kit
from tests.unit.store.test_operating import put

REFUSED = Result(Event.REFUSED, Transport.DEAD, "permanent", "MSS-550-5.1.1")
TAKEN = Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250")
FAILED = Result(Event.FAILED, Transport.RETRY, "transient", "MSS-451", due_in=30)
DOUBT = Result(Event.DOUBT, Transport.IN_DOUBT, "in_doubt", "MSS-DOUBT-LOST")


def row(store: Outbox, delivery: str) -> Any:
    return store.delivery(delivery).row


def seen(store: Outbox, delivery: str) -> Seen:
    return Seen.of(row(store, delivery))


def link(store: Outbox, delivery: str, action: LinkAction = "readdress", **changes: Any) -> Link:
    made = Link(seen(store, delivery), kit.mail("autre"), action, "Anne", f"boîte de {kit.SECRET} fermée")
    return replace(made, **changes)


def attempt(store: Outbox, delivery: str, result: Result) -> None:
    lane = {"account": "cabinet", "channel": row(store, delivery).channel}
    [claim] = store.claim(kit.wanted(**lane))
    assert claim.delivery_id == delivery
    store.mark_transmitting(claim)
    assert store.record(claim, result)


def retraction(**changes: Any) -> PlannedDelivery:
    message = Blob("message", "message/rfc822", b"Subject: [Annulation]\r\n")
    return kit.mail(parts=(message,), purpose="retraction", **changes)


def withdrawal(store: Outbox, accepted: Accepted, *follow_ups: FollowUp, **changes: Any) -> Withdrawal:
    looked = tuple(seen(store, one) for one in accepted.delivery_ids)
    made = Withdrawal((accepted.document_id,), "Anne", "wrong_patient", f"pas {kit.SECRET}", looked, follow_ups)
    return replace(made, **changes)


def test_the_new_one_takes_the_place_and_both_know_it(store: Outbox) -> None:
    old = store.accept(kit.request("a", kit.mail())).delivery_ids[0]
    attempt(store, old, REFUSED)
    new = store.link(link(store, old))
    first, second = row(store, old), row(store, new)
    assert (first.state, first.reason, first.actor) == (Transport.SUPERSEDED, "ENG-READDRESSED", "Anne")
    assert (first.succeeded_by, second.succeeds, second.succeeded_by) == (new, old, None)
    assert (second.state, second.document_id, second.purpose) == (Transport.PREPARED, first.document_id, "document")
    assert store.document(first.document_id).delivery_ids == (old, new)
    [claim] = store.claim(kit.wanted())
    assert (claim.delivery_id, [part.data for part in claim.parts]) == (new, [kit.mail("autre").parts[0].data])
    records = [json.loads(one) for one in (*store.delivery(old).records, *store.delivery(new).records)]
    assert {(one["event"], one.get("succeeds"), one.get("succeeded_by")) for one in records} >= {
        ("taken_over", None, new),
        ("accepted", old, None),
    }
    assert kit.SECRET not in json.dumps(records)
    assert [note.text for note in store.delivery(old).notes] == [f"boîte de {kit.SECRET} fermée"]
    assert verify_store(store).ok


@pytest.mark.parametrize("state", list(Transport))
def test_only_from_what_was_not_accepted(store: Outbox, state: Transport) -> None:
    delivery = put(store, state)
    if state in set(TRANSITIONS[Event.TAKEN_OVER][0]) - {Transport.SENT}:
        assert row(store, store.link(link(store, delivery))).state is Transport.PREPARED
        return
    size = store.snapshot().size
    with pytest.raises(StateError, match="DLV-001"):
        store.link(link(store, delivery))
    assert (row(store, delivery).state, store.snapshot().size) == (state, size)
    assert len(store.deliveries()) == 1


@pytest.mark.parametrize("receipt", list(Receipt))
def test_what_was_sent_only_once_it_was_refused(store: Outbox, receipt: Receipt) -> None:
    delivery = put(store, Transport.SENT, receipt=receipt)
    if receipt is Receipt.REFUSED:
        store.link(link(store, delivery))
        assert row(store, delivery).receipt is Receipt.REFUSED
        return
    with pytest.raises(StateError, match="DLV-001"):
        store.link(link(store, delivery))


def test_a_late_receipt_still_finds_the_old_one(store: Outbox) -> None:
    delivery = put(store, Transport.SENT, receipt=Receipt.REFUSED)
    new = store.link(link(store, delivery))
    assert store.record_receipt(delivery, Receipt.PROCESSED, evidence_sha256="ab" * 32)
    assert (row(store, delivery).state, row(store, delivery).receipt) == (Transport.SUPERSEDED, Receipt.PROCESSED)
    assert (row(store, new).state, row(store, new).receipt) == (Transport.PREPARED, Receipt.NONE)


def test_nothing_is_linked_to_what_moved_meanwhile(store: Outbox) -> None:
    old = store.accept(kit.request("a", kit.mail())).delivery_ids[0]
    stale = link(store, old)
    attempt(store, old, FAILED)
    with pytest.raises(ConflictError, match="LNK-001"):
        store.link(stale)
    assert len(store.deliveries()) == 1


def test_twice_is_refused(store: Outbox) -> None:
    old = put(store, Transport.DEAD)
    store.link(link(store, old))
    with pytest.raises(StateError, match="DLV-001"):
        store.link(link(store, old))


@pytest.mark.parametrize(("by", "reason"), [("", "x"), ("Anne", " ")])
def test_who_and_why_are_wanted(store: Outbox, by: str, reason: str) -> None:
    old = put(store, Transport.DEAD)
    with pytest.raises(InputError):
        store.link(link(store, old, by=by, reason=reason))
    asked = Withdrawal((row(store, old).document_id,), by, "error", reason, (seen(store, old),), ())
    with pytest.raises(InputError):
        store.withdraw(asked)


def test_what_waited_for_the_old_one_waits_for_the_new_one(store: Outbox, clock: FrozenClock) -> None:
    """The DMP replaces only what it holds: a correction waits for the feed that is packed anew."""
    first = store.accept(kit.request("a", kit.dmp()))
    [claim] = store.claim(kit.wanted())
    store.mark_transmitting(claim)
    follows = kit.dmp(waits_for=first.delivery_ids[0], needs_it=True)
    second = store.accept(kit.request("b", follows, patient=f"a|{kit.SECRET}", replaces=first.document_id))
    assert store.record(claim, FAILED)
    new = store.link(link(store, first.delivery_ids[0], "reprepare", planned=kit.dmp()))
    assert row(store, first.delivery_ids[0]).reason == "ENG-REPREPARED"
    waiting = second.delivery_ids[0]
    assert (row(store, waiting).state, row(store, waiting).reason) == (Transport.PREPARED, "ENG-AFTER")
    attempt(store, new, TAKEN)
    assert [one.delivery_id for one in store.claim(kit.wanted())] == [waiting]


# ------------------------------------------------------------------------------------------------ withdrawals


def test_what_never_left_is_cancelled_and_that_is_the_end(store: Outbox) -> None:
    accepted = store.accept(kit.request("a"))
    assert store.withdraw(withdrawal(store, accepted)) == ()
    assert {row(store, one).state for one in accepted.delivery_ids} == {Transport.CANCELLED}
    withdrawn = store.document(accepted.document_id).withdrawn
    assert withdrawn is not None
    assert (withdrawn.by, withdrawn.reason, withdrawn.ended_at) == ("Anne", "wrong_patient", withdrawn.at)
    events = [json.loads(entry.record)["event"] for entry in store.snapshot().records()]
    assert events[-4:] == ["document_withdrawn", "cancel", "cancel", "withdrawal_ended"]
    assert store.claim(kit.wanted()) == []
    assert verify_store(store).ok
    with pytest.raises(StateError, match="WDR-001"):
        store.withdraw(withdrawal(store, accepted))


def test_it_ends_when_each_follow_up_is_confirmed(store: Outbox, clock: FrozenClock) -> None:
    accepted = store.accept(kit.request("a", kit.mail(), kit.dmp()))
    for one in accepted.delivery_ids:
        attempt(store, one, TAKEN)
    mail, dmp = accepted.delivery_ids
    ups = FollowUp(mail, retraction()), FollowUp(dmp, kit.dmp(purpose="deletion"))
    back, deletion = store.withdraw(withdrawal(store, accepted, *ups))
    assert {row(store, one).state for one in accepted.delivery_ids} == {Transport.SENT}
    clock.advance(1)
    _finish(store, {back: TAKEN, deletion: FAILED})
    assert _ended(store, accepted) is False
    clock.advance(60)
    _finish(store, {deletion: TAKEN})
    assert _ended(store, accepted) is True


def _finish(store: Outbox, results: dict[str, Result]) -> None:
    claims = store.claim(kit.wanted())
    assert {one.delivery_id for one in claims} == set(results)
    for claim in claims:
        store.mark_transmitting(claim)
        store.record(claim, results[claim.delivery_id])


def _ended(store: Outbox, accepted: Accepted) -> bool:
    withdrawn = store.document(accepted.document_id).withdrawn
    assert withdrawn is not None
    return withdrawn.ended_at is not None


@pytest.mark.parametrize(
    ("result", "old", "certain", "then"),
    [
        (TAKEN, "sent", True, "prepared"),
        (DOUBT, "cancelled", True, "prepared"),
        (FAILED, "cancelled", True, "cancelled"),
        (REFUSED, "cancelled", True, "cancelled"),
        # An earlier attempt may have arrived: that this one failed proves nothing about it.
        (FAILED, "cancelled", False, "prepared"),
    ],
)
def test_what_is_under_way_is_awaited(store: Outbox, result: Result, old: str, certain: bool, then: str) -> None:
    accepted = store.accept(kit.request("a", kit.mail()))
    [claim] = store.claim(kit.wanted())
    store.mark_transmitting(claim)
    [back] = store.withdraw(
        withdrawal(store, accepted, FollowUp(accepted.delivery_ids[0], retraction(), certain=certain))
    )
    assert (row(store, back).state, row(store, back).reason) == (Transport.PREPARED, "ENG-AFTER-OUTCOME")
    assert store.claim(kit.wanted()) == []
    assert _ended(store, accepted) is False
    assert store.record(claim, result)
    assert (row(store, accepted.delivery_ids[0]).state, row(store, back).state) == (old, then)
    assert [one.delivery_id for one in store.claim(kit.wanted())] == ([back] if then == "prepared" else [])
    assert _ended(store, accepted) is (then == "cancelled")


def test_a_worker_that_died_over_a_withdrawn_document(store: Outbox, clock: FrozenClock) -> None:
    accepted = store.accept(kit.request("a", kit.dmp()))
    [claim] = store.claim(kit.wanted())
    store.mark_transmitting(claim)
    up = FollowUp(accepted.delivery_ids[0], kit.dmp(purpose="deletion"), certain=True)
    [deletion] = store.withdraw(withdrawal(store, accepted, up))
    clock.advance(120)
    store.recover()
    assert row(store, accepted.delivery_ids[0]).state is Transport.CANCELLED
    assert store.claim(kit.wanted()) == []  # the DMP may still be at work on what it got
    clock.advance(30)
    assert [one.delivery_id for one in store.claim(kit.wanted())] == [deletion]


@pytest.mark.parametrize("action", ["retry", "release", "hold", "handed"])
def test_a_withdrawn_document_goes_nowhere(store: Outbox, action: str) -> None:
    delivery = put(store, Transport.IMPOSSIBLE)
    held = put(store, Transport.SENT, name="b")
    for one in (delivery, held):
        document = row(store, one).document_id
        store.withdraw(Withdrawal((document,), "Anne", "error", "x", (seen(store, one),), ()))
        with pytest.raises(StateError, match=r"WDR-001|DLV-001"):
            store.act(one, action, by="Anne", reason="x", means="courrier")  # type: ignore[arg-type]
    with pytest.raises(StateError, match="WDR-001"):
        store.link(link(store, delivery))


def test_a_retraction_is_not_simply_given_up(store: Outbox) -> None:
    accepted = store.accept(kit.request("a", kit.mail()))
    attempt(store, accepted.delivery_ids[0], TAKEN)
    [back] = store.withdraw(withdrawal(store, accepted, FollowUp(accepted.delivery_ids[0], retraction())))
    with pytest.raises(StateError, match="WDR-002"):
        store.act(back, "cancel", by="Anne", reason="x")
    attempt(store, back, REFUSED)
    assert _ended(store, accepted) is False
    store.act(back, "handed", by="Anne", reason="prévenu de vive voix", means="telephone")
    assert _ended(store, accepted) is True


def test_a_bounced_retraction_keeps_the_withdrawal_open(store: Outbox) -> None:
    accepted = store.accept(kit.request("a", kit.mail(), kit.dmp()))
    mail, dmp = accepted.delivery_ids
    attempt(store, mail, TAKEN)
    store.claim(kit.wanted())  # the feed is under way
    recall = PlannedDelivery("patient", "patient", "manual", Transport.HELD, "WDR-PAPER", purpose="recall")
    ups = FollowUp(mail, retraction()), FollowUp(mail, recall), FollowUp(dmp, kit.dmp(purpose="deletion"), certain=True)
    looked = withdrawal(store, accepted, *ups)
    with pytest.raises(ConflictError, match="LNK-001"):
        store.withdraw(replace(looked, seen=tuple(replace(one, fence=9) for one in looked.seen)))
    back, errand, deletion = store.withdraw(looked)
    attempt(store, back, TAKEN)
    store.record_receipt(back, Receipt.REFUSED, evidence_sha256="00" * 32, code="5.1.1")
    assert row(store, errand).state is Transport.HELD
    store.act(errand, "handed", by="Anne", reason="repris", means="main_propre")
    store.recover(owner_gone=True)
    assert row(store, dmp).state is row(store, deletion).state is Transport.CANCELLED
    assert _ended(store, accepted) is False
    store.act(back, "handed", by="Anne", reason="appelé", means="telephone")
    assert _ended(store, accepted) is True
    assert verify_store(store).ok


def test_a_withdrawn_document_is_no_likely_repeat(store: Outbox) -> None:
    first = store.accept(kit.request("a"))
    again = kit.request("b", patient=f"a|{kit.SECRET}")
    store.withdraw(withdrawal(store, first))
    assert store.accept(again).repeat_of is None
