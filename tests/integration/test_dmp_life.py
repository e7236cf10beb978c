"""The life of a document in the DMP by a physiotherapist's own certificate: fed, found, read, changed, deleted."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.api import Gateway
from gateway.errors import InputError
from gateway.package.query import Criteria
from gateway.views import DeliveryHistory, DeliveryView
from tests.integration.practice import Practice, case, open_practice

BILAN = "01_entorse_cheville_bilan"
ACCOUNT = "cabinet-01"
ARCHIVED = "urn:asip:ci-sis:2010:StatusType:Archived"
BY: dict[str, Any] = {"by": "Anne Essai", "reason": "demande du patient"}


def direct(practice: Practice, *more: str) -> None:
    """Give the account the professional's own certificates, and more lines of [account.dmp]."""
    text = practice.config.read_text(encoding="utf-8")
    start = text.index(f'id = "{ACCOUNT}"')
    start = text.index("[account.dmp]", start)
    end = text.index("\n\n", start)
    rpps = case(BILAN)["author"]["rpps"]
    structure = re.search(r'emitter = "(\d+)"', text[end:])
    assert structure is not None
    names = {"structure_id": structure[1], "rpps": rpps}
    auth = practice.box.issue_client(f"{ACCOUNT}-direct", kind="auth", **names)
    sign = practice.box.issue_client(f"{ACCOUNT}-direct", kind="sign", **names)
    table = text[start:end].replace('mode = "indirect"', 'mode = "direct"')
    table = re.sub(r'cert_file = "[^"]*", key_file = "[^"]*"', _pair("", auth.cert_path, auth.key_path), table)
    table = re.sub(
        r"sign_cert_file = .*\nsign_key_file = .*", _pair("sign_", sign.cert_path, sign.key_path, "\n"), table
    )
    practice.config.write_text(text[:start] + "\n".join((table, *more)) + text[end:], encoding="utf-8")


def _pair(prefix: str, cert: Path, key: Path, between: str = ", ") -> str:
    return f'{prefix}cert_file = "{cert}"{between}{prefix}key_file = "{key}"'


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, certificates=certificates)
    yield made
    made.box.close()


@pytest.fixture(params=["modern", "legacy"])
def direct_practice(practice: Practice, request: pytest.FixtureRequest) -> Practice:
    direct(practice, f'profile = "{request.param}"')
    return practice


def submit(gateway: Gateway, value: dict[str, Any] | None = None) -> str:
    """Hand in a document and deliver it; returns its id."""
    done = gateway.submit(json.dumps(value or case(BILAN)).encode())
    gateway.deliver_due()
    return done.document_id


def settled(gateway: Gateway, view: DeliveryView, seconds: float = 15.0) -> DeliveryHistory:
    """Deliver until a delivery is at rest."""
    deadline = time.monotonic() + seconds
    while (found := gateway.delivery(view.id)).view.transport not in {"sent", "dead", "held"}:
        assert time.monotonic() < deadline, found.as_dict()
        gateway.deliver_due()
        time.sleep(0.05)
    return found


def held(practice: Practice) -> list[tuple[int, str, tuple[str, ...]]]:
    """Version of metadata, status and visibility of what the sandbox holds of the document."""
    return [
        (one.version, one.status, tuple(code for code in one.confidentiality if code != "N"))
        for one in practice.box.dmp.documents()
    ]


def test_the_whole_life(direct_practice: Practice) -> None:
    practice = direct_practice
    with Gateway.open(practice.config) as gateway:
        document, dmp = submit(gateway), gateway.dmp(ACCOUNT)
        assert dmp.test(document, by="Anne Essai").open

        [found] = dmp.find(document, by="Anne Essai").documents
        assert found.ours == document
        assert (found.status, found.version, found.visibility) == ("Approved", "1", ())
        cda = gateway.rendering(document, "cda")
        got = dmp.retrieve(document, [found.unique_id or ""], by="Anne Essai")
        assert got.ok
        assert [(one.content == cda, one.checked) for one in got.files] == [(True, True)]

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
            [(number, status, shown)] = held(practice)
            assert (number, status, shown) == (version, "Approved", labels)

        assert settled(gateway, dmp.archive(document, **BY)).view.transport == "sent"
        assert held(practice)[0][1] == "Archived"
        assert dmp.find(document, by="Anne Essai").documents == ()
        archived = dmp.find(document, by="Anne Essai", criteria=Criteria(statuses=(ARCHIVED,)))
        assert [one.ours for one in archived.documents] == [document]
        assert settled(gateway, dmp.unarchive(document, **BY)).view.transport == "sent"
        assert settled(gateway, dmp.delete(document, **BY)).view.reason == "DMP-UPD-SUCCESS"
        assert all(status == "Deleted" for _, status, _ in held(practice))
        assert gateway.verify_journal().ok


def test_the_document_goes_back_to_where_it_came_from(practice: Practice) -> None:
    """Indirect: references are found, deletion is allowed, everything else is refused before any call."""
    with Gateway.open(practice.config) as gateway:
        document, dmp = submit(gateway), gateway.dmp(ACCOUNT)
        found = dmp.find(document, by="Anne Essai")
        assert found.refusal is None
        [fed] = practice.box.dmp.documents()
        assert fed.entry_uuid in {one.entry_uuid for one in found.documents}
        assert len(found.documents) == 2  # references do not tell the signature of the set from the document
        assert all(one.title is None for one in found.documents)
        asked = len(practice.box.dmp.questions())
        unique_id = practice.box.dmp.documents()[0].unique_id
        with pytest.raises(InputError) as refused:
            dmp.retrieve(document, [unique_id], by="Anne Essai")
        assert [one.code for one in refused.value.findings] == ["DMP-RIGHTS"]
        for change in ("mask", "unmask", "hide", "show", "hide_legal", "show_legal", "archive", "unarchive"):
            proposal = dmp.propose(document, change)
            assert [one.code for one in proposal.findings] == ["DMP-RIGHTS"], change
        assert len(practice.box.dmp.questions()) == asked
        done = settled(gateway, dmp.delete(document, **BY))
        assert (done.view.transport, done.view.reason) == ("sent", "DMP-UPD-SUCCESS"), done.as_dict()
        assert [one.status for one in practice.box.dmp.documents()] == ["Deleted"]
        assert gateway.verify_journal().ok


def test_sets_and_links(practice: Practice) -> None:
    direct(practice)
    with Gateway.open(practice.config) as gateway:
        document, dmp = submit(gateway), gateway.dmp(ACCOUNT)
        [lot] = dmp.sets(document, by="Anne Essai").sets
        assert lot.unique_id == practice.box.dmp.documents()[0].set_unique_id
        links = dmp.links(document, [lot.entry_uuid], by="Anne Essai").links
        kinds = sorted((one.type or "").rpartition(":")[2] for one in links)
        assert kinds == ["HasMember", "HasMember", "signs"]
        assert {one.source for one in links if (one.type or "").endswith("HasMember")} == {lot.entry_uuid}


# ------------------------------------------------------------------------------------- when an answer is lost

LOST = ("send", "in_doubt", "DMP-DOUBT-LOST")
DONE = ("send", "accepted", "DMP-UPD-SUCCESS")
FED = ("send", "accepted", "DMP-SUCCESS")


def steps(found: DeliveryHistory) -> list[tuple[str, str, str]]:
    return [(one["kind"], str(one["verdict"]), str(one["reason"])) for one in found.attempts]


NOT_DONE = ("resolve", "transient", "DMP-UPD-NOT-DONE")
FOUND_DONE = ("resolve", "accepted", "DMP-UPD-DONE")


@pytest.mark.parametrize(
    ("change", "kind", "history"),
    [
        ("mask", "drop_after_data", [LOST, FOUND_DONE]),
        ("archive", "drop_after_data", [LOST, FOUND_DONE]),
        ("delete", "drop_after_data", [LOST, FOUND_DONE]),
        ("mask", "drop_before_store", [LOST, NOT_DONE, DONE]),
        ("delete", "drop_before_store", [LOST, NOT_DONE, DONE]),
        ("archive", "nonsense", [("send", "in_doubt", "DMP-UNREADABLE"), NOT_DONE, DONE]),
        ("mask", "refuse", [("send", "transient", "DMP-XDSRegistryBusy"), DONE]),
        ("mask", "out_of_resources", [("send", "transient", "DMP-XDSRegistryOutOfResources"), DONE]),
        ("mask", "not_available", [("send", "transient", "DMP-XDSRegistryNotAvailable"), DONE]),
        ("mask", "soap_fault", [("send", "transient", "DMP-FAULT-RECEIVER"), DONE]),
        ("mask", "server_error", [("send", "transient", "DMP-HTTP-500"), DONE]),
        ("mask", "busy", [("send", "transient", "DMP-HTTP-503"), DONE]),
    ],
)
def test_a_change_whose_answer_is_lost_or_late(
    practice: Practice, change: str, kind: str, history: list[tuple[str, str, str]]
) -> None:
    direct(practice)
    with Gateway.open(practice.config) as gateway:
        document = submit(gateway)
        practice.box.faults.set("dmp", kind, only="TD3.3")
        done = settled(gateway, gateway.dmp(ACCOUNT).change(document, change, **BY))  # type: ignore[arg-type]
        assert steps(done) == history
        assert done.view.transport == "sent"
        assert gateway.verify_journal().ok
    [(version, status, labels)] = held(practice)
    wanted = {"mask": (2, "Approved", ("MASQUE_PS",)), "archive": (1, "Archived", ()), "delete": (1, "Deleted", ())}
    assert (version, status, labels) == wanted[change]


def test_what_is_already_so_is_not_asked_again(practice: Practice) -> None:
    direct(practice)
    with Gateway.open(practice.config) as gateway:
        document, dmp = submit(gateway), gateway.dmp(ACCOUNT)
        settled(gateway, dmp.mask(document, **BY))
        again = settled(gateway, dmp.mask(document, **BY))
        assert steps(again) == [("send", "accepted", "DMP-UPD-DONE")]
        settled(gateway, dmp.delete(document, **BY))
        assert steps(settled(gateway, dmp.delete(document, **BY))) in (
            [("send", "accepted", "DMP-UPD-DONE")],
            [("send", "accepted", "DMP-UPD-ABSENT")],
        )
        gone = settled(gateway, dmp.unmask(document, **BY))
        assert (gone.view.transport, gone.view.reason) == ("dead", "DMP-UPD-NOT-FOUND")
    assert held(practice)[0][:2] == (2, "Deleted")


def test_masked_and_hidden_are_not_cumulated(practice: Practice) -> None:
    direct(practice)
    with Gateway.open(practice.config) as gateway:
        document, dmp = submit(gateway), gateway.dmp(ACCOUNT)
        settled(gateway, dmp.mask(document, **BY))
        refused = settled(gateway, dmp.hide(document, **BY))
        assert (refused.view.transport, refused.view.reason) == ("dead", "DMP-UPD-CUMUL")
        assert held(practice)[0][2] == ("MASQUE_PS",)


# ------------------------------------------------------------------------------------------ replacing by then


def correction(document: str) -> bytes:
    value = case(BILAN)
    value |= {"key": "c-1", "replaces": document}
    value["document"]["reason"] = "Texte corrigé"
    return json.dumps(value).encode()


def dmp_delivery(gateway: Gateway, document: str) -> DeliveryView:
    [found] = [one for one in gateway.status(document).deliveries if one.role == "dmp"]
    return found


@pytest.mark.parametrize(("target", "state", "reason"), [("query", "sent", "DMP-SUCCESS"), ("frozen", "dead", None)])
def test_a_correction_follows_a_document_whose_metadata_changed(
    practice: Practice, target: str, state: str, reason: str | None
) -> None:
    direct(practice, f'replace_target = "{target}"')
    with Gateway.open(practice.config) as gateway:
        document = submit(gateway)
        settled(gateway, gateway.dmp(ACCOUNT).mask(document, **BY))
        second = gateway.submit(correction(document))
        done = settled(gateway, dmp_delivery(gateway, second.document_id))
        assert done.view.transport == state, done.as_dict()
        assert reason in {None, done.view.reason}
        assert gateway.verify_journal().ok


@pytest.mark.parametrize(("change", "reason"), [("archive", "DMP-RPLC-ARCHIVED"), ("delete", "DMP-RPLC-NOT-FOUND")])
def test_a_correction_of_what_is_no_longer_there_says_what_to_do(practice: Practice, change: str, reason: str) -> None:
    from gateway import wording

    direct(practice)
    with Gateway.open(practice.config) as gateway:
        document = submit(gateway)
        settled(gateway, gateway.dmp(ACCOUNT).change(document, change, **BY))  # type: ignore[arg-type]
        second = gateway.submit(correction(document))
        done = settled(gateway, dmp_delivery(gateway, second.document_id))
        assert (done.view.transport, done.view.reason) == ("dead", reason)
        assert wording.advice("dead", "none", reason)


def test_nobody_searches_after_a_feed(practice: Practice) -> None:
    """EX_3.1-2030: a feed and its success are followed by no question."""
    direct(practice)
    with Gateway.open(practice.config) as gateway:
        submit(gateway)
    assert practice.box.dmp.questions() == []


# ------------------------------------------------------------------------------------------ beside the others


def test_a_change_is_no_document_to_be_packed_again(practice: Practice) -> None:
    direct(practice)
    with Gateway.open(practice.config) as gateway:
        document, dmp = submit(gateway), gateway.dmp(ACCOUNT)
        settled(gateway, dmp.mask(document, **BY))
        refused = settled(gateway, dmp.hide(document, **BY))
        with pytest.raises(InputError) as stopped:
            gateway.linked.reprepare(refused.view.id, **BY)
        assert [one.code for one in stopped.value.findings] == ["LNK-PURPOSE"]


def test_a_masked_document_is_withdrawn_like_any_other(practice: Practice) -> None:
    direct(practice)
    with Gateway.open(practice.config) as gateway:
        document, dmp = submit(gateway), gateway.dmp(ACCOUNT)
        settled(gateway, dmp.mask(document, **BY))
        waiting = dmp.archive(document, **BY)
        gateway.linked.withdraw(document, reason="wrong_patient", by="Anne Essai", note="autre patient")
        [deletion] = [
            one for one in gateway.status(document).deliveries if one.purpose == "deletion" and one.channel == "dmp"
        ]
        assert settled(gateway, deletion).view.reason == "DMP-UPD-SUCCESS"
        assert gateway.delivery(waiting.id).view.transport == "cancelled"
        assert held(practice)[0][1] == "Deleted"
        assert [one.code for one in dmp.propose(document, "mask").findings] == ["DMP-CHG-WITHDRAWN"]


def test_a_change_waits_for_a_feed_in_doubt(practice: Practice) -> None:
    direct(practice)
    practice.box.faults.set("dmp", "drop_after_data", only="TD2.1")
    with Gateway.open(practice.config) as gateway:
        document = submit(gateway)
        assert dmp_delivery(gateway, document).transport == "in_doubt"
        planned = gateway.dmp(ACCOUNT).mask(document, **BY)
        assert (planned.transport, planned.reason) == ("prepared", "ENG-AFTER")
        assert steps(settled(gateway, planned)) == [DONE]
        assert held(practice)[0][2] == ("MASQUE_PS",)
        assert gateway.verify_journal().ok


def test_a_mode_that_changed_since_the_feed(practice: Practice) -> None:
    """Fed by the structure's certificate, changed later by the professional's own."""
    with Gateway.open(practice.config) as gateway:
        document = submit(gateway)
    direct(practice)
    with Gateway.open(practice.config) as gateway:
        dmp = gateway.dmp(ACCOUNT)
        assert dmp.propose(document, "mask").ok
        done = settled(gateway, dmp.mask(document, **BY))
        assert steps(done) == [DONE]
        assert [one.visibility for one in dmp.find(document, by="Anne Essai").documents] == [("masked",)]


@pytest.mark.parametrize(
    ("kind", "history"),
    [
        ("nonsense", [("send", "in_doubt", "DMP-UNREADABLE"), ("resolve", "transient", "DMP-NOT-THERE"), FED]),
        ("out_of_resources", [("send", "transient", "DMP-XDSRepositoryOutOfResources"), FED]),
        ("not_available", [("send", "transient", "DMP-XDSRegistryNotAvailable"), FED]),
        ("soap_fault", [("send", "transient", "DMP-FAULT-RECEIVER"), FED]),
        ("server_error", [("send", "transient", "DMP-HTTP-500"), FED]),
        ("reject", [("send", "permanent", "DMP-XDSRepositoryError")]),
    ],
)
def test_a_feed_whose_answer_is_no_success(practice: Practice, kind: str, history: list[tuple[str, str, str]]) -> None:
    practice.box.faults.set("dmp", kind, only="TD2.1")
    with Gateway.open(practice.config) as gateway:
        done = settled(gateway, dmp_delivery(gateway, submit(gateway)))
        assert steps(done) == history
        assert (done.attempts[0]["text"] or "").startswith("XDSRepositoryError") is (kind == "reject")
    assert len(practice.box.dmp.questions()) == (kind == "nonsense")
