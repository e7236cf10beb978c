"""Periods as people write them."""

from __future__ import annotations

from datetime import date

import pytest

from gateway.audit.period import parse
from gateway.errors import InputError


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", "2026-01-01", "2026-12-31"),
        ("2026-Q1", "2026-01-01", "2026-03-31"),
        ("2026-T4", "2026-10-01", "2026-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-01-15..2026-02-14", "2026-01-15", "2026-02-14"),
        (" 2026-12 ", "2026-12-01", "2026-12-31"),
    ],
)
def test_bounds(text: str, first: str, last: str) -> None:
    found = parse(text)
    assert (found.first.isoformat(), found.last.isoformat()) == (first, last)
    assert date.fromisoformat(first) in found
    assert date.fromisoformat(last) in found


@pytest.mark.parametrize(
    "text", ["", "26", "2026-13", "2026-Q5", "2026-02-30..2026-03-01", "2026-02-02..2026-02-01", "0000"]
)
def test_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(text)
    assert refused.value.findings[0].code == "IND-001"


def test_months_and_quarters() -> None:
    assert list(parse("2025-11-20..2026-02-01").months()) == ["2025-11", "2025-12", "2026-01", "2026-02"]
    assert [one.name for one in parse("2025-11-20..2026-02-01").quarters()] == ["2025-Q4", "2026-Q1"]
