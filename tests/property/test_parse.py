"""Whatever the bytes, `parse` answers with a submission or with findings: it never raises and never echoes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.findings import Finding, Severity
from gateway.records.submission import Submission, canonical, parse
from tests.unit.submission_samples import assessment, summary

# Every code point, lone surrogates included: json writes them as escapes.
_TEXT = st.text(st.characters(), max_size=30)
_NUMBERS = st.one_of(st.integers(), st.floats(), st.integers(-(10**40), 10**40), st.sampled_from([1e308, -0.0, 10**29]))
_SCALARS = st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXT)
_DATES = st.one_of(
    st.dates().map(str),
    st.datetimes().map(str),
    st.sampled_from(
        ["0000-00-00", "2025-02-29", "9999-12-31T23:59:60+14:00", "0001-01-01T00:00:00+14:00", "-2025-01-01"]
    ),
)
_JSON = st.recursive(
    _SCALARS | _DATES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place of a JSON value, the root excepted."""
    steps: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        steps = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    found: list[tuple[str | int, ...]] = []
    for step, inner in steps:
        found += [(*path, step), *places(inner, (*path, step))]
    return found


def change(value: Any, path: tuple[str | int, ...], new: Any) -> None:
    for step in path[:-1]:
        value = value[step]
    if new is ...:
        del value[path[-1]]
    else:
        value[path[-1]] = new


_PLACES = {"assessment": places(assessment()), "summary": places(summary())}


@st.composite
def spoiled(draw: st.DrawFn) -> Any:
    """A sound submission with one to three places changed, removed or added to."""
    kind = draw(st.sampled_from(sorted(_PLACES)))
    value = assessment() if kind == "assessment" else summary()
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(_PLACES[kind]))
        new = draw(st.one_of(_JSON, st.just(...)))
        try:
            change(value, path, new)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    return value


def judge(data: bytes) -> tuple[Submission | None, list[Finding]]:
    submission, findings = parse(data)
    assert (submission is None) == bool(findings)
    for finding in findings:
        assert finding.severity is Severity.ERROR
        assert finding.message
        assert finding.advice
        # A report is JSON and text in UTF-8: a finding can always be written.
        json.dumps(finding.as_dict(), ensure_ascii=False).encode()
        assert finding.path == "" or finding.path.startswith("/")
        assert finding.path.isascii()
    if submission is not None:
        assert parse(canonical(submission)) == (submission, [])
    return submission, findings


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    judge(data)


@given(_JSON)
def test_any_json(value: Any) -> None:
    submission, _ = judge(json.dumps(value).encode())
    assert submission is None


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(spoiled())
def test_a_spoiled_submission(value: Any) -> None:
    judge(json.dumps(value).encode())


@given(st.data())
def test_a_submission_cut_or_scrambled(data: st.DataObject) -> None:
    text = json.dumps(assessment(), ensure_ascii=False).encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    judge(text[:start] + data.draw(st.binary(max_size=8)) + text[end:])


@given(_TEXT.filter(lambda text: len(text.strip()) > 6), st.sampled_from(_PLACES["assessment"]))
def test_no_value_is_ever_repeated(text: str, path: tuple[str | int, ...]) -> None:
    value = assessment()
    change(value, path, text)
    _, findings = judge(json.dumps(value).encode())
    shown = " ".join(finding.message + finding.advice + finding.path for finding in findings)
    assert text not in shown
