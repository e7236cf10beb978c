"""What the one page of indicators shows: texts and numbers ready to be set, and the bars of its plots."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from gateway.audit.indicators import Cells, Indicators, words
from gateway.audit.tables import checkpoint_note, motive_label, notes, rows, shown, title_of

BARS = 8
"""Motives with a bar of their own; the others share one."""
MONTHS = 18
"""Months with a bar of their own; a longer period is shown by year."""
_SHORT_MONTHS = ("janv", "fév", "mars", "avr", "mai", "juin", "juil", "août", "sept", "oct", "nov", "déc")


def view(found: Indicators, now: datetime) -> dict[str, Any]:
    """JSON-ready."""
    say = words()["words"]
    return {
        "title": f"{say['title']} · {found.period.name}",
        "subtitle": say["subtitle"],
        "facts": [
            [say["period"], title_of(found.period)],
            [say["account"], found.account or say["all_accounts"]],
            [say["open"], shown(found.open_episodes)],
        ],
        "columns": [say["figure"], say["value"], say["coverage"]],
        "rows": [[number, label, value, covers, told] for number, (label, value, covers, told) in _numbered(found)],
        "plots": [
            {"title": say["months"], "bars": _months(found.sessions_by_month), "upright": True},
            {"title": say["per_episode"], "bars": _bars(found.sessions_by_episode, str), "upright": True},
            {"title": say["motives"], "bars": _top(found.motives), "upright": False},
        ],
        "notes": notes(found, now.date()),
        "footer": checkpoint_note(found),
        "roots": list(found.mark.roots),
        "checkpoint": say["checkpoint"],
    }


def _numbered(found: Indicators) -> list[tuple[str, tuple[str, str, str, str]]]:
    return [(str(number), row) for number, row in enumerate(rows(found), 1)]


def _months(cells: Cells) -> list[dict[str, Any]]:
    """A bar for each month; for each year where the months would not fit."""
    years = {name[:4] for name in cells}
    if len(cells) <= MONTHS:
        return _bars(cells, _short if len(years) == 1 else lambda name: f"{_short(name)} {name[2:4]}")
    return _bars(
        {year: _sum(number for name, number in cells.items() if name[:4] == year) for year in sorted(years)}, str
    )


def _short(name: str) -> str:
    return _SHORT_MONTHS[int(name[5:]) - 1]


def _sum(numbers: Iterable[int | None]) -> int | None:
    """The sum, or None where one of them is left out."""
    found = list(numbers)
    return None if None in found else sum(number or 0 for number in found)


def _bars(cells: Cells, label: Callable[[str], str]) -> list[dict[str, Any]]:
    """A bar that is left out has no height and says so."""
    return [
        {"label": label(code), "value": number or 0, "text": "?" if number is None else str(number)}
        for code, number in cells.items()
    ]


def _top(cells: Cells) -> list[dict[str, Any]]:
    """The most frequent motives; the rest together, hidden where one of them is."""
    ordered = sorted(cells.items(), key=lambda item: (item[1] is None, -(item[1] or 0)))
    first, rest = dict(ordered[:BARS]), dict(ordered[BARS:])
    bars = _bars(first, motive_label)
    if rest:
        bars += _bars({"": _sum(rest.values())}, lambda _: str(words()["words"]["others"]))
    return bars
