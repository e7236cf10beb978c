"""Sections of the Composition: narrative, and the resources that their entries become."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gateway.document import model, panels
from gateway.render.fhir import care, measures
from gateway.render.fhir.assembly import without_none
from gateway.render.fhir.text import section_text, title_text

if TYPE_CHECKING:
    from gateway.render.fhir.assembly import Assembly, Json


def section(assembly: Assembly, source: model.Section) -> Json:
    """A section. Where entries would stand together with sub-sections they get one of their own (ANS comp-4)."""
    entries = _entries(assembly, source)
    children = [section(assembly, child) for child in source.subsections]
    own = _section(assembly, source, entry=entries)
    if not children:
        return own
    if not entries:
        return {**own, "section": children}
    text = title_text(source.title, assembly.header.language)
    return {**_section(assembly, source, entry=[]), "text": text, "section": [own, *children]}


def _section(assembly: Assembly, source: model.Section, entry: list[Json]) -> Json:
    return without_none(
        title=source.title,
        code={"coding": [assembly.coding(source.code)]},
        text=section_text(source, assembly.header.language),
        entry=entry,
    )


def _entries(assembly: Assembly, source: model.Section) -> list[Json]:
    measured = [entry for entry in source.entries if isinstance(entry, model.MeasureEntry)]
    planned = [entry for entry in source.entries if isinstance(entry, model.ActEntry) and entry.mood == "INT"]
    found = _measured(assembly, source, measured)
    for entry in source.entries:
        if entry not in planned and not isinstance(entry, model.MeasureEntry):
            found.append(_MAKERS[type(entry)](assembly, entry))
    if planned:
        found.append(care.add_plan(assembly, source, planned, _goals(assembly)))
    return found


def _measured(assembly: Assembly, source: model.Section, entries: list[model.MeasureEntry]) -> list[Json]:
    """References to the measures; two or more functional scores stand under a panel."""
    scores = [entry for entry in entries if entry.category == "survey" and entry.reference == "current"]
    if len(scores) < 2:
        return measures.add_measures(assembly, entries)
    others = [entry for entry in entries if entry not in scores]
    members = _questionnaires(assembly, scores)
    return [*measures.add_measures(assembly, others), measures.add_panel(assembly, source, members, scores[0])]


def _questionnaires(assembly: Assembly, scores: list[model.MeasureEntry]) -> list[Json]:
    """The scores, those of one questionnaire under its own panel."""
    held = panels.of(scores, assembly.terminology)
    alone = [entry for entry in scores if entry.anchor not in held]
    found = measures.add_measures(assembly, alone)
    for key in dict.fromkeys(panel.key for panel in held.values()):
        chosen = [entry for entry in scores if entry.anchor in held and held[entry.anchor].key == key]
        references = measures.add_measures(assembly, chosen)
        found.append(measures.add_questionnaire(assembly, held[chosen[0].anchor], references, chosen[0]))
    return found


_MAKERS: dict[type, Callable[[Assembly, Any], Json]] = {
    model.ProblemEntry: care.add_problem,
    model.MeasureEntry: measures.add_measure,
    model.FunctionEntry: measures.add_function,
    model.GoalEntry: care.add_goal,
    model.ActEntry: care.add_act,
    model.SessionEntry: care.add_session,
    model.StatementEntry: measures.add_statement,
    model.ReferralEntry: care.add_referral,
    model.AdverseEventEntry: care.add_adverse_event,
}
"""What each kind of entry becomes; a test holds this list and `model.Entry` together."""


def _goals(assembly: Assembly) -> list[Json]:
    entries = [entry for part in assembly.document.walk() for entry in part.entries]
    return [assembly.reference(f"entry/{entry.anchor}") for entry in entries if isinstance(entry, model.GoalEntry)]
