from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.records.faults import MAX_FINDINGS, SHAPES
from gateway.records.submission import MAX_BYTES, Submission, canonical, parse
from tests.unit.submission_samples import assessment, put, read, sound, summary

SECRET = "ZZTRAITZZ"


def refused(value: Any) -> list[tuple[str, str]]:
    """Code and path of each finding; every one has a French text and says what to do."""
    submission, findings = read(value)
    assert submission is None
    assert findings
    for finding in findings:
        assert finding.message
        assert finding.advice
        assert "{" not in finding.advice
        assert SECRET not in str(finding.as_dict())
    return [(finding.code, finding.path) for finding in findings]


def test_sound_submissions_are_read() -> None:
    for value in (assessment(), summary()):
        submission, findings = read(value)
        assert isinstance(submission, Submission)
        assert findings == []


def test_canonical_form_is_read_back_to_the_same_record() -> None:
    for value in (assessment(), summary()):
        submission = sound(value)
        again, findings = parse(canonical(submission))
        assert findings == []
        assert again == submission
        assert canonical(again) == canonical(submission)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pointer", "bad", "code"),
    [
        ("/patient/birth_family", 12, "INP-005"),
        ("/patient/birth_family", "", "INP-005"),
        ("/patient/birth_family", "   ", "INP-005"),
        ("/patient/birth_family", "x" * 501, "INP-005"),
        ("/patient/birth_family", f"{SECRET}\nBcc: x@y.fr", "INP-006"),
        ("/patient/birth_family", f"{SECRET}\r", None),
        ("/patient/birth_family", f"a\x00{SECRET}", "INP-006"),
        ("/patient/birth_family", f"a\x1b[2J{SECRET}", "INP-006"),
        ("/patient/birth_family", f"a\x85{SECRET}", "INP-006"),
        ("/patient/birth_family", f"a\u202e{SECRET}", "INP-006"),
        ("/patient/birth_family", f"a\u2066{SECRET}", "INP-006"),
        ("/patient/birth_family", f"a\u2028{SECRET}", "INP-006"),
        ("/patient/birth_family", f"a\ufeff{SECRET}", "INP-006"),
        ("/patient/birth_family", f"a\ufdd0{SECRET}", "INP-006"),
        ("/patient/birth_family", f"a\uffff{SECRET}", "INP-006"),
        ("/patient/birth_family", f"a\U0001ffff{SECRET}", "INP-006"),
        ("/patient/birth_family", f"a\ud800{SECRET}", "INP-006"),
        ("/patient/birth_family", f"<script>{SECRET}</script>]]>&#0;", None),
        ("/patient/birth_date", 20010314, "INP-008"),
        ("/patient/birth_date", "20010314", "INP-008"),
        ("/patient/birth_date", "14/03/2001", "INP-008"),
        ("/patient/birth_date", "2001-02-30", "INP-008"),
        ("/patient/birth_date", "2001-13-01", "INP-008"),
        ("/patient/birth_date", "2001-03-14T00:00:00", "INP-008"),
        ("/patient/birth_date", "0201-03-14", "INP-008"),
        ("/patient/birth_date", "9999-12-31", "INP-008"),
        ("/patient/birth_date", "２００１-03-14", "INP-008"),
        ("/patient/birth_date", None, None),
        ("/patient/sex", "X", "INP-005"),
        ("/patient/sex", SECRET, "INP-005"),
        ("/patient/birth_place_cog", "2C004", "INP-005"),
        ("/patient/birth_given", "MAELYS", "INP-005"),
        ("/patient/birth_given/0", ["MAELYS"], "INP-005"),
        ("/patient/ins/oid", "urn:oid:1.2", "INP-005"),
        ("/patient/ins/matricule", "2010322278901\n55", "INP-006"),
        ("/patient/dmp/exists", "oui", "INP-005"),
        ("/patient/dmp/exists", 1, "INP-005"),
        ("/patient", [], "INP-005"),
        ("/account", "Cabinet Essai", "INP-005"),
        ("/format", "kine-gateway/submission/2", "INP-005"),
        ("/author/rpps", "9970000101", "INP-005"),
        ("/author/rpps", 99700001011, "INP-005"),
        ("/recipients/0/mssante", "helene@medecin.mssante.example\nBcc: x@y.fr", "INP-005"),
        ("/recipients/0/mssante", "helène@medecin.mssante.example", "INP-005"),
        ("/recipients/0/mssante", "a b@medecin.mssante.example", "INP-005"),
        ("/recipients", [{"role": "autre_professionnel"}] * 11, "INP-005"),
        ("/access/department", "20", None),
        ("/access/department", "99", "INP-005"),
        ("/access/episode/sessions_already_done", "6", "INP-005"),
        ("/access/episode/sessions_already_done", 6.5, "INP-005"),
        ("/access/episode/sessions_already_done", -1, "INP-005"),
        ("/access/episode/sessions_already_done", 10**25, "INP-005"),
        ("/document/date", "2025-10-06", "INP-007"),
        ("/document/date", "2025-10-06T09:30:00", "INP-007"),
        ("/document/date", "2025-10-06T25:30:00+02:00", "INP-007"),
        ("/document/date", "2025-02-30T09:30:00+02:00", "INP-007"),
        ("/document/date", "2025-10-06T09:30:00+23:00", "INP-007"),
        ("/document/date", 1759735800, "INP-007"),
        ("/document/date", "1759735800", "INP-007"),
        ("/document/date", "0001-01-01T00:00:00+14:00", "INP-008"),
        ("/document/date", "9999-12-31T23:59:59-12:00", "INP-008"),
        ("/document/reason", "a\x0b", None),
        ("/document/reason", f"a\x0bb{SECRET}", "INP-006"),
        ("/document/reason", "deux\r\nlignes\tet une tabulation", None),
        ("/document/measures/0/value", "6,5", "INP-005"),
        ("/document/measures/0/value", "6.5", None),
        ("/document/measures/0/value", True, "INP-005"),
        ("/document/measures/0/value", 1e300, "INP-005"),
        ("/document/measures/0/value", "9" * 4000, "INP-005"),
        ("/document/measures/0/value", 0.00001, "INP-005"),
        ("/document/measures/0/value", "٣", "INP-005"),
        ("/document/measures/0/value", "1e5", "INP-005"),
        ("/document/measures/0/value", "NaN", "INP-005"),
        ("/document/measures/0/code", "PAIN", "INP-005"),
        ("/document/measures", {"0": {}}, "INP-005"),
        ("/document/kind", "letter", "INP-005"),
        ("/document/kind", ..., "INP-004"),
        ("/document/reason", ..., "INP-004"),
        ("/document", "x", "INP-005"),
        ("/patient", ..., "INP-004"),
        ("/patient/birthFamily", SECRET, "INP-003"),
        ("/document/icf/0/code", "z100", "INP-005"),
    ],
)
def test_one_bad_field_is_one_finding_at_its_place(pointer: str, bad: Any, code: str | None) -> None:
    value = put(assessment(), pointer, bad)
    if code is None:
        assert read(value)[1] == []
        return
    found = refused(value)
    # A union knows its kind only by `kind`: the fault is then that of the document.
    assert found == [(code, "/document" if pointer.endswith("/kind") else pointer)]


def test_windows_line_ends_become_one_line_feed() -> None:
    assert sound(put(assessment(), "/document/reason", "a\r\nb")).document.reason == "a\nb"


def test_every_fault_is_listed() -> None:
    value = put(put(put(assessment(), "/patient/sex", "X"), "/document/reason", ...), "/author/rpps", "1")
    assert sorted(refused(value)) == [
        ("INP-004", "/document/reason"),
        ("INP-005", "/author/rpps"),
        ("INP-005", "/patient/sex"),
    ]


def test_the_list_of_findings_is_bounded() -> None:
    value = assessment()
    value.update({f"champ_{number}": 1 for number in range(MAX_FINDINGS + 50)})
    found = refused(value)
    assert len(found) == MAX_FINDINGS + 1
    assert found[-1] == ("INP-012", "")


@pytest.mark.parametrize("name", [f"{SECRET} Marie", "a/b", "~", "é", "", "x" * 100, "a\nb", "1a"])
def test_a_key_that_is_no_field_name_is_not_repeated(name: str) -> None:
    value = assessment()
    value["patient"][name] = 1
    assert refused(value) == [("INP-003", "/patient")]


def test_a_key_that_is_no_text_at_all() -> None:
    value = assessment()
    value["patient"]["\ud800"] = 1
    assert refused(value) == [("INP-006", "/patient")]


def _patterns(schema: Any, name: str = "") -> Iterator[str]:
    """Names of the fields whose value must match a pattern."""
    if isinstance(schema, dict):
        if "pattern" in schema and name:
            yield name
        for key, inner in schema.items():
            if key == "properties":
                for field, value in inner.items():
                    yield from _patterns(value, field)
            elif key == "$defs":
                for value in inner.values():
                    yield from _patterns(value)
            else:
                yield from _patterns(inner, name)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _patterns(inner, name)


def test_every_field_with_a_pattern_says_in_words_what_it_expects() -> None:
    assert set(_patterns(Submission.model_json_schema())) == set(SHAPES)


def test_the_name_of_the_union_branch_is_no_step_of_the_pointer() -> None:
    assert refused(put(assessment(), "/document/assessment", 1)) == [("INP-003", "/document/assessment")]
    assert refused(put(assessment(), "/assessment", 1)) == [("INP-003", "/assessment")]


def plain(value: Any = None) -> bytes:
    return json.dumps(value or assessment()).encode()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "INP-001"),
        (b" \n\t", "INP-001"),
        (b"\xef\xbb\xbf", "INP-001"),
        (b"{", "INP-001"),
        (plain()[:-1], "INP-001"),
        (plain() + b"x", "INP-001"),
        (b"{'a': 1}", "INP-001"),
        (b"\x00" * 40, "INP-010"),
        (b"\xff\xfe\x00", "INP-010"),
        (plain().decode().encode("utf-16"), "INP-010"),
        (plain().decode().encode("utf-16-le"), "INP-010"),
        (plain().decode().encode("utf-16-be"), "INP-010"),
        (plain().decode().encode("utf-32"), "INP-010"),
        ('{"a": "é"}'.encode("cp1252"), "INP-010"),
        ('{"a": "é'.encode()[:-1], "INP-001"),
        (b"[" * 100_000, "INP-001"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "INP-001"),
        (b'{"a": 1, "a": 2}', "INP-011"),
        (b'{"a": NaN}', "INP-005"),
        (b'{"a": Infinity}', "INP-005"),
        (b'{"a": -Infinity}', "INP-005"),
        (b'{"a": ' + b"9" * 5000 + b"}", "INP-005"),
        (b" " * (MAX_BYTES + 1), "INP-002"),
    ],
)
def test_files_that_are_no_submission(data: bytes, code: str) -> None:
    submission, findings = parse(data)
    assert submission is None
    assert [finding.code for finding in findings] == [code]
    assert findings[0].path == ""
    assert findings[0].message
    assert findings[0].advice


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "x", [], [1], {}])
def test_json_that_is_no_submission(value: Any) -> None:
    submission, findings = parse(json.dumps(value).encode())
    assert submission is None
    assert findings
    assert all(finding.code in {"INP-004", "INP-005"} for finding in findings)


def test_a_repeated_key_deep_inside_is_refused_without_being_named() -> None:
    text = plain().decode().replace('"sex": "F"', '"sex": "F", "sex": "M"')
    submission, findings = parse(text.encode())
    assert submission is None
    assert [finding.code for finding in findings] == ["INP-011"]


def test_the_byte_order_mark_of_windows_programs_is_accepted() -> None:
    submission, findings = parse(b"\xef\xbb\xbf" + plain())
    assert submission is not None
    assert findings == []


def test_the_canonical_form_is_compact_sorted_and_readable() -> None:
    data = canonical(sound(assessment()))
    value = json.loads(data)
    assert data == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert "Maëlys".encode() in data
    assert b"null" not in data
    assert list(value) == sorted(value)


def test_the_canonical_form_does_not_depend_on_how_the_file_was_written() -> None:
    value = assessment()
    spaced = json.dumps(value, indent=4, ensure_ascii=False).encode()
    turned = json.dumps(dict(reversed(value.items()))).encode()
    assert {canonical(parse(data)[0]) for data in (plain(value), spaced, turned)} == {canonical(sound(value))}  # type: ignore[arg-type]


@pytest.mark.parametrize(("length", "codes"), [(MAX_BYTES, []), (MAX_BYTES + 1, ["INP-002"])])
def test_the_largest_file(length: int, codes: list[str]) -> None:
    data = plain()
    assert [f.code for f in parse(data + b" " * (length - len(data)))[1]] == codes
    assert MAX_BYTES == 5_000_000


@pytest.mark.parametrize(("digits", "huge"), [(30, False), (31, True)])
def test_numbers_of_many_digits(digits: int, *, huge: bool) -> None:
    _, findings = parse(b'{"format": ' + b"9" * digits + b"}")
    assert (findings[0].path == "" and "démesuré" in findings[0].message) is huge


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        (b"\xc3", "INP-001"),
        (b"\xe2\x80", "INP-001"),
        (b"\xf0\x9f\x98", "INP-001"),
        (b"\xe9\xe9", "INP-010"),
        (b"\xe9 ", "INP-010"),
        (b"\x80", "INP-010"),
    ],
)
def test_a_file_cut_inside_a_character_may_still_be_under_way(tail: bytes, code: str) -> None:
    assert [f.code for f in parse(b'{"a": "' + tail)[1]] == [code]
