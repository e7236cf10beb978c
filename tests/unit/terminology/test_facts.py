"""No code stands in mappings/ that the reference facts do not verify, and nothing of the catalogue is lost."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway import terminology
from gateway.terminology import Code, MeasureDef

LOINC = "2.16.840.1.113883.6.1"
SNOMED = "2.16.840.1.113883.6.96"
TERMS = terminology.load()
# Broader than the six-minute test, says the catalogue's own note: not sent.
BROADER = {"six_mwt": "165263003"}


@pytest.fixture(scope="module")
def catalogue(shared: Path) -> dict[str, dict[str, Any]]:
    rows = json.loads((shared / "spec" / "measures.json").read_text(encoding="utf-8"))
    return {row["code"]: row for row in rows}


@pytest.fixture(scope="module")
def published(shared: Path) -> list[dict[str, str]]:
    text = (shared / "terminology" / "value-sets.tsv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = (Path(__file__).resolve().parents[3] / "mappings" / name).read_text(encoding="utf-8")
    return iter(csv.DictReader(text.splitlines()))


OWN = {"sppb_balance", "sppb_gait", "sppb_chair"}
"""Parts of a score that the reference catalogue has in sum only: local codes and text, never a code of others."""


def _catalogued() -> list[MeasureDef]:
    return [measure for measure in TERMS.measures() if measure.code not in OWN]


def _codes(measure: MeasureDef) -> set[str]:
    return {code.code for code in (*measure.fhir, *([measure.cda] if measure.cda else []), *measure.by_site.values())}


def _verified(row: dict[str, Any]) -> set[str]:
    """Codes that a row of the catalogue verifies: its own columns, and what its note calls verified."""
    found = set()
    if row["loinc_status"] == "verified" and row["loinc"]:
        found.add(row["loinc"])
    if row["snomed_status"] == "verified" and row["snomed"]:
        found.add(row["snomed"])
    found.update(row.get("loinc_by_side", {}).values())
    note = row["note"]
    found.update(re.findall(r"\d{4,5}-\d", note.partition("verified:")[2].partition("secondary")[0]))
    # What the notes prescribe for one target.
    found.update(re.findall(r"(?:use|CDA) (\d{4,5}-\d)", note))
    found.update(re.findall(r"(\d{4,5}-\d) \+ context", note))
    return found


def test_the_catalogue_is_whole(catalogue: dict[str, dict[str, Any]]) -> None:
    assert len(catalogue) == 99
    assert {measure.code for measure in TERMS.measures()} == set(catalogue) | OWN


def test_measures_of_our_own_carry_no_code_of_others() -> None:
    for code in OWN:
        measure = TERMS.measure(code)
        assert measure is not None
        assert _codes(measure) == set(), code


def test_labels_units_ranges_and_senses_are_the_catalogues(catalogue: dict[str, dict[str, Any]]) -> None:
    for measure in _catalogued():
        row = catalogue[measure.code]
        bounds = [None if row[name] is None else Decimal(str(row[name])) for name in ("min", "max")]
        assert measure.label == row["label_fr"]
        assert measure.group == row["group"]
        assert measure.input_unit == row["ucum"]
        assert measure.ucum == (None if row["ucum"] == "code" else row["ucum"])
        assert [measure.minimum, measure.maximum] == bounds
        assert measure.better == row["better"]


def test_no_measure_carries_an_unverified_code(catalogue: dict[str, dict[str, Any]]) -> None:
    for measure in _catalogued():
        assert _codes(measure) <= _verified(catalogue[measure.code]), measure.code


def test_every_verified_code_is_used(catalogue: dict[str, dict[str, Any]]) -> None:
    for code, row in catalogue.items():
        measure = TERMS.measure(code)
        assert measure is not None
        own = {row["loinc"]} if row["loinc_status"] == "verified" and row["loinc"] else set()
        own |= {row["snomed"]} if row["snomed_status"] == "verified" and row["snomed"] else set()
        own |= set(row.get("loinc_by_side", {}).values())
        assert own - {BROADER.get(code)} <= _codes(measure), code


def test_answers_are_those_of_the_notes(catalogue: dict[str, dict[str, Any]]) -> None:
    for row in _rows("answers.csv"):
        if row["code"]:
            assert re.search(rf"\b{row['code']}\b", catalogue[row["measure"]]["note"]), row


def test_value_sets_are_as_published(published: list[dict[str, str]]) -> None:
    known = {(row["oid"], row["code"], row["code_system"]): row["display"] for row in published}
    rows = list(_rows("value_sets.csv"))
    assert len(rows) > 600
    for row in rows:
        assert known[row["source_oid"], row["code"], row["system"]] == row["display"]


def test_body_sites_are_as_published(published: list[dict[str, str]]) -> None:
    known = {row["code"]: row["display"] for row in published if row["value_set"] == "JDV_LocalisationAnatomique"}
    for row in _rows("sites.csv"):
        assert known[row["code"]] == row["display"]


def test_icd10_codes_and_verified_icf_items_are_those_of_the_page(shared: Path) -> None:
    page = (shared / "spec" / "kine.md").read_text(encoding="utf-8")
    icd = page.partition("### 3.5")[2].partition("## 4")[0]
    verified, _, recalled = page.partition("### 3.4")[2].partition("### 3.5")[0].partition("\nR: ")
    for row in _rows("icd10.csv"):
        assert _listed(row["code"], icd), row["code"]
    for row in _rows("icf.csv"):
        text = verified if row["verified"] == "yes" else recalled
        assert re.search(rf"\b{row['code']}\b", text), row["code"]


def _listed(code: str, text: str) -> bool:
    """`J44.0/.1/.9` lists three codes."""
    head, _, tail = code.partition(".")
    return bool(re.search(rf"\b{re.escape(code)}\b", text) or re.search(rf"\b{head}\.\d(/\.\d)*/\.{tail}\b", text))


def test_sections_stand_in_the_table_of_building_blocks(shared: Path) -> None:
    table = (shared / "spec" / "cda.md").read_text(encoding="utf-8").partition("## 6.")[2].partition("Entries (")[0]
    short = {"PCC.": "1.3.6.1.4.1.19376.1.5.3.1.", "CCD.": "2.16.840.1.113883.10.20.1.", "S.": "1.2.250.1.213.1.1.2."}
    full = re.sub(r"\b(PCC\.|CCD\.|S\.)(?=\d)", lambda match: short[match[1]], table)
    for keys in TERMS.order.values():
        for key in keys:
            section = TERMS.section(key)
            row = next(line for line in full.splitlines() if section.code.code in line)
            templates = (*section.cda_templates, *section.cda_templates_uncoded)
            assert all(template in full for template in templates), key
            assert section.cda_templates[-1] in row or section.code.code == "47420-5", key


def test_documents_have_codes_of_the_value_set(published: list[dict[str, str]]) -> None:
    types = {row["code"]: row["display"] for row in published if row["value_set"] == "JDV_J07_XdsTypeCode"}
    assert TERMS.document("assessment").type == Code("47420-5", LOINC, types["47420-5"])
    assert TERMS.document("treatment_summary").type == Code("11506-3", LOINC, types["11506-3"])
    assert TERMS.value("J01", "G15_70").display == "Masseur-Kinésithérapeute"
