"""Measures as a reader compares them: right beside left, initial beside final, better or worse."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gateway.document.build_words import amount, number
from gateway.document.comparison import importance, sense
from gateway.document.model import MeasureEntry
from gateway.render.pdf.legible import clip, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.document.model import ClinicalDocument
    from gateway.terminology import MeasureDef, Terminology

_PRIORITY = {"pain": 0, "survey": 1, "result": 2, "vital": 3}
"""What is left out last when there are more measures than room."""

_ALONE = 10
"""A value that compares with nothing gives way to one that does."""

MINUS = "−"


@dataclass(frozen=True, slots=True)
class Row:
    """One line: label, cells, and `better`, `worse`, `same` or nothing for the line as a whole.

    `track` is where the first and the last value stand on the scale of the measure, from 0 (worst) to 1 (best).
    """

    label: str
    cells: tuple[str, ...]
    priority: int
    verdict: str = ""
    track: tuple[float, float] | None = None

    def view(self, length: int) -> dict[str, Any]:
        """What the template reads; name and cells at most `length` characters long."""
        cells = [clip(cell, length) for cell in self.cells]
        track = list(self.track) if self.track else None
        return {"label": clip(self.label, length), "cells": cells, "verdict": self.verdict, "track": track}


def measures(document: ClinicalDocument) -> list[MeasureEntry]:
    """Every measure in reading order."""
    return [entry for part in document.walk() for entry in part.entries if isinstance(entry, MeasureEntry)]


def shorten(rows: Sequence[Row], limit: int) -> list[Row]:
    """At most `limit` rows, pain and scores before joints and vital signs, in their order of appearance."""
    chosen = sorted(range(len(rows)), key=lambda index: (rows[index].priority, index))[:limit]
    return [rows[index] for index in sorted(chosen)]


def assessment_rows(entries: Sequence[MeasureEntry], terminology: Terminology) -> list[Row]:
    """One row for each thing measured, its sides in one cell."""
    groups: dict[tuple[str, ...], list[MeasureEntry]] = {}
    for entry in entries:
        groups.setdefault((entry.measure, *_place(entry)), []).append(entry)
    rows = []
    for group in groups.values():
        values = [f"{_side(entry)} {value(entry, terminology)}".strip() for entry in group]
        rows.append(Row(label(group[0]), (" · ".join(values),), _PRIORITY[group[0].category]))
    return rows


def summary_rows(entries: Sequence[MeasureEntry], terminology: Terminology) -> list[Row]:
    """One row for each thing measured twice or once: initial, final, change. The aid may change: that is progress."""
    pairs: dict[tuple[str, str, str, str, int], dict[str, MeasureEntry]] = {}
    for entry in entries:
        site, context, _ = _place(entry)
        count = 0
        # The same thing noted twice at one moment: two rows, none lost.
        while entry.reference in pairs.get(key := (entry.measure, _side(entry), site, context, count), {}):
            count += 1
        pairs.setdefault(key, {})[entry.reference] = entry
    return [_compared(pair.get("initial"), pair.get("current"), terminology) for pair in pairs.values()]


def _compared(first: MeasureEntry | None, last: MeasureEntry | None, terminology: Terminology) -> Row:
    known = last or first
    assert known is not None
    cells = [_cell(entry, terminology) for entry in (first, last)]
    verdict, change, track = "", "", None
    if first and last and first.value is not None and last.value is not None:
        verdict, words = _verdict(first.value, last.value, terminology.measure(known.measure), terminology)
        change = " · ".join(filter(None, (_signed(last.value - first.value), words)))
        track = _track(first.value, last.value, known, terminology)
    side = _side(known)
    name = label(known, aid=False)
    return Row(
        f"{name} ({side})" if side else name,
        (*cells, change),
        _PRIORITY[known.category] + (0 if first and last else _ALONE),
        verdict,
        track,
    )


def _track(first: Decimal, last: Decimal, entry: MeasureEntry, terminology: Terminology) -> tuple[float, float] | None:
    """Both values on one scale, the better end at 1: a score's own scale, else from nothing to a fifth above.

    None where no direction is better, or a value lies outside its scale.
    """
    measure = terminology.measure(entry.measure)
    if measure is None or measure.better not in {"low", "high"}:
        return None
    scored = measure.ucum in {"{score}", "%"} and measure.minimum is not None and measure.maximum is not None
    low = measure.minimum if scored else min(first, last, Decimal(0))
    high = measure.maximum if scored else max(first, last, Decimal(0)) * Decimal("1.2")
    if low is None or high is None or not low < high or not all(low <= each <= high for each in (first, last)):
        return None
    start, stop = ((each - low) / (high - low) for each in (first, last))
    ends = (start, stop) if measure.better == "high" else (1 - start, 1 - stop)
    return round(float(ends[0]), 3), round(float(ends[1]), 3)


def _cell(entry: MeasureEntry | None, terminology: Terminology) -> str:
    if entry is None:
        return "–"
    return value(entry, terminology) + (f"\n{entry.aid}" if entry.aid else "")


def _signed(difference: Decimal) -> str:
    return "" if difference == 0 else ("+" if difference > 0 else MINUS) + number(abs(difference))


def _verdict(first: Decimal, last: Decimal, known: MeasureDef | None, terminology: Terminology) -> tuple[str, str]:
    """How the row is painted, and its words: an improvement says whether it is clinically important."""
    found = sense(known, first, last)
    if found == "changed":
        return "", ""
    counts = importance(known, first, last)
    more = f" {terminology.label('importance_short', counts)}" if counts else ""
    return found, terminology.label("better", found) + more


def _place(entry: MeasureEntry) -> tuple[str, str, str]:
    return (entry.site.text if entry.site else "", entry.context or "", entry.aid or "")


def _side(entry: MeasureEntry) -> str:
    return str(wording()["sides"].get(entry.side.code, entry.side.display)) if entry.side else ""


def label(entry: MeasureEntry, *, aid: bool = True) -> str:
    """Name of a measure with its site, context and aid, unless the name says them already."""
    name = entry.concept.text
    places = _place(entry) if aid else _place(entry)[:2]
    extra = [part for part in places if part and part.casefold() not in name.casefold()]
    return ", ".join([name, *extra])


def value(entry: MeasureEntry, terminology: Terminology) -> str:
    """Value with its unit in words: `53,5°`, `6/10` for a score whose top is known, `4-/5` as it was noted."""
    if entry.not_done is not None:
        return terminology.label("comparison", "not_measured")
    if entry.answer:
        return entry.answer.display
    if entry.value is None:
        return entry.raw or "–"
    measure = terminology.measure(entry.measure)
    if measure and entry.value in measure.answers:
        return measure.answers[entry.value].text
    if entry.unit != "{score}":
        return amount(entry.value, entry.unit, terminology).replace("-", MINUS)
    top = measure.maximum if measure else None
    noted = entry.raw if entry.raw and len(entry.raw) <= 3 else number(entry.value).replace("-", MINUS)
    return noted if top is None else f"{noted}/{number(top)}"
