"""Faults of one transaction, and the log of exchanges: what came, how often, about what, and what was answered."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from gateway.sandbox.dmp.exchanges import KEPT_BODIES
from gateway.sandbox.dmp.service import HttpAnswer
from gateway.sandbox.faults import Channel, DropConnectionError, Fault, FaultKind, Faults, write_faults

from . import builders as b
from .builders import existence, feed
from .conftest import Dmp, outcome
from .operations import fed, leaf_of, retrieve, retrieved, send, status_change, visibility_change
from .queries import build, get, objects, refused

TRANSACTIONS = ("TD0.2", "TD2.1", "TD3.1", "TD3.2", "TD3.3")


def call(dmp: Dmp, transaction: str, unique_id: str) -> HttpAnswer:
    draft = dmp.draft(mode="DIRECTE")
    if transaction == "TD3.3":
        return send(dmp, visibility_change(draft, leaf_of(dmp, unique_id), ["MASQUE_PS"]))
    if transaction == "TD3.1":
        return send(dmp, build(draft, get(unique_id)))
    made = {"TD0.2": existence, "TD2.1": feed}.get(transaction)
    return send(dmp, made(draft) if made else retrieve(draft, unique_id))


@pytest.mark.parametrize("transaction", TRANSACTIONS)
@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("busy", 503, b"occupe"),
        ("server_error", 500, b"<h1>500</h1>"),
        ("soap_fault", 500, b"env:Receiver"),
        ("nonsense", 200, b"Envelope xmlns"),
    ],
)
def test_a_fault_strikes_the_transaction_it_names_once(
    dmp: Dmp, transaction: str, kind: str, status: int, words: bytes
) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    dmp.faults.set("dmp", kind, only=transaction)
    for other in TRANSACTIONS:
        answer = call(dmp, other, draft.document_id)
        assert answer.status == (status if other == transaction else 200), other
        assert words in answer.body or other != transaction
    assert dmp.faults.struck("dmp", kind) == 1
    assert [one.outcome for one in dmp.view.exchanges(transaction)].count("fault") == 1
    if kind == "nonsense":
        last = next(one for one in dmp.view.exchanges(transaction) if one.outcome == "fault")
        whole = dmp.view.exchange(last.id)
        assert whole is not None
        with pytest.raises(etree.XMLSyntaxError):
            etree.fromstring(whole.answer or b"")


@pytest.mark.parametrize(
    ("kind", "registry", "repository"),
    [
        ("refuse", "XDSRegistryBusy", "XDSRepositoryBusy"),
        ("not_available", "XDSRegistryNotAvailable", "XDSRegistryNotAvailable"),
        ("out_of_resources", "XDSRegistryOutOfResources", "XDSRepositoryOutOfResources"),
        ("reject", "XDSRegistryError", "XDSRepositoryError"),
    ],
)
def test_refusals_carry_the_code_of_the_actor(dmp: Dmp, kind: str, registry: str, repository: str) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    for name in ("TD2.1", "TD3.1", "TD3.2"):
        dmp.faults.set("dmp", kind, only=name)
    assert outcome(call(dmp, "TD2.1", draft.document_id)) == (repository,)
    assert refused(call(dmp, "TD3.1", draft.document_id)) == registry
    assert retrieved(call(dmp, "TD3.2", draft.document_id)) == ("Failure", [repository], {})
    dmp.faults.set("dmp", kind, only="TD3.3")
    assert outcome(call(dmp, "TD3.3", draft.document_id)) == (registry,)
    assert outcome(call(dmp, "TD3.3", draft.document_id)) == ("Success",)


@pytest.mark.parametrize("kind", ["drop_after_data", "drop_before_store"])
def test_an_answer_that_never_leaves(dmp: Dmp, kind: str) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    target = dmp.store.documents()[0].entry_uuid
    dmp.faults.set("dmp", kind, only="TD3.3")
    with pytest.raises(DropConnectionError):
        send(dmp, status_change(dmp.draft(mode="DIRECTE"), target, new="Deleted"))
    [exchange] = dmp.view.exchanges("TD3.3")
    assert (exchange.outcome, exchange.status) == ("lost", 0)
    assert dmp.store.documents()[0].status == ("Deleted" if kind == "drop_after_data" else "Approved")
    for name in ("TD3.1", "TD3.2"):
        dmp.faults.set("dmp", kind, only=name)
        with pytest.raises(DropConnectionError):
            call(dmp, name, draft.document_id)
    assert dmp.view.count(outcome="lost") == 3


def test_a_fault_that_names_nothing_strikes_what_stores(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    dmp.faults.set("dmp", "refuse")
    leaf_of(dmp, draft.document_id)
    assert retrieved(call(dmp, "TD3.2", draft.document_id))[0] == "Success"
    assert outcome(call(dmp, "TD3.3", draft.document_id)) == ("XDSRegistryBusy",)


@pytest.mark.parametrize(
    ("channel", "kind", "only"),
    [
        ("mssante", "nonsense", ""),
        ("mssante", "refuse", "TD2.1"),
        ("dmp", "refuse", "TD9"),
        ("dmp", "unavailable", "TD2.1"),
    ],
)
def test_a_fault_that_could_never_strike_is_refused(channel: str, kind: str, only: str) -> None:
    with pytest.raises(ValueError, match="fault"):
        Faults().set(channel, kind, only=only)


def test_another_process_names_the_transaction_too(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    faults = Faults(file)
    write_faults(file, [Fault(Channel.DMP, FaultKind.REFUSE, 1, 0.0, "TD3.2")])
    assert faults.take(Channel.DMP, frozenset(FaultKind)) is None
    assert faults.take(Channel.DMP, frozenset(FaultKind), "TD3.2") is not None


# --------------------------------------------------------------------------------------------------- exchanges


def test_every_exchange_is_remembered_with_its_bytes(dmp: Dmp) -> None:
    draft, built = fed(dmp, mode="DIRECTE")
    for name in ("TD0.2", "TD3.1", "TD3.2"):
        call(dmp, name, draft.document_id)
    found = dmp.view.exchanges()
    assert [one.transaction for one in found] == ["TD2.1", "TD0.2", "TD3.1", "TD3.2"]
    assert {one.patient for one in found} == {b.INS}
    assert [one.transaction for one in dmp.view.exchanges(about=draft.document_id)] == ["TD2.1", "TD3.1", "TD3.2"]
    whole = dmp.view.exchange(found[0].id)
    assert whole is not None
    assert whole.request == built.body
    assert b"ResponseStatusType:Success" in (whole.answer or b"")
    assert dict(whole.request_headers)["Content-Type"] == built.content_type
    assert "CN=" in whole.peer


def test_refusals_and_faults_are_remembered_with_their_codes(dmp: Dmp) -> None:
    draft, built = fed(dmp, mode="DIRECTE")
    again = dmp.draft(mode="DIRECTE", set_id=draft.set_id)
    send(dmp, feed(again))
    send(dmp, built)
    dmp.send(b.Built("/elsewhere", "text/plain", b"", b"", b"", built.assertion, b""))
    outcomes = [(one.transaction, one.outcome, one.codes, one.status) for one in dmp.view.exchanges()]
    assert outcomes == [
        ("TD2.1", "accepted", (), 200),
        ("TD2.1", "refused", ("XDSDuplicateUniqueIdInRegistry",), 200),
        ("TD2.1", "fault", ("wsse:FailedCheck",), 400),
        ("", "fault", (), 404),
    ]
    assert dmp.view.count("TD2.1", about=draft.set_id) == 2


def test_old_bodies_are_let_go_and_rows_are_not(dmp: Dmp) -> None:
    built = existence(dmp.draft(mode="DIRECTE"))
    for _ in range(KEPT_BODIES + 2):
        send(dmp, built)
    assert dmp.view.count() == KEPT_BODIES + 2
    kept = [dmp.view.exchange(number) for number in (1, 2, 3, KEPT_BODIES + 2)]
    assert [one is not None and one.request is not None for one in kept] == [False, False, True, True]


def test_the_store_can_be_emptied(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    dmp.view.set_patient(b.INS, b.INS_OID)
    dmp.store.clear()
    assert (dmp.store.documents(), dmp.store.patients(), dmp.view.exchanges()) == ([], [], [])
    assert objects(send(dmp, build(dmp.draft(mode="DIRECTE"), get(draft.document_id)))) == []
