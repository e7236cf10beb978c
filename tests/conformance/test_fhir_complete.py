"""Nothing that a fixture says is missing from its FHIR document: read from the input file, looked for in the Bundle."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from tests.unit.fixture_cases import FIXTURES, NAMES, prepared

SIDES = {"droite": "24028007", "gauche": "7771000", "bilateral": "51440002"}
EACH = pytest.mark.parametrize("name", NAMES)


@cache
def given(name: str) -> dict[str, Any]:
    text = (FIXTURES / "cases" / f"{name}.json").read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return value


@cache
def bundle(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(prepared(name).renderings["fhir"], parse_float=Decimal)
    return value


def resources(name: str, kind: str) -> list[dict[str, Any]]:
    found = (entry["resource"] for entry in bundle(name)["entry"])
    return [resource for resource in found if resource["resourceType"] == kind]


def resolve(name: str, reference: dict[str, Any]) -> dict[str, Any]:
    found = next(entry for entry in bundle(name)["entry"] if entry["fullUrl"] == reference["reference"])
    resource: dict[str, Any] = found["resource"]
    return resource


def codes(concept: dict[str, Any]) -> set[str]:
    return {coding["code"] for coding in concept.get("coding", [])}


def valued(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every place that holds a value (an observation, or a component of a blood pressure), with its observation."""
    for observation in resources(name, "Observation"):
        yield observation, observation
        yield from ((part, observation) for part in observation.get("component", []))


def sides(name: str, observation: dict[str, Any]) -> set[str]:
    links = [item["valueReference"] for item in observation.get("extension", []) if "valueReference" in item]
    return {code for link in links for side in resolve(name, link)["locationQualifier"] for code in codes(side)}


def same_value(place: dict[str, Any], measure: dict[str, Any]) -> bool:
    if "not_done" in measure:
        return bool(place.get("dataAbsentReason", {}).get("text") == measure["not_done"])
    if measure["unit"] == "code":
        return bool(place.get("valueCodeableConcept", {}).get("text"))
    found = place.get("valueQuantity", {})
    # As text: a digit more or less is another precision.
    return (str(found.get("value")), found.get("code")) == (str(measure["value"]), measure["unit"])


def says(name: str, place: dict[str, Any], observation: dict[str, Any], measure: dict[str, Any], day: str) -> bool:
    texts = {
        part["valueCodeableConcept"]["text"]
        for part in observation.get("component", [])
        if "valueCodeableConcept" in part
    }
    texts |= {part["valueString"] for part in observation.get("component", []) if "valueString" in part}
    site = observation.get("bodySite", {}).get("text", "")
    return (
        measure["code"] in codes(place["code"])
        and bool(place["code"]["text"])
        and same_value(place, measure)
        and observation["effectiveDateTime"].startswith(day)
        and ("side" not in measure or sides(name, observation) == {SIDES[measure["side"]]})
        and ("site" not in measure or measure["site"] in site)
        and all(measure[key] in texts for key in ("context", "aid", "raw") if key in measure)
    )


@EACH
def test_every_measure_is_said_once(name: str) -> None:
    document = given(name)["document"]
    before = document.get("initial_date") or document.get("period", {}).get("start", "")
    wanted = [(measure, document["date"][:10]) for measure in document.get("measures", [])]
    wanted += [(measure, before[:10]) for measure in document.get("initial_measures", [])]
    places = list(valued(name))
    for measure, day in wanted:
        assert [1 for place, observation in places if says(name, place, observation, measure, day)], measure
    known = {measure["code"] for measure, _day in wanted}
    told = [code for place, _observation in places for code in codes(place["code"]) if code in known]
    assert sorted(told) == sorted(measure["code"] for measure, _day in wanted)


@EACH
def test_every_problem_is_a_condition(name: str) -> None:
    document = given(name)["document"]
    conditions = resources(name, "Condition")
    for problem in document.get("problems", []):
        assert [
            1
            for item in conditions
            if item["code"]["text"] == problem["label"]
            and ("code" not in problem or problem["code"]["code"] in codes(item["code"]))
            and ("side" not in problem or sides(name, item) == {SIDES[problem["side"]]})
            and ("onset" not in problem or item["onsetDateTime"] == problem["onset"])
            and ("note" not in problem or item["note"][0]["text"] == problem["note"])
        ], problem
    told = [item["code"]["text"] for item in conditions]
    history = document.get("history", {}).get("conditions", [])
    assert all(text in told for text in [*history, *([document["diagnosis"]] if "diagnosis" in document else [])])


@EACH
def test_every_goal_act_session_event_and_referral(name: str) -> None:
    document = given(name)["document"]
    reached = {True: "achieved", False: "not-achieved"}
    goals = [
        (
            item["description"]["text"],
            item.get("target", [{}])[0].get("dueDate"),
            next(iter(codes(item.get("achievementStatus", {}))), None),
        )
        for item in resources(name, "Goal")
    ]
    assert goals == [
        (goal["text"], goal.get("due"), reached.get(goal.get("reached"))) for goal in document.get("goals", [])
    ]
    sessions = [item for item in resources(name, "Procedure") if item["code"]["text"].startswith("Séance")]
    assert [item["performedDateTime"] for item in sessions] == [one["date"] for one in document.get("sessions", [])]
    acts = [item["code"]["text"] for item in resources(name, "Procedure")]
    assert all(text in acts for text in document.get("treatment_done", []))
    planned = [
        part["detail"]["code"]["text"] for plan in resources(name, "CarePlan") for part in plan.get("activity", [])
    ]
    count = document.get("sessions_prescribed")
    prescribed = [f"{count} séances de masso-kinésithérapie"] if count else []
    assert planned == prescribed + document.get("plan", {}).get("techniques", [])
    events = [(item["identifier"]["value"], item["date"]) for item in resources(name, "AdverseEvent")]
    assert events == [(event["id"], event["date"]) for event in document.get("adverse_events", [])]
    referrals = [item["authoredOn"] for item in resources(name, "ServiceRequest")]
    assert referrals == ([document["reorientation"]["date"]] if "reorientation" in document else [])


@EACH
def test_people(name: str) -> None:
    record = given(name)
    patient = resources(name, "Patient")[0]
    numbers = {item["value"] for item in patient["identifier"]}
    assert (record["patient"].get("ins", {}).get("matricule") in numbers) == bool(
        prepared(name).document.header.patient.ins
    )
    assert patient["birthDate"] == record["patient"]["birth_date"]
    families = {item["name"][0]["family"] for item in resources(name, "Practitioner")}
    assert record["author"]["family"] in families
    kept = [
        one for one in record["recipients"] if one.get("known", True) and "opposition" not in one and "family" in one
    ]
    assert {one["family"] for one in kept} <= families


@EACH
def test_free_texts_stand_in_the_narrative(name: str) -> None:
    document = given(name)["document"]
    divs = re.findall(r'"div":"((?:[^"\\]|\\.)*)"', prepared(name).renderings["fhir"].decode())
    read = plain(re.sub(r"<[^>]+>", " ", json.loads(f'"{" ".join(divs)}"')))
    texts = [document[key] for key in ("reason", "diagnosis", "prognosis", "evolution", "advice") if key in document]
    texts += [text for goal in document.get("goals", []) for text in (goal["text"],)]
    assert texts
    for text in texts:
        assert plain(html.escape(text, quote=False)) in read, text


def plain(text: str) -> str:
    return " ".join(html.unescape(text).split())
