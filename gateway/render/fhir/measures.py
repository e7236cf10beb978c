"""Measures as Observations: pain, vital signs, scores and examination results, and the panels that hold them."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from gateway.document import comparison
from gateway.render.fhir import marks
from gateway.render.fhir.assembly import without_none
from gateway.render.fhir.datatypes import instant, quantity
from gateway.render.fhir.sites import body_site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.document.model import FunctionEntry, MeasureEntry, Section, StatementEntry
    from gateway.render.fhir.assembly import Assembly, Json
    from gateway.terminology import PanelDef

_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_LOINC = "http://loinc.org"
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_RAW = "Cotation d'origine"
_RAW_DIASTOLIC = "Cotation d'origine, diastolique"


def add_measures(assembly: Assembly, measures: Sequence[MeasureEntry]) -> list[Json]:
    """Add the Observations of a section; return the references in the order of the measures."""
    references = []
    for first, second in _pressures_together(assembly, measures):
        references.append(_pressure(assembly, first, second) if second else add_measure(assembly, first))
    return references


def add_measure(assembly: Assembly, entry: MeasureEntry) -> Json:
    """Add one Observation: target codes and local code, value, site and side, context."""
    return assembly.add_entry(
        entry.anchor,
        {
            **_observation(assembly, entry, _vital_profile(assembly, entry)),
            "code": assembly.concept(entry.concept),
            **_value(assembly, entry),
            **_interpretation(assembly, entry),
            **_note(entry),
            **body_site(assembly, entry.site, entry.side),
            **_components(assembly, entry),
        },
    )


_SENSES = {"better": "B", "worse": "W"}


def _interpretation(assembly: Assembly, entry: MeasureEntry) -> Json:
    """Better or worse than the initial value of a summary, and whether the difference counts where a source says so."""
    first = assembly.earlier.get(entry.anchor)
    if first is None or first.value is None or entry.value is None or first.unit != entry.unit:
        return {}
    known = assembly.terminology.measure(entry.measure)
    found = comparison.sense(known, first.value, entry.value)
    if found not in _SENSES:
        return {}
    counts = comparison.importance(known, first.value, entry.value)
    said = [assembly.terminology.label("better", found)]
    said += [assembly.terminology.label("importance", counts)] if counts else []
    coding = {"system": _INTERPRETATION, "code": _SENSES[found], "display": found.capitalize()}
    return {"interpretation": [{"coding": [coding], "text": ", ".join(said)}]}


def _observation(assembly: Assembly, entry: MeasureEntry | StatementEntry | FunctionEntry, profile: str | None) -> Json:
    category = getattr(entry, "category", "survey")
    codes = [{"coding": [{"system": _CATEGORY, "code": assembly.data.categories[category]}]}]
    if category == "pain":  # the standard list has no pain: it stands there as a survey
        codes.append(marks.local_category(assembly, "pain", "Douleur"))
    return without_none(
        resourceType="Observation",
        meta=assembly.data.profile(profile) if profile else None,
        status="final",
        category=codes,
        **assembly.clinical(),
        effectiveDateTime=instant(entry.effective),
        performer=[assembly.reference(assembly.author_path)],
    )


def _vital_profile(assembly: Assembly, entry: MeasureEntry) -> str | None:
    if entry.category != "vital" or entry.value is None:
        return None
    claimed = (assembly.data.vital_profiles.get(code.code) for code in entry.concept.fhir)
    return next((profile for profile in claimed if profile), None)


def _value(assembly: Assembly, entry: MeasureEntry) -> Json:
    if entry.answer:
        return {"valueCodeableConcept": assembly.codeable(entry.answer)}
    if entry.not_done is not None:
        return {"dataAbsentReason": {**_absent("not-performed"), "text": entry.not_done}}
    if entry.value is None:
        return {"valueString": entry.raw} if entry.raw else {"dataAbsentReason": _absent("unknown")}
    known = assembly.terminology.measure(entry.measure)
    if known and entry.value in known.answers:
        # An answer without a verified code goes as its words.
        return {"valueCodeableConcept": {"text": known.answers[entry.value].text}}
    return {"valueQuantity": quantity(entry.value, entry.unit, assembly.terminology)}


def _absent(code: str) -> Json:
    system = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
    return {"coding": [{"system": system, "code": code}]}


def _note(entry: MeasureEntry) -> Json:
    return {"note": [{"text": "Mesure initiale, rappelée pour comparaison."}]} if entry.reference == "initial" else {}


def _components(assembly: Assembly, entry: MeasureEntry) -> Json:
    """What tells two values of one code apart: as components, so that a program can read it too."""
    named = {"Contexte": entry.context, "Aide technique": entry.aid}
    found: list[Json] = [
        {"code": {"text": name}, "valueCodeableConcept": {"text": value}} for name, value in named.items() if value
    ]
    if entry.raw and (entry.value is not None or entry.answer is not None or entry.not_done is not None):
        found.append(_noted(_RAW, entry.raw, entry))
    found += marks.own_measure(assembly, entry)
    return {"component": found} if found else {}


def _noted(name: str, words: str, entry: MeasureEntry) -> Json:
    """What was written. In a vital sign not as a string: its profiles bind the value of every component to units."""
    value = {"valueCodeableConcept": {"text": words}} if entry.category == "vital" else {"valueString": words}
    return {"code": {"text": name}, **value}


def _pressures_together(
    assembly: Assembly, measures: Sequence[MeasureEntry]
) -> list[tuple[MeasureEntry, MeasureEntry | None]]:
    """Each measure alone, but the systolic and diastolic pressure of one moment and context as one pair."""
    pairs: dict[tuple[object, ...], tuple[list[MeasureEntry], list[MeasureEntry]]] = {}
    for entry in measures:
        limb = _pressure_limb(assembly, entry)
        if limb is not None:
            moment = (entry.effective, entry.context, entry.side, entry.site, entry.aid, entry.reference)
            pairs.setdefault(moment, ([], []))[limb].append(entry)
    second_of: dict[str, MeasureEntry] = {}
    for systolic, diastolic in pairs.values():
        for first, second in zip_longest(systolic, diastolic):
            if first and second:
                second_of[first.anchor] = second
    taken = {entry.anchor for entry in second_of.values()}
    return [(entry, second_of.get(entry.anchor)) for entry in measures if entry.anchor not in taken]


def _pressure_limb(assembly: Assembly, entry: MeasureEntry) -> int | None:
    codes = {code.code for code in entry.concept.fhir}
    if entry.value is None or not codes:
        return None
    names = (assembly.data.blood_pressure["systolic"], assembly.data.blood_pressure["diastolic"])
    return next((index for index, code in enumerate(names) if code in codes), None)


def _pressure(assembly: Assembly, systolic: MeasureEntry, diastolic: MeasureEntry) -> Json:
    """Blood pressure as FR Core wants it: one Observation, two components."""
    table = assembly.data.blood_pressure
    parts = [_limb(assembly, systolic), _limb(assembly, diastolic)]
    raw = [_noted(_RAW_DIASTOLIC, diastolic.raw, diastolic)] if diastolic.raw else []
    return assembly.add_entry(
        systolic.anchor,
        {
            **_observation(assembly, systolic, table["profile"]),
            "code": {"coding": [{"system": _LOINC, "code": table["panel"]}], "text": table["text"]},
            **_note(systolic),
            **body_site(assembly, systolic.site, systolic.side),
            "component": [*parts, *_components(assembly, systolic).get("component", []), *raw],
        },
    )


def _limb(assembly: Assembly, part: MeasureEntry) -> Json:
    component = {"code": assembly.concept(part.concept), **_value(assembly, part)}
    return marks.linked(assembly, part.anchor, component)


def add_function(assembly: Assembly, entry: FunctionEntry) -> Json:
    """Add an impaired function: functional status (LOINC 54522-8) with the ICF item as value."""
    return assembly.add_entry(
        entry.anchor,
        {
            **_observation(assembly, entry, None),
            "code": _functional_status(assembly),
            "valueCodeableConcept": assembly.concept(entry.concept),
        },
    )


def add_statement(assembly: Assembly, entry: StatementEntry) -> Json:
    """Add a statement (outcome of the care, decision on red flags) as an Observation."""
    return assembly.add_entry(
        entry.anchor,
        {
            **_observation(assembly, entry, None),
            "code": assembly.concept(entry.concept),
            "valueCodeableConcept": assembly.concept(entry.value),
        },
    )


def add_questionnaire(assembly: Assembly, panel: PanelDef, members: list[Json], first: MeasureEntry) -> Json:
    """Add the panel of one questionnaire: its code where one was verified, its name always."""
    coded = {"coding": [assembly.coding(panel.code)]} if panel.code else {}
    path = f"panel/{panel.key}/{first.reference}"
    code = {**coded, "text": panel.label}
    return assembly.add(path, {**_observation(assembly, first, None), "code": code, "hasMember": members})


def add_panel(assembly: Assembly, section: Section, members: list[Json], effective: MeasureEntry) -> Json:
    """Add the panel that holds the functional scores of a section (`hasMember`)."""
    status = _functional_status(assembly)
    return assembly.add(
        f"panel/{section.key}",
        {
            **_observation(assembly, effective, None),
            "code": {**status, "text": section.title},
            "hasMember": members,
        },
    )


def _functional_status(assembly: Assembly) -> Json:
    table = assembly.data.functional_status
    return {"coding": [{"system": _LOINC, "code": table["code"]}], "text": table["text"]}
