"""A DMP answer that got lost, from the feed to the end: the gateway asks the DMP, and the document is there once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.api import Gateway
from gateway.channels.outcome import Verdict
from gateway.engine.flight import package_of
from gateway.engine.ways import open_way
from gateway.errors import LeaseLostError
from gateway.store.base import Claim, Wanted
from gateway.views import DeliveryHistory
from tests.integration.practice import Practice, case, open_practice

BILAN = "01_entorse_cheville_bilan"
ACCOUNT = "cabinet-01"
STEPS = ("send", "resolve")


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, certificates=certificates)
    yield made
    made.box.close()


def submit(gateway: Gateway) -> str:
    """Hand in a document; returns its DMP delivery."""
    submitted = gateway.submit(json.dumps(case(BILAN)).encode())
    [found] = [d.id for d in gateway.status(submitted.document_id).deliveries if d.role == "dmp"]
    return found


def at_rest(found: DeliveryHistory) -> bool:
    return found.view.transport in {"sent", "dead"}


def delivered(
    gateway: Gateway, delivery: str, until: Callable[[DeliveryHistory], bool] = at_rest, seconds: float = 15.0
) -> DeliveryHistory:
    """Deliver what is due until the DMP delivery is at rest, or `until` says so."""
    deadline = time.monotonic() + seconds
    while not until(found := gateway.delivery(delivery)):
        assert time.monotonic() < deadline, found.as_dict()
        gateway.deliver_due()
        time.sleep(0.05)
    return found


def steps(found: DeliveryHistory) -> list[tuple[str, str, str]]:
    return [(one["kind"], str(one["verdict"]), str(one["reason"])) for one in found.attempts]


def arrivals(practice: Practice) -> list[str]:
    return [one.outcome for one in practice.box.dmp.receptions()]


LOST = ("send", "in_doubt", "DMP-DOUBT-LOST")
FOUND = ("resolve", "accepted", "DMP-FOUND")
NOT_THERE = ("resolve", "transient", "DMP-NOT-THERE")
SENT = ("send", "accepted", "DMP-SUCCESS")


def test_received_and_the_answer_lost(practice: Practice) -> None:
    practice.box.faults.set("dmp", "drop_after_data")
    with Gateway.open(practice.config) as gateway:
        delivery = submit(gateway)
        gateway.deliver_due()
        doubt = gateway.delivery(delivery).view
        assert (doubt.transport, doubt.reason) == ("in_doubt", "DMP-DOUBT-LOST")
        assert doubt.due_at is not None
        found = delivered(gateway, delivery)
        assert steps(found) == [LOST, FOUND]
        [stored] = practice.box.dmp.documents()
        assert (found.view.transport, found.view.reference) == ("sent", stored.entry_uuid)
        assert gateway.verify_journal().ok
    assert arrivals(practice) == ["accepted"]
    assert [(one.results, one.codes) for one in practice.box.dmp.questions()] == [(1, ())]


def test_lost_before_it_was_received(practice: Practice) -> None:
    practice.box.faults.set("dmp", "drop_before_store")
    with Gateway.open(practice.config) as gateway:
        found = delivered(gateway, submit(gateway))
        assert steps(found) == [LOST, NOT_THERE, SENT]
        assert gateway.verify_journal().ok
    assert arrivals(practice) == ["fault", "accepted"]
    assert len(practice.box.dmp.documents()) == 1


def test_lost_twice_in_different_ways(practice: Practice) -> None:
    practice.box.faults.set("dmp", "drop_before_store")
    practice.box.faults.set("dmp", "drop_after_data")
    with Gateway.open(practice.config) as gateway:
        found = delivered(gateway, submit(gateway))
        assert steps(found) == [LOST, NOT_THERE, LOST, FOUND]
    assert len(practice.box.dmp.documents()) == 1


def test_a_dmp_that_does_not_answer_the_question_is_asked_again(practice: Practice) -> None:
    practice.box.faults.set("dmp", "drop_after_data")
    with Gateway.open(practice.config) as gateway:
        delivery = submit(gateway)
        gateway.deliver_due()
        practice.box.faults.set("dmp", "busy", count=2)
        found = delivered(gateway, delivery)
        asked = ("resolve", "in_doubt", "DMP-HTTP-503")
        assert steps(found) == [LOST, asked, asked, FOUND]
        assert gateway.verify_journal().ok
    assert arrivals(practice) == ["accepted"]


def test_a_refused_question_leaves_the_doubt_and_sends_nothing(practice: Practice) -> None:
    practice.box.faults.set("dmp", "drop_before_store")
    with Gateway.open(practice.config) as gateway:
        delivery = submit(gateway)
        gateway.deliver_due()
        [reception] = practice.box.dmp.receptions()
        ins = case(BILAN)["patient"]["ins"]
        practice.box.dmp.set_patient(ins["matricule"], ins["oid"], status="closed")
        found = delivered(gateway, delivery, lambda one: one.view.reason == "DMP-QUERY-REFUSED")
        assert found.view.transport == "in_doubt"
        assert found.view.due_at is not None
        assert practice.box.dmp.receptions() == [reception]
        practice.box.dmp.set_patient(ins["matricule"], ins["oid"])
        assert steps(delivered(gateway, delivery))[-2:] == [NOT_THERE, SENT]


def test_nothing_is_asked_when_answers_arrive(practice: Practice) -> None:
    """EX_3.1-2030: no search after a feed; a refusal is an answer too."""
    practice.box.faults.set("dmp", "refuse")
    with Gateway.open(practice.config) as gateway:
        found = delivered(gateway, submit(gateway))
        assert steps(found) == [("send", "transient", "DMP-XDSRepositoryBusy"), SENT]
    assert practice.box.dmp.questions() == []


@pytest.mark.parametrize(("kind", "received"), [("drop_after_data", 1), ("drop_before_store", 2)])
def test_the_folder_needs_nobody(practice: Practice, kind: str, received: int) -> None:
    practice.box.faults.set("dmp", kind)
    practice.drop(case(BILAN), "martin", ACCOUNT)
    practice.run()
    status = practice.status(ACCOUNT, "martin")
    assert {one["transport"] for one in status["deliveries"]} == {"sent"}
    assert (status["done"], status["needs_person"]) == (True, False)
    assert len(practice.box.dmp.documents()) == 1
    assert len(arrivals(practice)) == received


# ------------------------------------------------------------------------------------------- a worker that died


class DiedError(LeaseLostError):
    """Ends a sending where the process would have died."""


def left_transmitting(gateway: Gateway, post: Callable[[Claim], Awaitable[None]]) -> Claim:
    """What a worker leaves that dies between its mark and the record of the answer."""
    store = gateway.store
    [claim] = store.claim(Wanted("dead-worker", 30.0, 1, ACCOUNT, "dmp"))
    asyncio.run(post(claim))
    assert store.delivery(claim.delivery_id).row.state.value == "transmitting"
    return claim


@pytest.mark.parametrize("left", [True, False], ids=["bytes left", "no byte left"])
def test_a_worker_killed_while_transmitting(practice: Practice, left: bool) -> None:
    async def post(claim: Claim) -> None:
        async def mark() -> None:
            gateway.store.mark_transmitting(claim)
            if not left:
                raise DiedError("LEA-001", "mort")

        way = open_way(gateway.settings, ACCOUNT, "dmp", gateway.wiring)
        try:
            outcome = await way.send(package_of(claim), mark)
            assert outcome.verdict is Verdict.ACCEPTED
        except DiedError:
            assert not left
        finally:
            await way.aclose()

    with Gateway.open(practice.config) as gateway:
        submit(gateway)
        claim = left_transmitting(gateway, post)
    with Gateway.open(practice.config) as gateway:
        gateway.deliver_due()  # takes over; the question waits for the first step of the schedule
        doubt = gateway.delivery(claim.delivery_id).view
        assert (doubt.transport, doubt.reason) == ("in_doubt", "ENG-WORKER-LOST")
        found = delivered(gateway, claim.delivery_id)
        lost = ("send", "lost", "ENG-WORKER-LOST")
        assert steps(found) == ([lost, FOUND] if left else [lost, NOT_THERE, SENT])
        assert gateway.verify_journal().ok
    assert arrivals(practice) == ["accepted"]
    assert len(practice.box.dmp.documents()) == 1


@pytest.mark.parametrize(
    ("kind", "history"),
    [("drop_after_data", [LOST, FOUND]), ("drop_before_store", [LOST, NOT_THERE, SENT])],
)
def test_a_correction_waits_for_what_the_dmp_says(
    practice: Practice, kind: str, history: list[tuple[str, str, str]]
) -> None:
    practice.box.faults.set("dmp", kind)
    with Gateway.open(practice.config) as gateway:
        first = submit(gateway)
        gateway.deliver_due()
        value: dict[str, Any] = case(BILAN)
        value |= {"key": "c-1", "replaces": gateway.delivery(first).view.document_id}
        value["document"]["reason"] = "Texte corrigé"
        second = gateway.submit(json.dumps(value).encode())
        [later] = [d.id for d in gateway.status(second.document_id).deliveries if d.role == "dmp"]
        assert gateway.delivery(later).view.reason == "ENG-AFTER"
        assert steps(delivered(gateway, first)) == history
        assert steps(delivered(gateway, later)) == [SENT]
        assert gateway.verify_journal().ok
    states = sorted((found.cda_version, found.status) for found in practice.box.dmp.documents())
    assert states == [(1, "Deprecated"), (2, "Approved")]


def test_what_the_dmp_does_not_have_is_superseded_by_its_correction(practice: Practice) -> None:
    practice.box.faults.set("dmp", "drop_before_store")
    with Gateway.open(practice.config) as gateway:
        first = submit(gateway)
        delivered(gateway, first, lambda one: one.view.reason == "DMP-NOT-THERE")
        value: dict[str, Any] = case(BILAN)
        value |= {"key": "c-1", "replaces": gateway.delivery(first).view.document_id}
        value["document"]["reason"] = "Texte corrigé"
        second = gateway.submit(json.dumps(value).encode())
        [later] = [d.id for d in gateway.status(second.document_id).deliveries if d.role == "dmp"]
        assert gateway.delivery(first).view.transport == "superseded"
        assert steps(delivered(gateway, later)) == [SENT]
        assert gateway.verify_journal().ok
    assert [found.status for found in practice.box.dmp.documents()] == ["Approved"]
