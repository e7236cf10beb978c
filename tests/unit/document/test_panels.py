"""Scores that belong together travel as one panel, in CDA (organizer) and FHIR (members)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lxml import etree

from gateway import terminology
from gateway.api import Gateway
from tests.integration.practice import case

PANELS = {
    "sppb": {"sppb": 8, "sppb_balance": 3, "sppb_gait": 2, "sppb_chair": 3},
    "koos": {"koos_pain": 61, "koos_symptoms": 57.1, "koos_adl": 68, "koos_sport": 30, "koos_qol": 38},
}
V3 = {"h": "urn:hl7-org:v3"}


def rendered(measures: list[dict[str, Any]]) -> dict[str, bytes]:
    value = case("01_entorse_cheville_bilan")
    value["document"]["measures"] = measures
    made = Gateway.preview().render(json.dumps(value).encode())
    assert made.report.ok, made.report.findings
    return dict(made.files)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_holds_its_scores_in_both_targets(panel: str) -> None:
    scores = PANELS[panel]
    files = rendered([{"code": code, "value": value, "unit": "{score}"} for code, value in scores.items()])
    cda = etree.fromstring(files["document.cda.xml"])
    organizers = cda.xpath("//h:organizer[h:component/h:observation]", namespaces=V3)
    sizes = [len(group.xpath("h:component/h:observation", namespaces=V3)) for group in organizers]
    assert len(scores) in sizes
    bundle = json.loads(files["document.fhir.json"])
    observations = {
        e["fullUrl"]: e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Observation"
    }
    groups = [[m["reference"] for m in o["hasMember"]] for o in observations.values() if o.get("hasMember")]
    values = [sorted(value_of(observations[one]) for one in group) for group in groups]
    assert sorted(scores.values()) in values


def value_of(observation: dict[str, Any]) -> float:
    """A number, or one below every score for what is itself a group."""
    return float(observation.get("valueQuantity", {}).get("value", -1))


def test_no_panel_of_one() -> None:
    files = rendered([{"code": "sppb", "value": 8, "unit": "{score}"}])
    bundle = json.loads(files["document.fhir.json"])
    assert not any(e["resource"].get("hasMember") for e in bundle["entry"])


def test_every_member_is_a_measure() -> None:
    terms = terminology.load()
    for scores in PANELS.values():
        assert all(terms.measure(code) is not None for code in scores)
