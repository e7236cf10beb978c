"""Corrected versions in the store: what is superseded, what waits, what is refused, in one transaction."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import ConflictError
from gateway.store.base import Accepted, AcceptRequest, Claim, Guard, PlannedDelivery, Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Transport
from tests.unit.store import kit


def state(store: Outbox, delivery: str) -> tuple[str, str | None]:
    row = store.delivery(delivery).row
    return row.state.value, row.reason


def claims(store: Outbox) -> list[Claim]:
    return store.claim(kit.wanted())


def transmit(store: Outbox, accepted: Accepted) -> Claim:
    """The mail of a document under way, its bytes perhaps gone."""
    [claim] = [one for one in claims(store) if one.delivery_id == accepted.delivery_ids[0]]
    store.mark_transmitting(claim)
    return claim


def end(store: Outbox, claim: Claim, event: Event, to: Transport, **more: Any) -> None:
    assert store.record(claim, Result(event, to, "verdict", "REASON", **more))


def correction(first: Accepted, *deliveries: PlannedDelivery, **changes: Any) -> AcceptRequest:
    changes = {"patient": f"a|{kit.SECRET}", "replaces": first.document_id} | changes
    return kit.request("b", *(deliveries or (kit.mail(),)), **changes)


def follow(first: Accepted, **changes: Any) -> PlannedDelivery:
    return kit.mail(waits_for=first.delivery_ids[0], **changes)


def test_what_never_left_is_superseded_with_the_acceptance(store: Outbox) -> None:
    first = store.accept(kit.request("a"))
    second = store.accept(correction(first, supersedes=first.delivery_ids))
    assert {state(store, one) for one in first.delivery_ids} == {("superseded", "ENG-REPLACED")}
    assert [one.delivery_id for one in claims(store)] == list(second.delivery_ids)
    assert (store.document(first.document_id).replaced_by, store.document(second.document_id).replaces) == (
        second.document_id,
        first.document_id,
    )
    assert second.repeat_of is None  # same patient, type and date: no likely repeat, it says what it is


def test_a_delivery_that_left_meanwhile_undoes_the_acceptance(store: Outbox) -> None:
    first = store.accept(kit.request("a", kit.mail()))
    transmit(store, first)
    with pytest.raises(ConflictError) as refused:
        store.accept(correction(first, supersedes=first.delivery_ids))
    assert refused.value.code == "DOC-RPL-MOVED"
    assert len(store.documents("cabinet", f"a|{kit.SECRET}")) == 1
    assert state(store, first.delivery_ids[0])[0] == "transmitting"


def test_only_one_correction_of_a_version(store: Outbox) -> None:
    first = store.accept(kit.request("a", kit.mail()))
    store.accept(correction(first, supersedes=first.delivery_ids))
    with pytest.raises(ConflictError) as refused:
        store.accept(kit.request("c", kit.mail(), replaces=first.document_id))
    assert refused.value.code == "DOC-RPL-AGAIN"


@pytest.mark.parametrize(
    ("event", "to", "first_after", "second_after"),
    [
        (Event.TAKEN, Transport.SENT, "sent", ("prepared", None)),
        (Event.FAILED, Transport.RETRY, "superseded", ("prepared", None)),
        (Event.GIVEN_BACK, Transport.RETRY, "superseded", ("prepared", None)),
        (Event.SESSION_NEEDED, Transport.WAITING_FOR_SESSION, "superseded", ("prepared", None)),
        (Event.REFUSED, Transport.DEAD, "dead", ("prepared", None)),
        (Event.DOUBT, Transport.IN_DOUBT, "in_doubt", ("prepared", "ENG-AFTER")),
    ],
)
def test_a_mail_waits_for_the_outcome(
    store: Outbox, event: Event, to: Transport, first_after: str, second_after: tuple[str, str | None]
) -> None:
    first = store.accept(kit.request("a", kit.mail()))
    under_way = transmit(store, first)
    second = store.accept(correction(first, follow(first)))
    assert state(store, second.delivery_ids[0]) == ("prepared", "ENG-AFTER")
    assert claims(store) == []
    assert store.next_due(["cabinet"]) is None
    end(store, under_way, event, to, due_in=5.0 if to is Transport.RETRY else None)
    assert state(store, first.delivery_ids[0])[0] == first_after
    assert state(store, second.delivery_ids[0]) == second_after
    assert [one.delivery_id for one in claims(store)] == ([] if second_after[1] else list(second.delivery_ids))


@pytest.mark.parametrize(
    ("event", "to", "first_after", "second_after"),
    [
        (Event.TAKEN, Transport.SENT, "sent", ("prepared", None)),
        (Event.FAILED, Transport.RETRY, "retry", ("prepared", "ENG-AFTER")),
        (Event.REFUSED, Transport.DEAD, "dead", ("held", "ENG-NO-PREDECESSOR")),
        (Event.NO_DESTINATION, Transport.IMPOSSIBLE, "impossible", ("held", "ENG-NO-PREDECESSOR")),
    ],
)
def test_what_needs_the_earlier_version_waits_for_it_to_arrive(
    store: Outbox, event: Event, to: Transport, first_after: str, second_after: tuple[str, str | None]
) -> None:
    first = store.accept(kit.request("a", kit.mail()))
    under_way = transmit(store, first)
    second = store.accept(correction(first, follow(first, needs_it=True)))
    end(store, under_way, event, to, due_in=5.0 if to is Transport.RETRY else None)
    assert state(store, first.delivery_ids[0])[0] == first_after
    assert state(store, second.delivery_ids[0]) == second_after


def test_what_was_sent_is_followed_at_once(store: Outbox) -> None:
    first = store.accept(kit.request("a", kit.mail()))
    end(store, transmit(store, first), Event.TAKEN, Transport.SENT)
    second = store.accept(correction(first, follow(first)))
    assert [one.delivery_id for one in claims(store)] == list(second.delivery_ids)


def test_a_third_version_supersedes_the_one_that_waits(store: Outbox) -> None:
    first = store.accept(kit.request("a", kit.mail()))
    under_way = transmit(store, first)
    second = store.accept(correction(first, follow(first)))
    third = store.accept(
        kit.request(
            "c",
            follow(first),
            patient=f"a|{kit.SECRET}",
            replaces=second.document_id,
            supersedes=second.delivery_ids,
        )
    )
    end(store, under_way, Event.TAKEN, Transport.SENT)
    assert state(store, second.delivery_ids[0]) == ("superseded", "ENG-REPLACED")
    assert [one.delivery_id for one in claims(store)] == list(third.delivery_ids)


def test_a_document_is_found_by_either_identifier(store: Outbox) -> None:
    first = store.accept(kit.request("a", unique_id="2.25.7"))
    assert store.named("cabinet", "2.25.7").id == store.named("cabinet", first.document_id).id == first.document_id
    with pytest.raises(LookupError):
        store.named("autre", "2.25.7")


GUARD = Guard("legoff|maelys|2001-03-14|f", "ab" * 32)


def test_whose_pdf_it_is(store: Outbox) -> None:
    patient, other = f"a|{kit.SECRET}", Guard("durand|paul|1950-01-01|m", GUARD.pdf_sha256)
    assert store.suspicion("cabinet", patient, GUARD) is None
    store.accept(kit.request("a", guard=GUARD))
    assert store.suspicion("cabinet", patient, GUARD) is None
    assert store.suspicion("autre", "somebody", other) == "PDF-OTHER-PATIENT"
    changed = Guard("legoff|maelys|2001-03-15|f", "cd" * 32)
    assert store.suspicion("cabinet", patient, changed) == "PDF-OTHER-TRAITS"
    assert store.suspicion("autre", patient, changed) is None  # another account knows this patient under another name
    assert store.suspicion("cabinet", patient, Guard("x", None)) is None  # no PDF: nothing is held for it
    held = store.accept(kit.request("b", kit.mail(), guard=other))
    assert state(store, held.delivery_ids[0]) == ("held", "PDF-OTHER-PATIENT")
    looked = store.accept(kit.request("c", kit.mail(), guard=Guard("z", "ef" * 32, "PDF-NO-NAME")))
    assert state(store, looked.delivery_ids[0]) == ("held", "PDF-NO-NAME")
    assert looked.delivery_ids[0] not in {one.delivery_id for one in claims(store)}
    store.act(looked.delivery_ids[0], "release", by="Mme Martin", reason="vu")
    assert looked.delivery_ids[0] in {one.delivery_id for one in claims(store)}
