"""A patient who objects after the fact: what waits stops, what comes later too, and nobody else is concerned."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gateway.errors import InputError, LeaseLostError, NotFoundError, StateError
from gateway.store.base import Result
from gateway.store.oppositions import Person
from gateway.store.outbox import Outbox
from gateway.store.received import MailKeys
from gateway.store.states import Event, Transport
from tests.unit.store import kit

PATIENT = Person("cabinet", patient=f"a|{kit.SECRET}")
WHO = "Mme Essai"
BOX = "docteur@example.mssante.fr"
STOPPED = ("impossible", "DST-OPPOSITION")


def to_doctor(box: str = BOX, number: int = 1) -> kit.PlannedDelivery:
    return replace(kit.mail(), keys=MailKeys(f"<{number}@kine>", str(number), box))


def accepted(store: Outbox, name: str = "a", *deliveries: kit.PlannedDelivery, key: str = "") -> tuple[str, ...]:
    request = kit.request(name, *(deliveries or (to_doctor(), kit.dmp())))
    return store.accept(replace(request, key=f"{request.key}{key}", replaces=None)).delivery_ids


def stands(store: Outbox, *ids: str) -> list[tuple[str, str | None]]:
    return [(str(row.state), row.reason) for row in (store.delivery(one).row for one in ids)]


def records(store: Outbox) -> list[dict[str, object]]:
    return [json.loads(entry.record) for entry in store.snapshot().records()]


def test_what_waits_stops_and_only_there(store: Outbox) -> None:
    mail, dmp = accepted(store)
    others = accepted(store, "b")
    found = store.oppose(PATIENT, "dmp", by=WHO)
    assert (found.new, found.stopped, found.gone) == (True, (dmp,), ())
    assert stands(store, mail, dmp, *others) == [("prepared", None), STOPPED, ("prepared", None), ("prepared", None)]
    assert store.delivery(dmp).row.actor == WHO
    assert {claim.delivery_id for claim in store.claim(kit.wanted())} == {mail, *others}


def test_what_comes_later_stops_too_until_it_is_ended(store: Outbox) -> None:
    first = accepted(store)
    store.oppose(Person("cabinet", document=store.delivery(first[0]).row.document_id), "medecin_traitant", by=WHO)
    again = store.accept(replace(kit.request("a", to_doctor(number=2)), key="later", content_sha256="11" * 32))
    assert stands(store, *again.delivery_ids) == [STOPPED]
    for action in ("retry", "release"):
        with pytest.raises(StateError):
            store.act(again.delivery_ids[0], action, by=WHO, reason="x")  # type: ignore[arg-type]
    assert store.unoppose(PATIENT, "medecin_traitant", by=WHO, release=False) == ()
    assert store.act(again.delivery_ids[0], "retry", by=WHO, reason="a changé d'avis").state is Transport.RETRY


def test_ending_it_lets_go_what_it_stopped(store: Outbox) -> None:
    mail, dmp = accepted(store)
    for target in ("medecin_traitant", "dmp", BOX):
        store.oppose(PATIENT, target, by=WHO)
    assert store.unoppose(PATIENT, "dmp", by=WHO, release=True) == (dmp,)
    assert store.unoppose(PATIENT, "medecin_traitant", by=WHO, release=True) == (), "the box is objected to as well"
    assert store.unoppose(PATIENT, BOX.upper(), by=WHO, release=True) == (mail,)
    assert stands(store, mail, dmp) == [("retry", None), ("retry", None)]
    with pytest.raises(StateError, match="OPP-001"):
        store.unoppose(PATIENT, "dmp", by=WHO, release=True)


def test_one_box_and_no_other(store: Outbox) -> None:
    one, other = accepted(store, "a", to_doctor(), to_doctor("autre@example.mssante.fr", 2))
    assert store.oppose(PATIENT, BOX.upper(), by=WHO).stopped == (one,)
    assert stands(store, one, other) == [STOPPED, ("prepared", None)]
    [known] = store.oppositions(PATIENT)
    assert (known.target, known.by) == ("box", WHO)
    assert store.oppositions(Person("cabinet", patient="b|x")) == []
    assert store.oppositions() == [known]


def test_recorded_while_it_leaves(store: Outbox) -> None:
    """Before the content: it does not leave. After it: it left, is named, and does not go a second time."""
    early, late = accepted(store, "a", to_doctor(), to_doctor("autre@example.mssante.fr", 2))
    claims = {claim.delivery_id: claim for claim in store.claim(kit.wanted())}
    store.mark_transmitting(claims[late])
    found = store.oppose(PATIENT, "medecin_traitant", by=WHO)
    assert (found.stopped, set(found.gone)) == ((), {early, late})
    with pytest.raises(LeaseLostError, match="LEA-003"):
        store.mark_transmitting(claims[early])
    back = {"verdict": "transient", "reason": "X"}
    store.record(claims[early], Result(Event.GIVEN_BACK, Transport.RETRY, due_in=0, **back))  # type: ignore[arg-type]
    store.record(claims[late], Result(Event.FAILED, Transport.RETRY, due_in=0, **back))  # type: ignore[arg-type]
    assert stands(store, early, late) == [STOPPED, STOPPED]
    assert store.claim(kit.wanted()) == []


def test_a_mask_or_a_deletion_in_the_dmp_always_goes(store: Outbox) -> None:
    feed, mask = accepted(store, "a", kit.dmp(), kit.dmp(role="dmp_mask"))
    assert store.oppose(PATIENT, "dmp", by=WHO).stopped == (feed,)
    assert stands(store, feed, mask) == [STOPPED, ("prepared", None)]


def test_the_journal_says_who_and_where_and_never_whom(store: Outbox) -> None:
    accepted(store)
    assert store.oppose(PATIENT, BOX, by=WHO).new
    assert not store.oppose(PATIENT, BOX, by="Autre").new
    store.unoppose(PATIENT, BOX, by="M. Autre", release=False)
    told = [one for one in records(store) if str(one["event"]).startswith("opp")]
    assert [(one["event"], one["by"]) for one in told] == [
        ("opposition_recorded", WHO),
        ("oppose", WHO),
        ("opposition_ended", "M. Autre"),
    ]
    text = json.dumps(records(store))
    assert BOX not in text
    assert kit.SECRET not in text


def test_nobody_and_nothing_are_refused(store: Outbox) -> None:
    with pytest.raises(InputError, match="DLV-003"):
        store.oppose(PATIENT, "dmp", by=" ")
    with pytest.raises(NotFoundError, match="DOC-404"):
        store.oppose(Person("cabinet", document="nulle-part"), "dmp", by=WHO)
    assert store.oppositions() == []
