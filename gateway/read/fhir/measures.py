"""Observations: measures, panels, items of functioning, statements."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Literal

from gateway.document.model import Code, Concept, Entry, FunctionEntry, MeasureEntry, StatementEntry
from gateway.read.fhir.scan import Json, Scan, anchor_of, extension, first, items, obj, string

Category = Literal["pain", "vital", "survey", "result"]
_CATEGORIES: dict[str, Category] = {"vital-signs": "vital", "exam": "result", "survey": "survey"}
_INITIAL = "Mesure initiale, rappelée pour comparaison."
_CONTEXT, _AID, _RAW, _OWN = "Contexte", "Aide technique", "Cotation d'origine", "Code de la mesure"
_RAW_DIASTOLIC = "Cotation d'origine, diastolique"
_DETAILS = frozenset({_CONTEXT, _AID, _RAW, _OWN, _RAW_DIASTOLIC})


def read(scan: Scan, resource: Json, depth: int = 0) -> Iterator[Entry]:
    """The entries of an Observation: its members where it is a panel, its limbs where it is a blood pressure."""
    if resource.get("hasMember") and not _has_value(resource):
        for member in items(resource.get("hasMember")) if depth < 5 else ():
            found = scan.resolve(member, "/Observation/hasMember")
            if found.get("resourceType") == "Observation":
                yield from read(scan, found, depth + 1)
        return
    limbs = [one for one in items(resource.get("component")) if "valueQuantity" in one]
    if limbs and not _has_value(resource):
        for place, limb in enumerate(limbs):
            yield _limb(scan, resource, limb, _RAW_DIASTOLIC if place else _RAW)
    elif _is_measure(scan, resource):
        yield _measure(scan, resource, resource)
    elif _codes(resource) & {scan.tables.fhir["functional_status"]["code"]} and "valueCodeableConcept" in resource:
        yield FunctionEntry(anchor_of(resource), scan.concept(resource["valueCodeableConcept"]), _time(scan, resource))
    else:
        yield from _statement(scan, resource)


def _has_value(resource: Json) -> bool:
    return any(name.startswith("value") or name == "dataAbsentReason" for name in resource)


def _codes(resource: Json) -> set[str]:
    return {string(coding.get("code")) for coding in items(obj(resource.get("code")).get("coding"))}


def _is_measure(scan: Scan, resource: Json) -> bool:
    """A number, an absent one, an answer to a measure of the catalogue, or what names itself a measure."""
    numeric = {"valueQuantity", "valueInteger", "valueDecimal", "dataAbsentReason"} & resource.keys()
    known = any(scan.terms.measure(code.code) for code in scan.local_codes([obj(resource.get("code"))]))
    return bool(numeric) or known or _detail(resource, _OWN) is not None


def _detail(resource: Json, name: str) -> str | None:
    """A component that says one thing about the measure."""
    for one in items(resource.get("component")):
        if obj(one.get("code")).get("text") == name:
            return string(one.get("valueString")) or string(obj(one.get("valueCodeableConcept")).get("text")) or None
    return None


def _time(scan: Scan, resource: Json) -> datetime:
    said = resource.get("effectiveDateTime") or resource.get("effectiveInstant")
    said = said or obj(resource.get("effectivePeriod")).get("start")
    return scan.moment_or_absent(said, f"/Observation/{string(resource.get('id'))}")


def _limb(scan: Scan, resource: Json, limb: Json, raw: str) -> MeasureEntry:
    shared = {name: value for name, value in resource.items() if name not in {"code", "extension", "component"}}
    kept = [
        one for one in items(resource.get("component")) if string(obj(one.get("code")).get("text")) in {_CONTEXT, _AID}
    ]
    noted = _detail(resource, raw)
    if noted is not None:
        kept.append({"code": {"text": _RAW}, "valueString": noted})
    about = [one for one in items(resource.get("extension")) if "valueReference" in one]
    links = [one for one in items(limb.get("extension")) if "valueUrl" in one]
    return _measure(scan, {**shared, **limb, "component": kept, "extension": [*about, *links]}, resource)


def _measure(scan: Scan, resource: Json, whole: Json) -> MeasureEntry:
    concept = scan.concept(resource.get("code"))
    value, unit = _quantity(resource)
    answered = scan.coded(resource.get("valueCodeableConcept"))
    if value is None and answered is None:
        value = _worded(scan, concept, string(obj(resource.get("valueCodeableConcept")).get("text")))
    site, side = place(scan, resource, first(resource.get("bodySite")))
    raw = _detail(resource, _RAW)
    _unread_components(scan, whole)
    return MeasureEntry(
        anchor=anchor_of(resource),
        measure=_detail(resource, _OWN) or _name(concept),
        category=_category(scan, resource),
        concept=concept,
        value=value,
        unit=unit,
        effective=_time(scan, resource),
        answer=answered,
        side=side,
        site=site,
        context=_detail(resource, _CONTEXT),
        aid=_detail(resource, _AID),
        raw=raw if raw is not None else string(resource.get("valueString")) or None,
        reference="initial" if first(resource.get("note")).get("text") == _INITIAL else "current",
        not_done=_not_done(resource),
    )


def _not_done(resource: Json) -> str | None:
    """Why it was not measured."""
    absent = obj(resource.get("dataAbsentReason"))
    performed = all(string(coding.get("code")) != "not-performed" for coding in items(absent.get("coding")))
    return None if performed else string(absent.get("text")) or None


def _name(concept: Concept) -> str:
    if concept.local is not None:
        return concept.local.code
    return concept.fhir[0].code if concept.fhir else ""


def _quantity(resource: Json) -> tuple[Decimal | None, str | None]:
    """Number and UCUM unit."""
    held = obj(resource.get("valueQuantity"))
    value = held.get("value", resource.get("valueInteger", resource.get("valueDecimal")))
    unit = string(held.get("code")) or string(held.get("unit")) or None
    return (value, unit) if isinstance(value, Decimal) else (None, None)


def _worded(scan: Scan, concept: Concept, words: str) -> Decimal | None:
    """The value whose answer has no verified code and went as its words."""
    known = scan.terms.measure(_name(concept))
    answers = known.answers.items() if known is not None else ()
    return next((value for value, answer in answers if answer.code is None and answer.text == words), None)


def _category(scan: Scan, resource: Json) -> Category:
    categories = items(resource.get("category"))
    if any(code.code == "pain" for code in scan.local_codes(categories)):
        return "pain"
    codes = (string(coding.get("code")) for one in categories for coding in items(one.get("coding")))
    return next((_CATEGORIES[code] for code in codes if code in _CATEGORIES), "result")


def _unread_components(scan: Scan, resource: Json) -> None:
    for one in items(resource.get("component")):
        words = string(obj(one.get("code")).get("text"))
        if words not in _DETAILS and "valueQuantity" not in one:
            at = f"/Observation/{string(resource.get('id'))}/component"
            scan.trail.info("RDB-053", at, "Composant d'observation non lu.", "Le texte de la section reste lisible.")


def place(scan: Scan, resource: Json, site: Json) -> tuple[Concept | None, Code | None]:
    """Site and side: from the BodyStructure where the element points to one, else from its own site."""
    link = extension(resource, scan.tables.extension("body_structure")).get("valueReference")
    if link is None:
        return (scan.concept(site) if site else None), None
    found = scan.resolve(link, "/BodyStructure")
    located = obj(found.get("location"))
    side = scan.coded(first(found.get("locationQualifier")))
    return (scan.concept(located) if located else None), side


def _statement(scan: Scan, resource: Json) -> Iterator[StatementEntry]:
    stated = _stated(scan, resource)
    if stated is None:
        unread(scan, resource)
        return
    moment = _time(scan, resource)
    yield StatementEntry(anchor_of(resource), scan.concept(resource.get("code")), stated, moment)


def _stated(scan: Scan, resource: Json) -> Concept | None:
    if "valueCodeableConcept" in resource:
        return scan.concept(resource["valueCodeableConcept"])
    if isinstance(resource.get("valueBoolean"), bool):
        return Concept("oui" if resource["valueBoolean"] else "non")
    words = string(resource.get("valueString"))
    return Concept(words) if words else None


def unread(scan: Scan, resource: Json) -> None:
    """Say that a resource was seen and not read."""
    kind = string(resource.get("resourceType")) or "inconnue"
    words = string(obj(resource.get("code")).get("text"))
    about = f" « {words} »" if words else ""
    at = f"/{kind}/{string(resource.get('id'))}"
    scan.trail.info("RDB-050", at, f"Ressource non lue : {kind}{about}.", "Le texte de la section reste lisible.")
