from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from gateway.findings import Severity
from gateway.rules.calendar import check_dates
from tests.unit.submission_samples import assessment, put, sound, summary

TODAY = dt.date(2025, 10, 30)
EVENT = {"id": "AE-1", "date": "2025-11-05", "kind": "chute", "severity": "legere"}


def codes(value: dict[str, Any], today: dt.date = TODAY) -> dict[str, Severity]:
    return {finding.code: finding.severity for finding in check_dates(sound(value), today)}


def test_sound_dates_bring_nothing() -> None:
    assert codes(assessment()) == {}
    assert codes(summary()) == {}


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"/document/date": "2025-11-01T00:00:00+01:00"}, "DAT-001", "error"),
        (
            {
                "/document/date": "1999-12-31T23:59:59+01:00",
                "/patient/birth_date": "1990-01-01",
                "/access/episode/start": "1999-12-31",
            },
            "DAT-002",
            "error",
        ),
        ({"/document/date": "2024-10-28T10:00:00+01:00", "/access/episode/start": "2024-10-01"}, "DAT-003", "warning"),
        ({"/patient/birth_date": "2025-10-31"}, "DAT-004", "error"),
        ({"/patient/birth_date": "2025-10-07"}, "DAT-005", "error"),
        ({"/access/episode/start": "2025-10-07"}, "DAT-006", "warning"),
        ({"/document/problems/0/onset": "2025-10-09"}, "DAT-011", "warning"),
        ({"/recipients/0/opposition": {"date": "2030-01-01", "author": "G. T."}}, "DAT-011", "warning"),
    ],
)
def test_dates_of_the_assessment(changes: dict[str, Any], code: str, severity: str) -> None:
    value = assessment()
    for pointer, new in changes.items():
        put(value, pointer, new)
    assert codes(value) == {code: Severity(severity)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"/document/period/end": "2025-10-05", "/document/sessions": []}, {"DAT-007": "error"}),
        ({"/document/period/end": "2025-10-31"}, {"DAT-008": "warning"}),
        ({"/document/initial_date": "2025-10-30T18:05:01+01:00"}, {"DAT-009": "error"}),
        ({"/document/sessions/0/date": "2025-10-05"}, {"DAT-010": "warning"}),
        ({"/document/adverse_events": [EVENT]}, {"DAT-011": "warning"}),
    ],
)
def test_dates_of_the_summary(changes: dict[str, Any], expected: dict[str, str]) -> None:
    value = summary()
    for pointer, new in changes.items():
        put(value, pointer, new)
    assert codes(value) == {code: Severity(severity) for code, severity in expected.items()}


def test_an_author_a_day_ahead_of_the_machine_is_not_in_the_future() -> None:
    assert codes(put(assessment(), "/document/date", "2025-10-31T00:30:00+10:00")) == {}
    assert "DAT-001" in codes(put(assessment(), "/document/date", "2025-11-01T00:30:00+10:00"))


def test_a_patient_born_today() -> None:
    newborn = put(assessment(), "/patient/birth_date", "2025-10-06")
    assert codes(newborn) == {}


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (assessment, {"/patient/birth_date": "2025-10-30", "/document/date": "2025-10-30T09:00:00+01:00"}),
        (assessment, {"/document/date": "2024-10-29T10:00:00+01:00", "/access/episode/start": "2024-10-01"}),
        (assessment, {"/document/problems/0/onset": "2025-10-07"}),
        (summary, {"/document/initial_date": "2025-10-30T18:05:00+01:00"}),
        (
            summary,
            {
                "/document/period": {"start": "2025-10-06", "end": "2025-10-06"},
                "/document/sessions": [{"n": 1, "date": "2025-10-06"}],
            },
        ),
    ],
)
def test_just_inside_a_limit(base: Any, changes: dict[str, Any]) -> None:
    value = base()
    for pointer, new in changes.items():
        put(value, pointer, new)
    assert codes(value) == {}


@pytest.mark.parametrize(("day", "code"), [("1999-12-31", "DAT-002"), ("2000-01-01", "DAT-003")])
def test_the_oldest_document(day: str, code: str) -> None:
    value = put(put(assessment(), "/document/date", f"{day}T10:00:00+01:00"), "/access/episode/start", day)
    assert list(codes(put(value, "/patient/birth_date", "1990-01-01"))) == [code]
