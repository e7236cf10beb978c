"""Sense and importance of a change, and panels: from the tables, and silent where they are."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest

from gateway import terminology
from gateway.document import comparison, panels
from gateway.document.model import MeasureEntry
from tests.unit.fixture_cases import prepared

TERMS = terminology.load()
CASE = "17_genou_complet_compte_rendu"


@pytest.mark.parametrize(
    ("code", "first", "last", "sense", "importance"),
    [
        ("pain_nrs", "5", "3", "better", "reached"),
        ("pain_nrs", "5", "3.1", "better", "below"),
        ("pain_nrs", "3", "5", "worse", None),
        ("pain_nrs", "3", "3", "same", None),
        ("lefs", "34", "43", "better", "reached"),
        ("lefs", "34", "42", "better", "below"),
        ("six_mwt", "400", "434", "better", "reached"),
        ("tug", "14", "9", "better", None),
        ("body_weight", "80", "70", "changed", None),
    ],
)
def test_sense_and_importance(code: str, first: str, last: str, sense: str, importance: str | None) -> None:
    known, values = TERMS.measure(code), (Decimal(first), Decimal(last))
    assert comparison.sense(known, *values) == sense
    assert comparison.importance(known, *values) == importance


def test_every_difference_names_its_source_and_its_population(root: Path) -> None:
    rows = list(csv.DictReader((root / "mappings" / "differences.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == len({row["measure"] for row in rows}) >= 15
    for row in rows:
        known = TERMS.measure(row["measure"])
        assert known is not None
        assert known.better != "none"
        assert known.important == Decimal(row["difference"]) > 0
        assert row["population"]
        assert any(year in row["source"] for year in ("19", "20", "PMC"))
    claimed = {known.code for known in TERMS.measures() if known.important is not None}
    assert claimed == {row["measure"] for row in rows}


def test_fhir_says_better_or_worse_beside_the_re_measured_value() -> None:
    bundle = json.loads(prepared(CASE).renderings["fhir"])
    said = {}
    for entry in bundle["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "Observation" and "interpretation" in resource:
            only = resource["interpretation"][0]
            said[resource["code"]["text"], resource["valueQuantity"]["value"]] = only["coding"][0]["code"], only["text"]
    assert said["LEFS", 58] == ("B", "amélioration, différence cliniquement importante")
    assert said["KOOS vie quotidienne", 70.6] == ("B", "amélioration, sous la différence cliniquement importante")
    assert said["KOOS qualité de vie", 20] == ("W", "aggravation")
    assert ("LEFS", 34) not in said
    assert not any(name == "Test de marche de 6 minutes" for name, _ in said)


def _scores(name: str) -> list[MeasureEntry]:
    entries = (entry for part in prepared(name).document.walk() for entry in part.entries)
    return [entry for entry in entries if isinstance(entry, MeasureEntry)]


def test_scores_of_one_questionnaire_and_moment_go_together() -> None:
    held = panels.of(_scores("17_genou_complet_bilan"), TERMS)
    names = sorted(panel.key for panel in held.values())
    assert names == ["hads"] * 2 + ["koos"] * 5 + ["startback"] * 3
    alone = [entry for entry in _scores("17_genou_complet_bilan") if entry.measure == "koos_pain"]
    assert panels.of(alone, TERMS) == {}


def test_panels_stand_in_both_formats() -> None:
    made = prepared("17_genou_complet_bilan").renderings
    observations = [
        entry["resource"] for entry in json.loads(made["fhir"])["entry"] if "hasMember" in entry["resource"]
    ]
    counted = {one["code"]["text"]: len(one["hasMember"]) for one in observations}
    assert (counted["KOOS"], counted["STarT Back"], counted["HAD"]) == (5, 3, 2)
    assert made["cda"].count(b'code="72091-2"') == 1
    assert made["cda"].count(b'code="91349-1"') == 1
