"""A period as people ask for it: a year, a quarter, a month, or two dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from gateway.errors import InputError
from gateway.findings import error

if TYPE_CHECKING:
    from collections.abc import Iterator

_YEAR = re.compile(r"(\d{4})")
_QUARTER = re.compile(r"(\d{4})-[QqTt]([1-4])")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_RANGE = re.compile(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})")
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `first` to `last`, both included; `name` as it was asked for."""

    name: str
    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def months(self) -> Iterator[str]:
        """`2026-01`, `2026-02`... that the period touches."""
        year, month = self.first.year, self.first.month
        while (year, month) <= (self.last.year, self.last.month):
            yield f"{year:04d}-{month:02d}"
            year, month = (year, month + 1) if month < _MONTHS else (year + 1, 1)

    def quarters(self) -> Iterator[Period]:
        """The quarters that the period touches, whole."""
        for name in dict.fromkeys(f"{m[:4]}-Q{(int(m[5:]) + 2) // 3}" for m in self.months()):
            yield parse(name)

    def as_dict(self) -> dict[str, str]:
        """JSON-ready."""
        return {"name": self.name, "first": self.first.isoformat(), "last": self.last.isoformat()}


def parse(text: str) -> Period:
    """`2026`, `2026-Q1` (or `2026-T1`), `2026-03`, `2026-01-15..2026-02-14`. Raises InputError (IND-001)."""
    text = text.strip()
    try:
        first, last = _bounds(text)
    except ValueError:
        raise _unreadable(text) from None
    if first > last:
        raise _unreadable(text)
    return Period(text, first, last)


def _bounds(text: str) -> tuple[date, date]:
    if found := _YEAR.fullmatch(text):
        return date(int(found[1]), 1, 1), date(int(found[1]), 12, 31)
    if found := _QUARTER.fullmatch(text):
        last = int(found[2]) * 3
        return date(int(found[1]), last - 2, 1), _end_of(int(found[1]), last)
    if found := _MONTH.fullmatch(text):
        return date(int(found[1]), int(found[2]), 1), _end_of(int(found[1]), int(found[2]))
    if found := _RANGE.fullmatch(text):
        return date.fromisoformat(found[1]), date.fromisoformat(found[2])
    raise ValueError(text)


def _end_of(year: int, month: int) -> date:
    following = date(year, month + 1, 1) if month < _MONTHS else date(year + 1, 1, 1)
    return following - timedelta(days=1)


def _unreadable(text: str) -> InputError:
    advice = "Donner 2026, 2026-Q1, 2026-03 ou 2026-01-15..2026-02-14."
    return InputError([error("IND-001", "/period", f"Période illisible : {text[:40]}.", advice)], "Période refusée.")
