from __future__ import annotations

from typing import Any

import pytest

from gateway import terminology
from gateway.findings import Severity
from gateway.rules.measures import check_measures
from tests.unit.submission_samples import assessment, put, sound, summary

PAIN = {"code": "pain_nrs", "value": 5, "unit": "{score}"}


def codes(value: dict[str, Any]) -> dict[str, Severity]:
    found = check_measures(sound(value), terminology.load())
    return {finding.code: finding.severity for finding in found}


def of(*measures: dict[str, Any]) -> dict[str, Severity]:
    return codes(put(assessment(), "/document/measures", list(measures)))


def test_sound_measures_bring_nothing() -> None:
    assert codes(assessment()) == {}
    assert codes(summary()) == {}


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ({**PAIN, "code": "pain_nsr"}, {"MES-001": "error"}),
        ({**PAIN, "unit": "mm"}, {"MES-002": "error"}),
        ({**PAIN, "unit": "1"}, {"MES-002": "error"}),
        ({**PAIN, "value": 0}, {}),
        ({**PAIN, "value": 10}, {}),
        ({**PAIN, "value": 10.5}, {"MES-003": "error"}),
        ({**PAIN, "value": -1}, {"MES-003": "error"}),
        ({"code": "odi", "value": 101, "unit": "%"}, {"MES-003": "error"}),
        ({"code": "body_temperature", "value": 43.1, "unit": "Cel"}, {"MES-004": "warning"}),
        ({"code": "body_temperature", "value": 370, "unit": "Cel"}, {"MES-003": "error"}),
        ({"code": "tug", "value": 200, "unit": "s"}, {"MES-004": "warning"}),
        ({"code": "tug", "value": -1, "unit": "s"}, {"MES-003": "error"}),
        ({"code": "finger_floor", "value": -31, "unit": "cm"}, {"MES-004": "warning"}),
        ({"code": "finger_floor", "value": -91, "unit": "cm"}, {"MES-003": "error"}),
        ({"code": "grip_strength", "value": 30, "unit": "kg"}, {"MES-005": "warning"}),
        ({"code": "grip_strength", "value": 30, "unit": "kg", "side": "droite"}, {}),
        ({"code": "rom_active_flexion", "value": 90, "unit": "deg", "site": "genou"}, {"MES-005": "warning"}),
        ({"code": "rom_active_flexion", "value": 90, "unit": "deg", "site": "genou", "side": "gauche"}, {}),
        ({"code": "rom_active_flexion", "value": 40, "unit": "deg", "side": "droite"}, {"MES-006": "warning"}),
        ({"code": "rom_active_flexion", "value": 40, "unit": "deg", "site": "rachis lombaire"}, {}),
        ({"code": "mrc", "value": 4, "unit": "{score}"}, {"MES-006": "warning"}),
        ({"code": "startback_risk", "value": 99, "unit": "code"}, {"MES-003": "error"}),
    ],
)
def test_one_measure(measure: dict[str, Any], expected: dict[str, str]) -> None:
    assert of(measure) == {code: Severity(severity) for code, severity in expected.items()}


def test_every_answer_of_a_coded_scale_is_accepted() -> None:
    catalogue = terminology.load()
    for code in ("startback_risk", "pain_verbal"):
        row = catalogue.measure(code)
        assert row is not None
        assert row.answers
        for answer in row.answers:
            assert of({"code": code, "value": str(answer), "unit": row.input_unit}) == {}


def test_the_finding_names_the_place_and_says_no_value() -> None:
    value = put(summary(), "/document/initial_measures/0/value", 77)
    (finding,) = check_measures(sound(value), terminology.load())
    assert finding.path == "/document/initial_measures/0/value"
    assert "77" not in finding.message + finding.advice


def test_two_values_of_one_measure_must_be_told_apart() -> None:
    assert of(PAIN, {**PAIN, "value": 2}) == {"MES-007": Severity.WARNING}
    assert of(PAIN, {**PAIN, "value": 2, "context": "repos"}) == {}


def test_initial_measures_are_taken_again() -> None:
    rom = {"code": "rom_active_dorsiflexion", "value": 5, "unit": "deg", "site": "cheville", "side": "droite"}
    value = summary()
    value["document"]["initial_measures"].append(rom)
    found = check_measures(sound(value), terminology.load())
    assert [finding.code for finding in found] == ["MES-008"]
    assert "1 mesures initiales sur 2" in found[0].message
    assert "n° 2" in found[0].message
    value["document"]["measures"].append({**rom, "value": 15})
    assert codes(value) == {}
    value["document"]["measures"][-1]["side"] = "gauche"
    assert "MES-008" in codes(value)


@pytest.mark.parametrize(
    ("outcome", "final", "warns"),
    [
        ("objectifs_atteints", 8, True),
        ("amelioration_partielle", 8, True),
        ("aggravation", 8, False),
        ("objectifs_atteints", 6, False),
        ("objectifs_atteints", 2, False),
    ],
)
def test_an_improvement_that_the_measures_deny(outcome: str, final: int, *, warns: bool) -> None:
    value = put(put(summary(), "/document/outcome", outcome), "/document/measures/0/value", final)
    assert ("MES-009" in codes(value)) is warns


@pytest.mark.parametrize(
    ("code", "unit", "value", "found"),
    [
        ("tug", "s", 540, "MES-004"),
        ("tug", "s", 541, "MES-003"),
        ("tug", "s", 0.5, "MES-004"),
        ("tug", "s", 0, "MES-004"),
        ("finger_floor", "cm", -90, "MES-004"),
        ("finger_floor", "cm", -90.5, "MES-003"),
    ],
)
def test_where_unlikely_becomes_impossible(code: str, unit: str, value: float, found: str) -> None:
    assert list(of({"code": code, "value": value, "unit": unit})) == [found]


def test_a_small_improvement_is_one() -> None:
    value = put(summary(), "/document/initial_measures/0/value", 2)
    assert codes(put(value, "/document/measures/0/value", 1.5)) == {}
    assert "MES-009" in codes(put(value, "/document/measures/0/value", 2.5))
