"""The FHIR door end to end over mutual TLS: same facade, same outbox, one store behind both doors (experimental)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.api import Gateway
from gateway.errors import InputError
from gateway.package.query import Criteria
from tests.integration.practice import Practice, case, open_practice
from tests.integration.test_dmp_life import (
    ACCOUNT,
    ARCHIVED,
    BILAN,
    BY,
    direct,
    dmp_delivery,
    held,
    settled,
    steps,
    submit,
)

WHO: dict[str, Any] = {"by": "Anne Essai"}


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, certificates=certificates)
    yield made
    made.box.close()


def by_fhir(practice: Practice, *more: str) -> tuple[str, ...]:
    """Lines of [account.dmp] that choose the FHIR door."""
    return ('door = "fhir"', f'fhir_url = "{practice.box.fhir_url}"', *more)


def other_door(practice: Practice, door: str) -> None:
    """Change the door of an account that is configured for both."""
    text = practice.config.read_text(encoding="utf-8")
    practice.config.write_text(text.replace('door = "fhir"', f'door = "{door}"'), encoding="utf-8")


@pytest.mark.parametrize("transaction", ["iti65", "iti105"])
def test_the_whole_life(practice: Practice, transaction: str) -> None:
    direct(practice, *by_fhir(practice, f'fhir_transaction = "{transaction}"'))
    with Gateway.open(practice.config) as gateway:
        document, dmp = submit(gateway), gateway.dmp(ACCOUNT)
        fed = dmp_delivery(gateway, document)
        assert (fed.transport, fed.reason) == ("sent", "DMP-SUCCESS")
        assert dmp.test(document, **WHO).open
        [found] = dmp.find(document, **WHO).documents
        assert found.ours == document
        assert (found.status, found.version, found.visibility) == ("Approved", "1", ())
        assert (found.author, found.type) == ("TESTOU Gwenaël", "CR de bilan fonctionnel")
        cda = gateway.rendering(document, "cda")
        [file] = dmp.retrieve(document, [found.unique_id or ""], **WHO).files
        assert (file.content == cda, file.checked) == (True, True)
        for change, version, labels in (
            ("mask", 2, ("MASQUE_PS",)),
            ("unmask", 3, ()),
            ("hide", 4, ("INVISIBLE_PATIENT",)),
            ("show", 5, ()),
            ("hide_legal", 6, ("INVISIBLE_REPRESENTANTS_LEGAUX",)),
            ("show_legal", 7, ()),
        ):
            done = settled(gateway, dmp.change(document, change, **BY))  # type: ignore[arg-type]
            assert (done.view.transport, done.view.reason) == ("sent", "DMP-UPD-SUCCESS"), done.as_dict()
            assert held(practice) == [(version, "Approved", labels)]
        assert settled(gateway, dmp.archive(document, **BY)).view.transport == "sent"
        assert held(practice)[0][1] == "Archived"
        assert dmp.find(document, **WHO).documents == ()
        archived = dmp.find(document, criteria=Criteria(statuses=(ARCHIVED,)), **WHO)
        assert [(one.ours, one.status) for one in archived.documents] == [(document, "Archived")]
        assert settled(gateway, dmp.unarchive(document, **BY)).view.transport == "sent"
        assert settled(gateway, dmp.delete(document, **BY)).view.reason == "DMP-UPD-SUCCESS"
        assert held(practice)[0][1] == "Deleted"
        assert dmp.find(document, **WHO).documents == ()
        assert gateway.verify_journal().ok
    assert practice.box.dmp.count("TD2.1", outcome="accepted") == 1


def correction(document: str) -> bytes:
    """A corrected version of the fixture."""
    value = case(BILAN) | {"key": "c-1", "replaces": document}
    value["document"]["reason"] = "Texte corrigé"
    return json.dumps(value).encode()


@pytest.mark.parametrize("transaction", ["iti65", "iti105"])
def test_a_correction_replaces(practice: Practice, transaction: str) -> None:
    direct(practice, *by_fhir(practice, f'fhir_transaction = "{transaction}"'))
    with Gateway.open(practice.config) as gateway:
        first = submit(gateway)
        second = gateway.submit(correction(first)).document_id
        done = settled(gateway, dmp_delivery(gateway, second))
        assert (done.view.transport, done.view.reason) == ("sent", "DMP-SUCCESS"), done.as_dict()
        dmp = gateway.dmp(ACCOUNT)
        [now] = dmp.find(second, **WHO).documents
        assert now.ours == second
        superseded = Criteria(statuses=("urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated",))
        [old] = dmp.find(second, criteria=superseded, **WHO).documents
        assert old.ours == first
        refused = settled(gateway, dmp.unarchive(first, **BY))
        assert (refused.view.transport, refused.view.reason) == ("dead", "DMP-UPD-STATUS")
        [link] = [one for one in practice.box.dmp.associations(now.entry_uuid) if one.type.endswith("RPLC")]
        assert (link.source, link.target) == (now.entry_uuid, old.entry_uuid)


def test_fed_by_soap_found_and_changed_by_fhir(practice: Practice) -> None:
    """One store behind both doors: what one door does, the other sees."""
    direct(practice, *by_fhir(practice))
    other_door(practice, "soap")
    with Gateway.open(practice.config) as gateway:
        document = submit(gateway)
        cda = gateway.rendering(document, "cda")
        [by_soap] = gateway.dmp(ACCOUNT).find(document, **WHO).documents
    practice.config.write_text(practice.config.read_text().replace('door = "soap"', 'door = "fhir"'))
    with Gateway.open(practice.config) as gateway:
        dmp = gateway.dmp(ACCOUNT)
        [by_fhir_door] = dmp.find(document, **WHO).documents
        assert by_fhir_door == by_soap
        [file] = dmp.retrieve(document, [by_soap.unique_id or ""], **WHO).files
        assert file.content == cda
        # a change goes by the door that fed, and the other door sees it
        assert settled(gateway, dmp.mask(document, **BY)).view.reason == "DMP-UPD-SUCCESS"
        assert [one.visibility for one in dmp.find(document, **WHO).documents] == [("masked",)]
        # a correction by FHIR of what SOAP brought
        second = gateway.submit(correction(document)).document_id
        assert settled(gateway, dmp_delivery(gateway, second)).view.transport == "sent"
        assert [one.ours for one in dmp.find(second, **WHO).documents] == [second]


def test_fed_by_fhir_found_and_changed_after_soap(practice: Practice) -> None:
    direct(practice, *by_fhir(practice))
    with Gateway.open(practice.config) as gateway:
        document = submit(gateway)
        cda = gateway.rendering(document, "cda")
        assert settled(gateway, gateway.dmp(ACCOUNT).mask(document, **BY)).view.reason == "DMP-UPD-SUCCESS"
        [by_fhir_door] = gateway.dmp(ACCOUNT).find(document, **WHO).documents
    other_door(practice, "soap")
    with Gateway.open(practice.config) as gateway:
        dmp = gateway.dmp(ACCOUNT)
        [by_soap] = dmp.find(document, **WHO).documents
        assert by_soap == by_fhir_door
        assert by_soap.visibility == ("masked",)
        [file] = dmp.retrieve(document, [by_soap.unique_id or ""], **WHO).files
        assert (file.content == cda, file.checked) == (True, True)
        assert settled(gateway, dmp.archive(document, **BY)).view.reason == "DMP-UPD-SUCCESS"
        assert dmp.find(document, **WHO).documents == ()
        assert settled(gateway, dmp.unarchive(document, **BY)).view.reason == "DMP-UPD-SUCCESS"
        second = gateway.submit(correction(document)).document_id
        done = settled(gateway, dmp_delivery(gateway, second))
        assert done.view.transport == "sent", done.as_dict()
        assert [one.ours for one in dmp.find(second, **WHO).documents] == [second]


def test_a_feed_that_waits_goes_by_the_door_it_was_frozen_for(practice: Practice) -> None:
    direct(practice, *by_fhir(practice))
    with Gateway.open(practice.config) as gateway:
        document = gateway.submit(json.dumps(case(BILAN)).encode()).document_id
    other_door(practice, "soap")
    with Gateway.open(practice.config) as gateway:
        gateway.deliver_due()
        assert dmp_delivery(gateway, document).transport == "sent"
    [fed] = practice.box.dmp.exchanges("TD2.1")
    assert fed.path == "/fhir"


def test_what_this_door_does_not_offer_is_said_before_any_call(practice: Practice) -> None:
    direct(practice, *by_fhir(practice))
    with Gateway.open(practice.config) as gateway:
        document = submit(gateway)
        asked = len(practice.box.dmp.exchanges())
        with pytest.raises(InputError) as refused:
            gateway.dmp(ACCOUNT).links(document, ["urn:uuid:1"], **WHO)
        assert [one.code for one in refused.value.findings] == ["DMP-FHIR-DOOR"]
        assert len(practice.box.dmp.exchanges()) == asked
        [lot] = gateway.dmp(ACCOUNT).sets(document, **WHO).sets
        assert lot.unique_id == practice.box.dmp.documents()[0].set_unique_id


def test_indirect(practice: Practice) -> None:
    """A structure's certificate: feeds, finds references, deletes; nothing else, and nothing is asked then."""
    text = practice.config.read_text(encoding="utf-8")
    start = text.index("[account.dmp]", text.index(f'id = "{ACCOUNT}"'))
    lines = "\n".join(by_fhir(practice))
    place = text.index("mode = ", start)
    practice.config.write_text(f"{text[:place]}{lines}\n{text[place:]}", encoding="utf-8")
    with Gateway.open(practice.config) as gateway:
        document, dmp = submit(gateway), gateway.dmp(ACCOUNT)
        assert dmp_delivery(gateway, document).transport == "sent"
        [found] = dmp.find(document, **WHO).documents
        assert (found.ours, found.status, found.title, found.type) == (document, "Approved", None, None)
        with pytest.raises(InputError):
            dmp.retrieve(document, [found.unique_id or ""], **WHO)
        assert not dmp.propose(document, "mask").ok
        assert settled(gateway, dmp.delete(document, **BY)).view.reason == "DMP-UPD-SUCCESS"
        assert held(practice)[0][1] == "Deleted"


FED: Any = ("send", "accepted", "DMP-SUCCESS")
DONE: Any = ("send", "accepted", "DMP-UPD-SUCCESS")
LOST: Any = ("send", "in_doubt", "DMP-DOUBT-LOST")
NOT_THERE: Any = ("resolve", "transient", "DMP-NOT-THERE")


@pytest.mark.parametrize(
    ("kind", "history"),
    [
        ("drop_after_data", [LOST, ("resolve", "accepted", "DMP-FOUND")]),
        ("drop_before_store", [LOST, NOT_THERE, FED]),
        ("nonsense", [("send", "in_doubt", "DMP-UNREADABLE"), NOT_THERE, FED]),
        ("refuse", [("send", "transient", "DMP-HTTP-429"), FED]),
        ("not_available", [("send", "transient", "DMP-HTTP-503"), FED]),
        ("out_of_resources", [("send", "transient", "DMP-HTTP-507"), FED]),
        ("soap_fault", [("send", "transient", "DMP-HTTP-500"), FED]),
        ("server_error", [("send", "transient", "DMP-HTTP-500"), FED]),
        ("busy", [("send", "transient", "DMP-HTTP-503"), FED]),
        ("reject", [("send", "permanent", "DMP-FHIR-REFUSED")]),
    ],
)
def test_a_feed_whose_answer_is_no_success(practice: Practice, kind: str, history: list[tuple[str, str, str]]) -> None:
    direct(practice, *by_fhir(practice))
    practice.box.faults.set("dmp", kind, only="TD2.1")
    with Gateway.open(practice.config) as gateway:
        done = settled(gateway, dmp_delivery(gateway, submit(gateway)))
        assert steps(done) == history
        assert gateway.verify_journal().ok
    accepted = practice.box.dmp.count("TD2.1", outcome="accepted") + practice.box.dmp.count("TD2.1", outcome="lost")
    assert len(practice.box.dmp.documents()) == (kind != "reject")
    assert accepted >= (kind != "reject")
    assert len(practice.box.dmp.questions()) == sum(one[0] == "resolve" for one in history)


@pytest.mark.parametrize(
    ("change", "kind", "history"),
    [
        ("mask", "drop_after_data", [LOST, ("resolve", "accepted", "DMP-UPD-DONE")]),
        ("delete", "drop_after_data", [LOST, ("resolve", "accepted", "DMP-UPD-DONE")]),
        ("archive", "drop_before_store", [LOST, ("resolve", "transient", "DMP-UPD-NOT-DONE"), DONE]),
        ("mask", "refuse", [("send", "transient", "DMP-HTTP-429"), DONE]),
        ("mask", "reject", [("send", "permanent", "DMP-FHIR-REFUSED")]),
    ],
)
def test_a_change_whose_answer_is_lost_or_late(
    practice: Practice, change: Any, kind: str, history: list[tuple[str, str, str]]
) -> None:
    direct(practice, *by_fhir(practice))
    with Gateway.open(practice.config) as gateway:
        document = submit(gateway)
        practice.box.faults.set("dmp", kind, only="TD3.3")
        assert steps(settled(gateway, gateway.dmp(ACCOUNT).change(document, change, **BY))) == history


def test_resending_by_policy_ends_in_the_duplicate(practice: Practice) -> None:
    direct(practice, *by_fhir(practice), 'in_doubt = "resend"')
    practice.box.faults.set("dmp", "drop_after_data", only="TD2.1")
    with Gateway.open(practice.config) as gateway:
        done = settled(gateway, dmp_delivery(gateway, submit(gateway)))
        assert done.view.transport == "sent"
        assert steps(done)[-1][2] == "DMP-ALREADY-THERE"
    assert len(practice.box.dmp.documents()) == 1


@pytest.mark.parametrize(
    ("status", "authorisation", "reason"),
    [
        ("absent", "VALIDE", "DMP-NO-DMP"),
        ("closed", "VALIDE", "DMP-CLOSED"),
        ("active", "OPPOSITION", "DMP-OPPOSITION"),
    ],
)
def test_no_dmp_is_an_outcome(practice: Practice, status: str, authorisation: str, reason: str) -> None:
    direct(practice, *by_fhir(practice))
    ins = case(BILAN)["patient"]["ins"]
    practice.box.dmp.set_patient(ins["matricule"], ins["oid"], status=status, authorisation=authorisation)
    with Gateway.open(practice.config) as gateway:
        view = dmp_delivery(gateway, submit(gateway))
        assert (view.transport, view.reason) == ("impossible", reason)
    assert practice.box.dmp.count("TD2.1") == 0


def test_withdrawing_deletes_by_this_door(practice: Practice) -> None:
    direct(practice, *by_fhir(practice))
    with Gateway.open(practice.config) as gateway:
        document = submit(gateway)
        gateway.linked.withdraw(document, reason="wrong_patient", by="Anne Essai", note="autre patient")
        [deletion] = [
            one for one in gateway.status(document).deliveries if one.purpose == "deletion" and one.channel == "dmp"
        ]
        assert settled(gateway, deletion).view.reason == "DMP-UPD-SUCCESS"
        assert held(practice)[0][1] == "Deleted"
