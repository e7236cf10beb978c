"""Entries that are no measure: problems, goals, acts, sessions, referrals, adverse events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal

from gateway.document.model import (
    ActEntry,
    AdverseEventEntry,
    GoalEntry,
    GoalTarget,
    ProblemEntry,
    ReferralEntry,
    SessionEntry,
)
from gateway.read.cda.details import Details, said, truth, unread
from gateway.read.cda.measures import side
from gateway.read.cda.scan import Scan, reference
from gateway.read.xml import Element, attribute, child, children, local, path, text

_URGENCIES: dict[str, Literal["programmee", "24h", "urgence"]] = {
    "programmee": "programmee",
    "24h": "24h",
    "urgence": "urgence",
}
_SEVERITIES: dict[str, Literal["legere", "moderee", "grave"]] = {
    "legere": "legere",
    "moderee": "moderee",
    "grave": "grave",
}


def concern(scan: Scan, act: Element) -> Iterator[ProblemEntry]:
    """The problems of a concern."""
    active = attribute(child(act, "statusCode"), "code") not in {"completed", "aborted"}
    for relation in children(act, "entryRelationship"):
        for nested in relation:
            if local(nested) == "observation":
                yield problem(scan, nested, "active" if active else "completed")
            else:
                unread(scan, nested)


def problem(scan: Scan, element: Element, status: Literal["active", "completed"]) -> ProblemEntry:
    """One problem. One that is denied says so in its words: the model has no negation."""
    anchor = reference(child(element, "text"))
    value = child(element, "value")
    details = Details(scan, element)
    if attribute(element, "negationInd") == "true":
        advice = "Lire le texte de la section : ce problème est noté absent."
        scan.trail.doubt("RDB-032", path(element), "Problème nié (negationInd) : lu sans sa négation.", advice)
    return ProblemEntry(
        anchor=anchor,
        concept=scan.concept(value, anchor),
        status=status,
        onset=scan.day(child(element, "effectiveTime", "low")),
        side=side(scan, value),
        note=details.comment,
    )


def goal(scan: Scan, element: Element) -> GoalEntry:
    """A care objective."""
    anchor = reference(child(element, "text"))
    details = Details(scan, element)
    start, due = _days(scan, element)
    return GoalEntry(
        anchor=anchor,
        text=text(child(element, "value")) or scan.concept(child(element, "code"), anchor).text,
        start=start if start is not None else scan.day_or_absent(None, element),
        due=due,
        reached=truth(details.value("goal_reached")),
        target=_target(scan, child(element, "value"), details.value("goal_measure"), anchor),
    )


_COMPARED: tuple[tuple[str, Literal["<=", ">="]], ...] = (("high", "<="), ("low", ">="))


def _target(scan: Scan, value: Element | None, measure: Element | None, anchor: str) -> GoalTarget | None:
    """The value aimed at, where the goal names a measure: a quantity, or an interval with one bound."""
    if value is None or measure is None:
        return None
    bounds = ((child(value, name), compared) for name, compared in _COMPARED)
    found = next(((bound, compared) for bound, compared in bounds if bound is not None), None)
    held = found[0] if found is not None else value
    compared: Literal["<=", ">=", "="] = found[1] if found is not None else "="
    number = scan.number(held)
    if number is None:
        return None
    unit = attribute(held, "unit")
    return GoalTarget(scan.concept(measure, anchor), compared, number, unit if unit not in {"", "1"} else None)


def act(scan: Scan, element: Element) -> ActEntry:
    """An act done or planned."""
    anchor = reference(child(element, "text"))
    Details(scan, element)
    start, stop = _days(scan, element)
    planned = attribute(element, "moodCode") != "EVN"
    return ActEntry(anchor, scan.concept(child(element, "code"), anchor), "INT" if planned else "EVN", start, stop)


def session(scan: Scan, element: Element) -> SessionEntry:
    """One encounter of the past; number 0 where its author did not number it."""
    details = Details(scan, element)
    number = details.value("session_number")
    counted = scan.number(number) if number is not None else None
    start, _stop = _days(scan, element)
    return SessionEntry(
        anchor=reference(child(element, "text")),
        number=int(counted) if counted is not None else 0,
        day=start if start is not None else scan.day_or_absent(None, element),
    )


def referral(scan: Scan, element: Element) -> ReferralEntry:
    """An encounter that is asked for: to whom, why and how soon."""
    anchor = reference(child(element, "text"))
    details = Details(scan, element)
    urgency = attribute(child(element, "priorityCode"), "code")
    start, _stop = _days(scan, element)
    if urgency not in _URGENCIES:
        scan.trail.info(
            "RDB-033",
            path(element),
            "Urgence de la demande non dite : lue comme programmée.",
            "Lire le texte de la section.",
        )
    return ReferralEntry(
        anchor=anchor,
        to=details.words("referral_to") or "",
        day=start if start is not None else scan.day_or_absent(None, element),
        reason=scan.concept(child(element, "code"), anchor).text,
        urgency=_URGENCIES.get(urgency, "programmee"),
    )


def adverse_event(scan: Scan, element: Element) -> AdverseEventEntry:
    """An undesirable event of the care, written by this product."""
    details = Details(scan, element)
    severity = details.severity.code if details.severity is not None else ""
    day, _stop = _days(scan, element)
    if severity not in _SEVERITIES:
        scan.trail.doubt(
            "RDB-034",
            path(element),
            "Gravité non dite : lue comme grave, par prudence.",
            "Lire le texte de la section.",
        )
    return AdverseEventEntry(
        anchor=reference(child(element, "text")),
        identifier=attribute(child(element, "id"), "extension"),
        day=day if day is not None else scan.day_or_absent(None, element),
        kind=text(child(element, "value")) or said(scan, element),
        severity=_SEVERITIES.get(severity, "grave"),
        detail=details.comment,
    )


def _days(scan: Scan, element: Element) -> tuple[date | None, date | None]:
    """effectiveTime as days: a period, else one day."""
    time = child(element, "effectiveTime")
    if attribute(time, "value"):
        return scan.day(time), None
    return scan.day(child(time, "low")), scan.day(child(time, "high"))
