from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest

from gateway.clock import FrozenClock
from gateway.errors import InputError, StateError
from gateway.store.base import Progress, Result
from gateway.store.outbox import Outbox
from gateway.store.states import RECEIPTS, TRANSITIONS, Event, Receipt, Transport, allowed
from tests.unit.store import kit

ACTIONS = {
    "hold": Event.HOLD,
    "release": Event.RELEASE,
    "cancel": Event.CANCEL,
    "retry": Event.RETRY,
    "handed": Event.HANDED,
    "confirm_sent": Event.CONFIRM_SENT,
}


def put(store: Outbox, state: Transport, name: str = "a", receipt: Receipt = Receipt.NONE) -> str:
    """A delivery in this state, whatever road leads there."""
    delivery = store.accept(kit.request(name, kit.mail())).delivery_ids[0]
    values = (state, receipt, delivery)
    kit.sql(store, "UPDATE delivery SET state = ?, receipt = ? WHERE id = ?", values)
    return delivery


@pytest.mark.parametrize("action", list(ACTIONS))
def test_each_action_only_from_the_states_of_the_table(store: Outbox, action: str) -> None:
    event = ACTIONS[action]
    starts = (*TRANSITIONS[event][0], *((Transport.IN_DOUBT,) if action == "retry" else ()))
    for state in Transport:
        # What was sent is only handed over once it was refused.
        refused = Receipt.REFUSED if state is Transport.SENT else Receipt.NONE
        delivery = put(store, state, name=state, receipt=refused)
        size = store.snapshot().size

        def act(delivery: str = delivery) -> Transport:
            return store.act(delivery, action, by="Anne", reason="pourquoi", means="courrier").state  # type: ignore[arg-type]

        if state in starts:
            assert act() in TRANSITIONS[event][1]
            assert store.snapshot().size == size + 1
            continue
        with pytest.raises(StateError, match="DLV-001"):
            act()
        assert store.delivery(delivery).row.state is state
        assert store.snapshot().size == size


@pytest.mark.parametrize("receipt", [Receipt.NONE, Receipt.AWAITED, Receipt.DELIVERED, Receipt.PROCESSED])
def test_what_was_sent_and_not_refused_is_not_handed_over(store: Outbox, receipt: Receipt) -> None:
    delivery = put(store, Transport.SENT, receipt=receipt)
    with pytest.raises(StateError, match="DLV-001"):
        store.act(delivery, "handed", by="Anne", reason="x", means="courrier")


@pytest.mark.parametrize("receipt", [Receipt.REFUSED, Receipt.OVERDUE])
def test_what_was_refused_or_met_with_silence_may_be_handed_over(store: Outbox, receipt: Receipt) -> None:
    delivery = put(store, Transport.SENT, receipt=receipt)
    row = store.act(delivery, "handed", by="Anne", reason="x", means="main_propre")
    assert (row.state, row.receipt, row.means) == (Transport.HANDED_OVER, receipt, "main_propre")


def test_what_a_person_says_is_sealed_and_shown(store: Outbox) -> None:
    delivery = store.accept(kit.request("a", kit.mail())).delivery_ids[0]
    store.act(delivery, "hold", by=" Anne Martin ", reason=f"appel de {kit.SECRET}")
    row = store.act(delivery, "release", by="Paul", reason="vérifié")
    assert (row.state, row.actor, row.reason) == (Transport.PREPARED, "Paul", "ENG-OPERATOR")
    detail = store.delivery(delivery)
    assert [(n.action, n.actor, n.text) for n in detail.notes] == [
        ("hold", "Anne Martin", f"appel de {kit.SECRET}"),
        ("release", "Paul", "vérifié"),
    ]
    assert kit.SECRET not in "".join(detail.records)
    assert '"by":"Anne Martin"' in detail.records[1]
    assert '"note_mac":"' in detail.records[1]


@pytest.mark.parametrize("by", ["", "  ", "a\nb", "x" * 101])
def test_a_name_is_wanted(store: Outbox, by: str) -> None:
    delivery = store.accept(kit.request("a", kit.mail())).delivery_ids[0]
    with pytest.raises(InputError, match="DLV-003"):
        store.act(delivery, "hold", by=by, reason="x")


def test_a_reason_and_means_are_wanted(store: Outbox) -> None:
    delivery = store.accept(kit.request("a", kit.mail())).delivery_ids[0]
    with pytest.raises(InputError, match="DLV-004"):
        store.act(delivery, "hold", by="Anne", reason=" ")
    with pytest.raises(InputError, match="DLV-005"):
        store.act(delivery, "handed", by="Anne", reason="x")


def test_handed_over_keeps_the_means(store: Outbox) -> None:
    by_hand = kit.mail(
        "patient", destination="hand", channel="manual", state=Transport.HELD, reason="MAN-HAND", parts=(), context=None
    )
    delivery = store.accept(kit.request("a", by_hand)).delivery_ids[0]
    with pytest.raises(StateError, match="DLV-002"):
        store.act(delivery, "release", by="Anne", reason="x")  # the gateway cannot send it
    row = store.act(delivery, "handed", by="Anne", reason="en consultation", means="main_propre")
    assert (row.state, row.actor, row.means) == (Transport.HANDED_OVER, "Anne", "main_propre")
    assert row.handed_at == store.core.clock.now()


def test_the_day_it_was_handed_over_may_be_an_earlier_one(store: Outbox, clock: FrozenClock) -> None:
    delivery = store.accept(kit.request("a", kit.mail())).delivery_ids[0]
    with pytest.raises(InputError, match="DLV-006"):
        store.act(delivery, "handed", by="Anne", reason="x", means="courrier", at=clock.now() + timedelta(days=1))
    earlier = clock.now() - timedelta(days=2)
    row = store.act(delivery, "handed", by="Anne", reason="x", means="courrier", at=earlier)
    assert row.handed_at == earlier
    assert '"handed_at":"2026-02-28T09:00:00.000Z"' in store.delivery(delivery).records[-1]


def test_retry_starts_the_schedule_afresh(store: Outbox, clock: FrozenClock) -> None:
    delivery = store.accept(kit.request("a", kit.mail())).delivery_ids[0]
    [claim] = store.claim(kit.wanted())
    gave_up = Result(Event.GAVE_UP, Transport.DEAD, "transient", "MSS-451", progress=Progress(23, 432000.0))
    store.record(claim, gave_up)
    store.act(delivery, "retry", by="Anne", reason="réparé")
    [again] = store.claim(kit.wanted())
    assert again.progress == Progress(0, 0.0)
    assert again.attempt == 2


def test_sending_a_doubtful_one_again_is_a_decision(store: Outbox) -> None:
    delivery = put(store, Transport.IN_DOUBT)
    store.act(delivery, "retry", by="Anne", reason="le médecin n'a rien reçu")
    last = store.delivery(delivery).records[-1]
    assert '"event":"resend_decided"' in last
    assert '"by":"Anne"' in last


def test_what_has_nothing_to_send_cannot_be_retried(store: Outbox) -> None:
    planned = kit.mail(state=Transport.IMPOSSIBLE, reason="DST-NO-MT", parts=(), context=None)
    delivery = store.accept(kit.request("a", planned)).delivery_ids[0]
    with pytest.raises(StateError, match="DLV-002"):
        store.act(delivery, "retry", by="Anne", reason="x")


def evidence(text: str = "mdn") -> str:
    return sha256(text.encode()).hexdigest()


def test_receipts_advance_and_repeat_without_effect(store: Outbox) -> None:
    delivery = put(store, Transport.SENT)
    assert store.record_receipt(delivery, Receipt.DELIVERED, evidence_sha256=evidence("dsn"), code="2.0.0")
    assert not store.record_receipt(delivery, Receipt.DELIVERED, evidence_sha256=evidence("dsn"), code="2.0.0")
    assert store.record_receipt(delivery, Receipt.PROCESSED, evidence_sha256=evidence("mdn"))
    assert not store.record_receipt(delivery, Receipt.DELIVERED, evidence_sha256=evidence("late dsn"))
    row = store.delivery(delivery).row
    assert (row.state, row.receipt) == (Transport.SENT, Receipt.PROCESSED)
    assert len(store.delivery(delivery).records) == 4  # accepted, and three receipts: the repeat left no trace


@pytest.mark.parametrize("after", [receipt for receipt in Receipt if receipt not in {Receipt.NONE, Receipt.AWAITED}])
def test_the_receipt_axis_moves_only_where_the_table_lets_it(store: Outbox, after: Receipt) -> None:
    for before in Receipt:
        delivery = put(store, Transport.SENT, name=before, receipt=before)
        moved = store.record_receipt(delivery, after, evidence_sha256=evidence())
        assert moved is (after in RECEIPTS[before])
        assert store.delivery(delivery).row.receipt is (after if moved else before)


def test_a_receipt_settles_a_doubt(store: Outbox) -> None:
    delivery = put(store, Transport.IN_DOUBT)
    assert store.record_receipt(delivery, Receipt.DELIVERED, evidence_sha256=evidence())
    row = store.delivery(delivery).row
    assert (row.state, row.receipt, row.reason) == (Transport.SENT, Receipt.DELIVERED, "ENG-RECEIPT")


def test_a_deadline_that_passed_proves_nothing(store: Outbox) -> None:
    delivery = put(store, Transport.IN_DOUBT)
    store.record_receipt(delivery, Receipt.OVERDUE, evidence_sha256=evidence())
    assert store.delivery(delivery).row.state is Transport.IN_DOUBT


def test_every_state_can_be_left_or_is_an_end() -> None:
    left = {start for starts, _ in TRANSITIONS.values() for start in starts}
    assert set(Transport) - left == {Transport.HANDED_OVER, Transport.SUPERSEDED, Transport.CANCELLED}
    reached = {end for _, ends in TRANSITIONS.values() for end in ends}
    assert reached == set(Transport)


def test_nothing_resends_a_doubt_but_proof_or_a_decision() -> None:
    ways = {
        e for e in Event for after in (Transport.PREPARED, Transport.RETRY) if allowed(e, Transport.IN_DOUBT, after)
    }
    assert ways == {Event.FAILED, Event.RESEND_DECIDED}
