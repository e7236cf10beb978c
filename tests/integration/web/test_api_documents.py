"""What a vendor's program does over HTTP: check, preview, hand in, follow, act; each answer held to the contract."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import jsonschema
import pytest

from gateway.web.api.app import described
from gateway.web.tokens import Role
from tests.integration.practice import case
from tests.integration.test_level1 import metadata, vendor_pdf
from tests.integration.web.apikit import Api
from tests.unit.level1.samples import archive

BILAN = "01_entorse_cheville_bilan"
PROBLEM = "application/problem+json"
BY = {"by": "Mme Martin", "reason": "demande du cabinet"}


def fresh(name: str = BILAN, **changes: Any) -> dict[str, Any]:
    """A submission that nobody handed in yet: another patient number and another day in it make it no repeat."""
    value = case(name) | {"key": uuid.uuid4().hex}
    value["document"] = value["document"] | {"id": uuid.uuid4().hex[:12]}
    return value | changes


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    value: dict[str, Any] = answer.json()
    assert (value["status"], value["code"], value["type"]) == (status, code, f"urn:kine-gateway:error:{code}")
    return value


def test_handing_in_is_done_once_and_answered_alike(api: Api) -> None:
    value = fresh()
    with api.client() as client:
        first = client.post("/documents", json=value)
        again = client.post("/documents", json=value)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() | {"created": False} == again.json()
    assert first.headers["location"] == again.headers["location"] == f"/v1/documents/{first.json()['document_id']}"


def test_the_header_is_the_key_and_another_content_is_a_conflict(api: Api) -> None:
    value = fresh()
    del value["key"]
    other = value | {"document": value["document"] | {"id": "autre"}}
    key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    with api.client() as client:
        first = client.post("/documents", json=value, headers=key)
        again = client.post("/documents", json=value, headers={"Idempotency-Key": key["Idempotency-Key"].strip('"')})
        refused = client.post("/documents", json=other, headers=key)
        two = client.post("/documents", json=fresh(), headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["document_id"] == again.json()["document_id"]
    problem(refused, 409, "DOC-409")
    problem(two, 422, "WEB-411")


def test_a_fault_is_told_with_its_place_and_nothing_is_kept(api: Api) -> None:
    value = fresh()
    value["recipients"][0]["mssante"] = "docteur@ailleurs.example"
    before = len(api.gateway.deliveries())
    with api.client() as client:
        checked = client.post("/check", json=value)
        refused = client.post("/documents", json=value)
        broken = client.post("/documents", content=b'{"format": ', headers={"Content-Type": "application/json"})
    report = checked.json()
    assert not report["ok"]
    found = problem(refused, 422, report["findings"][0]["code"])["findings"]
    assert "/recipients/0/mssante" in {one["path"] for one in found}
    assert problem(broken, 422, "INP-001")["findings"][0]["code"] == "INP-001"
    assert len(api.gateway.deliveries()) == before


def test_a_preview_shows_every_file_and_sends_nothing(api: Api) -> None:
    before = len(api.gateway.deliveries())
    with api.client() as client:
        answer = client.post("/render", json=fresh())
    with zipfile.ZipFile(io.BytesIO(answer.content)) as files:
        assert {"document.cda.xml", "document.fhir.json", "document.pdf", "report.json"} <= set(files.namelist())
        assert json.loads(files.read("report.json"))["ok"]
    assert len(api.gateway.deliveries()) == before


def test_a_pdf_comes_as_an_archive_or_as_a_form(api: Api) -> None:
    pdf = vendor_pdf()
    zipped = metadata(key=uuid.uuid4().hex)
    formed = metadata(key=uuid.uuid4().hex)
    parts: dict[str, tuple[str | None, bytes | str, str]] = {
        "metadata": (None, json.dumps(formed), "application/json"),
        "document": ("bilan.pdf", pdf, "application/pdf"),
    }
    with api.client() as client:
        one = client.post("/documents", content=archive(zipped, pdf), headers={"Content-Type": "application/zip"})
        two = client.post("/documents", files=parts)
        kept = client.get(f"/documents/{two.json()['document_id']}/renderings/pdf")
        half = client.post("/documents", files={"metadata": parts["metadata"]})
        bare = client.post("/documents", content=pdf, headers={"Content-Type": "application/pdf"})
    assert (one.status_code, two.status_code) == (201, 201)
    assert kept.content == pdf
    assert kept.headers["content-type"] == "application/pdf"
    problem(half, 400, "WEB-400")
    problem(bare, 415, "WEB-415")


def test_a_document_and_its_deliveries_are_followed_and_decided(api: Api) -> None:
    with api.client() as client:
        made = client.post("/documents", json=fresh()).json()
        status = client.get(f"/documents/{made['document_id']}").json()
        one = next(one["id"] for one in status["deliveries"] if one["transport"] != "impossible")
        if status["deliveries"][0]["transport"] == "held":  # another test handed in the same patient's: a likely repeat
            client.post(f"/deliveries/{one}/release", json=BY)
        key = {"Idempotency-Key": "ordre-1"}
        held = client.post(f"/deliveries/{one}/hold", json=BY, headers=key)
        again = client.post(f"/deliveries/{one}/hold", json=BY, headers=key)
        bare = client.post(f"/deliveries/{one}/hold", json=BY)
        other = client.post(f"/deliveries/{one}/cancel", json=BY, headers=key)
        released = client.post(f"/deliveries/{one}/release", json=BY)
        cancelled = client.post(f"/deliveries/{one}/cancel", json=BY)
        refused = client.post(f"/deliveries/{one}/hold", json=BY)
        history = client.get(f"/deliveries/{one}").json()
    assert (held.status_code, held.json()["transport"]) == (200, "held")
    assert again.json() == held.json()
    assert again.headers["idempotency-replayed"] == "true"
    problem(bare, 409, "DLV-001")
    problem(other, 409, "WEB-409")
    assert released.json()["transport"] == "prepared"
    assert cancelled.json()["transport"] == "cancelled"
    problem(refused, 409, "DLV-001")
    assert {note["actor"] for note in history["notes"]} == {"Mme Martin"}
    assert {note["text"] for note in history["notes"]} == {"demande du cabinet"}


def test_listing_is_paged_and_filtered(api: Api) -> None:
    with api.client() as client:
        for _ in range(2):
            client.post("/documents", json=fresh())
        seen: list[str] = []
        page = client.get("/deliveries", params={"limit": 2}).json()
        while True:
            seen += [one["id"] for one in page["deliveries"]]
            if page["next"] is None:
                break
            page = client.get("/deliveries", params={"limit": 2, "after": page["next"]}).json()
        only = client.get("/deliveries", params={"destination": "dmp", "limit": 500}).json()["deliveries"]
        wrong = client.get("/deliveries", params={"statut": "sent"})
    assert len(seen) == len(set(seen)) == len(api.gateway.deliveries(account=api.account))
    assert {one["destination"] for one in only} == {"dmp"}
    assert problem(wrong, 422, "WEB-422")["findings"][0]["path"] == "/query/statut"


def test_polling_by_cursor_sees_each_move_once(api: Api) -> None:
    with api.client() as client:
        start = client.get("/changes", params={"updated_since": "now"}).json()
        assert (start["deliveries"], start["more"]) == ([], False)
        made = client.post("/documents", json=fresh()).json()
        first = client.get("/changes", params={"updated_since": start["cursor"]}).json()
        assert {one["id"] for one in first["deliveries"]} == set(made["delivery_ids"])
        moved = next(one["id"] for one in first["deliveries"] if one["transport"] != "impossible")
        client.post(f"/deliveries/{moved}/cancel", json=BY)
        second = client.get("/changes", params={"updated_since": first["cursor"]}).json()
        assert [(one["id"], one["transport"]) for one in second["deliveries"]] == [(moved, "cancelled")]
        third = client.get("/changes", params={"updated_since": second["cursor"]}).json()
        assert third == {"deliveries": [], "cursor": second["cursor"], "more": False}
        everything: set[str] = set()
        page: dict[str, Any] = {"more": True, "cursor": None}
        while page["more"]:
            page = client.get(
                "/changes", params={} if page["cursor"] is None else {"updated_since": page["cursor"]}
            ).json()
            everything |= {one["id"] for one in page["deliveries"]}
        place = second["cursor"].rpartition("-")[0]
        for other in ("c1-999999999-0", f"{place}-0123456789ab", "hier"):
            problem(client.get("/changes", params={"updated_since": other}), 422, "WEB-424")
    assert everything == {one.id for one in api.gateway.deliveries(account=api.account)}


@pytest.mark.parametrize(
    "path", ["/documents/{d}", "/deliveries/{v}", "/documents/{d}/renderings/pdf", "/deliveries/{v}/proof"]
)
def test_another_account_sees_nothing_of_it(api: Api, path: str) -> None:
    with api.client() as client:
        made = client.post("/documents", json=fresh()).json()
    where = path.format(d=made["document_id"], v=made["delivery_ids"][0])
    stranger = next(one.id for one in api.gateway.settings.account if one.id != api.account)
    with api.client(account=stranger) as client:
        told = client.get(where)
        unknown = client.get(path.format(d="0" * 32, v="0" * 32))
        foreign = client.post("/documents", json=fresh())
        assert client.get("/deliveries").json()["deliveries"] == []
    assert told.status_code == unknown.status_code == 404
    assert told.json()["code"] == unknown.json()["code"]
    problem(foreign, 422, "CPT-004")
    with api.client(Role.PRACTICE) as client:
        assert client.get(where).status_code == 200


def test_a_withdrawal_is_shown_before_and_after(api: Api) -> None:
    order = {"reason": "error", "by": "Mme Martin", "note": "mauvais dossier"}
    with api.client() as client:
        made = client.post("/documents", json=fresh()).json()
        where = f"/documents/{made['document_id']}/withdrawal"
        problem(client.get(where), 409, "WDR-004")
        plan = client.post(where, json=order | {"dry_run": True}).json()
        done = client.post(where, json=order).json()
        again = client.get(where).json()
    assert plan["ok"]
    assert len(plan["steps"]) == len(made["delivery_ids"])
    assert done == again
    assert done["ended"]


def test_the_contract_is_valid_openapi_and_answers_keep_it(api: Api) -> None:
    contract = described()
    assert contract["openapi"] == "3.1.0"
    with api.client() as client:
        assert client.get("/openapi.json").json() == contract
        made = client.post("/documents", json=fresh()).json()
        answers = {
            "Document": client.get(f"/documents/{made['document_id']}").json(),
            "DeliveryHistory": client.get(f"/deliveries/{made['delivery_ids'][0]}").json(),
            "Submitted": made,
            "Report": client.post("/check", json=fresh()).json(),
            "Changes": client.get("/changes").json(),
        }
    for name, answer in answers.items():
        jsonschema.validate(answer, {"$ref": f"#/components/schemas/{name}", "components": contract["components"]})


def test_the_same_document_from_many_sides_at_once_is_one_document(api: Api) -> None:
    value = fresh()
    with api.served() as address, ThreadPoolExecutor(8) as pool:
        headers = {"Authorization": f"Bearer {api.token(Role.VENDOR)}"}
        posts = [
            pool.submit(httpx2.post, f"{address}/documents", json=value, headers=headers, timeout=60) for _ in range(8)
        ]
        answers = [one.result() for one in posts]
    assert sorted(one.status_code for one in answers) == [200] * 7 + [201]
    assert len({one.json()["document_id"] for one in answers}) == 1
