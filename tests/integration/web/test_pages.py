"""The audit pages over HTTP: who sees what, what is refused, what the journal says of it."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.audit.prove import verify_proof
from gateway.audit.verify import verify_export
from gateway.store.checkpoint import Verifier
from gateway.web.tokens import TokenFile
from tests.integration.practice import case
from tests.integration.site import ANKLE, OTHER, Site, close_site, open_site

PAGES = ("/", "/deliveries", "/journal", "/obligations", "/indicators?period=2026", "/configuration")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Site]:
    made = open_site(tmp_path_factory.mktemp("pages"), certificates)
    made.submit()
    made.submit(OTHER)
    made.gateway.deliver_due()
    yield made
    close_site(made)


@pytest.fixture
def entered(site: Site) -> Iterator[Callable[[str], TestClient]]:
    opened: list[TestClient] = []

    def enter(role: str) -> TestClient:
        client = TestClient(site.app, base_url="http://127.0.0.1:8787")
        opened.append(client)
        if role:
            answer = client.post("/login", data={"token": site.tokens[role], "next": "/deliveries"})
            assert answer.url.path == "/deliveries"
        return client

    yield enter
    for client in opened:
        client.close()


def settled(client: TestClient, path: str) -> Any:
    """A page, once what it computes is ready."""
    for _ in range(200):
        answer = client.get(path)
        if 'hx-trigger="every 1s"' not in answer.text:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{path} is never ready")


def csrf(client: TestClient) -> str:
    return str(re.findall(r'name="csrf" value="([^"]+)"', client.get("/journal").text)[0])


def events(site: Site, *names: str) -> list[dict[str, Any]]:
    found = [json.loads(entry.record) for entry in site.gateway.store.snapshot().records()]
    return [one for one in found if one["event"] in names]


# ------------------------------------------------------------------------------------------------- who gets in


@pytest.mark.parametrize("path", [*PAGES, "/deliveries.csv", "/journal/export.jsonl", "/deliveries/x/retry"])
def test_nothing_is_shown_without_a_session(entered: Callable[[str], TestClient], path: str) -> None:
    answer = entered("").get(path, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")
    assert answer.content == b""


@pytest.mark.parametrize("token", ["", "kg_" + "A" * 43, "vendor"])
def test_what_is_no_token_of_the_pages_opens_none(site: Site, entered: Callable[[str], TestClient], token: str) -> None:
    client = entered("")
    answer = client.post("/login", data={"token": site.tokens.get(token, token)})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert client.get("/", follow_redirects=False).status_code == 303


def test_a_revoked_token_closes_the_session_at_once(site: Site, entered: Callable[[str], TestClient]) -> None:
    file, client = TokenFile(site.settings.tokens_file), entered("")
    from gateway.web.tokens import Role

    now = site.gateway.clock.now()
    secret, token = file.add("De passage", Role.AUDITOR, None, now=now)
    client.post("/login", data={"token": secret})
    assert client.get("/").status_code == 200
    file.revoke(token.id, now)
    assert client.get("/", follow_redirects=False).status_code == 303


def test_the_cookie_is_for_this_site_alone(site: Site, entered: Callable[[str], TestClient]) -> None:
    answer = entered("").post("/login", data={"token": site.tokens["auditor"]}, follow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert site.tokens["auditor"].lower() not in cookie


@pytest.mark.parametrize("there", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:1"])
def test_logging_in_leads_nowhere_else(site: Site, entered: Callable[[str], TestClient], there: str) -> None:
    form = {"token": site.tokens["auditor"], "next": there}
    assert entered("").post("/login", data=form, follow_redirects=False).headers["location"] == "/"


def test_another_host_name_is_refused(entered: Callable[[str], TestClient]) -> None:
    client = entered("auditor")
    for host in ("evil.example", "evil.example:8787", "127.0.0.1.evil.example", ""):
        assert client.get("/", headers={"host": host}).status_code == 421, host
    for host in ("localhost:8787", "[::1]:8787", "127.0.0.1"):
        assert client.get("/", headers={"host": host}).status_code == 200, host


def test_every_answer_has_the_headers(entered: Callable[[str], TestClient]) -> None:
    client = entered("auditor")
    for path in (*PAGES, "/login", "/static/pages.css", "/nowhere"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
    assert client.get("/").headers["cache-control"] == "no-store"


def test_too_large_a_request_is_refused(site: Site, entered: Callable[[str], TestClient]) -> None:
    client = entered("auditor")
    assert client.post("/journal/verify", content=b"a=" + b"x" * 200_000).status_code == 413
    assert client.post("/login", content=b"x" * (site.settings.web.max_bytes + 1)).status_code == 413


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, "wrong"),
        ({}, None),
        ({"origin": "https://evil.example"}, "right"),
        ({"sec-fetch-site": "cross-site"}, "right"),
    ],
)
def test_a_form_of_another_site_does_nothing(
    site: Site, entered: Callable[[str], TestClient], headers: dict[str, str], token: str | None
) -> None:
    client = entered("practice")
    identity = site.gateway.deliveries(account=site.account, limit=1)[0].id
    form = {
        "by": "X",
        "reason": "Y",
        **({} if token is None else {"csrf": csrf(client) if token == "right" else token}),
    }
    answer = client.post(f"/deliveries/{identity}/cancel", data=form, headers=headers)
    assert answer.status_code == 403
    assert site.gateway.delivery(identity).notes == ()


# ------------------------------------------------------------------------------------------------- who sees what


def secrets_of(name: str) -> set[str]:
    """What names the patient of a case, or says something of his health."""
    value = case(name)
    patient = value["patient"]
    return {
        patient["birth_family"],
        *patient["birth_given"],
        patient["ins"]["matricule"],
        value["document"]["diagnosis"],
    }


@pytest.mark.parametrize("role", ["auditor", "practice"])
def test_no_page_names_a_patient_or_says_anything_clinical(
    site: Site, entered: Callable[[str], TestClient], role: str
) -> None:
    client = entered(role)
    rows = site.gateway.deliveries(account=site.account)
    paths = [*PAGES, *(f"/deliveries/{one.id}" for one in rows), *{f"/documents/{one.document_id}" for one in rows}]
    for path in [*paths, *(f"{path}.json" for path in paths[6:]), "/deliveries.csv"]:
        answer = settled(client, path)
        assert answer.status_code == 200, path
        shown = html.unescape(answer.text)
        assert [one for one in secrets_of(ANKLE) | secrets_of(OTHER) if one in shown] == [], path


def test_a_practice_sees_its_own_account_alone(site: Site, entered: Callable[[str], TestClient]) -> None:
    foreign = next(one for one in site.gateway.deliveries() if one.account != site.account)
    client, auditor = entered("practice"), entered("auditor")
    assert foreign.id in auditor.get("/deliveries").text
    hidden = {foreign.id, foreign.document_id, foreign.account}
    for path in ("/", "/deliveries", "/deliveries.csv", f"/deliveries?account={foreign.account}", "/obligations.csv",
                 f"/deliveries?reference={foreign.document_id}", f"/deliveries.csv?account={foreign.account}",
                 f"/obligations?account={foreign.account}", f"/indicators?account={foreign.account}",
                 "/configuration", "/configuration.json"):  # fmt: skip
        text = settled(client, path).text
        assert [one for one in hidden if one in text and one not in path] == [], path
    for path in (f"/deliveries/{foreign.id}", f"/documents/{foreign.document_id}", f"/deliveries/{foreign.id}/cancel"):
        assert client.get(path).status_code == 404, path
    assert client.get("/journal/export.jsonl").status_code == 404
    form = {"csrf": csrf(client), "delivery": foreign.id}
    assert client.post("/journal/prove", data=form).status_code == 404


def test_an_auditor_changes_nothing(site: Site, entered: Callable[[str], TestClient]) -> None:
    client = entered("auditor")
    identity = site.gateway.deliveries(limit=1)[0].id
    page = client.get(f"/deliveries/{identity}").text
    assert "/retry" not in page
    assert "/cancel" not in page
    for action in ("retry", "hold", "release", "cancel", "handed", "confirm_sent"):
        form = {"csrf": csrf(client), "by": "Auditrice", "reason": "essai", "means": "courrier"}
        assert client.post(f"/deliveries/{identity}/{action}", data=form).status_code == 403
    assert site.gateway.delivery(identity).notes == ()


def test_what_a_person_wrote_is_for_the_practice_alone(site: Site, entered: Callable[[str], TestClient]) -> None:
    identity = site.refused()
    site.gateway.handed(identity, by="Claire Martin", reason="Remis à Mme Untel", means="main_propre")
    assert "Mme Untel" in entered("practice").get(f"/deliveries/{identity}").text
    for path in (f"/deliveries/{identity}", f"/deliveries/{identity}.json"):
        assert "Untel" not in entered("auditor").get(path).text


# --------------------------------------------------------------------------------------------- reading is journalled


def test_reading_and_exporting_are_journalled_by_name(site: Site, entered: Callable[[str], TestClient]) -> None:
    client = entered("auditor")
    row = site.gateway.deliveries(limit=1)[0]
    before = len(events(site, "consulted", "exported"))
    client.get(f"/deliveries/{row.id}")
    client.get("/deliveries.csv?state=sent")
    client.get("/journal/export.jsonl")
    found = events(site, "consulted", "exported")[before:]
    assert [(one["event"], one["kind"], one["by"]) for one in found] == [
        ("consulted", "delivery", "Auditrice ARS"),
        ("exported", "deliveries", "Auditrice ARS"),
        ("exported", "journal", "Auditrice ARS"),
    ]
    assert found[0]["delivery"] == row.id
    assert events(site, "logged_in")[-1]["by"] == "Auditrice ARS"
    assert site.gateway.verify_journal().ok


def test_what_is_typed_into_a_filter_never_reaches_the_journal(
    site: Site, entered: Callable[[str], TestClient]
) -> None:
    entered("auditor").get("/deliveries?patient=DUPONT&reference=DUPONT")
    assert "DUPONT" not in "".join(entry.record.decode() for entry in site.gateway.store.snapshot().records())
    pseudonym = site.gateway.store.document(site.gateway.deliveries(limit=1)[0].document_id).patient
    entered("auditor").get(f"/deliveries?patient={pseudonym}")
    assert events(site, "consulted")[-1]["patient"] == pseudonym


def test_what_cannot_be_journalled_is_not_shown(
    site: Site, entered: Callable[[str], TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.errors import StoreError

    client = entered("auditor")

    def full(_: object) -> None:
        raise StoreError("STO-007", "Le disque est plein.", "Libérez de la place.")

    monkeypatch.setattr(site.gateway.browse, "note", full)
    answer = client.get("/deliveries")
    assert answer.status_code == 503
    assert "STO-007" in answer.text
    assert "<table" not in answer.text


# ------------------------------------------------------------------------------------------------- pages and exports


def test_filters_find_what_they_say(site: Site, entered: Callable[[str], TestClient]) -> None:
    client, rows = entered("auditor"), site.gateway.deliveries()
    one = next(row for row in rows if row.reference)

    def ids(query: str) -> set[str]:
        return {row["id"] for row in client.get(f"/deliveries.json?{query}").json()["rows"]}

    assert ids("") == {row.id for row in rows}
    assert ids(f"reference={one.reference}") == {one.id}
    assert ids(f"reference={one.document_id}") == {row.id for row in rows if row.document_id == one.document_id}
    assert ids("state=sent&destination=dmp") == {
        row.id for row in rows if (row.transport, row.destination) == ("sent", "dmp")
    }
    assert ids("since=2000-01-01&until=2000-12-31") == set()
    assert ids("since=2000-01-01") == {row.id for row in rows}
    assert ids("patient=nobody") == set()
    page = client.get("/deliveries?since=31/12/2026")
    assert "31/12/2026" in page.text
    assert page.status_code == 200


def test_an_export_opens_in_a_spreadsheet(site: Site, entered: Callable[[str], TestClient]) -> None:
    answer = entered("auditor").get("/deliveries.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";"))
    assert {row["id"] for row in rows} == {one.id for one in site.gateway.deliveries()}


def test_the_exported_journal_verifies_elsewhere(
    site: Site, entered: Callable[[str], TestClient], tmp_path: Path
) -> None:
    file = tmp_path / "journal.jsonl"
    file.write_bytes(entered("auditor").get("/journal/export.jsonl").content)
    assert verify_export(file).ok


def test_a_proof_on_screen_is_the_one_that_verifies(site: Site, entered: Callable[[str], TestClient]) -> None:
    client = entered("practice")
    identity = next(one for one in site.gateway.deliveries(account=site.account) if one.transport == "sent").id
    started = client.post("/journal/prove", data={"csrf": csrf(client), "delivery": identity})
    shown = settled(client, started.url.path)
    assert "Vérifié" in shown.text
    proof = client.get(f"{started.url.path}.json").json()
    key = Verifier.parse(site.gateway.journal.state().public_key or "")
    assert verify_proof(proof, key) == []
    assert proof["delivery"] == identity
    assert entered("practice").get(started.url.path).status_code == 200  # the same person, in another browser
    assert entered("auditor").get(started.url.path).status_code == 404


def test_a_checkpoint_that_the_auditor_kept_is_compared(site: Site, entered: Callable[[str], TestClient]) -> None:
    client, kept = entered("auditor"), site.gateway.journal.state()
    pasted = (kept.checkpoint or "").replace("\n", "\r\n")  # what a browser makes of it
    form = {"csrf": csrf(client), "checkpoint": pasted, "key": kept.public_key}
    result = settled(client, client.post("/journal/verify", data=form).url.path)
    assert "La chaîne tient" in result.text
    assert f"des {kept.signed} premiers enregistrements, même par le détenteur" in result.text
    wrong = form | {"checkpoint": pasted.replace("kine-gateway.local", "other.local")}
    assert "ALERTE" in settled(client, client.post("/journal/verify", data=wrong).url.path).text


def test_the_pages_speak_english(site: Site, entered: Callable[[str], TestClient]) -> None:
    client = entered("auditor")
    assert '<html lang="fr">' in client.get("/").text
    for path in PAGES:
        text = settled_english(client, path)
        assert '<html lang="en">' in text
        assert "Log out" in text


def settled_english(client: TestClient, path: str) -> str:
    client.get("/language/en?next=/")
    return str(settled(client, path).text)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/deliveries/unknown", "/documents/unknown", "/journal/jobs/x", "/deliveries.exe"]
)
def test_what_does_not_exist_is_said(entered: Callable[[str], TestClient], path: str) -> None:
    answer = entered("auditor").get(path)
    assert answer.status_code == 404
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize("after", ["x", "1.", "9" * 40 + ".x", "-1.x", "1.'; DROP TABLE delivery"])
def test_a_forged_cursor_breaks_nothing(entered: Callable[[str], TestClient], after: str) -> None:
    assert entered("auditor").get("/deliveries", params={"after": after}).status_code == 200
