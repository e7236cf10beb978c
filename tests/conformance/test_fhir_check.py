"""Every document of every fixture, in every release of FR Core: R4, FR Core profiles, ANS document rules, no error."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway import terminology
from gateway.read.fhir import read
from gateway.render.fhir import render
from tests.conformance.test_cda_random import Draw
from tests.conftest import NODE_DIR
from tests.unit import render_samples
from tests.unit.fixture_cases import NAMES, prepared

FhirCheck = Callable[..., list[dict[str, Any]]]
EXPLAINED = (
    # FR Core names its own type for the INS, outside HL7's list, which R4 binds as extensible: the profile asks for it.
    '"INS-NIR-TEST"]] is not in http://hl7.org/fhir/ValueSet/identifier-type (extensible)',
)


@pytest.mark.parametrize("name", NAMES)
def test_fixture_documents(shared: Path, needs: Callable[..., None], tmp_path: Path, name: str) -> None:
    """No error at all, and no warning but those explained above."""
    needs("node", "npm-packages")
    file = tmp_path / "bundle.json"
    file.write_bytes(prepared(name).renderings["fhir"])
    command = ["node", str(shared / "tools" / "fhircheck.mjs"), str(file), "--json", "--ans-strict"]
    run = subprocess.run(command, cwd=NODE_DIR, capture_output=True, text=True, timeout=100, check=False)
    found = [issue for issue in json.loads(run.stdout)["issues"] if issue["severity"] != "information"]
    for issue in found:
        print(f"{name}: {issue['severity']} [{issue['rule']}] {issue['path']}: {issue['message']}")
    unexplained = [issue for issue in found if not any(text in issue["message"] for text in EXPLAINED)]
    assert unexplained == []
    assert run.returncode == 0


@pytest.mark.parametrize("release", ["2.1", "2.2-ballot", "2.2"])
def test_releases(fhircheck: FhirCheck, release: str) -> None:
    assert fhircheck(render(prepared(NAMES[0]).document, terminology.load(), release), "--ans-strict") == []


@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_model_can_say(fhircheck: FhirCheck, seed: int) -> None:
    assert fhircheck(render(Draw(seed).document(), terminology.load()), "--ans-strict") == []


@pytest.mark.parametrize("make", [render_samples.assessment, render_samples.summary], ids=["assessment", "summary"])
def test_documents_that_use_everything(fhircheck: FhirCheck, make: Callable[[], Any]) -> None:
    assert fhircheck(render(make(), terminology.load()), "--ans-strict") == []


@pytest.mark.parametrize("name", NAMES)
def test_with_the_pdf_and_the_draft_profiles(fhircheck: FhirCheck, name: str) -> None:
    """The two settings that add something: no error, and the document still reads back whole."""
    made = prepared(name)
    terms, pdf = terminology.load(), made.renderings["pdf"]
    bundle = render(made.document, terms, pdf=pdf, document_core=True)
    assert fhircheck(bundle, "--ans-strict") == []
    reading = read(bundle, terms)
    assert reading.document == read(made.renderings["fhir"], terms).document
    assert [(one.media_type, one.data) for one in reading.attachments] == [("application/pdf", pdf)]


def test_without_ins(fhircheck: FhirCheck) -> None:
    from dataclasses import replace

    made = render_samples.assessment()
    patient = replace(made.header.patient, ins=None, identity_status="VALI", birth_place_cog=None)
    bundle = render(replace(made, header=replace(made.header, patient=patient)), terminology.load())
    assert fhircheck(bundle, "--ans-strict") == []


def test_the_checker_sees_a_fault(fhircheck: FhirCheck) -> None:
    bundle = json.loads(render(render_samples.assessment(), terminology.load()))
    patient = next(x["resource"] for x in bundle["entry"] if x["resource"]["resourceType"] == "Patient")
    patient["name"][0]["given"].append("DEUXIEME")
    assert fhircheck(json.dumps(bundle).encode())
