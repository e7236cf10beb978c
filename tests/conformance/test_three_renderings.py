"""Every measure, problem, goal and date of every fixture's record is found in its CDA, its FHIR and its PDF.

The renderings are read back by code of this file alone: XML with lxml, JSON with json, PDF with pypdf. What is looked
for is taken from the record, never from the document in between.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import pypdf
import pytest
from lxml import etree

from gateway import terminology
from gateway.records.clinical import Measure, TreatmentSummary
from tests.unit.fixture_cases import NAMES, prepared, submission

HL7 = {"h": "urn:hl7-org:v3"}
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
NOT_DONE = "non mesuré"
"""Stands for the value of a measure that was not taken; its reason stands for the unit."""
INITIAL = "Mesure initiale"
"""What the CDA adds to a measure that a summary repeats: the day says it too."""
TERMS = terminology.load()


@dataclass(frozen=True)
class Seen:
    """A measure as a rendering gives it: local code, value or answer, unit, day; site, side, context, aid, raw."""

    code: str
    value: str
    unit: str | None
    day: date
    details: frozenset[str]


def expected(name: str) -> Counter[Seen]:
    """What the record says, whatever the target."""
    clinical = submission(name).document
    found = [_seen(one, clinical.date) for one in clinical.measures]
    if isinstance(clinical, TreatmentSummary):
        first = clinical.initial_date or datetime.combine(clinical.period.start, datetime.min.time())
        found += [_seen(one, first) for one in clinical.initial_measures]
    return Counter(found)


def _seen(record: Measure, at: datetime) -> Seen:
    known = TERMS.measure(record.code)
    assert known is not None
    side = TERMS.side(record.side)
    given = (record.site, side.display if side else None, record.context, record.aid, record.raw)
    details = frozenset(detail for detail in given if detail)
    if record.value is None:
        return Seen(record.code, NOT_DONE, record.not_done, at.date(), details)
    answer = known.answers.get(record.value)
    if answer is not None and answer.code is not None:
        return Seen(record.code, answer.code.code, None, at.date(), details)
    unit = None if record.unit == "code" else record.unit
    return Seen(record.code, format(record.value.normalize(), "f"), unit, at.date(), details)


# ---------------------------------------------------------------- CDA


@cache
def cda(name: str) -> Any:
    return etree.fromstring(prepared(name).renderings["cda"])


def narrative(name: str) -> str:
    """Text of every narrative block, white space as one space."""
    blocks = cda(name).iterfind(".//h:section/h:text", HL7)
    return _flat("\n".join("\n".join(block.itertext()) for block in blocks))


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\u202f", " ").replace("\u00a0", " "))


def referenced(name: str, entry: Any) -> str:
    """The narrative that an entry points to."""
    target = entry.find("h:text/h:reference", HL7).get("value").removeprefix("#")
    elements = cda(name).xpath(".//*[@ID=$target]", target=target)
    assert len(elements) == 1, target
    return _flat("".join(elements[0].itertext()))


def measured_in_cda(name: str) -> Iterator[tuple[Seen, Any]]:
    local = {measure.code for measure in TERMS.measures()}
    for entry in cda(name).iterfind(".//h:observation", HL7):
        code = entry.find("h:code", HL7)
        codes = [code, *code.iterfind("h:translation", HL7)]
        own = [one.get("code") for one in codes if one.get("codeSystem") == TERMS.local_system]
        if own and own[0] in local:
            value = entry.find("h:value", HL7)
            day = datetime.strptime(entry.find("h:effectiveTime", HL7).get("value")[:8], "%Y%m%d").date()  # noqa: DTZ007
            details = frozenset(_cda_details(entry))
            if value.get("nullFlavor") is not None:
                reason = _reason(entry)
                yield Seen(own[0], NOT_DONE, reason, day, details - {reason}), entry
            else:
                yield Seen(own[0], *_cda_value(value, own[0]), day, details), entry


def _reason(entry: Any) -> str | None:
    """Why a measure has no value: the nested fact under the product's code for it."""
    for nested in entry.iterfind("h:entryRelationship/h:observation", HL7):
        if nested.find("h:code", HL7).get("code") == "not_done":
            return str(nested.findtext("h:value", "", HL7))
    return None


def _cda_details(entry: Any) -> Iterator[str]:
    site = entry.find("h:targetSiteCode", HL7)
    if site is not None:
        yield from filter(None, [_flat(site.findtext("h:originalText", "", HL7))])
        yield from (one.get("displayName") for one in site.iterfind("h:qualifier/h:value", HL7))
    for value in entry.iterfind("h:entryRelationship/h:observation/h:value", HL7):
        words = value.get("displayName") or value.findtext("h:originalText", value.text, HL7)
        if words != INITIAL:
            yield words


def _cda_value(value: Any, code: str) -> tuple[str, str | None]:
    if value.get(XSI_TYPE) in {"CD", "CO", "CE"}:
        return value.get("code"), None
    number = format(Decimal(value.get("value")).normalize(), "f")
    known = TERMS.measure(code)
    assert known is not None
    # INT carries no unit: allowed for scores only.
    unit = value.get("unit") if value.get(XSI_TYPE) == "PQ" else None
    return number, "{score}" if unit in {None, "1"} and known.ucum == "{score}" else unit


@pytest.mark.parametrize("name", NAMES)
def test_cda_has_every_measure_as_entry(name: str) -> None:
    assert Counter(seen for seen, _ in measured_in_cda(name)) == expected(name)


@pytest.mark.parametrize("name", NAMES)
def test_cda_has_every_measure_in_its_narrative(name: str) -> None:
    text = narrative(name)
    for seen, entry in measured_in_cda(name):
        known = TERMS.measure(seen.code)
        assert known is not None
        assert known.label in referenced(name, entry)
    for words in readable(name):
        assert words in text


def readable(name: str) -> Iterator[str]:
    """Value and unit of each measure as French writes them."""
    clinical = submission(name).document
    initial = clinical.initial_measures if isinstance(clinical, TreatmentSummary) else ()
    for record in (*initial, *clinical.measures):
        known = TERMS.measure(record.code)
        assert known is not None
        if record.value is None:
            yield f"non mesuré : {record.not_done}"
            continue
        answer = known.answers.get(record.value)
        number = str(record.value).replace(".", ",")
        units = {"deg": "°", "mm[Hg]": " mmHg", "Cel": " °C", "kg/m2": " kg/m²", "/min": " par minute", "code": ""}
        units |= {"{score}": f"/{known.maximum}", "{#}/(30.s)": " levers en 30 s"}
        yield answer.text if answer else number + units.get(record.unit or "", f" {record.unit}")


@pytest.mark.parametrize("name", NAMES)
def test_cda_has_every_problem_coded_and_in_words(name: str) -> None:
    values = cda(name).findall(".//h:observation/h:value", HL7)
    for problem in submission(name).document.problems:
        holders = [value for value in values if _flat(value.findtext("h:originalText", "", HL7)) == problem.label]
        assert holders, problem.label
        assert problem.label in narrative(name)
        if problem.code:
            assert (holders[0].get("code"), holders[0].get("displayName")) == (problem.code.code, problem.code.label)
        if problem.onset:
            low = holders[0].getparent().find("h:effectiveTime/h:low", HL7)
            assert low.get("value").startswith(f"{problem.onset:%Y%m%d}")


@pytest.mark.parametrize("name", NAMES)
def test_cda_has_every_goal_with_its_date(name: str) -> None:
    goals = cda(name).xpath(".//h:observation[@moodCode='GOL']", namespaces=HL7)
    found = [(referenced(name, goal), _high(goal)) for goal in goals]
    wanted = submission(name).document.goals
    assert found == [(_flat(goal.text), f"{goal.due:%Y%m%d}" if goal.due else None) for goal in wanted]


def _high(goal: Any) -> str | None:
    high = goal.find("h:effectiveTime/h:high", HL7)
    return None if high is None else high.get("value")


# ---------------------------------------------------------------- FHIR


@cache
def resources(name: str) -> tuple[dict[str, Any], ...]:
    bundle = json.loads(prepared(name).renderings["fhir"], parse_float=Decimal, parse_int=Decimal)
    return tuple(entry["resource"] for entry in bundle["entry"])


def of_type(name: str, kind: str) -> list[dict[str, Any]]:
    return [resource for resource in resources(name) if resource["resourceType"] == kind]


def measured_in_fhir(name: str) -> Iterator[Seen]:
    for resource in of_type(name, "Observation"):
        yield from _observed(resource, resource["effectiveDateTime"], frozenset(_fhir_details(resource)))


def _observed(resource: dict[str, Any], at: str, details: frozenset[str]) -> Iterator[Seen]:
    known = {measure.code for measure in TERMS.measures()}
    local = f"urn:oid:{TERMS.local_system}"
    own = [one["code"] for one in resource["code"].get("coding", []) if one["system"] == local]
    if own and own[0] in known:
        day = datetime.fromisoformat(at).date()
        yield Seen(own[0], *_fhir_value(resource), day, details)
    for component in resource.get("component", []):
        yield from _observed(component, at, details)


def _fhir_details(resource: dict[str, Any]) -> Iterator[str]:
    if "bodySite" in resource:
        yield from resource["bodySite"]["text"].split(", ")
    for component in resource.get("component", []):
        words = component.get("valueString") or component.get("valueCodeableConcept", {}).get("text")
        if words is not None:  # a panel's member has a quantity
            yield words


def _fhir_value(resource: dict[str, Any]) -> tuple[str, str | None]:
    if "dataAbsentReason" in resource:
        absent = resource["dataAbsentReason"]
        assert absent["coding"][0]["code"] == "not-performed"
        return NOT_DONE, absent["text"]
    if "valueCodeableConcept" in resource:
        return resource["valueCodeableConcept"]["coding"][0]["code"], None
    if "valueInteger" in resource:
        return format(resource["valueInteger"].normalize(), "f"), "{score}"
    quantity = resource["valueQuantity"]
    return format(quantity["value"].normalize(), "f"), quantity.get("code")


@pytest.mark.parametrize("name", NAMES)
def test_fhir_has_every_measure(name: str) -> None:
    assert Counter(measured_in_fhir(name)) == expected(name)


@pytest.mark.parametrize("name", NAMES)
def test_fhir_has_every_problem(name: str) -> None:
    conditions = {one["code"].get("text"): one for one in of_type(name, "Condition")}
    for problem in submission(name).document.problems:
        condition = conditions[problem.label]
        codes = [one["code"] for one in condition["code"].get("coding", [])]
        assert problem.code is None or problem.code.code in codes
        assert condition.get("onsetDateTime") == (problem.onset.isoformat() if problem.onset else None)


@pytest.mark.parametrize("name", NAMES)
def test_fhir_has_every_goal_with_its_date(name: str) -> None:
    found = [(one["description"]["text"], _due(one)) for one in of_type(name, "Goal")]
    wanted = submission(name).document.goals
    assert found == [(goal.text, goal.due.isoformat() if goal.due else None) for goal in wanted]


def _due(goal: dict[str, Any]) -> str | None:
    return next((target.get("dueDate") for target in goal.get("target", [])), None)


@pytest.mark.parametrize("name", NAMES)
def test_fhir_goals_say_whether_they_were_reached(name: str) -> None:
    for goal, record in zip(of_type(name, "Goal"), submission(name).document.goals, strict=True):
        codes = {one["code"] for one in goal.get("achievementStatus", {}).get("coding", [])}
        assert codes == ({"achieved"} if record.reached else {"not-achieved"} if record.reached is False else set())


@pytest.mark.parametrize("name", NAMES)
def test_fhir_narrative_says_what_the_cda_narrative_says(name: str) -> None:
    composition = of_type(name, "Composition")[0]
    text = _flat(" ".join(_divs(composition["section"])))
    for words in (*readable(name), *(goal.text for goal in submission(name).document.goals)):
        assert _flat(words) in text


def _divs(sections: list[dict[str, Any]]) -> Iterator[str]:
    for section in sections:
        if "text" in section:
            yield " ".join(etree.fromstring(section["text"]["div"]).itertext())
        yield from _divs(section.get("section", []))


# ---------------------------------------------------------------- PDF


@cache
def pdf(name: str) -> str:
    """Text of every page. Lines are cut and words hyphenated by the layout: compared without either."""
    reader = pypdf.PdfReader(io.BytesIO(prepared(name).renderings["pdf"]))
    return squeezed("".join(page.extract_text() for page in reader.pages))


def squeezed(text: str) -> str:
    return re.sub(r"[\s\u00a0\u202f\u00ad\u2010-]+", "", text).replace("’", "'")


@pytest.mark.parametrize("name", NAMES)
def test_pdf_has_every_measure_with_its_unit(name: str) -> None:
    clinical = submission(name).document
    initial = clinical.initial_measures if isinstance(clinical, TreatmentSummary) else ()
    for record, words in zip((*initial, *clinical.measures), readable(name), strict=True):
        known = TERMS.measure(record.code)
        assert known is not None
        assert squeezed(known.label) in pdf(name)
        assert squeezed(words) in pdf(name), words


@pytest.mark.parametrize("name", NAMES)
def test_pdf_has_every_problem_and_goal_with_its_dates(name: str) -> None:
    clinical = submission(name).document
    for problem in clinical.problems:
        assert squeezed(problem.label) in pdf(name)
        assert problem.onset is None or f"{problem.onset:%d/%m/%Y}" in pdf(name)
    for goal in clinical.goals:
        assert squeezed(goal.text) in pdf(name)
        assert goal.due is None or f"{goal.due:%d/%m/%Y}" in pdf(name)


# ---------------------------------------------------------------- all three


def days(value: Any, path: str = "") -> Iterator[tuple[str, date]]:
    """Every date of the clinical record, with where it stands."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from days(one, f"{path}/{name}")
    elif isinstance(value, list | tuple):
        for place, one in enumerate(value):
            yield from days(one, f"{path}/{place}")
    elif isinstance(value, datetime):
        yield path, value.date()
    elif isinstance(value, date):
        yield path, value


@pytest.mark.parametrize("name", NAMES)
def test_every_date_is_in_all_three(name: str) -> None:
    fhir_text = json.dumps(of_type(name, "Composition")[0]["section"], ensure_ascii=False, default=str)
    for path, day in days(submission(name).document.model_dump()):
        shown = f"{day:%d/%m/%Y}"
        assert shown in narrative(name) or f"{day:%Y%m%d}" in etree.tostring(cda(name)).decode(), path
        assert shown in fhir_text or day.isoformat() in prepared(name).renderings["fhir"].decode(), path
        assert shown in pdf(name) or squeezed(_long(day)) in pdf(name), path


def _long(day: date) -> str:
    months = [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ]
    return f"{day.day}{'er' if day.day == 1 else ''} {months[day.month - 1]} {day.year}"
