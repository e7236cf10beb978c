"""Rules of the letters: what a reorientation and an information of the prescriber lack, and where they go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.engine import plan
from gateway.records.clinical import PrescriberInformation, ReorientationLetter
from gateway.rules import check_access, check_completeness, check_measures, routes, trust_space
from gateway.settings import RulesSettings
from gateway.store.base import NORMAL, SOON, URGENT
from gateway.terminology import load
from tests.unit.submission_samples import account, assessment, put, sound

D = "/document/"


def letter(**changes: Any) -> dict[str, Any]:
    value = assessment()
    value["author"]["phone"] = "0200000001"
    document = {
        "kind": "reorientation_letter",
        "id": "LET-01",
        "date": "2025-10-06T09:30:00+02:00",
        "reason": "Appui impossible",
        "problems": [{"label": "Traumatisme de cheville"}],
        "reorientation": {
            "to": "medecin_traitant",
            "date": "2025-10-06",
            "reason": "Radiographie",
            "urgency": "24h",
            "communicated_by": ["telephone"],
        },
    }
    return _changed({**value, "document": document}, changes)


def information(**changes: Any) -> dict[str, Any]:
    value = assessment()
    value["recipients"] = [{**value["recipients"][0], "role": "prescripteur"}]
    value["access"] = {
        "mode": "renewal",
        "department": "22",
        "prior_diagnosis": True,
        "prescription_date": "2025-02-01",
        "episode": {"id": "EP-01", "start": "2025-02-10"},
    }
    document = {
        "kind": "prescriber_information",
        "id": "INF-01",
        "date": "2025-10-06T18:00:00+02:00",
        "reason": "Renouvellement",
        "change": "renouvellement",
        "sessions_prescribed": 10,
        "annotation": {"date": "2025-10-06", "signed": True},
    }
    return _changed({**value, "document": document}, changes)


def _changed(value: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for name, new in changes.items():
        put(value, "/" + name.replace("__", "/"), new)
    return value


def codes(value: dict[str, Any]) -> list[str]:
    return [found.code for found in check_completeness(sound(value))]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"author__phone": None}, ["CMP-027"]),
        ({"author__phone": None, "document__phone": "0600000000"}, []),
        ({"author__phone": None, "organization__phone": "0600000000"}, []),
        ({"document__reorientation__communicated_by": ["mssante"]}, ["CMP-028"]),
        ({"document__reorientation__communicated_by": [], "document__reorientation__urgency": "programmee"}, []),
        ({"document__problems": []}, ["CMP-029"]),
        ({"document__problems": [], "document__diagnosis": "Suspicion de fracture"}, []),
        (
            {"document__problems": [], "document__red_flags": {"present": ["deformation"], "decision": "urgence"}},
            [],
        ),
        ({"document__red_flags": {"present": ["deformation"], "decision": "pas_de_reorientation"}}, ["CMP-010"]),
    ],
)
def test_a_reorientation_letter_lacks(changes: dict[str, Any], expected: list[str]) -> None:
    assert codes(letter(**changes)) == expected


def test_a_letter_without_reorientation_is_refused() -> None:
    value = letter()
    del value["document"]["reorientation"]
    with pytest.raises(AssertionError, match="INP-004"):
        sound(value)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"document__change": "adaptation"}, ["CMP-030"]),
        ({"document__change": "renouvellement_et_adaptation"}, ["CMP-030"]),
        ({"document__change": "renouvellement_et_adaptation", "document__adaptation": "Balnéothérapie"}, []),
        ({"document__annotation__signed": False}, ["CMP-031"]),
        ({"document__annotation__date": "2025-10-07"}, ["CMP-032"]),
        ({"access__mode": "direct_cpts"}, ["CMP-033"]),
        ({"access__mode": "prescription"}, ["CMP-034"]),
        ({"access__mode": "prescription", "document__change": "adaptation", "document__adaptation": "Durée"}, []),
    ],
)
def test_an_information_of_the_prescriber_lacks(changes: dict[str, Any], expected: list[str]) -> None:
    assert codes(information(**changes)) == expected


def test_the_year_of_the_prescription_runs_to_the_renewal() -> None:
    """spec kine §1 rows 19 and 21: less than a year on the day of the renewal, whenever the episode began."""

    def found(day: str) -> set[str]:
        value = information(document__annotation__date=day)
        return {one.code for one in check_access(sound(value), RulesSettings())}

    assert "ACC-027" not in found("2026-02-01")
    assert "ACC-027" in found("2026-02-02")


def test_the_information_goes_to_the_prescriber_and_to_nobody_else_by_itself(root: Path) -> None:
    trust = trust_space.load(root / "config" / "trust-space.example.txt")
    found = routes(sound(information()), account(), trust)
    assert [(one.destination, one.role, one.reason) for one in found] == [("professional", "prescripteur", None)]
    nobody = routes(sound(information(recipients=[])), account(), trust)
    assert [(one.role, one.reason) for one in nobody] == [("prescripteur", "DST-NO-PRESCRIBER")]


def test_a_letter_goes_where_an_assessment_goes(root: Path) -> None:
    trust = trust_space.load(root / "config" / "trust-space.example.txt")
    assert routes(sound(letter()), account(), trust) == routes(sound(assessment()), account(), trust)


@pytest.mark.parametrize(
    ("changes", "priority"),
    [
        ({"document__reorientation__urgency": "programmee"}, NORMAL),
        ({}, SOON),
        ({"document__reorientation__urgency": "urgence"}, URGENT),
        ({"document__red_flags": {"decision": "urgence"}}, URGENT),
    ],
)
def test_an_urgent_letter_goes_first(changes: dict[str, Any], priority: int) -> None:
    assert plan.priority(sound(letter(**changes))) == priority


def test_an_emergency_that_is_not_described_goes_first_too() -> None:
    value = put(assessment(), "/document/red_flags/decision", "urgence")
    assert plan.priority(sound(value)) == URGENT
    assert plan.priority(sound(assessment())) == NORMAL


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"code": "pain_nrs", "value": 2, "unit": "{score}"}, []),
        ({"code": "pain_nrs", "value": 12, "unit": "{score}"}, ["MES-003"]),
        ({"code": "pain_nrs", "value": 2, "unit": "mm"}, ["MES-002"]),
        ({"code": "unheard_of", "value": 2, "unit": "mm"}, ["MES-001"]),
    ],
)
def test_targets_obey_the_rules_of_measures(target: dict[str, Any], expected: list[str]) -> None:
    value = put(assessment(), D + "goals/0/target", target)
    assert [one.code for one in check_measures(sound(value), load())] == expected


def test_what_was_not_measured_has_no_range_but_must_be_known() -> None:
    value = put(assessment(), D + "measures/0", {"code": "pain_nrs", "not_done": "refus"})
    assert check_measures(sound(value), load()) == []
    value = put(assessment(), D + "measures/0", {"code": "unheard_of", "not_done": "refus"})
    assert [one.code for one in check_measures(sound(value), load())] == ["MES-001"]


def test_the_kinds_are_read_by_their_name() -> None:
    assert isinstance(sound(letter()).document, ReorientationLetter)
    assert isinstance(sound(information()).document, PrescriberInformation)
