"""Measures: coded entries, tables that a reader understands, and the comparison of a summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from gateway.document import build_words as words
from gateway.document import comparison as changed
from gateway.document.build_frame import Frame
from gateway.document.build_header import midnight
from gateway.document.model import MeasureEntry, Span, Table
from gateway.records.clinical import Measure, TreatmentSummary
from gateway.terminology import MeasureDef
from gateway.terminology.model import Category

Reference = Literal["initial", "current"]
Key = tuple[str, str | None, str, str, int]


@dataclass(frozen=True, slots=True)
class Taken:
    """A measure with what the document says of it."""

    record: Measure
    known: MeasureDef | None
    entry: MeasureEntry


def taken(frame: Frame) -> tuple[Taken, ...]:
    """Every measure of the document, the initial ones of a summary first, in the order they were written."""
    clinical = frame.clinical
    found: list[Taken] = []
    if isinstance(clinical, TreatmentSummary):
        found += _all(frame, clinical.initial_measures, "initial", initial_moment(frame, clinical))
    return (*found, *_all(frame, clinical.measures, "current", clinical.date))


def initial_moment(frame: Frame, summary: TreatmentSummary) -> datetime:
    """When the initial measures were taken: their own date, else the first day of the period described."""
    return summary.initial_date or midnight(frame, summary.period.start)


def _all(frame: Frame, records: Iterable[Measure], reference: Reference, at: datetime) -> Iterator[Taken]:
    for position, record in enumerate(records, start=1):
        known = frame.terms.measure(record.code)
        prefix = "mes" if reference == "current" else "mes-initiale"
        yield Taken(record, known, _entry(frame, record, known, f"{prefix}-{position}", reference, at))


def _entry(
    frame: Frame, record: Measure, known: MeasureDef | None, anchor: str, reference: Reference, at: datetime
) -> MeasureEntry:
    answer = known.answers.get(record.value) if known and record.value is not None else None
    coded = answer.code if answer else None
    return MeasureEntry(
        anchor=anchor,
        measure=record.code,
        category=known.category if known else "result",
        concept=frame.terms.measure_concept(record),
        value=None if coded else record.value,
        unit=None if coded or (known is not None and known.ucum is None) else record.unit,
        effective=at,
        answer=coded,
        side=frame.terms.side(record.side),
        site=frame.terms.site(record.site) if record.site else None,
        context=record.context,
        aid=record.aid,
        raw=record.raw,
        reference=reference,
        not_done=record.not_done,
    )


def of(measures: Iterable[Taken], category: Category) -> tuple[Taken, ...]:
    """The measures of one category."""
    return tuple(one for one in measures if one.entry.category == category)


def entries(measures: Iterable[Taken]) -> tuple[MeasureEntry, ...]:
    """Their coded entries."""
    return tuple(one.entry for one in measures)


def table(frame: Frame, measures: Sequence[Taken]) -> Table | None:
    """One row for each measure; the anchor of the entry stands on its name."""
    if not measures:
        return None
    columns = ("Mesure", "Localisation, côté, conditions", "Valeur", "Date")
    return Table(columns, tuple(_row(frame, one) for one in measures))


def _row(frame: Frame, one: Taken) -> tuple[Span, ...]:
    return (
        Span(one.entry.concept.text, one.entry.anchor),
        Span(words.where(one.record, frame.terms)),
        Span(words.measured(one.record, one.known, frame.terms)),
        Span(words.day(one.entry.effective.date())),
    )


def comparison(frame: Frame, measures: Sequence[Taken]) -> Table | None:
    """Initial, final, change and its sense for everything measured at least once; None without initial measures."""
    initial = _keyed(one for one in measures if one.entry.reference == "initial")
    final = _keyed(one for one in measures if one.entry.reference == "current")
    if not initial:
        return None
    keys = [*initial, *(key for key in final if key not in initial)]
    rows = tuple(_compared(frame, initial.get(key), final.get(key)) for key in keys)
    return Table(("Mesure", "Initial", "Final", "Évolution"), rows, "Comparaison des mesures")


def _keyed(measures: Iterable[Taken]) -> dict[Key, Taken]:
    """By what makes two measures the same one. The aid may change: that is part of the progress, and is shown."""
    found: dict[Key, Taken] = {}
    for one in measures:
        record = one.record
        place = 0
        while (key := (record.code, record.side, record.site or "", record.context or "", place)) in found:
            place += 1
        found[key] = one
    return found


def _compared(frame: Frame, initial: Taken | None, final: Taken | None) -> tuple[Span, ...]:
    either = final or initial
    assert either is not None  # a key comes from one of the two
    place = words.where(either.record, frame.terms, aid=False)
    name = f"{either.entry.concept.text} ({place})" if place else either.entry.concept.text
    return (
        Span(name),
        Span(_cell(frame, initial)),
        Span(_cell(frame, final)),
        Span(_evolution(frame, initial, final)),
    )


def _cell(frame: Frame, one: Taken | None) -> str:
    if one is None:
        return frame.terms.label("comparison", "not_measured")
    shown = words.measured(one.record, one.known, frame.terms)
    return words.join((shown, f"aide : {one.record.aid}" if one.record.aid else None))


def _evolution(frame: Frame, initial: Taken | None, final: Taken | None) -> str:
    if initial is None or final is None or initial.record.unit != final.record.unit:
        return ""
    first, last, known = initial.record.value, final.record.value, final.known
    if first is None or last is None:
        return ""
    sense = frame.terms.label("better", changed.sense(known, first, last))
    if final.entry.answer is not None or initial.entry.answer is not None:
        return sense
    shown = words.change(first, last, final.record.unit, frame.terms)
    return f"{shown} ({words.join((sense, _importance(frame, known, first, last)), ', ')})"


def _importance(frame: Frame, known: MeasureDef | None, first: Decimal, last: Decimal) -> str | None:
    """Whether the improvement counts for a patient, with the threshold: only where a source gives one."""
    found = changed.importance(known, first, last)
    if found is None or known is None or known.important is None:
        return None
    threshold = words.distance(known.important, known.ucum, frame.terms)
    return f"{frame.terms.label('importance', found)} : {threshold}"
