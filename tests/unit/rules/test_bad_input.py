"""Bad input, line by line: each is a finding with code, place and advice, and nothing of it may be sent."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from gateway import terminology
from gateway.findings import Finding, has_errors
from gateway.identity.ins import ins_may_leave
from gateway.records.submission import parse
from gateway.rules import check, check_account, routes
from gateway.rules.trust_space import TrustList
from gateway.settings import Environment, RulesSettings, Settings
from tests.unit.submission_samples import PRODUCTION_OID, account, assessment, put, sound, summary

TODAY = dt.date(2025, 10, 31)
OUTSIDE = "helene.modele@gmail.com"


def findings(data: bytes, trust: TrustList, environment: str = "test") -> list[Finding]:
    submission, found = parse(data)
    if submission is None:
        return found
    mine = account(environment=environment)
    return check(submission, mine, trust, terminology.load(), RulesSettings(), today=TODAY)


def of(pointer: str, new: Any) -> bytes:
    return json.dumps(put(assessment(), pointer, new)).encode()


LINES: list[tuple[str, bytes, str, str]] = [
    ("malformed JSON", json.dumps(assessment()).encode()[:-2], "INP-001", ""),
    ("unknown field", of("/patient/nom", "x"), "INP-003", "/patient/nom"),
    ("missing field", of("/document/reason", ...), "INP-004", "/document/reason"),
    ("no family name", of("/patient/birth_family", ...), "INS-013", "/patient/birth_family"),
    ("no birth date", of("/patient/birth_date", ...), "INS-013", "/patient/birth_date"),
    ("no sex", of("/patient/sex", ...), "INS-013", "/patient/sex"),
    ("outside the trust space", of("/recipients/0/mssante", OUTSIDE), "DST-OUTSIDE", "/recipients/0/mssante"),
    (
        "two INS roots",
        of("/patient/identifiers/0", {"root": PRODUCTION_OID, "value": "201032227890155"}),
        "INS-009",
        "/patient/identifiers/0/root",
    ),
    ("no matricule", of("/patient/ins/matricule", "20103222789015"), "INS-001", "/patient/ins/matricule"),
    ("control character", of("/patient/birth_family", "A\r\nBcc: x@y.fr"), "INP-006", "/patient/birth_family"),
    ("control character in a recipient", of("/recipients/0/family", "A\nB"), "INP-006", "/recipients/0/family"),
    ("control character in the practice", of("/organization/name", "A\x00B"), "INP-006", "/organization/name"),
    ("control character in the reason", of("/document/reason", "A\x08B"), "INP-006", "/document/reason"),
    ("not a date", of("/patient/birth_date", "hier"), "INP-008", "/patient/birth_date"),
    ("absurd year", of("/document/date", "0025-10-06T09:30:00+02:00"), "INP-008", "/document/date"),
    ("born in the future", of("/patient/birth_date", "2031-03-14"), "DAT-004", "/patient/birth_date"),
    ("born in 1850", of("/patient/birth_date", "1850-03-14"), "INS-020", "/patient/birth_date"),
    ("written in the future", of("/document/date", "2031-10-06T09:30:00+02:00"), "DAT-001", "/document/date"),
    ("written before birth", of("/patient/birth_date", "2025-10-20"), "DAT-005", "/patient/birth_date"),
    ("unknown measure", of("/document/measures/0/code", "nrs"), "MES-001", "/document/measures/0/code"),
    ("impossible value", of("/document/measures/0/value", 60), "MES-003", "/document/measures/0/value"),
    ("another author", of("/author/rpps", "99700001060"), "CPT-002", "/author/rpps"),
]


@pytest.mark.parametrize(("data", "code", "path"), [line[1:] for line in LINES], ids=[line[0] for line in LINES])
def test_bad_input_is_refused_with_code_path_and_advice(data: bytes, code: str, path: str, trust: TrustList) -> None:
    found = findings(data, trust)
    assert has_errors(found)
    (named,) = [finding for finding in found if finding.code == code]
    assert named.path == path
    assert named.message
    assert named.advice


def test_a_wrong_key_stops_in_production_and_warns_in_test(trust: TrustList) -> None:
    value = put(assessment(), "/patient/ins/matricule", "201032227890154")
    assert not has_errors(findings(json.dumps(value).encode(), trust))
    put(value, "/patient/ins/oid", PRODUCTION_OID)
    found = findings(json.dumps(value).encode(), trust, "production")
    assert [f.code for f in found if f.severity == "error"] == ["INS-002"]


def test_an_unqualified_ins_goes_nowhere(trust: TrustList) -> None:
    """The letter leaves without INS; DMP and patient mailbox are impossible, each with its reason (DESIGN §4)."""
    submission = sound(put(assessment(), "/patient/identity_status", "RECUP"))
    found = check(submission, account(), trust, terminology.load(), RulesSettings(), today=TODAY)
    assert not has_errors(found)
    assert "INS-010" in {finding.code for finding in found}
    assert not ins_may_leave(submission.patient, Environment.TEST)
    reasons = {route.destination: route.reason for route in routes(submission, account(), trust)}
    assert reasons == {"medecin_traitant": None, "patient": "DST-NO-INS", "dmp": "DST-NO-INS"}


def test_an_unknown_account() -> None:
    settings = Settings.model_validate(
        {
            "store": {"url": "sqlite:///x.db"},
            "sealing": {"key_file": "k"},
            "journal": {"checkpoint_dir": "c", "key_file": "k"},
            "trust_space": {"file": "t"},
            "account": [account(id="autre").model_dump()],
        }
    )
    (found,) = check_account(sound(assessment()), settings)
    assert (found.code, found.path) == ("CPT-001", "/account")
    assert found.advice


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "]]>", "&lt;!DOCTYPE", "<?xml?>", "' OR 1=1 --", "a & b < c"]
)
def test_text_hostile_to_xml_is_text(text: str, trust: TrustList) -> None:
    """Nothing is wrong with such a text: the renderings escape it, and it is carried as written."""
    data = of("/document/reason", text)
    assert findings(data, trust) == []
    submission, _ = parse(data)
    assert submission is not None
    assert submission.document.reason == text


def test_sound_submissions_bring_no_finding_at_all(trust: TrustList) -> None:
    for value in (assessment(), summary()):
        assert findings(json.dumps(value).encode(), trust) == []


def test_what_stops_comes_from_identity_destination_or_document_only(trust: TrustList) -> None:
    """DESIGN §1: every administrative rule broken at once, and the document still leaves."""
    value = assessment()
    for pointer, new in {
        "/access/department": "35",
        "/access/declared_to_ars_on": None,
        "/access/withdrawn_on": "2025-09-02",
        "/access/practitioner_status": "remplacant",
        "/access/cpts": None,
        "/access/episode/sessions_already_done": 20,
        "/access/proof": {"type": "other", "date": "2031-01-01", "kept_in_record": False},
        "/document/red_flags": None,
        "/document/consent": None,
    }.items():
        put(value, pointer, new)
    found = findings(json.dumps(value).encode(), trust)
    assert len(found) >= 8
    assert not has_errors(found)
