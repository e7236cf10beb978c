"""The access that a PDF's metadata declare is checked like any other, but for what only its content says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway import rules
from gateway.engine import facts
from gateway.records.level1 import Level1Metadata
from gateway.rules import check_access
from gateway.settings import RulesSettings
from tests.unit.level1.samples import metadata
from tests.unit.submission_samples import assessment, put

A = "/access/"


def codes(changes: dict[str, Any]) -> set[str]:
    read = pdf(changes)
    return {one.code for one in check_access(read, RulesSettings())}  # type: ignore[arg-type]


def pdf(changes: dict[str, Any]) -> Level1Metadata:
    value = {**metadata(), "access": assessment()["access"]}
    value["document"] = {**value["document"], "date": "2025-10-06T09:30:00+02:00"}
    for pointer, new in changes.items():
        put(value, pointer, new)
    return Level1Metadata.model_validate_json(json.dumps(value))


SIDES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("ACC-001", {A + "declared_to_ars_on": None}, {}),
    ("ACC-003", {A + "withdrawn_on": "2025-10-06"}, {A + "withdrawn_on": "2025-10-07"}),
    ("ACC-004", {A + "practitioner_status": "remplacant"}, {}),
    ("ACC-005", {A + "department": "35"}, {}),
    ("ACC-011", {A + "cpts/proof_valid_until": "2025-10-05"}, {A + "cpts/proof_valid_until": "2025-10-06"}),
    ("ACC-014", {A + "episode/sessions_already_done": 9}, {A + "episode/sessions_already_done": 8}),
    ("ACC-019", {A + "prior_diagnosis": True}, {}),
    ("ACC-026", {A + "mode": "renewal"}, {A + "mode": "renewal", A + "prescription_date": "2025-10-01"}),
]


@pytest.mark.parametrize(("code", "breach", "kept"), SIDES, ids=[side[0] for side in SIDES])
def test_what_the_metadata_declare_is_checked(code: str, breach: dict[str, Any], kept: dict[str, Any]) -> None:
    assert code in codes(breach)
    assert code not in codes(kept)


@pytest.mark.parametrize("mode", ["direct_cpts", "direct_structure", "prescription", "renewal", "urgence", "protocole"])
def test_no_mode_asks_a_pdf_for_its_content(mode: str) -> None:
    assert codes({A + "mode": mode}) & {"ACC-016", "ACC-018", "ACC-024", "ACC-025", "ACC-033", "ACC-035"} == set()


def test_what_is_frozen_of_a_pdf() -> None:
    sound, breach = pdf({}), pdf({A + "department": "35"})
    found = check_access(breach, RulesSettings())  # type: ignore[arg-type]
    assert facts.of(sound).care.claimed == "direct_cpts"
    kept = facts.of(breach, found).care
    assert (kept.mode, kept.claimed, kept.structured) == ("direct_cpts", "non_etabli", False)


def test_a_pdf_that_declares_nothing() -> None:
    silent = pdf({"/access": None})
    assert check_access(silent, RulesSettings()) == []  # type: ignore[arg-type]
    assert rules.claimed_mode(silent, []) is None
    assert facts.of(silent).care.mode is None
