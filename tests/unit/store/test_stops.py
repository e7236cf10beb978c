"""A patient whose INS is wrong: held now, held later, held when it comes back; nobody else, and nothing lost."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from gateway.clock import FrozenClock
from gateway.errors import InputError, LeaseLostError, StateError
from gateway.store.base import Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Transport
from gateway.store.stops import Access
from tests.unit.store import kit

WHY = "TSI-STOP-CHANGED"
PATIENT = f"a|{kit.SECRET}"
BOTH = ("cabinet", "autre")


def states(store: Outbox, *deliveries: str) -> list[tuple[str, str | None]]:
    return [(str(row.state), row.reason) for row in (store.delivery(one).row for one in deliveries)]


def records(store: Outbox) -> list[dict[str, object]]:
    return [json.loads(entry.record) for entry in store.snapshot().records()]


def stop(store: Outbox, accounts: tuple[str, ...] = BOTH, patient: str = PATIENT) -> object:
    return store.stop_patient(accounts, patient, reason=WHY, by="Mme Essai")


def test_what_waits_is_held_and_named(store: Outbox) -> None:
    ids = store.accept(kit.request("a")).delivery_ids
    other = store.accept(kit.request("b")).delivery_ids
    stopped = store.stop_patient(BOTH, PATIENT, reason=WHY, by="Mme Essai")
    assert (sorted(stopped.held), stopped.waiting, stopped.gone) == (sorted(ids), (), ())
    assert states(store, *ids) == [("held", WHY)] * 2
    assert [str(store.delivery(one).row.state) for one in other] == ["prepared"] * 2, "another patient is untouched"
    assert store.delivery(ids[0]).row.actor == "Mme Essai"
    assert store.claim(kit.wanted()) != []
    assert states(store, *ids) == [("held", WHY)] * 2


def test_the_journal_says_who_and_why_and_never_whom(store: Outbox) -> None:
    store.accept(kit.request("a"))
    stop(store)
    store.resume_patient(BOTH, PATIENT, by="M. Autre", release=False)
    store.note_access(Access("cabinet", "Mme Essai", "verify", "01", 4, "insi.example"), PATIENT)
    told = [r for r in records(store) if r["event"] in {"patient_stopped", "patient_resumed", "insi_asked", "hold"}]
    events = Counter(r["event"] for r in told)
    assert events == {"patient_stopped": 2, "hold": 2, "patient_resumed": 2, "insi_asked": 1}
    assert {r["by"] for r in told if r["event"] in {"patient_stopped", "hold"}} == {"Mme Essai"}
    [asked] = [r for r in told if r["event"] == "insi_asked"]
    assert asked | {"at": 0, "seq": 0, "v": 0, "shard": 0, "patient": 0} == {
        "event": "insi_asked", "account": "cabinet", "by": "Mme Essai", "kind": "verify", "verdict": "01", "size": 4,
        "host": "insi.example", "patient": 0, "at": 0, "seq": 0, "v": 0, "shard": 0,
    }  # fmt: skip
    assert kit.SECRET not in json.dumps(records(store))


def test_later_submissions_are_held_until_resumed(store: Outbox) -> None:
    stop(store)
    later = store.accept(kit.request("x", patient=PATIENT)).delivery_ids
    assert states(store, *later) == [("held", WHY)] * 2
    elsewhere = store.accept(kit.request("y", patient=PATIENT, account="autre")).delivery_ids
    assert states(store, *elsewhere) == [("held", WHY)] * 2, "an INS is wrong for every account"
    store.resume_patient(BOTH, PATIENT, by="Mme Essai", release=False)
    after = store.accept(kit.request("z", patient=PATIENT, document_type="other")).delivery_ids
    assert [str(store.delivery(one).row.state) for one in after] == ["prepared"] * 2
    assert states(store, *later) == [("held", WHY)] * 2, "what was held stays so until somebody decides"


def test_a_correction_of_a_stopped_patient_is_held_too(store: Outbox) -> None:
    first = store.accept(kit.request("a"))
    stop(store)
    second = store.accept(
        kit.request("b", patient=PATIENT, replaces=first.document_id, supersedes=tuple(first.delivery_ids))
    )
    assert states(store, *second.delivery_ids) == [("held", WHY)] * 2
    assert {state for state, _ in states(store, *first.delivery_ids)} == {"superseded"}


@pytest.mark.parametrize("action", ["release", "retry"])
def test_one_delivery_is_not_let_go_while_its_patient_is_stopped(store: Outbox, action: str) -> None:
    delivery = store.accept(kit.request("a", kit.mail())).delivery_ids[0]
    stop(store)
    if action == "retry":
        kit.sql(store, "UPDATE delivery SET state = 'dead'")
    with pytest.raises(StateError, match="INS-050"):
        store.act(delivery, action, by="Anne", reason="vite")  # type: ignore[arg-type]
    assert store.act(delivery, "cancel", by="Anne", reason="faux").state is Transport.CANCELLED


def test_a_delivery_under_way_comes_back_to_be_held(store: Outbox, clock: FrozenClock) -> None:
    delivery = store.accept(kit.request("a", kit.mail())).delivery_ids[0]
    [claim] = store.claim(kit.wanted())
    stopped = store.stop_patient(BOTH, PATIENT, reason=WHY, by="Mme Essai")
    assert stopped.gone == (delivery,), "nobody can say that it did not leave"
    with pytest.raises(LeaseLostError, match="LEA-003"):
        store.mark_transmitting(claim)
    assert store.delivery(delivery).row.state is Transport.SENDING, "the refusal left nothing behind"
    store.record(claim, Result(Event.GIVEN_BACK, Transport.RETRY, "transient", "ENG-STOPPED", due_in=0))
    assert states(store, delivery) == [("held", WHY)]
    assert store.claim(kit.wanted()) == []


@pytest.mark.parametrize("event", [Event.FAILED, Event.RESEND_DECIDED])
def test_whatever_brings_it_back_to_the_queue_holds_it(store: Outbox, event: Event) -> None:
    delivery = store.accept(kit.request("a", kit.mail())).delivery_ids[0]
    [claim] = store.claim(kit.wanted())
    store.mark_transmitting(claim)
    if event is Event.RESEND_DECIDED:
        store.record(claim, Result(Event.DOUBT, Transport.IN_DOUBT, "in_doubt", "MSS-DOUBT-LOST"))
        stop(store)
        with pytest.raises(StateError, match="INS-050"):
            store.act(delivery, "retry", by="Anne", reason="encore")
        return
    stop(store)
    store.record(claim, Result(event, Transport.RETRY, "transient", "MSS-451", due_in=30))
    assert states(store, delivery) == [("held", WHY)]


def test_what_left_is_told(store: Outbox) -> None:
    ids = store.accept(kit.request("a")).delivery_ids
    [claim] = store.claim(kit.wanted(limit=1))
    store.mark_transmitting(claim)
    store.record(claim, Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250"))
    sent = claim.delivery_id
    stopped = store.stop_patient(BOTH, PATIENT, reason=WHY, by="Mme Essai")
    assert stopped.gone == (sent,)
    assert set(stopped.held) == set(ids) - {sent}
    assert store.delivery(sent).row.state is Transport.SENT


def test_releasing_lets_go_what_the_stop_held_and_nothing_else(store: Outbox) -> None:
    held_before = store.accept(kit.request("a", kit.mail())).delivery_ids[0]
    store.act(held_before, "hold", by="Anne", reason="attendre")
    mine = store.accept(kit.request("b", kit.mail(), patient=PATIENT, document_type="other")).delivery_ids[0]
    stopped = store.stop_patient(BOTH, PATIENT, reason=WHY, by="Mme Essai")
    assert (stopped.held, stopped.waiting) == ((mine,), (held_before,))
    assert store.resume_patient(BOTH, PATIENT, by="Mme Essai", release=True) == (mine,)
    assert states(store, mine, held_before) == [("prepared", None), ("held", "ENG-OPERATOR")]
    assert store.resume_patient(BOTH, PATIENT, by="Mme Essai", release=True) == ()


def test_a_second_stop_takes_the_new_reason_and_stays_one(store: Outbox) -> None:
    stop(store)
    store.stop_patient(BOTH, PATIENT, reason="TSI-STOP-NONE", by="M. Autre")
    found = store.patient_stops(BOTH, PATIENT)
    assert [(one.account, one.reason, one.by) for one in found] == [
        ("autre", "TSI-STOP-NONE", "M. Autre"),
        ("cabinet", "TSI-STOP-NONE", "M. Autre"),
    ]
    assert store.patient_stops(BOTH, "b|x") == []
    assert store.patient_stops() == found
    assert all(kit.SECRET not in one.patient for one in found)


def test_who_stops_has_a_name(store: Outbox) -> None:
    with pytest.raises(InputError, match="DLV-003"):
        store.stop_patient(BOTH, PATIENT, reason=WHY, by="  ")
    assert store.patient_stops() == []
