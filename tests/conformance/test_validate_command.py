"""`kine-gateway validate` with the official kit: what we render, in every wrapping, and what others wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.api import Gateway
from gateway.cli.app import app
from tests.unit.validate.mutations import MISSED, MUTATIONS, Mutation, mutate

CASES = Path(__file__).resolve().parents[2] / "fixtures" / "cases"


def validate(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    run = CliRunner().invoke(app, ["validate", *map(str, arguments), "--json"])
    return run.exit_code, json.loads(run.stdout)


def named(name: str) -> Mutation:
    return next(m for m in MUTATIONS + MISSED if m.name == name)


@pytest.mark.slow
def test_everything_that_render_writes_is_accepted(shared: Path, tmp_path: Path) -> None:
    folders = []
    for case in sorted(CASES.glob("*.json"))[:4]:
        folder = tmp_path / case.stem
        folder.mkdir()
        for name, data in Gateway.preview().render(case.read_bytes()).files.items():
            (folder / name).write_bytes(data)
        folders.append(folder)
    status, said = validate(*folders, *sorted((shared / "examples").glob("*.xml")), "--kit", shared / "kit")
    assert status == 0, said
    files = [Path(one["file"]).name for one in said["documents"]]
    assert files.count("document.cda.xml") == files.count("IHE_XDM.ZIP") == 4
    assert files.count("medecin_traitant.eml") >= 3
    assert all([judge["name"] for judge in one["judges"]] == ["preflight", "kit"] for one in said["documents"])


def test_each_judge_says_what_it_sees(shared: Path, tmp_path: Path) -> None:
    for name in ("r07-language", "entry-no-id", "ins-key"):
        (tmp_path / f"{name}.xml").write_bytes(mutate(named(name)))
    status, said = validate(tmp_path, "--kit", shared / "kit")
    assert status == 65
    verdicts = {
        Path(one["file"]).stem: [judge["ok"] for judge in one["judges"]] + [one["ok"]] for one in said["documents"]
    }
    assert verdicts == {
        "r07-language": [False, False, False],
        "entry-no-id": [True, False, False],
        "ins-key": [True, True, True],  # a test matricule: a warning
    }
    [finding] = [f for one in said["documents"] if "r07" in one["file"] for f in one["judges"][1]["findings"]]
    assert (finding["judge"], finding["suite"], finding["line"] > 0) == ("kit", "structmin", True)
    assert finding["rule"]
    assert "fr-FR" in finding["advice"]
    assert "languageCode" in finding["message"]


def test_files_without_a_cda_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"resourceType": "Bundle"}')
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "c.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    status, said = validate(*sorted(tmp_path.iterdir()))
    assert status == 65
    codes = [[f["code"] for f in one["findings"]] for one in said["documents"]]
    assert codes[0] == ["VAL-001"]
    assert codes[1][-1] == codes[2][-1] == "VAL-002"
