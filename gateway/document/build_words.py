"""French wording of values: dates, exact numbers, units, places. Everything shown in a narrative goes through here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from gateway.document.model import Table

if TYPE_CHECKING:
    from gateway.records.clinical import ExamFinding, GoalTarget, Measure, Side
    from gateway.terminology import MeasureDef, Terminology

NBSP = "\u00a0"
_GLUED = {"°"}
"""Units that French writes against the number."""


def day(value: date) -> str:
    """`06/10/2025`."""
    return value.strftime("%d/%m/%Y")


def number(value: Decimal) -> str:
    """An exact number with a decimal comma, every digit as it was given."""
    return format(value, "f").replace(".", ",")


def amount(value: Decimal, unit: str | None, terminology: Terminology) -> str:
    """Number and unit in words: `5,2 cm`, `95°`, `12 levers en 30 s`, `1 point`."""
    if unit is None:
        return number(value)
    words = terminology.units.get(unit)
    # French: the plural begins at two.
    shown = unit if words is None else words.singular if abs(value) < 2 else words.plural
    return f"{number(value)}{'' if shown in _GLUED else NBSP}{shown}"


def measured(record: Measure, known: MeasureDef | None, terminology: Terminology) -> str:
    """A measured value as a reader understands it: `6/10`, `53,5 cm`, `1+ (1,5/4)`; or why there is none."""
    if record.value is None:
        return f"{terminology.label('comparison', 'not_measured')} : {record.not_done}"
    shown = said(record.value, record.unit, known, terminology)
    same = record.raw is None or record.raw in {number(record.value), format(record.value, "f")}
    return shown if same else f"{record.raw} ({shown})"


def said(value: Decimal, unit: str | None, known: MeasureDef | None, terminology: Terminology) -> str:
    """A value of a measure in words: its answer, its place on the scale, or the number with its unit."""
    if known is not None and value in known.answers:
        return known.answers[value].text
    if unit == "{score}" and known is not None and known.maximum is not None and known.minimum is not None:
        return f"{number(value)}/{number(known.maximum)}"
    return amount(value, unit, terminology)


def change(initial: Decimal, final: Decimal, unit: str | None, terminology: Terminology) -> str:
    """The difference with its sign and unit; between two percentages it is points, not a percentage."""
    difference = final - initial
    shown = distance(difference, unit, terminology)
    return shown if difference == 0 else f"{'+' if difference > 0 else '-'}{shown}"


def distance(value: Decimal, unit: str | None, terminology: Terminology) -> str:
    """How far apart two values are."""
    return amount(abs(value), "{score}" if unit == "%" else unit, terminology)


def where(record: Measure | GoalTarget | ExamFinding, terminology: Terminology, *, aid: bool = True) -> str:
    """Site, side, conditions and aid of a measure: `cheville, côté droit ; au mouvement ; aide : canne`."""
    place = join((record.site, side(record.side, terminology)), ", ")
    used = getattr(record, "aid", None)
    return join((place, getattr(record, "context", None), f"aide : {used}" if aid and used else None))


def side(value: Side | None, terminology: Terminology) -> str:
    """The side in words, empty when none was given."""
    return "" if value is None else terminology.label("side", value.value)


def join(parts: Iterable[str | None], separator: str = " ; ") -> str:
    """What was given, separated; what was not leaves no trace."""
    return separator.join(part for part in parts if part)


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    shown = text.strip()
    shown = shown[:1].upper() + shown[1:]
    return shown if shown.endswith((".", "!", "?", "…")) else f"{shown}."


def without_empty(table: Table) -> Table:
    """The table without the columns that no row fills."""
    kept = [place for place in range(len(table.columns)) if any(row[place].text for row in table.rows)]
    columns = tuple(table.columns[place] for place in kept)
    rows = tuple(tuple(row[place] for place in kept) for row in table.rows)
    return Table(columns, rows, table.caption)
