"""Documents at level 1 and corrected versions, through the French suites, the FHIR checks and a PDF checker."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway import terminology
from gateway.api import Gateway
from gateway.document.model import DocumentRef
from gateway.records.level1 import parse_any
from gateway.render import cda, fhir, pdf
from gateway.validate import preflight
from gateway.validate.kit import Kit
from tests.unit.fixture_cases import NAMES, prepared
from tests.unit.level1.samples import archive

FhirCheck = Callable[..., list[dict[str, Any]]]
CASES = Path(__file__).resolve().parents[2] / "fixtures" / "cases"
TERMS = terminology.load()
FORMER = DocumentRef("2.25.329800735698586629295641978511506172918", 1)
EACH = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def kit(shared: Path) -> Kit:
    return Kit(shared / "kit")


def corrected(name: str) -> Any:
    document = prepared(name).document
    return replace(document, header=replace(document.header, version=2, replaces=FORMER))


def level1(name: str) -> bytes:
    """A fixture's metadata around the PDF of the same fixture."""
    value = json.loads((CASES / f"{name}.json").read_bytes())
    kind = value["document"]["kind"]
    value["format"] = "kine-gateway/level1/1"
    value["document"] = {"kind": kind, **{key: value["document"][key] for key in ("id", "date")}}
    return archive(value, prepared(name).renderings["pdf"])


PDFS = [name for name in NAMES if parse_any(level1(name))[0] is not None]


def test_enough_fixtures_make_a_level_1() -> None:
    assert len(PDFS) >= 10


@EACH
def test_a_corrected_version_passes_the_suites(kit: Kit, name: str) -> None:
    made = cda.render(corrected(name), TERMS)
    assert b'typeCode="RPLC"' in made
    assert [(one.code, one.message) for one in kit.check(made)] == []
    assert [one for one in preflight.check(made, TERMS) if one.severity == "error"] == []


@EACH
def test_a_corrected_version_passes_the_fhir_checks(fhircheck: FhirCheck, name: str) -> None:
    made = fhir.render(corrected(name), TERMS)
    assert json.loads(made)["entry"][0]["resource"]["relatesTo"][0]["code"] == "replaces"
    assert fhircheck(made, "--ans-strict") == []


def test_a_corrected_version_says_so_on_paper(preflight: Callable[[bytes], list[str]]) -> None:
    made = pdf.render(corrected(NAMES[0]), TERMS)
    assert preflight(made) == []
    import io

    import pypdf

    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made)).pages]
    assert all("annule et remplace la version 1" in page for page in pages)


@pytest.mark.parametrize("name", PDFS)
def test_level_1_passes_the_suites(kit: Kit, name: str) -> None:
    made = Gateway.preview().render(level1(name))
    assert made.report.ok
    assert [(one.code, one.message) for one in kit.check(made.files["document.cda.xml"])] == []


@pytest.mark.parametrize("name", PDFS)
def test_level_1_passes_the_fhir_checks(fhircheck: FhirCheck, name: str) -> None:
    assert fhircheck(Gateway.preview().render(level1(name)).files["document.fhir.json"], "--ans-strict") == []


@pytest.mark.parametrize("name", PDFS)
def test_a_pdf_of_the_right_patient_is_not_held(name: str) -> None:
    report = Gateway.preview().check(level1(name))
    assert [one.code for one in report.findings if one.code.startswith("PDF-")] == []
