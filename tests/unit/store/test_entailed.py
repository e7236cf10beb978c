"""What one move entails for others, where several holds, versions and receipts meet: found by the state machine."""

from __future__ import annotations

import json

import pytest

from gateway.clock import FrozenClock
from gateway.errors import StateError
from gateway.store.base import Accepted, Claim, PlannedDelivery, Result
from gateway.store.linked import FollowUp, Seen, Withdrawal
from gateway.store.oppositions import Person
from gateway.store.outbox import Outbox
from gateway.store.received import MailKeys
from gateway.store.states import Event, Receipt, Transport
from tests.unit.store import kit

PATIENT = f"a|{kit.SECRET}"
WHY = {"by": "Anne", "reason": "décidé"}
FAILED = Result(Event.FAILED, Transport.RETRY, "transient", "MSS-451", due_in=30)
DOUBT = Result(Event.DOUBT, Transport.IN_DOUBT, "in_doubt", "MSS-LOST", due_in=0)


def mail(number: int = 1, box: str = "dr@example.mssante.fr", **changes: object) -> PlannedDelivery:
    return kit.mail(keys=MailKeys(f"<{number}@kine>", f"e{number}", box), **changes)


def state(store: Outbox, delivery: str) -> tuple[str, str | None]:
    row = store.delivery(delivery).row
    return str(row.state), row.reason


def under_way(store: Outbox, planned: PlannedDelivery | None = None) -> tuple[Accepted, Claim]:
    first = store.accept(kit.request("a", planned or mail()))
    [claim] = store.claim(kit.wanted())
    store.mark_transmitting(claim)
    return first, claim


def corrected(store: Outbox, first: Accepted, planned: PlannedDelivery) -> str:
    request = kit.request("b", planned, patient=PATIENT, replaces=first.document_id)
    return store.accept(request).delivery_ids[0]


def behind(first: Accepted, **changes: object) -> PlannedDelivery:
    return mail(2, waits_for=first.delivery_ids[0], **changes)


@pytest.mark.parametrize("how", ["recorded", "recovered"])
def test_a_hold_of_the_pair_and_a_stop_of_the_patient_meet(store: Outbox, clock: FrozenClock, how: str) -> None:
    """Both keep back what comes from an attempt; the second one must not refuse the result of it."""
    first = store.accept(kit.request("a", mail()))
    [claim] = store.claim(kit.wanted())
    store.hold_pair(claim.delivery_id, **WHY)
    store.stop_patient(["cabinet"], PATIENT, reason="TSI-STOP-902", by="Anne")
    if how == "recorded":
        assert store.record(claim, FAILED)
    else:
        clock.advance(61)
        assert store.recover() == list(first.delivery_ids)
    assert state(store, first.delivery_ids[0]) == ("held", "MSS-RCPT-NOT-PATIENT")
    store.release_pair(first.delivery_ids[0], **WHY)
    assert state(store, first.delivery_ids[0]) == ("held", "TSI-STOP-902"), "the stop is still there"


def test_what_the_engine_decides_to_send_again_is_held_with_its_pair(store: Outbox) -> None:
    first, claim = under_way(store)
    store.record(claim, DOUBT)
    store.hold_pair(claim.delivery_id, **WHY)
    [asked] = store.claim_doubtful(kit.wanted())
    assert store.record(asked, Result(Event.RESEND_DECIDED, Transport.RETRY, "transient", "ENG-RESEND", due_in=0))
    assert state(store, first.delivery_ids[0])[0] == "held"
    assert store.claim(kit.wanted()) == []


def test_a_correction_let_go_by_a_person_still_waits_for_the_earlier_version(store: Outbox) -> None:
    first, claim = under_way(store)
    second = corrected(store, first, behind(first))
    store.record(claim, DOUBT)
    store.act(second, "hold", **WHY)
    store.act(second, "release", **WHY)
    assert state(store, second) == ("prepared", "ENG-AFTER")
    assert store.claim(kit.wanted()) == []
    store.act(first.delivery_ids[0], "confirm_sent", **WHY)
    assert [one.delivery_id for one in store.claim(kit.wanted())] == [second]


def test_a_correction_let_go_takes_the_place_of_what_turned_out_not_to_have_left(store: Outbox) -> None:
    """It was held when the earlier attempt failed: without this both would go, the earlier one last."""
    first, claim = under_way(store)
    second = corrected(store, first, behind(first))
    store.act(second, "hold", **WHY)
    store.record(claim, FAILED)
    assert state(store, first.delivery_ids[0])[0] == "retry"
    store.act(second, "release", **WHY)
    assert state(store, first.delivery_ids[0]) == ("superseded", "ENG-REPLACED")
    assert [one.delivery_id for one in store.claim(kit.wanted())] == [second]


def test_what_the_dmp_does_not_hold_yet_is_waited_for_again(store: Outbox) -> None:
    first, claim = under_way(store)
    second = corrected(store, first, behind(first, needs_it=True))
    store.act(second, "hold", **WHY)
    store.record(claim, FAILED)
    store.act(second, "release", **WHY)
    assert state(store, second) == ("prepared", "ENG-AFTER")
    assert state(store, first.delivery_ids[0])[0] == "retry", "the registry replaces only what it holds"


def test_a_version_that_was_corrected_does_not_go_after_its_correction(store: Outbox) -> None:
    first, claim = under_way(store)
    second = corrected(store, first, behind(first))
    store.record(claim, Result(Event.REFUSED, Transport.DEAD, "permanent", "MSS-550"))
    assert state(store, second) == ("prepared", None)
    with pytest.raises(StateError) as refused:
        store.act(first.delivery_ids[0], "retry", **WHY)
    assert refused.value.code == "DLV-010"
    assert [one.delivery_id for one in store.claim(kit.wanted())] == [second]


def test_an_opposition_that_ends_does_not_let_a_correction_overtake(store: Outbox) -> None:
    first, claim = under_way(store)
    store.record(claim, DOUBT)
    second = corrected(store, first, behind(first))
    person = Person("cabinet", PATIENT)
    store.oppose(person, "medecin_traitant", by="Anne")
    assert store.unoppose(person, "medecin_traitant", by="Anne", release=True) == (second,)
    assert state(store, second) == ("retry", "ENG-AFTER")
    assert store.claim(kit.wanted()) == []
    store.act(first.delivery_ids[0], "confirm_sent", **WHY)
    assert [one.delivery_id for one in store.claim(kit.wanted())] == [second]


def test_a_receipt_that_came_during_the_attempt_decides_before_anything_follows(store: Outbox) -> None:
    """The mail arrived, whatever its attempt says: its retraction must not be called needless."""
    first, claim = under_way(store)
    [delivery] = first.delivery_ids
    keys = MailKeys("<r@kine>", "er", "dr@example.mssante.fr")
    follow = FollowUp(delivery, kit.mail(purpose="retraction", keys=keys), certain=True)
    seen = (Seen.of(store.delivery(delivery).row),)
    [retraction] = store.withdraw(Withdrawal((first.document_id,), "Anne", "error", "erreur", seen, (follow,)))
    store.record_receipt(delivery, Receipt.DELIVERED, evidence_sha256="a" * 64)
    assert store.record(claim, FAILED)
    assert state(store, delivery) == ("sent", "ENG-RECEIPT")
    assert [one.delivery_id for one in store.claim(kit.wanted())] == [retraction]


def test_a_withdrawal_cancels_each_delivery_once(store: Outbox) -> None:
    """The correction stops with the version that it waited for: the journal says so once."""
    first, claim = under_way(store)
    store.record(claim, DOUBT)
    second = corrected(store, first, behind(first))
    documents = (first.document_id, store.delivery(second).row.document_id)
    seen = tuple(Seen.of(store.delivery(one).row) for one in (first.delivery_ids[0], second))
    store.withdraw(Withdrawal(documents, "Anne", "error", "erreur", seen, ()))
    for one in (first.delivery_ids[0], second):
        assert state(store, one) == ("cancelled", "ENG-WITHDRAWN")
        told = [json.loads(record)["event"] for record in store.delivery(one).records]
        assert told.count("cancel") == 1


def test_the_end_of_an_opposition_leaves_a_withdrawn_document_where_it_is(store: Outbox) -> None:
    first = store.accept(kit.request("a", mail()))
    person = Person("cabinet", PATIENT)
    store.oppose(person, "medecin_traitant", by="Anne")
    seen = (Seen.of(store.delivery(first.delivery_ids[0]).row),)
    store.withdraw(Withdrawal((first.document_id,), "Anne", "error", "erreur", seen, ()))
    assert store.unoppose(person, "medecin_traitant", by="Anne", release=True) == ()
    assert state(store, first.delivery_ids[0]) == ("impossible", "DST-OPPOSITION")
