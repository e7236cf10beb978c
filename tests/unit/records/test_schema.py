from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway import wording
from gateway.findings import error
from gateway.records import reports
from gateway.records.schema import DIALECT, MODELS, main, named, text_of
from gateway.sidecar.actions import Action
from tests.unit.submission_samples import assessment, put, read, summary

PUBLISHED = {**MODELS, "action": Action}


@pytest.fixture(scope="module")
def folder(root: Path) -> Path:
    return root / "docs" / "schemas"


def validator(folder: Path, name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_the_committed_schema_is_what_the_models_say(folder: Path, name: str) -> None:
    committed = (folder / f"{name}.json").read_text(encoding="utf-8")
    advice = "python -m gateway.records.schema docs/schemas action=gateway.sidecar.actions:Action"
    assert committed == text_of(name, PUBLISHED[name]), f"rewrite it: {advice}"


def test_nothing_else_is_published(folder: Path) -> None:
    assert {path.stem for path in folder.glob("*.json")} == set(PUBLISHED)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_each_schema_is_a_schema(folder: Path, name: str) -> None:
    schema = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    assert schema["$schema"] == DIALECT
    assert schema["$id"] == f"urn:kine-gateway:schema:{name}:1"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_sound_submissions_are_valid(folder: Path) -> None:
    for value in (assessment(), summary()):
        assert list(validator(folder, "submission").iter_errors(value)) == []


def test_fixture_cases_are_valid_and_readable(root: Path, folder: Path) -> None:
    cases = sorted((root / "fixtures" / "cases").glob("*.json"))
    assert cases
    for path in cases:
        value = json.loads(path.read_text(encoding="utf-8"))
        assert list(validator(folder, "submission").iter_errors(value)) == [], path.name
        assert read(value)[1] == [], path.name


@pytest.mark.parametrize(
    ("pointer", "bad"),
    [
        ("/patient/sex", "X"),
        ("/patient/birth_date", "14/03/2001"),
        ("/patient/birth_date", 20010314),
        ("/patient/unknown", 1),
        ("/document/kind", "letter"),
        ("/document/measures/0/value", "6,5"),
        ("/document/measures/0/value", True),
        ("/access/prior_diagnosis", "oui"),
        ("/access/episode/sessions_already_done", "6"),
        ("/author/rpps", "1"),
        ("/document/reason", ...),
    ],
)
def test_the_schema_refuses_what_the_parser_refuses(folder: Path, pointer: str, bad: Any) -> None:
    value = put(assessment(), pointer, bad)
    assert not validator(folder, "submission").is_valid(value)
    assert read(value)[0] is None


def test_findings_have_the_published_shape(folder: Path) -> None:
    _, findings = read(put(assessment(), "/patient/sex", "X"))
    for finding in [*findings, error("DST-NO-MT", "", "x")]:
        assert list(validator(folder, "finding").iter_errors(finding.as_dict())) == []


def test_the_states_of_a_delivery_are_those_that_have_words() -> None:
    assert set(reports.TransportName.__args__) == set(wording.words()["transport"])  # type: ignore[attr-defined]
    assert set(reports.ReceiptName.__args__) == set(wording.words()["receipt"])  # type: ignore[attr-defined]
    assert set(reports.DestinationName.__args__) == set(wording.words()["destination"])  # type: ignore[attr-defined]


def test_the_command_writes_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "new"), "action=gateway.sidecar.actions:Action"]) == 0
    assert {path.stem for path in (tmp_path / "new").iterdir()} == set(PUBLISHED)
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_module_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway.records.schema", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert (tmp_path / "submission.json").is_file()


def test_a_model_is_named_by_module_and_class() -> None:
    assert named("action=gateway.sidecar.actions:Action") == ("action", Action)
    with pytest.raises(ImportError):
        named("x=gateway.nowhere:Model")
