"""Measures and function items as entries: pain, vital signs, scores (survey) and results."""

from __future__ import annotations

from decimal import Decimal

from gateway.document.model import Code, Concept, FunctionEntry, MeasureEntry
from gateway.render.cda.scope import Scope
from gateway.render.cda.xml import XSI_TYPE, Element, add, add_typed, timestamp
from gateway.terminology import PanelDef

_NO_UNIT = frozenset({None, "", "1", "code"})
"""`code` is how the catalogue names a coded answer: it is no UCUM unit and never leaves as one."""


def template_of(scope: Scope, entry: MeasureEntry) -> str:
    """Name of the entry template that can hold this measure.

    A vital sign whose code is not in JDV_SignesVitaux, or whose unit the schematron does not take, is a simple
    observation: same code, same value, no false claim.
    """
    if entry.category != "vital":
        return "simple" if entry.category == "result" else entry.category
    code = entry.concept.cda
    units = scope.profile.vital_units.get(code.code) if code is not None else None
    fits = units is not None and entry.value is not None and (not units or entry.unit in units)
    return "vital" if fits else "simple"


def write_measure(scope: Scope, parent: Element, entry: MeasureEntry, template: str) -> Element:
    """One <observation> for one measured value, with everything the record says about it."""
    scope = scope.enter(entry.anchor)
    observation = add(parent, "observation", classCode="OBS", moodCode="EVN")
    scope.write_templates(observation, template)
    scope.write_id(observation, template)
    fixed = scope.profile.codes["pain"] if template == "pain" else None
    scope.write_concept(observation, "code", entry.concept, entry.anchor, fixed=fixed)
    scope.write_reference(observation, entry.anchor)
    add(observation, "statusCode", code="completed")
    moment = timestamp(entry.effective)
    add(observation, "effectiveTime", value=moment)
    write_value(scope, observation, entry, template)
    sited = template != "survey" and entry.site is not None
    if sited and entry.site is not None:
        scope.write_concept(observation, "targetSiteCode", entry.site, entry.anchor, side=entry.side)
    _details(scope, observation, entry, moment, sited=sited)
    return observation


def write_value(scope: Scope, observation: Element, entry: MeasureEntry, template: str) -> None:
    """The <value>: coded answer, quantity with its UCUM unit, or a bare number."""
    if entry.answer is not None:
        child = scope.write_code(observation, "value", entry.answer)
        child.set(XSI_TYPE, "CD")
    elif entry.value is None:
        # Not measured: no information here; the reason stands below as a fact of its own.
        add_typed(observation, "value", "PQ", nullFlavor="NI")
    elif entry.unit not in _NO_UNIT and not _is_bare_pain(entry, template):
        add_typed(observation, "value", "PQ", value=number(entry.value), unit=str(entry.unit))
    else:
        whole = entry.value == entry.value.to_integral_value()
        text = number(entry.value.quantize(Decimal(1))) if whole else number(entry.value)
        add_typed(observation, "value", "INT" if whole else "REAL", value=text)


def _is_bare_pain(entry: MeasureEntry, template: str) -> bool:
    # The pain entry of every ANS example carries a bare number; a score of 0 to 10 needs no unit.
    return template == "pain" and (entry.unit or "").startswith("{")


def number(value: Decimal) -> str:
    """A decimal as XML Schema wants it: no exponent, the digits as they were written."""
    return format(value, "f")


def _details(scope: Scope, observation: Element, entry: MeasureEntry, moment: str, *, sited: bool) -> None:
    """What the template has no element for, as nested observations under the product's own codes."""
    if not sited and entry.site is not None:
        write_detail(scope, observation, "site", entry.site, entry.anchor, moment)
    if not sited and entry.side is not None:
        write_detail(scope, observation, "side", entry.side, entry.anchor, moment)
    # The catalogue's code is the local code; a measure that is not in the catalogue still says its own.
    local = entry.concept.local
    own = None if local is not None and local.code == entry.measure else entry.measure
    told = {"context": entry.context, "aid": entry.aid, "raw": entry.raw, "measure": own, "not_done": entry.not_done}
    for name, text in told.items():
        if text is not None:
            write_detail(scope, observation, name, text, entry.anchor, moment)
    if entry.reference == "initial":
        write_detail(scope, observation, "reference", scope.local("initial"), entry.anchor, moment)


Detail = str | bool | int | Code | Concept


def write_detail(
    scope: Scope, parent: Element, name: str, value: Detail, anchor: str, moment: str | None = None
) -> None:
    """A nested simple observation: one named fact about the entry that holds it."""
    relation = add(parent, "entryRelationship", typeCode="COMP", inversionInd="false")
    observation = add(relation, "observation", classCode="OBS", moodCode="EVN")
    scope.write_templates(observation, "simple")
    scope.write_id(observation, f"detail-{name}")
    scope.write_code(observation, "code", scope.local(name))
    scope.write_reference(observation, anchor)
    add(observation, "statusCode", code="completed")
    if moment is None:
        add(observation, "effectiveTime", nullFlavor="UNK")
    else:
        add(observation, "effectiveTime", value=moment)
    write_plain_value(scope, observation, value, anchor)


def write_plain_value(scope: Scope, observation: Element, value: Detail, anchor: str) -> None:
    """A <value> of the datatype that fits: ST, BL, INT or CD."""
    if isinstance(value, bool):
        add_typed(observation, "value", "BL", value="true" if value else "false")
    elif isinstance(value, int):
        add_typed(observation, "value", "INT", value=str(value))
    elif isinstance(value, str):
        add_typed(observation, "value", "ST").text = value
    elif isinstance(value, Concept):
        scope.write_concept(observation, "value", value, anchor, datatype="CD")
    else:
        scope.write_concept(observation, "value", Concept(value.display, cda=value), anchor, datatype="CD")


def write_function(scope: Scope, parent: Element, entry: FunctionEntry) -> None:
    """An ICF item as a survey observation: the item is the code; the finding, its words and its qualified code."""
    scope = scope.enter(entry.anchor)
    observation = add(parent, "observation", classCode="OBS", moodCode="EVN")
    scope.write_templates(observation, "survey")
    scope.write_id(observation, "survey")
    scope.write_concept(observation, "code", entry.concept, entry.anchor)
    scope.write_reference(observation, entry.anchor)
    add(observation, "statusCode", code="completed")
    add(observation, "effectiveTime", value=timestamp(entry.effective))
    scope.write_concept(observation, "value", entry.concept, entry.anchor, datatype="CD")


def open_organizer(scope: Scope, section: Element, template: str, moment: str, panel: PanelDef | None) -> Element:
    """The cluster that gathers vital signs, or the scores of one moment; those of one questionnaire under its code."""
    organizer = add(add(section, "entry"), "organizer", classCode="CLUSTER", moodCode="EVN")
    scope.write_templates(organizer, template)
    scope.write_id(organizer, f"{template}-{panel.key}-{moment}" if panel else f"{template}-{moment}")
    if template == "vitals":
        scope.write_code(organizer, "code", scope.profile.codes["vital_signs"])
    elif panel is not None and panel.code is not None:
        scope.write_code(organizer, "code", panel.code)
    else:
        add(organizer, "code", nullFlavor="NA")
    add(organizer, "statusCode", code="completed")
    add(organizer, "effectiveTime", value=moment)
    return organizer


def open_component(organizer: Element) -> Element:
    """The next <component> of an organizer."""
    return add(organizer, "component", typeCode="COMP")
