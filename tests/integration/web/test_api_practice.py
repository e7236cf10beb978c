"""What is due, what was done, what must not go: obligations, indicators, pauses, oppositions over HTTP."""

from __future__ import annotations

from gateway.web.tokens import Role
from tests.integration.web.apikit import Api
from tests.integration.web.test_api_documents import fresh, problem


def test_obligations_are_told_by_pseudonym_and_by_account(api: Api) -> None:
    with api.client() as client:
        made = client.post("/documents", json=fresh()).json()
        whole = client.get("/obligations").json()
        of_document = client.get("/obligations", params={"document": made["document_id"]}).json()
        episode = of_document["obligations"][0]["episode"]
        of_episode = client.get("/obligations", params={"episode": episode}).json()
        missing = client.get("/obligations", params={"missing": "true"}).json()["obligations"]
    assert of_document["obligations"]
    assert of_episode["obligations"] == of_document["obligations"]
    assert len(missing) <= len(whole["obligations"])
    assert {one["account"] for one in whole["obligations"]} == {api.account}
    stranger = next(one.id for one in api.gateway.settings.account if one.id != api.account)
    with api.client(account=stranger) as client:
        problem(client.get("/obligations", params={"document": made["document_id"]}), 404, "DOC-404")
        assert client.get("/obligations").json()["obligations"] == []
    with api.client(Role.AUDITOR) as client:
        assert client.get("/obligations").json() == whole


def test_the_indicators_of_a_period_are_those_of_the_library(api: Api) -> None:
    from gateway.audit import tables

    with api.client() as client:
        client.post("/documents", json=fresh())
        told = client.get("/report", params={"period": "2026"})
        problem(client.get("/report", params={"period": "hier"}), 422, "WEB-422")
        problem(client.get("/report", params={"period": "2026-99"}), 422, "IND-001")
    ours = tables.as_dict(api.gateway.report("2026", account=api.account))
    value = told.json()
    moving = {"checkpoint", "computed_at"}
    assert {key: value[key] for key in value.keys() - moving} == {key: ours[key] for key in ours.keys() - moving}


def test_a_billing_export_is_compared_and_nobody_is_named(api: Api) -> None:
    billing = "patient;nom;date;acte\n42;DUPONT;2026-11-02;direct\n"
    with api.client() as client:
        answer = client.post("/obligations/reconcile", content=billing, headers={"Content-Type": "text/csv"})
        problem(client.post("/obligations/reconcile", json={}), 415, "WEB-415")
    assert "DUPONT" not in answer.text
    assert answer.status_code in {200, 422}


def test_a_channel_is_paused_and_resumed(api: Api) -> None:
    order = {"channel": "dmp", "by": "Mme Martin", "reason": "maintenance"}
    with api.client() as client:
        paused = client.post("/pauses", json=order).json()
        ended = client.post("/pauses/end", json={"channel": "dmp", "by": "Mme Martin"}).json()
        again = client.post("/pauses/end", json={"channel": "dmp", "by": "Mme Martin"}).json()
        assert client.get("/pauses").json() == []
    assert [(one["account"], one["channel"], one["reason"]) for one in paused] == [(api.account, "dmp", "maintenance")]
    assert (ended, again) == ({"ended": True}, {"ended": False})


def test_an_opposition_stops_what_waits_and_ends(api: Api) -> None:
    with api.client() as client:
        made = client.post("/documents", json=fresh()).json()
        where = f"/documents/{made['document_id']}/oppositions"
        problem(client.post(where, json={"to": "voisin", "by": "Mme Martin"}), 422, "OPP-003")
        done = client.post(where, json={"to": "dmp", "by": "Mme Martin"}).json()
        listed = client.get("/oppositions").json()
        after = client.post(f"{where}/end", json={"to": "dmp", "by": "Mme Martin", "release": True}).json()
        problem(client.post(f"{where}/end", json={"to": "dmp", "by": "Mme Martin"}), 409, "OPP-001")
    assert done["new"]
    assert {one["destination"] for one in done["stopped"]} <= {"dmp"}
    assert [(one["account"], one["to"]) for one in listed] == [(api.account, "dmp")]
    assert {one["id"] for one in after["released"]} <= {one["id"] for one in done["stopped"]}
