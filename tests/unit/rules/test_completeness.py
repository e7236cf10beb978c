from __future__ import annotations

from typing import Any

import pytest

from gateway.findings import Severity
from gateway.rules.completeness import check_completeness
from tests.unit.submission_samples import assessment, put, sound, summary

D = "/document/"


def codes(value: dict[str, Any], changes: dict[str, Any]) -> dict[str, Severity]:
    for pointer, new in changes.items():
        put(value, pointer, new)
    return {finding.code: finding.severity for finding in check_completeness(sound(value))}


def test_sound_documents_bring_nothing() -> None:
    assert codes(assessment(), {}) == {}
    assert codes(summary(), {}) == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({D + "measures": []}, {"CMP-001": "error"}),
        ({D + "measures": [], D + "not_measurable": "Douleur trop vive"}, {}),
        ({D + "diagnosis": None}, {"CMP-002": "error"}),
        ({D + "goals": []}, {"CMP-003": "warning"}),
        ({D + "plan": None}, {"CMP-004": "warning"}),
        ({D + "prognosis": None}, {"CMP-005": "warning"}),
        ({D + "icf": []}, {"CMP-006": "warning"}),
        ({D + "history": {}}, {"CMP-007": "warning"}),
        ({D + "problems": [], D + "body_site": None}, {"CMP-008": "warning"}),
        ({D + "problems": []}, {}),
        ({D + "goals/0/due": None}, {"CMP-009": "warning"}),
        ({D + "red_flags/present": ["fievre"]}, {"CMP-010": "warning"}),
        ({D + "red_flags/present": ["fievre"], D + "red_flags/decision": "information_medecin_traitant"}, {}),
        ({D + "red_flags/decision": "urgence"}, {"CMP-011": "warning"}),
        ({D + "consent": None}, {"CMP-012": "warning"}),
        ({D + "consent/care": False}, {"CMP-013": "warning"}),
        ({D + "consent/sharing_informed": False}, {"CMP-014": "warning"}),
        ({D + "not_measurable": "Douleur trop vive"}, {"CMP-025": "warning"}),
    ],
)
def test_assessment(changes: dict[str, Any], expected: dict[str, str]) -> None:
    assert codes(assessment(), changes) == {code: Severity(value) for code, value in expected.items()}


GRAVE = {"id": "AE-1", "date": "2025-10-10", "kind": "chute", "severity": "grave"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({D + "diagnosis": None}, "CMP-015"),
        ({D + "goals": []}, "CMP-016"),
        ({D + "treatment_done": []}, "CMP-017"),
        ({D + "evolution": None}, "CMP-018"),
        ({D + "advice": None}, "CMP-019"),
        ({D + "measures": []}, "CMP-020"),
        ({D + "goals/0/reached": None}, "CMP-021"),
        ({D + "outcome": "reorientation"}, "CMP-011"),
        ({D + "sessions_done": 3}, "CMP-022"),
        ({D + "sessions/1/n": 1}, "CMP-023"),
        ({D + "initial_date": None}, "CMP-024"),
        ({D + "adverse_events": [GRAVE]}, "CMP-026"),
    ],
)
def test_summary_only_warns(changes: dict[str, Any], expected: str) -> None:
    assert codes(summary(), changes) == {expected: Severity.WARNING}


def test_a_summary_without_measure_may_say_why() -> None:
    assert codes(summary(), {D + "measures": [], D + "not_measurable": "Patient parti"}) == {}


@pytest.mark.parametrize("event", [{**GRAVE, "severity": "legere"}, {**GRAVE, "physician_informed": "2025-10-10"}])
def test_an_event_that_is_slight_or_told_to_a_physician(event: dict[str, Any]) -> None:
    assert codes(summary(), {D + "adverse_events": [event]}) == {}
