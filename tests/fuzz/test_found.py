"""What fuzzing found, one test each: the smallest input that broke a promise, and what it is refused with now."""

from __future__ import annotations

import json
import time
import zipfile

import pytest

from gateway.audit import prove, verify
from gateway.channels.dmp import answers, fhir_answers
from gateway.channels.dmp.answers import AnswerError
from gateway.channels.dmp.multipart import MultipartReader
from gateway.errors import StoreError
from gateway.read import fhir, xdm
from gateway.sandbox.dmp.fhir import jsonpatch
from gateway.sandbox.dmp.fhir.issues import RefusedError
from gateway.sandbox.mail_answer import reading_report
from gateway.sandbox.mail_check import check_mail
from gateway.sandbox.xdm import XdmError, read_archive
from gateway.store import backup, keysafe
from gateway.store.checkpoint import CheckpointError, Verifier
from tests.fuzz.target import CORPUS, sound
from tests.fuzz.targets import _terms, scratch

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
