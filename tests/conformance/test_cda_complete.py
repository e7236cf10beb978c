"""Nothing that a fixture says is missing from its CDA: read from the input file, looked for in the XML."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from gateway.render.cda import render
from tests.conformance.test_cda_kit import CASES, TERMS, built

NS = {"c": "urn:hl7-org:v3", "x": "http://www.w3.org/2001/XMLSchema-instance"}
SIDES = {"droite": "24028007", "gauche": "7771000", "bilateral": "51440002"}
EACH = pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])


def loaded(case: Path) -> tuple[dict[str, Any], etree._Element]:
    value: dict[str, Any] = json.loads(case.read_text(encoding="utf-8"), parse_float=str)
    return value, etree.fromstring(render(built(case), TERMS))


def values(root: etree._Element, path: str) -> list[str]:
    found = root.xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return [str(item) for item in found]


def nodes(root: etree._Element, path: str) -> list[etree._Element]:
    found = root.xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return [item for item in found if isinstance(item, etree._Element)]


def narrative(root: etree._Element) -> str:
    return plain(" ".join(" ".join(text.itertext()) for text in nodes(root, "//c:section/c:text")))


def plain(text: str) -> str:
    """Line breaks are elements in the narrative: compared as blanks."""
    return " ".join(text.split())


def day(moment: str) -> str:
    return moment[:10].replace("-", "")


def local_codes(observation: etree._Element) -> set[str]:
    return set(values(observation, "c:code/@code | c:code/c:translation/@code"))


def details(observation: etree._Element, name: str) -> list[str]:
    """Values of the nested facts of one name, as text, code or number."""
    path = f"c:entryRelationship/c:observation[c:code/@code='{name}']/c:value"
    return [text for v in nodes(observation, path) for text in (v.get("code"), "".join(v.itertext())) if text]


def same_value(value: etree._Element, measure: dict[str, Any]) -> bool:
    """The number and its unit; a score may go without its `{score}`, a coded answer is a code with its words."""
    if "not_done" in measure:
        return value.get("nullFlavor") is not None
    if measure["unit"] == "code":
        return value.get(f"{{{NS['x']}}}type") == "CD" and bool(value.get("code")) and bool(value.get("displayName"))
    unit = value.get("unit")
    bare = unit is None and measure["unit"].startswith("{")
    return (unit == measure["unit"] or bare) and Decimal(value.get("value") or "NaN") == Decimal(str(measure["value"]))


def says(observation: etree._Element, measure: dict[str, Any], when: str) -> bool:
    """Whether this observation is that measure, with all that the record says about it."""
    [value] = nodes(observation, "c:value")
    sides = [*values(observation, "c:targetSiteCode/c:qualifier/c:value/@code"), *details(observation, "side")]
    sites = [*values(observation, "c:targetSiteCode/c:originalText/text()"), *details(observation, "site")]
    return (
        measure["code"] in local_codes(observation)
        and same_value(value, measure)
        and values(observation, "c:effectiveTime/@value")[0].startswith(when)
        and ("side" not in measure or SIDES[measure["side"]] in sides)
        and ("site" not in measure or measure["site"] in sites)
        and all(
            measure[name] in details(observation, name)
            for name in ("context", "aid", "raw", "not_done")
            if name in measure
        )
    )


@EACH
def test_every_measure_is_one_observation(case: Path) -> None:
    given, root = loaded(case)
    document = given["document"]
    observations = nodes(root, "//c:observation[not(parent::c:entryRelationship) and not(@moodCode='GOL')]")
    wanted = [(measure, day(document["date"])) for measure in document.get("measures", [])]
    before = document.get("initial_date") or document.get("period", {}).get("start", "")
    wanted += [(measure, day(before)) for measure in document.get("initial_measures", [])]
    for measure, when in wanted:
        assert [o for o in observations if says(o, measure, when)], measure
    codes = Counter(code for o in observations for code in local_codes(o))
    for code, number in Counter(measure["code"] for measure, _when in wanted).items():
        assert codes[code] == number, code  # none twice either


@EACH
def test_every_problem_has_its_words_its_code_and_its_side(case: Path) -> None:
    given, root = loaded(case)
    for problem in given["document"].get("problems", []):
        found = [
            value
            for value in nodes(root, "//c:act//c:observation/c:value")
            if "".join(value.itertext()).startswith(problem["label"])
            and ("code" not in problem or value.get("code") == problem["code"]["code"])
            and ("side" not in problem or SIDES[problem["side"]] in values(value, "c:qualifier/c:value/@code"))
        ]
        assert found, problem


def aims(item: etree._Element, goal: dict[str, Any]) -> bool:
    """The target of a goal as a bound or a quantity in its unit, with the measure; its words where it has none."""
    if "target" not in goal:
        return values(item, "c:value/text()") == [goal["text"]]
    [value] = nodes(item, "c:value")
    [bound] = [one for one in (*value, value) if one.get("value") is not None]
    [measure] = nodes(item, "c:entryRelationship/c:observation[c:code/@code='goal_measure']/c:value")
    codes = {measure.get("code"), *values(measure, "c:translation/@code")}
    target = goal["target"]
    number = Decimal(bound.get("value")) == Decimal(str(target["value"]))
    return number and bound.get("unit") == target["unit"] and target["code"] in codes


@EACH
def test_every_goal_has_its_words_and_dates(case: Path) -> None:
    given, root = loaded(case)
    goals = nodes(root, "//c:observation[@moodCode='GOL']")
    for goal in given["document"].get("goals", []):
        assert [
            item
            for item in goals
            if values(item, "c:code/c:originalText/text()") == [goal["text"]]
            and aims(item, goal)
            and ("due" not in goal or day(goal["due"]) in values(item, "c:effectiveTime/c:high/@value"))
            and ("reached" not in goal or str(goal["reached"]).lower() in values(item, ".//c:value/@value"))
        ], goal


@EACH
def test_every_session_adverse_event_and_referral(case: Path) -> None:
    given, root = loaded(case)
    document = given["document"]
    days = values(root, "//c:encounter[@moodCode='EVN']/c:effectiveTime/@value")
    assert days == [day(session["date"]) for session in document.get("sessions", [])]
    events = values(root, "//c:observation[c:code/@code='adverse_event']/c:id/@extension")
    assert events == [event["id"] for event in document.get("adverse_events", [])]
    referrals = nodes(root, "//c:encounter[@moodCode='ARQ']")
    assert len(referrals) == ("reorientation" in document)
    for referral in referrals:
        assert values(referral, "c:effectiveTime/@value") == [day(document["reorientation"]["date"])]
        assert values(referral, "c:priorityCode/@code") == [document["reorientation"]["urgency"]]


@EACH
def test_free_texts_stand_in_the_narrative(case: Path) -> None:
    given, root = loaded(case)
    document, read = given["document"], narrative(root)
    texts = [document[name] for name in ("reason", "diagnosis", "prognosis", "evolution", "advice") if name in document]
    texts += [
        text for name in ("conditions", "surgeries", "treatments") for text in document.get("history", {}).get(name, ())
    ]
    texts += [*document.get("treatment_done", ()), *document.get("plan", {}).get("techniques", ())]
    assert len(texts) >= 2
    for text in texts:
        assert plain(text) in read, text
