"""Entries that are no measure: problems, goals, acts, sessions, referrals, statements, adverse events."""

from __future__ import annotations

from datetime import date

from gateway.document.model import (
    ActEntry,
    AdverseEventEntry,
    Concept,
    GoalEntry,
    GoalTarget,
    ProblemEntry,
    ReferralEntry,
    SessionEntry,
    StatementEntry,
)
from gateway.render.cda.measures import number, write_detail, write_plain_value
from gateway.render.cda.scope import Scope
from gateway.render.cda.xml import Element, add, add_typed, timestamp


def write_problem(scope: Scope, parent: Element, entry: ProblemEntry) -> None:
    """A problem concern that holds one problem (CI-SIS FR-Liste-des-problemes, FR-Probleme)."""
    scope = scope.enter(entry.anchor)
    concern = add(parent, "act", classCode="ACT", moodCode="EVN")
    scope.write_templates(concern, "concern")
    scope.write_id(concern, "concern")
    add(concern, "code", nullFlavor="NA")
    add(concern, "statusCode", code=entry.status)
    period = add(concern, "effectiveTime")
    _bound(period, "low", entry.onset)
    if entry.status == "completed":  # a closed concern must show its end, even one that nobody noted
        _bound(period, "high", None)
    relation = add(concern, "entryRelationship", typeCode="SUBJ", inversionInd="false")
    _problem(scope, relation, entry)


def _problem(scope: Scope, relation: Element, entry: ProblemEntry) -> None:
    problem = add(relation, "observation", classCode="OBS", moodCode="EVN", negationInd="false")
    scope.write_templates(problem, "problem")
    scope.write_id(problem, "problem")
    scope.write_code(problem, "code", scope.profile.codes["problem"])
    scope.write_reference(problem, entry.anchor)
    add(problem, "statusCode", code="completed")
    _bound(add(problem, "effectiveTime"), "low", entry.onset)
    scope.write_concept(problem, "value", entry.concept, entry.anchor, side=entry.side, datatype="CD")
    if entry.note is not None:
        write_comment(scope, problem, entry.note, entry.anchor)


def write_comment(scope: Scope, parent: Element, text: str, anchor: str) -> None:
    """A comment on the entry that holds it (FR-Commentaire-ER)."""
    relation = add(parent, "entryRelationship", typeCode="SUBJ", inversionInd="true")
    comment = add(relation, "act", classCode="ACT", moodCode="EVN")
    scope.write_templates(comment, "comment")
    scope.write_code(comment, "code", scope.profile.codes["comment"])
    scope.write_reference(comment, anchor, text)
    add(comment, "statusCode", code="completed")


def write_goal(scope: Scope, parent: Element, entry: GoalEntry) -> None:
    """A care objective in free text (FR-Demande-d-examen-ou-de-suivi, mood GOL), from its start to its due date."""
    scope = scope.enter(entry.anchor)
    goal = add(parent, "observation", classCode="OBS", moodCode="GOL")
    scope.write_templates(goal, "goal")
    scope.write_id(goal)
    request = scope.write_code(goal, "code", scope.profile.codes["request"])
    scope.write_original_text(request, entry.text, entry.anchor)
    scope.write_reference(goal, entry.anchor)
    add(goal, "statusCode", code="completed" if entry.reached else "active")
    _period(goal, entry.start, entry.due)
    if entry.target is None:
        add_typed(goal, "value", "ST").text = entry.text
    else:
        _target(goal, entry.target)
        write_detail(scope, goal, "goal_measure", entry.target.concept, entry.anchor)
    if entry.reached is not None:  # not reached and not yet known are two things
        write_detail(scope, goal, "goal_reached", entry.reached, entry.anchor)


_BOUNDS = {"<=": "high", ">=": "low"}


def _target(goal: Element, target: GoalTarget) -> None:
    """The value aimed at: an interval with one bound, or the quantity itself."""
    amount = {"value": number(target.value), "unit": target.unit or "1"}
    if target.comparator == "=":
        add_typed(goal, "value", "PQ", **amount)
    else:
        add(add_typed(goal, "value", "IVL_PQ"), _BOUNDS[target.comparator], **amount)


def write_act(scope: Scope, parent: Element, entry: ActEntry) -> None:
    """An act done or planned (FR-Acte)."""
    done = entry.mood == "EVN"
    scope = scope.enter(entry.anchor)
    act = add(parent, "procedure", classCode="PROC", moodCode=entry.mood)
    scope.write_templates(act, "act_done" if done else "act_planned")
    scope.write_id(act)
    scope.write_concept(act, "code", entry.concept, entry.anchor)
    scope.write_reference(act, entry.anchor)
    add(act, "statusCode", code="completed" if done else "active")
    _period(act, entry.start, entry.stop)


def write_evaluation(scope: Scope, parent: Element, anchor: str, day: date) -> None:
    """The act that coded results come from: their section may not stand without it (IHE PCC Coded Results)."""
    scope = scope.enter("evaluation")
    act = add(parent, "procedure", classCode="PROC", moodCode="EVN")
    scope.write_templates(act, "act_done")
    scope.write_id(act)
    scope.write_code(act, "code", scope.profile.codes["evaluation"])
    scope.write_reference(act, anchor)
    add(act, "statusCode", code="completed")
    add(act, "effectiveTime", value=timestamp(day))


def write_session(scope: Scope, parent: Element, entry: SessionEntry) -> None:
    """One session (FR-Rencontre)."""
    scope = scope.enter(entry.anchor)
    encounter = add(parent, "encounter", classCode="ENC", moodCode="EVN")
    scope.write_templates(encounter, "encounter")
    scope.write_id(encounter)
    scope.write_code(encounter, "code", scope.terms.value("J142", "SEANCE"))
    scope.write_reference(encounter, entry.anchor)
    add(encounter, "effectiveTime", value=timestamp(entry.day))
    write_detail(scope, encounter, "session_number", entry.number, entry.anchor, timestamp(entry.day))


def write_referral(scope: Scope, parent: Element, entry: ReferralEntry) -> None:
    """A referral: an appointment asked for (FR-Rencontre, mood ARQ) with whom, why and how soon."""
    scope = scope.enter(entry.anchor)
    encounter = add(parent, "encounter", classCode="ENC", moodCode="ARQ")
    scope.write_templates(encounter, "encounter_planned")
    scope.write_id(encounter)
    code = scope.write_code(encounter, "code", scope.local("referral"))
    scope.write_original_text(code, entry.reason, entry.anchor)
    scope.write_reference(encounter, entry.anchor)
    add(encounter, "effectiveTime", value=timestamp(entry.day))
    scope.write_code(encounter, "priorityCode", scope.local(entry.urgency))
    write_detail(scope, encounter, "referral_to", entry.to, entry.anchor, timestamp(entry.day))


def write_statement(scope: Scope, parent: Element, entry: StatementEntry) -> None:
    """A statement that is no measure (FR-Simple-Observation with a coded value, or words where no code is known)."""
    scope = scope.enter(entry.anchor)
    observation = add(parent, "observation", classCode="OBS", moodCode="EVN")
    scope.write_templates(observation, "simple")
    scope.write_id(observation)
    scope.write_concept(observation, "code", entry.concept, entry.anchor)
    scope.write_reference(observation, entry.anchor)
    add(observation, "statusCode", code="completed")
    add(observation, "effectiveTime", value=timestamp(entry.effective))
    coded = entry.value.cda is not None or entry.value.local is not None
    write_plain_value(scope, observation, entry.value if coded else entry.value.text, entry.anchor)


def write_adverse_event(scope: Scope, parent: Element, entry: AdverseEventEntry) -> None:
    """An undesirable event of the care: kind, severity (FR-Severite) and its own identifier."""
    scope = scope.enter(entry.anchor)
    event = add(parent, "observation", classCode="OBS", moodCode="EVN")
    scope.write_templates(event, "simple")
    scope.write_id(event, extension=entry.identifier)
    scope.write_code(event, "code", scope.local("adverse_event"))
    scope.write_reference(event, entry.anchor)
    add(event, "statusCode", code="completed")
    add(event, "effectiveTime", value=timestamp(entry.day))
    write_plain_value(scope, event, entry.kind, entry.anchor)
    _severity(scope, event, entry)
    if entry.detail is not None:
        write_comment(scope, event, entry.detail, entry.anchor)


def _severity(scope: Scope, event: Element, entry: AdverseEventEntry) -> None:
    relation = add(event, "entryRelationship", typeCode="SUBJ", inversionInd="true")
    severity = add(relation, "observation", classCode="OBS", moodCode="EVN")
    scope.write_templates(severity, "severity")
    scope.write_code(severity, "code", scope.profile.codes["severity"])
    scope.write_reference(severity, entry.anchor)
    add(severity, "statusCode", code="completed")
    value = scope.local(entry.severity)
    scope.write_concept(severity, "value", Concept(value.display, cda=value), entry.anchor, datatype="CD")


def _bound(period: Element, name: str, day: date | None) -> None:
    if day is None:
        add(period, name, nullFlavor="UNK")
    else:
        add(period, name, value=timestamp(day))


def _period(parent: Element, start: date | None, stop: date | None) -> None:
    """<effectiveTime> from `start`, to `stop` where it is known."""
    period = add(parent, "effectiveTime")
    _bound(period, "low", start)
    if stop is not None:
        add(period, "high", value=timestamp(stop))
