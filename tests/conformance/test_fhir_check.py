"""Every document of every fixture, in every release of FR Core: R4, FR Core profiles, ANS document rules, no error."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway import terminology
from gateway.render.fhir import render
from tests.conftest import NODE_DIR
from tests.fixture_documents import PATHS, document
from tests.unit import render_samples

FhirCheck = Callable[..., list[dict[str, Any]]]
EXPLAINED = (
    # FR Core names its own type for the INS, outside HL7's list, which R4 binds as extensible: the profile asks for it.
    '"INS-NIR-TEST"]] is not in http://hl7.org/fhir/ValueSet/identifier-type (extensible)',
)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_fixture_documents(fhircheck: FhirCheck, path: Path) -> None:
    bundle = render(document(path), terminology.load())
    assert fhircheck(bundle, "--ans-strict") == []


@pytest.mark.parametrize("release", ["2.1", "2.2-ballot"])
def test_releases(fhircheck: FhirCheck, release: str) -> None:
    assert fhircheck(render(document(PATHS[0]), terminology.load(), release), "--ans-strict") == []


@pytest.mark.parametrize("make", [render_samples.assessment, render_samples.summary], ids=["assessment", "summary"])
def test_documents_that_use_everything(fhircheck: FhirCheck, make: Callable[[], Any]) -> None:
    assert fhircheck(render(make(), terminology.load()), "--ans-strict") == []


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


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_warning_is_explained(
    shared: Path, needs: Callable[..., None], tmp_path: Path, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs("node", "npm-packages")
    file = tmp_path / "bundle.json"
    file.write_bytes(render(document(path), terminology.load()))
    command = ["node", str(shared / "tools" / "fhircheck.mjs"), str(file), "--json", "--ans"]
    run = subprocess.run(command, cwd=NODE_DIR, capture_output=True, text=True, timeout=100, check=False)
    found = [issue for issue in json.loads(run.stdout)["issues"] if issue["severity"] == "warning"]
    for issue in found:
        print(f"{path.stem}: [{issue['rule']}] {issue['path']}: {issue['message']}")
    assert [issue for issue in found if not any(text in issue["message"] for text in EXPLAINED)] == []
