"""Who may do what, how much and how often; and nothing of a patient in a log line."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.api import Gateway
from gateway.clock import FrozenClock
from gateway.web.api import access
from gateway.web.api.limits import RateLimit
from gateway.web.api.replay import Replays
from gateway.web.tokens import Role, TokenFile
from tests.integration.web.apikit import Api
from tests.integration.web.test_api_documents import BY, fresh, problem

# What each role may call: an operation of each kind.
OPERATIONS: list[tuple[str, str, set[Role]]] = [
    ("GET", "/accounts", {Role.VENDOR, Role.PRACTICE, Role.AUDITOR}),
    ("GET", "/deliveries", {Role.VENDOR, Role.PRACTICE, Role.AUDITOR}),
    ("GET", "/documents/{d}", {Role.VENDOR, Role.PRACTICE, Role.AUDITOR}),
    ("GET", "/deliveries/{v}/proof", {Role.VENDOR, Role.PRACTICE, Role.AUDITOR}),
    ("GET", "/documents/{d}/renderings/pdf", {Role.VENDOR, Role.PRACTICE}),
    ("GET", "/documents/{d}/disclosure", {Role.VENDOR, Role.PRACTICE}),
    ("POST", "/deliveries/{v}/hold", {Role.VENDOR, Role.PRACTICE}),
    ("POST", "/documents/{d}/withdrawal", {Role.VENDOR, Role.PRACTICE}),
    ("POST", "/documents", {Role.VENDOR}),
    ("POST", "/check", {Role.VENDOR}),
    ("POST", "/render", {Role.VENDOR}),
    ("POST", "/ins/search", {Role.VENDOR}),
    ("POST", "/dmp/search", {Role.VENDOR}),
    ("POST", "/directory/search", {Role.VENDOR}),
    ("GET", "/journal/verification", {Role.AUDITOR}),
    ("GET", "/journal/export", {Role.AUDITOR}),
]


@pytest.mark.parametrize(("method", "path", "allowed"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
def test_each_role_may_do_its_own_and_nothing_else(api: Api, method: str, path: str, allowed: set[Role]) -> None:
    with api.client() as client:
        made = client.post("/documents", json=fresh()).json()
    where = path.format(d=made["document_id"], v=made["delivery_ids"][0])
    for role in Role:
        with api.client(role) as client:
            answer = client.request(method, where, json={} if method == "POST" else None)
        if role in allowed:
            assert answer.status_code in {200, 201, 422, 503}, (role, answer.text)
        else:
            problem(answer, 403, "WEB-403")
    with api.client(None) as client:
        problem(client.request(method, where), 401, "WEB-401")


def test_a_revoked_or_expired_token_opens_nothing_from_the_next_request_on(api: Api) -> None:
    tokens, now = TokenFile(api.gateway.settings.tokens_file), datetime.now(UTC)
    revoked, kept = tokens.add("logiciel", Role.VENDOR, api.account, now=now)
    expired, _ = tokens.add("ancien", Role.VENDOR, api.account, now=now, expires=now - timedelta(seconds=1))
    with api.client(None) as client:

        def ask(secret: str) -> Any:
            return client.get("/accounts", headers=[(b"Authorization", f"Bearer {secret}".encode())])

        assert ask(revoked).status_code == 200
        tokens.revoke(kept.id, now)
        assert [problem(ask(one), 401, "WEB-401")["code"] for one in (revoked, expired, "kg_inconnu", "é")]
        assert ask(revoked).headers["www-authenticate"].startswith("Bearer")


def test_an_auditor_reads_no_word_of_a_person_and_no_mailbox(api: Api) -> None:
    with api.client() as client:
        made = client.post("/documents", json=fresh()).json()
        one = made["delivery_ids"][0]
        client.post(f"/deliveries/{one}/cancel", json=BY | {"reason": "Mme Dupont a changé de médecin"})
    with api.client(Role.AUDITOR) as client:
        history = client.get(f"/deliveries/{one}")
        accounts = client.get("/accounts").json()
        problem(client.get("/changes"), 422, "WEB-423")
        assert client.get("/changes", params={"account": api.account}).status_code == 200
        problem(client.get("/changes", params={"account": "inconnu"}), 404, "WEB-406")
    assert [note["text"] for note in history.json()["notes"]] == [None]
    assert "Dupont" not in history.text
    assert {account["mailbox"] for account in accounts} == {""}
    assert len(accounts) == len(api.gateway.settings.account)


def test_reading_proofs_and_exporting_are_journalled(api: Api) -> None:
    with api.client() as client:
        made = client.post("/documents", json=fresh()).json()
        proof = client.get(f"/deliveries/{made['delivery_ids'][0]}/proof").json()
    assert proof["records"]
    with api.client(Role.AUDITOR) as client:
        lines = client.get("/journal/export").text.splitlines()
        verified = client.get("/journal/verification").json()
        again = client.get("/journal/export").text
    assert verified["ok"], verified["findings"]
    assert all(json.loads(line) for line in lines)
    records = [value["record"] for line in again.splitlines() if "record" in (value := json.loads(line))]
    told = [(one["event"], one["kind"], one["by"]) for one in records if one["event"] in {"consulted", "exported"}]
    assert ("exported", "proof", "vendor") in told
    assert ("exported", "journal", "auditor") in told
    assert ("consulted", "journal-verification", "auditor") in told


def test_a_body_is_bounded_whatever_it_announces(api: Api) -> None:
    big = b" " * (api.gateway.settings.web.max_bytes + 1)

    def drip() -> Any:
        for _ in range(10):
            yield b" " * 10_000

    with api.client() as client:
        told = client.post("/documents", content=big, headers={"Content-Type": "application/json"})
        order = client.post("/deliveries/x/hold", content=b" " * 70_000, headers={"Content-Type": "application/json"})
        silent = client.post("/deliveries/x/hold", content=drip(), headers={"Content-Type": "application/json"})
        heavy = client.post("/documents", content=b" " * 6_000_000, headers={"Content-Type": "application/json"})
    for answer in (told, order, silent):
        problem(answer, 413, "WEB-413")
    problem(heavy, 422, "INP-002")


def test_too_many_requests_are_told_when_to_come_back() -> None:
    clock = FrozenClock(datetime(2026, 11, 22, tzinfo=UTC))
    limit = RateLimit(60, clock)
    assert [limit.take("a") for _ in range(60)] == [0.0] * 60
    assert limit.take("a") == pytest.approx(1.0)
    assert limit.take("b") == 0.0
    clock.advance(2.0)
    assert [limit.take("a") > 0 for _ in range(3)] == [False, False, True]


def test_a_token_that_asks_too_often_is_refused_and_others_are_not(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = access.Desk(
        api.gateway, TokenFile(api.gateway.settings.tokens_file), RateLimit(2, api.gateway.clock), Replays()
    )
    monkeypatch.setattr(access, "desk_of", lambda _: desk)
    with api.client() as client, api.client(Role.PRACTICE) as other:
        answers = [client.get("/accounts") for _ in range(3)]
        assert [one.status_code for one in answers] == [200, 200, 429]
        problem(answers[2], 429, "WEB-429")
        assert int(answers[2].headers["retry-after"]) in range(1, 31)
        assert other.get("/accounts").status_code == 200


def test_a_crash_is_a_problem_and_its_words_stay_inside(api: Api, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def crash(*_: Any) -> None:
        raise KeyError("Mme Dupont")

    monkeypatch.setattr(Gateway, "status", crash)
    with api.client() as client, caplog.at_level(logging.INFO, "gateway.web"):
        made = client.post("/documents", json=fresh()).json()
        answer = client.get(f"/documents/{made['document_id']}")
    problem(answer, 500, "WEB-500")
    assert "Dupont" not in answer.text + caplog.text + str([vars(one) for one in caplog.records])
    noted = next(one for one in caplog.records if one.message == "request_crashed")
    assert vars(noted)["error"] == "KeyError"
    assert vars(noted)["place"].startswith("gateway.web.api.answers:")


def test_no_log_line_holds_an_identity(api: Api, caplog: Any) -> None:
    value = fresh()
    names = {value["patient"]["birth_family"], value["patient"]["ins"]["matricule"], value["author"]["family"]}
    with api.client() as client, caplog.at_level(logging.DEBUG):
        client.post("/documents", json=value)
        client.post("/check", json=value)
        client.get(f"/deliveries/{value['patient']['birth_family']}")
        client.get("/deliveries", params={"document": value["patient"]["birth_family"]})
    lines = [json.dumps({**vars(one), "args": str(one.args)}, default=str) for one in caplog.records]
    ours = [line for line in lines if '"name": "gateway' in line]
    assert len(ours) >= 4
    assert not [line for line in ours for name in names if name in line]


def test_health_needs_no_token_and_says_when_the_store_is_away(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.errors import StoreError

    with api.client(None) as client:
        assert client.get("/health").json()["status"] == "ok"

        def away() -> Any:
            raise StoreError("STO-001", "La base ne répond pas.")

        monkeypatch.setattr(api.gateway.store, "counts", away)
        answer = client.get("/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")


def test_the_contract_is_reached_beside_the_pages(api: Api) -> None:
    """The application that `serve` runs: the API below /v1, its errors problems, the pages' guard before both."""
    from gateway.web.app import create_app

    app = create_app(api.gateway, api.gateway.settings, clock=api.gateway.clock)
    headers = {"Authorization": f"Bearer {api.token(Role.VENDOR)}"}
    with TestClient(app, base_url="http://127.0.0.1", headers=headers) as client:
        assert client.get("/v1/accounts").status_code == 200
        problem(client.get("/v1/nulle-part"), 404, "WEB-405")
        problem(client.get("/v1/deliveries/a%0Ab"), 422, "WEB-422")
        assert client.get("/v1/health").headers["x-content-type-options"] == "nosniff"
        assert client.get("/v1/health", headers={"Host": "attaquant.example"}).status_code == 421
