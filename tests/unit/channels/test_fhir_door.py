"""The FHIR door's answers: what each proves, and what is never trusted in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.channels.dmp import fhir_answers, fhir_classify
from gateway.channels.dmp.answers import AnswerError
from gateway.channels.dmp.fhir import FhirDoor
from gateway.channels.dmp.fhir_link import FhirLink
from gateway.channels.dmp.http import Asked, Exchange, HttpAnswer
from gateway.channels.outcome import Outcome, Verdict
from gateway.clock import FrozenClock
from gateway.package.feed import feed_package
from gateway.package.types import DmpContext, context_from_json, context_to_json
from tests.unit.package.samples import CDA, NOW, account, dmp_settings, document, ids

BASE = "https://dmp.example/fhir"
SETTINGS = dmp_settings(door="fhir", fhir_url=BASE, mode="direct")
PACKAGE = feed_package(document(), CDA, account=account(dmp=SETTINGS), keys=None, now=NOW, ids=ids())
assert isinstance(PACKAGE.context, DmpContext)
CONTEXT: DmpContext = PACKAGE.context


class Script:
    """Answers one step per request; an exception is raised after the request left."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.asked: list[Asked] = []

    async def send(self, asked: Asked, exchange: Exchange) -> HttpAnswer:
        self.asked.append(asked)
        await exchange.leave()
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        assert isinstance(step, HttpAnswer)
        return step

    async def aclose(self) -> None:
        return


def answer(status: int, body: Any = None, kind: str = "application/fhir+json") -> HttpAnswer:
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return HttpAnswer(status, kind, data, None)


def outcome(*codes: str, text: str = "refus") -> dict[str, Any]:
    issues = [{"severity": "error", "code": code, "details": {"text": text}} for code in codes]
    return {"resourceType": "OperationOutcome", "issue": issues}


def patient(active: bool = True) -> HttpAnswer:
    found = {"resource": {"resourceType": "Patient", "active": active}}
    return answer(200, {"resourceType": "Bundle", "type": "searchset", "entry": [found]})


def done(*statuses: str) -> HttpAnswer:
    entries = [{"response": {"status": one, "location": f"DocumentReference/{n}"}} for n, one in enumerate(statuses)]
    return answer(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": entries})


def door(http: Script, **changes: Any) -> FhirDoor:
    settings = dmp_settings(door="fhir", fhir_url=BASE, mode="direct", **changes)
    link = FhirLink(settings, clock=FrozenClock(NOW))
    link.load(http)  # type: ignore[arg-type]
    return FhirDoor(link)


async def no_commit() -> None:
    return


async def feed(*steps: Any, **changes: Any) -> Outcome:
    return await door(Script(patient(), *steps), **changes).send(PACKAGE, no_commit)


@pytest.mark.parametrize(
    ("step", "verdict", "reason"),
    [
        (done("201 Created", "201 Created", "201"), Verdict.ACCEPTED, "DMP-SUCCESS"),
        (done("201 Created", "422 Unprocessable Entity", "201"), Verdict.PERMANENT, "DMP-HTTP-422"),
        (done("201 Created"), Verdict.IN_DOUBT, "DMP-UNREADABLE"),
        (answer(200, b"{"), Verdict.IN_DOUBT, "DMP-UNREADABLE"),
        (answer(200, {"resourceType": "Patient"}), Verdict.IN_DOUBT, "DMP-UNREADABLE"),
        (answer(422, outcome("invalid")), Verdict.PERMANENT, "DMP-FHIR-REFUSED"),
        (answer(422, outcome("not-found")), Verdict.PERMANENT, "DMP-FHIR-NOT-FOUND"),
        (answer(409, outcome("duplicate")), Verdict.IN_DOUBT, "DMP-FHIR-DUPLICATE"),
        (answer(409, outcome("conflict")), Verdict.PERMANENT, "DMP-FHIR-CONFLICT"),
        (answer(412, outcome("multiple-matches")), Verdict.PERMANENT, "DMP-FHIR-MULTIPLE"),
        (answer(403, outcome("forbidden")), Verdict.PERMANENT, "DMP-FHIR-FORBIDDEN"),
        (answer(403, outcome("security")), Verdict.CONFIGURATION, "DMP-HTTP-403"),
        (answer(403), Verdict.CONFIGURATION, "DMP-HTTP-403"),
        (answer(401, outcome("login")), Verdict.CONFIGURATION, "DMP-HTTP-401"),
        (answer(404), Verdict.CONFIGURATION, "DMP-HTTP-404"),
        (answer(302), Verdict.CONFIGURATION, "DMP-HTTP-302"),
        (answer(405, outcome("not-supported")), Verdict.PERMANENT, "DMP-FHIR-NOT-SUPPORTED"),
        (answer(422, outcome("throttled")), Verdict.TRANSIENT, "DMP-FHIR-TRANSIENT"),
        (answer(429, outcome("throttled")), Verdict.TRANSIENT, "DMP-HTTP-429"),
        (answer(503, outcome("transient")), Verdict.TRANSIENT, "DMP-HTTP-503"),
        (answer(500, b"<html/>", "text/html"), Verdict.TRANSIENT, "DMP-HTTP-500"),
        (answer(502), Verdict.IN_DOUBT, "DMP-HTTP-502"),
        (answer(504), Verdict.IN_DOUBT, "DMP-HTTP-504"),
        (ConnectionResetError("lost"), Verdict.IN_DOUBT, "DMP-DOUBT-LOST"),
    ],
)
async def test_what_an_answer_to_a_feed_means(step: Any, verdict: Verdict, reason: str) -> None:
    found = await feed(step)
    assert (found.verdict, found.reason) == (verdict, reason)


async def test_the_servers_words_stay_without_identity() -> None:
    found = await feed(answer(422, outcome("invalid", text=f"INS {CONTEXT.ins} refusée pour {CONTEXT.author_name}")))
    assert "refusée" in found.text
    assert CONTEXT.ins not in found.text
    assert CONTEXT.author_name.split()[0] not in found.text


async def test_an_ins_stands_in_no_address() -> None:
    http = Script(patient(), done("201", "201", "201"))
    await door(http).send(PACKAGE, no_commit)
    assert [one.url for one in http.asked] == [f"{BASE}/Patient/_search", BASE]
    assert not any(CONTEXT.ins in one.url for one in http.asked)


async def test_a_retry_sends_the_same_bytes() -> None:
    http = Script(patient(), answer(503), done("201", "201", "201"))
    way = door(http)
    assert (await way.send(PACKAGE, no_commit)).verdict is Verdict.TRANSIENT
    assert (await way.send(PACKAGE, no_commit)).verdict is Verdict.ACCEPTED
    first, second = (one.body for one in http.asked[1:] if one.body is not None)
    assert first.data == second.data == PACKAGE.part("request").data


def described(**changes: Any) -> dict[str, Any]:
    sent = json.loads(PACKAGE.part("request").data)["entry"][1]["resource"]
    return {**sent, "id": "1", **changes}


def searchset(*resources: dict[str, Any], **more: Any) -> HttpAnswer:
    entries = [{"resource": one} for one in resources]
    return answer(200, {"resourceType": "Bundle", "type": "searchset", "entry": entries, **more})


OTHER_HASH = [{"attachment": {"hash": "A" * 27 + "=", "size": 1}}]
OTHER_PATIENT = {"identifier": {"system": "urn:oid:1.2.250.1.213.1.4.10", "value": "1" * 15}}


@pytest.mark.parametrize(
    ("step", "verdict", "reason"),
    [
        (searchset(described()), Verdict.ACCEPTED, "DMP-FOUND"),
        (searchset(described(status="superseded")), Verdict.ACCEPTED, "DMP-FOUND-CHANGED"),
        (searchset(described(content=OTHER_HASH)), Verdict.PERMANENT, "DMP-OTHER-HASH"),
        (searchset(), Verdict.TRANSIENT, "DMP-NOT-THERE"),
        (searchset(link=[{"relation": "next", "url": "x"}]), Verdict.IN_DOUBT, "DMP-UNREADABLE"),
        (searchset(described(subject=OTHER_PATIENT)), Verdict.IN_DOUBT, "DMP-OTHER-PATIENT"),
        (searchset(described(masterIdentifier={})), Verdict.IN_DOUBT, "DMP-UNREADABLE"),
        (answer(403, outcome("forbidden")), Verdict.IN_DOUBT, "DMP-QUERY-REFUSED"),
        (answer(503), Verdict.IN_DOUBT, "DMP-HTTP-503"),
    ],
)
async def test_what_a_search_proves_after_a_lost_answer(step: Any, verdict: Verdict, reason: str) -> None:
    found = await door(Script(step)).resolve(PACKAGE)
    assert (found.verdict, found.reason) == (verdict, reason)


async def test_a_person_decides_where_the_policy_says_so() -> None:
    found = await door(Script(), in_doubt="human").resolve(PACKAGE)
    assert (found.verdict, found.reason) == (Verdict.IN_DOUBT, "DMP-NEEDS-HUMAN")


async def test_a_closed_dmp_is_an_end() -> None:
    found = await door(Script(patient(active=False))).send(PACKAGE, no_commit)
    assert (found.verdict, found.reason) == (Verdict.IMPOSSIBLE, "DMP-CLOSED")


async def test_a_server_without_patient_search_is_fed_all_the_same() -> None:
    found = await door(Script(answer(404), done("201", "201", "201"))).send(PACKAGE, no_commit)
    assert found.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "https://evil.example/fhir/Binary/1",
        "http://dmp.example/fhir/Binary/1",
        f"{BASE}/../x",
        f"{BASE}/%2E%2e/x",
        f"{BASE}/..\\x",
        f"{BASE}/a\r\nX: y",
        f"{BASE}other/Binary/1",
        f"{BASE.rpartition('/')[0]}/autre/Binary/1",
        "https://[::1/Binary/1",
    ],
)
def test_a_content_elsewhere_is_never_asked(url: str | None) -> None:
    link = FhirLink(SETTINGS, clock=FrozenClock(NOW))
    with pytest.raises(AnswerError):
        link.address(url)
    assert link.address("Binary/1") == link.address(f"{BASE}/Binary/1") == f"{BASE}/Binary/1"


@pytest.mark.parametrize(
    "spoiled",
    [
        {"status": "draft"},
        {"status": None},
        {"masterIdentifier": {"system": "x", "value": "urn:oid:1.2"}},
        {"date": "hier"},
        {"content": [{"attachment": {"hash": "***"}}]},
        {"content": [{"attachment": {"size": "12"}}]},
        {"id": None, "identifier": []},
    ],
)
def test_a_resource_of_another_shape_is_refused(spoiled: dict[str, Any]) -> None:
    with pytest.raises(AnswerError):
        fhir_answers.entry(described(**spoiled))


@pytest.mark.parametrize("value", [b"", b"null", b"[]", b'"x"', b"\xff", b"[" * 100_000])
def test_nonsense_is_no_crash(value: bytes) -> None:
    with pytest.raises(AnswerError):
        fhir_answers.read(value, "Bundle")
    assert fhir_answers.issues(value) == ()


def test_a_context_says_its_door_and_an_old_one_is_soap() -> None:
    assert context_from_json(context_to_json(CONTEXT)) == CONTEXT
    assert CONTEXT.door == "iti65"
    old = json.loads(context_to_json(CONTEXT))
    del old["door"]
    read = context_from_json(json.dumps(old).encode())
    assert isinstance(read, DmpContext)
    assert read.door == "soap"


def test_a_duplicate_is_no_doubt_for_a_change() -> None:
    found = fhir_classify.of(
        409, fhir_answers.issues(json.dumps(outcome("duplicate")).encode()), CONTEXT, "h", "change"
    )
    assert found.verdict is Verdict.PERMANENT
