"""Observations: pain, vital signs, scores, results, items of functioning, statements."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from gateway.document.model import Code, Concept, Entry, FunctionEntry, MeasureEntry, StatementEntry
from gateway.read.cda.details import Details, unread
from gateway.read.cda.scan import Scan, datatype, reference
from gateway.read.xml import Element, attribute, child, path, text

Category = Literal["pain", "vital", "survey", "result"]
_NUMBERS = frozenset({"PQ", "INT", "REAL"})
_VITAL_SECTION = "vital_signs"


def read(scan: Scan, element: Element, kind: str, section: str, *, in_cluster: bool) -> Entry | None:
    """The entry of an <observation> of a measure's template, of section `section`.

    None, with a finding, where no value can be read. A statement has words or a code where a measure has a number
    or a coded answer; what tells an answer from a statement's code is that a statement brings its own words.
    """
    value = child(element, "value")
    numeric = datatype(value) in _NUMBERS or value is None
    bare_code = datatype(value) in {"CD", "CE", "CV", "CO"} and child(value, "originalText") is None
    if numeric or (bare_code and (kind != "simple" or _is_measure(scan, element))):
        return _measure(scan, element, value, kind, section)
    if kind == "survey" and not in_cluster and _names_itself(scan, element, value):
        return _function(scan, element)
    return _statement(scan, element, value)


def _is_measure(scan: Scan, element: Element) -> bool:
    """Whether a coded answer stands under a code of the catalogue."""
    concept = scan.concept(child(element, "code"), _anchor(element))
    return concept.local is not None


def _names_itself(scan: Scan, element: Element, value: Element | None) -> bool:
    code, found = child(element, "code"), value
    return scan.code(code) == scan.code(found) and found is not None


def _anchor(element: Element) -> str:
    return reference(child(element, "text"))


def _measure(scan: Scan, element: Element, value: Element | None, kind: str, section: str) -> MeasureEntry:
    anchor = _anchor(element)
    details = Details(scan, element)
    concept = scan.concept(child(element, "code"), anchor, scan.tables.codes["pain"] if kind == "pain" else None)
    name = details.words("measure") or (concept.local.code if concept.local else _foreign(concept))
    site, side = _place(scan, element, details, anchor)
    number = None if value is None or datatype(value) not in _NUMBERS else scan.number(value)
    return MeasureEntry(
        anchor=anchor,
        measure=name,
        category=_category(scan, name, kind, section),
        concept=concept,
        value=number,
        unit=_unit(scan, name, value, number),
        effective=scan.moment_or_absent(_time(element), element),
        answer=scan.code(value) if value is not None and datatype(value) not in _NUMBERS else None,
        side=side,
        site=site,
        context=details.words("context"),
        aid=details.words("aid"),
        raw=details.words("raw"),
        reference="initial" if details.value("reference") is not None else "current",
        not_done=details.words("not_done"),
    )


def _foreign(concept: Concept) -> str:
    return concept.cda.code if concept.cda is not None else ""


def _time(element: Element) -> Element | None:
    """effectiveTime of an observation: an instant, else the beginning of a period."""
    time = child(element, "effectiveTime")
    return time if attribute(time, "value") else child(time, "low")


def _category(scan: Scan, name: str, kind: str, section: str) -> Category:
    """By the template; an observation of all work by the catalogue, else by its section."""
    if kind in {"pain", "vital", "survey"}:
        return kind  # type: ignore[return-value]
    known = scan.terms.measure(name)
    if known is not None:
        return known.category
    return "vital" if section == _VITAL_SECTION else "result"


def _unit(scan: Scan, name: str, value: Element | None, number: Decimal | None) -> str | None:
    """The unit written; a bare number has the unit of the catalogue (a pain score goes without its `{score}`)."""
    if number is None or value is None:
        return None
    if datatype(value) == "PQ":
        return attribute(value, "unit") or None
    return bare_unit(scan, name)


def bare_unit(scan: Scan, name: str) -> str | None:
    """Unit of a measure whose number stands alone."""
    known = scan.terms.measure(name)
    return known.ucum if known is not None else None


def _place(scan: Scan, element: Element, details: Details, anchor: str) -> tuple[Concept | None, Code | None]:
    """Site and side: targetSiteCode with its qualifier where the template allows it, else named facts."""
    target = child(element, "targetSiteCode")
    if target is not None:
        return scan.concept(target, anchor), side(scan, target)
    nested = details.value("site")
    site = scan.concept(nested, anchor) if nested is not None else None
    return site, scan.code(details.value("side"))


def side(scan: Scan, element: Element | None) -> Code | None:
    """The laterality among the qualifiers of a code."""
    for qualifier in () if element is None else element.iterchildren("{*}qualifier"):
        if attribute(child(qualifier, "name"), "code") == scan.tables.codes["laterality"]:
            return scan.code(child(qualifier, "value"))
    return None


def _function(scan: Scan, element: Element) -> FunctionEntry:
    anchor = _anchor(element)
    Details(scan, element)
    return FunctionEntry(
        anchor, scan.concept(child(element, "code"), anchor), scan.moment_or_absent(_time(element), element)
    )


def _statement(scan: Scan, element: Element, value: Element | None) -> StatementEntry | None:
    anchor = _anchor(element)
    stated = _stated(scan, value, anchor)
    if stated is None:
        unread(scan, element)
        return None
    Details(scan, element)
    concept = scan.concept(child(element, "code"), anchor)
    return StatementEntry(anchor, concept, stated, scan.moment_or_absent(_time(element), element))


def _stated(scan: Scan, value: Element | None, anchor: str) -> Concept | None:
    kind = datatype(value)
    if value is None or not kind:
        return None
    if kind in {"ST", "ED"}:
        return Concept(text(value))
    if kind == "BL":
        return Concept({"true": "oui", "false": "non"}.get(attribute(value, "value"), ""))
    if kind in {"CD", "CE", "CV", "CO"}:
        return scan.concept(value, anchor)
    scan.trail.info("RDB-031", path(value), f"Valeur de type {kind} non lue.", "Le texte de la section reste lisible.")
    return None
