"""What fuzzing found, one test each: the smallest input that broke a promise, and what it is refused with now."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path

import pytest
from cryptography import x509

from gateway.audit import prove, verify
from gateway.audit.ledger import _notes_of
from gateway.channels.annuaire import extraction
from gateway.channels.dmp import answers, fhir_answers
from gateway.channels.dmp.answers import AnswerError
from gateway.channels.dmp.http import _retry_after
from gateway.channels.dmp.multipart import MultipartReader
from gateway.errors import ConfigError, StoreError
from gateway.inspection import certificates as inspected
from gateway.inspection import machine
from gateway.package import certificates
from gateway.read import fhir, xdm
from gateway.sandbox.dmp.fhir import jsonpatch
from gateway.sandbox.dmp.fhir.issues import RefusedError
from gateway.sandbox.mail_answer import reading_report
from gateway.sandbox.mail_check import check_mail
from gateway.sandbox.xdm import XdmError, read_archive
from gateway.sidecar import leavings
from gateway.skew import http_date
from gateway.store import backup, keysafe
from gateway.store.browsing import parse_cursor
from gateway.store.checkpoint import CheckpointError, Verifier
from gateway.web import tokens as web_tokens
from gateway.web.api import problems as web_problems
from gateway.web.webhooks import Progress
from tests.fuzz.target import CORPUS, sound
from tests.fuzz.targets import _terms, scratch
from tests.fuzz.targets_files import _form

EXPORT = (CORPUS / "export" / "journal.jsonl").read_bytes()
RESTORED = (CORPUS / "export" / "restored.jsonl").read_bytes()
DISCLOSURE = json.loads((CORPUS / "proof" / "disclosure.json").read_bytes())


def _verifier() -> Verifier:
    return Verifier.parse((CORPUS / "checkpoint" / "verifier.key").read_text())


def test_an_archive_with_an_empty_name_is_read_around() -> None:
    data = (CORPUS / "xdm" / "found-empty-name.zip").read_bytes()
    with pytest.raises(IndexError), zipfile.ZipFile(CORPUS / "xdm" / "found-empty-name.zip") as archive:
        [one.is_dir() for one in archive.infolist()]  # why the library's own question is not asked
    assert xdm.read(data, _terms()).findings
    with pytest.raises(XdmError):
        read_archive(data)


def test_a_media_type_without_end_costs_nothing() -> None:
    kind = 'multipart/related; boundary="' + '{"a":' * 4_000 + '"'
    before = time.thread_time()
    with pytest.raises(AnswerError, match="too long"):
        answers.read_envelope(kind, b"x")
    with pytest.raises(AnswerError, match="too long"):
        MultipartReader(kind, largest=1)
    assert time.thread_time() - before < 0.5


def test_parts_nested_beyond_the_stack_are_no_answer() -> None:
    body = b"".join(
        b'--B\r\nContent-Type: multipart/mixed; boundary="B%d"\r\n\r\n--B%d\r\n' % (n, n) for n in range(3_000)
    )
    with pytest.raises(AnswerError):
        answers.read_envelope('multipart/related; boundary="B"', body)


def test_digits_that_are_no_numbers_are_no_status() -> None:
    bundle = {"type": "transaction-response", "entry": [{"response": {"status": "\u00b2\u00b2\u00b2"}}]}
    with pytest.raises(AnswerError):
        list(fhir_answers.outcomes(bundle))


@pytest.mark.parametrize(
    "lines",
    [
        EXPORT.replace(b'{"delivery":"d"', b'{"delivery":["d"]'),
        EXPORT.replace(b'{"delivery":"d"', b'{"delivery":"\\ud800\\u001b[2J"'),
        RESTORED.replace(b'"size":4', b'"size":"four"'),
        RESTORED.replace(b'"delivery":"d"', b'"delivery":{"a":1}'),
    ],
)
def test_an_export_of_other_types_is_a_finding(lines: bytes) -> None:
    path = scratch()
    path.write_bytes(lines)
    findings = verify.verify_export(path).findings
    assert findings
    sound(findings)
    assert "\x1b" not in "".join(one.path for one in findings)


@pytest.mark.parametrize(
    "changes",
    [
        {"documents": [1, "2.25.1"]},
        {"documents": ["\ud800"]},
        {"documents": [{}]},
        {"records": [{"seq": 0, "record": "not JSON", "proof": []}]},
        {"records": [{"seq": 0, "record": "[]", "proof": []}]},
        {"records": [{"seq": 1e400, "record": "{}", "proof": []}]},
        {"statement": 5},
    ],
)
def test_a_proof_of_other_types_is_a_finding(changes: dict[str, object]) -> None:
    findings = prove.verify_proof({**DISCLOSURE, **changes}, _verifier())
    assert findings
    sound(findings)


def test_a_key_named_in_half_characters_is_no_key() -> None:
    with pytest.raises(CheckpointError):
        Verifier.parse(_verifier().dump().replace("kine", "\udcaf"))


@pytest.mark.parametrize("listing", [b'"text"', b"[" * 100_000, b'{"format":"%s","files":[]}' % backup.FORMAT.encode()])
def test_a_backup_list_of_other_types_is_refused(listing: bytes) -> None:
    with pytest.raises(StoreError, match="BAK-003"):
        backup.read_listing(listing)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "C:\\x", "..\\x", "", "a\x00"])
def test_a_backup_names_no_file_outside_itself(name: str) -> None:
    listing = {"format": backup.FORMAT, "taken_at": "", "records": 0, "documents": 0, "files": {name: "00"}}
    with pytest.raises(StoreError, match="BAK-003"):
        backup.read_listing(json.dumps(listing).encode())


def test_a_file_of_keys_cannot_ask_for_all_memory() -> None:
    cheap = json.loads((CORPUS / "keysafe" / "cheap.json").read_bytes())
    greedy = {**cheap, "n": 2**20, "r": 32}
    with pytest.raises(StoreError, match="KEY-002"):
        keysafe.open_sealed(json.dumps(greedy).encode(), "une phrase de passe")


def test_the_sandbox_survives_what_was_sent_to_it() -> None:
    with pytest.raises(RefusedError):
        jsonpatch.apply({}, [{"op": ["add"]}])
    deep = b"From: " + b"(" * 20_000 + b"\r\nDisposition-Notification-To: " + b"(" * 20_000 + b"\r\n\r\n"
    assert check_mail(deep, "a@b.example", ["c@d.example"])
    reading_report(deep, "c@d.example")


def test_the_sandbox_answers_without_a_header_of_the_sender_s_making() -> None:
    forged = "Subject: =?utf-8?q?a=0D=0ABcc=3A_x=40y?=\r\nDisposition-Notification-To: a@b.example\r\n\r\n"
    report = reading_report(forged.encode(), "c@d.example")
    assert report is not None
    assert b"\r\nBcc" not in report.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize("kind", [{}, [], 5, None])
def test_a_resource_whose_kind_is_no_word_is_read_around(kind: object) -> None:
    entry = {"fullUrl": "urn:uuid:2", "resource": {"resourceType": kind, "component": [{"code": {"text": kind}}]}}
    section = {"entry": [{"reference": "urn:uuid:2"}]}
    first = {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Composition", "section": [section]}}
    bundle = {"resourceType": "Bundle", "type": "document", "entry": [first, entry]}
    assert fhir.read(json.dumps(bundle).encode(), _terms()).findings


@pytest.mark.parametrize(
    "date", ["Sun, 22 Nov 2026 10" + "9" * 40 + ":00:00 GMT", "x", "Sun, 22 Nov 99999 10:00:00 GMT", ""]
)
def test_a_date_that_no_calendar_has_is_none(date: str) -> None:
    """The library's reader raises four kinds of errors; one of them, in Retry-After, would have hidden an answer."""
    assert http_date(date) is None
    assert _retry_after(date) is None
    assert machine._date(f"Date: {date}\r\n".encode()) is None


def test_a_retry_after_is_a_number_or_a_date() -> None:
    assert _retry_after("\xb2") is None  # a superscript two: a digit to Python, no number
    assert _retry_after("9" * 400) == 86_400
    assert _retry_after("0\x1d") is None  # a separator of groups: a space to one function, to the next one not
    assert _retry_after("Sun, 22 Nov 2020 10:00:00 -0000") == 0


def test_a_file_name_in_an_encoding_that_is_none_is_no_name() -> None:
    assert extraction._file_name("attachment; filename*=utf\0-8''a.zip") in {"", "a.zip"}


@pytest.mark.parametrize("cursor", ["999999999999999.a", "1.\0", "1.", "1", ".a", "-1.a", "1.a b", "\u0661.a"])
def test_a_cursor_of_a_page_names_a_day_and_a_delivery(cursor: str) -> None:
    """The first raised an error of the calendar, the second one of the database."""
    assert parse_cursor(cursor) is None


@pytest.mark.parametrize(
    "change", [{"sha256": "\xe9"}, {"expires": "2027-01-01T00:00:00"}, {"role": "x"}, {"created": 1}, {"sha256": None}]
)
def test_a_file_of_tokens_that_nobody_wrote_so_is_refused(change: dict[str, object]) -> None:
    """A digest beyond ASCII, or a time without zone, would have failed every request later on."""
    value = json.loads((CORPUS / "token_file" / "tokens.json").read_bytes())
    value["tokens"][0] |= change
    for data in (json.dumps(value).encode(), b"[" * 100_000):
        with pytest.raises(ConfigError, match="WEB-001"):
            web_tokens.parse(data, Path("tokens.json"))


def test_small_files_of_a_depth_without_end_are_read_around(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"[" * 100_000)
    assert leavings._document(path) is None
    assert Progress(path).get("a") is None
    assert _notes_of("{" + '"a":{' * 100_000) == []


def test_the_last_hours_of_the_calendar_are_beyond_it_elsewhere() -> None:
    with pytest.raises(AnswerError, match="time"):
        fhir_answers._time("9999-12-31T23:59:59-14:00")


def test_a_certificate_whose_names_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    """It loads; what it says of itself is read later, and only then is it broken."""
    path = CORPUS / "certificate" / "found-names.pem"
    own = x509.load_pem_x509_certificate(path.read_bytes())
    with pytest.raises(ValueError, match="subject"):
        certificates.describe(own)
    assert [one.code for one in inspected._own("/x", "", path, None, None)] == ["CFG-105"]


def test_a_form_in_an_encoding_that_is_none_is_refused() -> None:
    head = b'multipart/form-data; boundary=B; charset="utf\x00-8"'
    with pytest.raises(web_problems.RefusedError, match="400"):
        _form(head + b"\n\n--B--")


def test_half_a_character_is_no_checkpoint() -> None:
    assert _notes_of('{"checkpoint": {"notes": ["\\ud800"]}}') == []
    assert _notes_of('{"checkpoint": {"notes": ["a"]}}') == ["a"]
