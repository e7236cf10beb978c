"""Resources that are no Observation: problems, goals, acts, sessions, referrals, adverse events, the plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Literal

from gateway.document.model import (
    ActEntry,
    AdverseEventEntry,
    Entry,
    GoalEntry,
    GoalTarget,
    ProblemEntry,
    ReferralEntry,
    SessionEntry,
)
from gateway.read import narrative, xml
from gateway.read.fhir.measures import place, unread
from gateway.read.fhir.scan import Json, Scan, anchor_of, first, items, obj, string

_NUMBER = re.compile(r"n° ?(\d{1,4})$")
_ENDED = frozenset({"resolved", "remission", "inactive"})
_URGENCIES: dict[str, Literal["programmee", "24h", "urgence"]] = {
    "routine": "programmee",
    "urgent": "24h",
    "asap": "24h",
    "stat": "urgence",
}
_SEVERITIES: dict[str, Literal["legere", "moderee", "grave"]] = {
    "mild": "legere",
    "moderate": "moderee",
    "severe": "grave",
}


def condition(scan: Scan, resource: Json) -> Iterator[ProblemEntry]:
    """A problem or diagnosis."""
    _site, side = place(scan, resource, first(resource.get("bodySite")))
    status = string(first(obj(resource.get("clinicalStatus")).get("coding")).get("code"))
    verified = string(first(obj(resource.get("verificationStatus")).get("coding")).get("code"))
    if verified in {"refuted", "entered-in-error"}:
        advice = "Lire le texte de la section : ce problème est noté absent."
        scan.trail.doubt("RDB-032", _at(resource), "Problème nié (negationInd) : lu sans sa négation.", advice)
    yield ProblemEntry(
        anchor=anchor_of(resource),
        concept=scan.concept(resource.get("code")),
        status="completed" if status in _ENDED else "active",
        onset=scan.day(resource.get("onsetDateTime"), f"{_at(resource)}/onset"),
        side=side,
        note=string(first(resource.get("note")).get("text")) or None,
    )


def goal(scan: Scan, resource: Json) -> Iterator[GoalEntry]:
    """A care objective."""
    achieved = string(first(obj(resource.get("achievementStatus")).get("coding")).get("code"))
    yield GoalEntry(
        anchor=anchor_of(resource),
        text=scan.concept(resource.get("description")).text,
        start=scan.day_or_absent(resource.get("startDate"), f"{_at(resource)}/startDate"),
        due=scan.day(first(resource.get("target")).get("dueDate"), f"{_at(resource)}/target"),
        reached={"achieved": True, "not-achieved": False}.get(achieved),
        target=_target(scan, first(resource.get("target"))),
    )


_COMPARED: dict[str, Literal["<=", ">="]] = {"<=": "<=", "<": "<=", ">=": ">=", ">": ">="}


def _target(scan: Scan, held: Json) -> GoalTarget | None:
    """The value aimed at."""
    detail = obj(held.get("detailQuantity"))
    value = detail.get("value")
    if not isinstance(value, Decimal) or "measure" not in held:
        return None
    compared: Literal["<=", ">=", "="] = _COMPARED.get(string(detail.get("comparator")), "=")
    return GoalTarget(scan.concept(held["measure"]), compared, value, string(detail.get("code")) or None)


def procedure(scan: Scan, resource: Json) -> Iterator[ActEntry | SessionEntry]:
    """An act that was done, or a session of the treatment."""
    start, stop = _days(scan, resource, "performed")
    if any(code.code == "session" for code in scan.local_codes([obj(resource.get("category"))])):
        number = _NUMBER.search(string(obj(resource.get("code")).get("text")))
        day = start if start is not None else scan.day_or_absent(None, _at(resource))
        yield SessionEntry(anchor_of(resource), int(number[1]) if number else 0, day)
        return
    yield ActEntry(anchor_of(resource), scan.concept(resource.get("code")), "EVN", start, stop)


def plan(scan: Scan, resource: Json) -> Iterator[ActEntry]:
    """The planned acts of a CarePlan; its goals stand in the section by themselves."""
    for activity in items(resource.get("activity")):
        detail = obj(activity.get("detail"))
        if not detail:
            unread(scan, resource)
            continue
        start, stop = _days(scan, detail, "scheduled")
        yield ActEntry(anchor_of(detail), scan.concept(detail.get("code")), "INT", start, stop)


def referral(scan: Scan, resource: Json) -> Iterator[ReferralEntry]:
    """A request to a physician."""
    at = _at(resource)
    urgency = string(resource.get("priority"))
    if urgency not in _URGENCIES:
        scan.trail.info(
            "RDB-033", at, "Urgence de la demande non dite : lue comme programmée.", "Lire le texte de la section."
        )
    yield ReferralEntry(
        anchor=anchor_of(resource),
        to=scan.concept(resource.get("performerType")).text,
        day=scan.day_or_absent(resource.get("authoredOn"), f"{at}/authoredOn"),
        reason=scan.concept(first(resource.get("reasonCode"))).text,
        urgency=_URGENCIES.get(urgency, "programmee"),
    )


def adverse_event(scan: Scan, resource: Json) -> Iterator[AdverseEventEntry]:
    """An undesirable event; its kind and its detail stand apart in its own narrative."""
    severity = string(first(obj(resource.get("severity")).get("coding")).get("code"))
    if severity not in _SEVERITIES:
        scan.trail.doubt(
            "RDB-034",
            _at(resource),
            "Gravité non dite : lue comme grave, par prudence.",
            "Lire le texte de la section.",
        )
    said = _paragraphs(resource)
    yield AdverseEventEntry(
        anchor=anchor_of(resource),
        identifier=string(obj(resource.get("identifier")).get("value")),
        day=scan.day_or_absent(resource.get("date"), f"{_at(resource)}/date"),
        kind=said[0] if len(said) == 2 else scan.concept(resource.get("event")).text,
        severity=_SEVERITIES.get(severity, "grave"),
        detail=said[1] if len(said) == 2 else None,
    )


def _paragraphs(resource: Json) -> list[str]:
    root, _refused = xml.parse(string(obj(resource.get("text")).get("div")).encode("utf-8", "replace"))
    return [] if root is None else [narrative.flat(one) for one in root]


def _at(resource: Json) -> str:
    return f"/{string(resource.get('resourceType'))}/{string(resource.get('id'))}"


def _days(scan: Scan, resource: Json, name: str) -> tuple[date | None, date | None]:
    """`performed[x]` or `scheduled[x]` as days."""
    at = f"{_at(resource)}/{name}"
    period = obj(resource.get(f"{name}Period"))
    if period:
        return scan.day(period.get("start"), at), scan.day(period.get("end"), at)
    return scan.day(resource.get(f"{name}DateTime"), at), None


READERS: dict[str, Callable[[Scan, Json], Iterator[Entry]]] = {
    "Condition": condition,
    "Goal": goal,
    "Procedure": procedure,
    "CarePlan": plan,
    "ServiceRequest": referral,
    "AdverseEvent": adverse_event,
}


def read(scan: Scan, resource: Json) -> Iterator[Entry]:
    """The entries of a resource; one that we do not read is a finding."""
    reader = READERS.get(string(resource.get("resourceType")))
    if reader is None:
        unread(scan, resource)
        return
    yield from reader(scan, resource)
