"""Sections: templates, code, title, narrative, entries, subsections."""

from __future__ import annotations

from gateway.document import panels
from gateway.document.model import (
    ActEntry,
    AdverseEventEntry,
    Entry,
    FunctionEntry,
    GoalEntry,
    MeasureEntry,
    ProblemEntry,
    ReferralEntry,
    Section,
    SessionEntry,
    StatementEntry,
)
from gateway.render.cda import care, measures, narrative
from gateway.render.cda.scope import Scope
from gateway.render.cda.xml import Element, add, add_text, timestamp
from gateway.terminology import PanelDef

_ORGANIZER = {"vital": "vitals", "survey": "panel"}
"""Measures that go into a cluster, and the cluster's template."""


def write_section(scope: Scope, parent: Element, section: Section, position: str) -> None:
    """One <component> with its section. `position` (`2`, `2.1`) makes its name unique in the document."""
    scope = scope.enter(position)
    element = add(add(parent, "component"), "section")
    evaluated = _needs_evaluation(scope, section)
    for template in _templates(scope, section, evaluated=evaluated):
        add(element, "templateId", root=template)
    scope.write_id(element)
    scope.write_code(element, "code", section.code)
    add_text(element, "title", section.title)
    anchor = f"section.{position}"
    narrative.write_text(element, section.blocks, anchor)
    if evaluated is not None:
        care.write_evaluation(scope, add(element, "entry"), anchor, evaluated.effective)
    _entries(scope, element, section)
    for number, subsection in enumerate(section.subsections, 1):
        write_section(scope, element, subsection, f"{position}.{number}")


def _templates(scope: Scope, section: Section, *, evaluated: MeasureEntry | None) -> tuple[str, ...]:
    """The templates to declare: a template that promises entries is not claimed where they are missing."""
    templates = scope.terms.section(section.key).cda_templates
    rule = scope.profile.section_rule(templates)
    if rule is None or not rule.needs:
        return templates
    held = _held(scope, section)
    if evaluated is not None:
        held |= set(scope.profile.entries["act_done"].parents)
    if held.issuperset(rule.needs):
        return templates
    plain = scope.profile.section_rule(rule.plain)
    return () if plain is not None and not plain.entries and section.entries else rule.plain


def _held(scope: Scope, section: Section) -> set[str]:
    """Templates of the entries in a section and its subsections."""
    held: set[str] = set()
    for entry in section.entries:
        for kind in _kinds(scope, entry):
            held.update(scope.profile.entries[kind].parents)
    for subsection in section.subsections:
        held |= _held(scope, subsection)
    return held


_KINDS: dict[type, tuple[str, ...]] = {
    ProblemEntry: ("concern", "problem"),
    FunctionEntry: ("survey",),
    GoalEntry: ("goal",),
    ActEntry: ("act_done",),  # done or planned: both are FR-Acte under the same IHE parent
    SessionEntry: ("encounter",),
    StatementEntry: ("simple",),
    ReferralEntry: ("encounter_planned",),
    AdverseEventEntry: ("simple",),
}


def _kinds(scope: Scope, entry: Entry) -> tuple[str, ...]:
    if not isinstance(entry, MeasureEntry):
        return _KINDS[type(entry)]
    template = measures.template_of(scope, entry)
    organizer = _ORGANIZER.get(template)
    return (template,) if organizer is None else (organizer, template)


def _needs_evaluation(scope: Scope, section: Section) -> MeasureEntry | None:
    """The measure whose date the evaluation takes, where the section's template wants an act and none is there."""
    rule = scope.profile.section_rule(scope.terms.section(section.key).cda_templates)
    act = scope.profile.entries["act_done"].parents[-1]
    if rule is None or act not in rule.needs or act in _held(scope, section):
        return None
    return next((entry for entry in section.entries if isinstance(entry, MeasureEntry)), None)


def _entries(scope: Scope, element: Element, section: Section) -> None:
    clusters: dict[tuple[str, str, str], Element] = {}
    members = panels.of(section.entries, scope.terms)
    for entry in section.entries:
        if isinstance(entry, MeasureEntry):
            _measure(scope, element, entry, clusters, members.get(entry.anchor))
        else:
            _write(scope, add(element, "entry"), entry)


def _measure(
    scope: Scope,
    element: Element,
    entry: MeasureEntry,
    clusters: dict[tuple[str, str, str], Element],
    panel: PanelDef | None,
) -> None:
    template = measures.template_of(scope, entry)
    kind = _ORGANIZER.get(template)
    if kind is None:
        measures.write_measure(scope, add(element, "entry"), entry, template)
        return
    moment = timestamp(entry.effective)
    place = (kind, moment, panel.key if panel else "")
    organizer = clusters.get(place)
    if organizer is None:
        organizer = clusters[place] = measures.open_organizer(scope, element, kind, moment, panel)
    measures.write_measure(scope, measures.open_component(organizer), entry, template)


def _write(scope: Scope, holder: Element, entry: Entry) -> None:
    match entry:
        case ProblemEntry():
            care.write_problem(scope, holder, entry)
        case FunctionEntry():
            measures.write_function(scope, holder, entry)
        case GoalEntry():
            care.write_goal(scope, holder, entry)
        case ActEntry():
            care.write_act(scope, holder, entry)
        case SessionEntry():
            care.write_session(scope, holder, entry)
        case StatementEntry():
            care.write_statement(scope, holder, entry)
        case ReferralEntry():
            care.write_referral(scope, holder, entry)
        case AdverseEventEntry():
            care.write_adverse_event(scope, holder, entry)
        case MeasureEntry():
            raise AssertionError("measures are gathered before")  # pragma: no cover
