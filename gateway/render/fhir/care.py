"""Entries that are no measures: problems, goals, acts, sessions, reorientation, adverse events, and the care plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.render.fhir import marks
from gateway.render.fhir.assembly import without_none
from gateway.render.fhir.datatypes import instant, quantity
from gateway.render.fhir.sites import body_site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.document.model import (
        ActEntry,
        AdverseEventEntry,
        GoalEntry,
        ProblemEntry,
        ReferralEntry,
        Section,
        SessionEntry,
    )
    from gateway.render.fhir.assembly import Assembly, Json

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_ACHIEVED = "http://terminology.hl7.org/CodeSystem/goal-achievement"
_SEVERITY = "http://terminology.hl7.org/CodeSystem/adverse-event-severity"
_SEVERITIES = {"legere": "mild", "moderee": "moderate", "grave": "severe"}
_PRIORITIES = {"programmee": "routine", "24h": "urgent", "urgence": "stat"}


def _coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def add_problem(assembly: Assembly, entry: ProblemEntry) -> Json:
    """Add a Condition. R4 asks for a clinical status; `completed` becomes resolved."""
    status = "active" if entry.status == "active" else "resolved"
    site = body_site(assembly, None, entry.side)
    return assembly.add_entry(
        entry.anchor,
        without_none(
            resourceType="Condition",
            extension=site.get("extension", []),
            clinicalStatus=_coded(_CLINICAL, status),
            verificationStatus=_coded(_VERIFIED, "confirmed"),
            code=assembly.concept(entry.concept),
            bodySite=[site["bodySite"]] if site else [],
            **assembly.clinical(),
            onsetDateTime=entry.onset.isoformat() if entry.onset else None,
            recordedDate=instant(assembly.header.effective_time),
            recorder=assembly.reference(assembly.author_path),
            note=[{"text": entry.note}] if entry.note else [],
        ),
    )


def add_goal(assembly: Assembly, entry: GoalEntry) -> Json:
    """Add a Goal. One that was missed stays active: nobody said that it was given up."""
    achievement = None if entry.reached is None else "achieved" if entry.reached else "not-achieved"
    return assembly.add_entry(
        entry.anchor,
        without_none(
            resourceType="Goal",
            lifecycleStatus="completed" if entry.reached else "active",
            achievementStatus=_coded(_ACHIEVED, achievement) if achievement else None,
            description={"text": entry.text},
            subject=assembly.reference("patient"),
            startDate=entry.start.isoformat(),
            target=_target(assembly, entry),
            expressedBy=assembly.reference(assembly.author_path),
        ),
    )


def _target(assembly: Assembly, entry: GoalEntry) -> list[Json]:
    """What is aimed at and when: a measure and its value where the goal names them."""
    aim: Json = {}
    if entry.target is not None:
        detail = quantity(entry.target.value, entry.target.unit, assembly.terminology)
        compared = {} if entry.target.comparator == "=" else {"comparator": entry.target.comparator}
        aim = {"measure": assembly.concept(entry.target.concept), "detailQuantity": {**detail, **compared}}
    due = {"dueDate": entry.due.isoformat()} if entry.due else {}
    return [{**aim, **due}] if aim or due else []


def add_act(assembly: Assembly, entry: ActEntry) -> Json:
    """Add an act that was done, as a Procedure."""
    days = _days(entry)
    return assembly.add_entry(
        entry.anchor,
        without_none(
            resourceType="Procedure",
            status="completed",
            code=assembly.concept(entry.concept),
            **assembly.clinical(),
            performedPeriod=days if "end" in days else None,
            performedDateTime=None if "end" in days else days.get("start"),
            performer=[{"actor": assembly.reference(assembly.author_path)}],
        ),
    )


def add_session(assembly: Assembly, entry: SessionEntry) -> Json:
    """Add a session of the treatment, as a Procedure of one day."""
    return assembly.add_entry(
        entry.anchor,
        without_none(
            resourceType="Procedure",
            status="completed",
            category=marks.local_category(assembly, "session", "Séance"),
            code={"text": f"Séance de kinésithérapie n° {entry.number}"},
            **assembly.clinical(),
            performedDateTime=entry.day.isoformat(),
            performer=[{"actor": assembly.reference(assembly.author_path)}],
        ),
    )


def add_referral(assembly: Assembly, entry: ReferralEntry) -> Json:
    """Add the reorientation to a physician, as a ServiceRequest: a proposal, not an order."""
    return assembly.add_entry(
        entry.anchor,
        without_none(
            resourceType="ServiceRequest",
            status="active",
            intent="proposal",
            priority=_PRIORITIES[entry.urgency],
            code={"text": f"Réorientation : {entry.to}"},
            **assembly.clinical(),
            authoredOn=entry.day.isoformat(),
            requester=assembly.reference(assembly.author_path),
            performerType={"text": entry.to},
            reasonCode=[{"text": entry.reason}],
        ),
    )


def add_adverse_event(assembly: Assembly, entry: AdverseEventEntry) -> Json:
    """Add an undesirable event of the care. R4 has no place for details but the texts of the event."""
    words = entry.kind if not entry.detail else f"{entry.kind} : {entry.detail}"
    return assembly.add_entry(
        entry.anchor,
        without_none(
            resourceType="AdverseEvent",
            text=marks.detail_text([entry.kind, entry.detail]) if entry.detail else None,
            identifier={"value": entry.identifier},
            actuality="actual",
            event={"text": words},
            **assembly.clinical(),
            date=entry.day.isoformat(),
            severity=_coded(_SEVERITY, _SEVERITIES[entry.severity]),
            recorder=assembly.reference(assembly.author_path),
        ),
    )


def add_plan(assembly: Assembly, section: Section, acts: Sequence[ActEntry], goals: list[Json]) -> Json:
    """Add the CarePlan of a section: planned acts as activities, the goals of the document."""
    return assembly.add(
        f"plan/{section.key}",
        without_none(
            resourceType="CarePlan",
            status="active",
            intent="plan",
            title=section.title,
            **assembly.clinical(),
            period=_earliest(acts),
            created=instant(assembly.header.effective_time),
            author=assembly.reference(assembly.author_path),
            goal=goals,
            activity=[{"detail": _activity(assembly, act)} for act in acts],
        ),
    )


def _earliest(acts: Sequence[ActEntry]) -> Json:
    starts = [act.start for act in acts if act.start]
    return {"start": min(starts).isoformat()} if starts else {}


def _days(act: ActEntry) -> Json:
    """First and last day of an act, as far as they are known."""
    return without_none(
        start=act.start.isoformat() if act.start else None,
        end=act.stop.isoformat() if act.stop else None,
    )


def _activity(assembly: Assembly, act: ActEntry) -> Json:
    activity = without_none(code=assembly.concept(act.concept), status="scheduled", scheduledPeriod=_days(act))
    return marks.linked(assembly, act.anchor, activity)
