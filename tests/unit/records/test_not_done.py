"""A measure has a value with its unit, or the reason why it was not taken: never both, never neither."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.submission_samples import assessment, put, read, sound

PLACE = "/document/measures/0"


@pytest.mark.parametrize(
    ("measure", "code"),
    [
        ({"code": "pain_nrs"}, "INP-004"),
        ({"code": "pain_nrs", "value": 3}, "INP-004"),
        ({"code": "pain_nrs", "unit": "{score}"}, "INP-004"),
        ({"code": "pain_nrs", "value": None, "unit": "{score}"}, "INP-004"),
        ({"code": "pain_nrs", "value": 3, "unit": "{score}", "not_done": "refus"}, "INP-005"),
        ({"code": "pain_nrs", "unit": "{score}", "not_done": "refus"}, "INP-005"),
    ],
)
def test_neither_or_both_is_one_finding_on_the_measure(measure: dict[str, Any], code: str) -> None:
    submission, found = read(put(assessment(), PLACE, measure))
    assert submission is None
    assert [(one.code, one.path) for one in found] == [(code, PLACE)]
    assert found[0].message
    assert found[0].advice


def test_a_reason_stands_for_value_and_unit() -> None:
    measure = sound(put(assessment(), PLACE, {"code": "pain_nrs", "not_done": "refus du patient"})).document.measures[0]
    assert (measure.value, measure.unit, measure.not_done) == (None, None, "refus du patient")
