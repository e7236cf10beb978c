"""`kine-gateway mapping`: list, show, try, diff."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway import resources
from gateway.cli.app import app
from gateway.errors import MappingError

EXPORTS = Path(__file__).resolve().parents[3] / "fixtures" / "vendors"


def run(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["mapping", *map(str, arguments)])
    if isinstance(done.exception, MappingError):
        raise done.exception
    return done.exit_code, done.stdout


def said(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    status, text = run(*arguments, "--json")
    return status, json.loads(text)


def test_list_says_where_each_comes_from() -> None:
    _, value = said("list")
    rows = {row["name"]: row for row in value["mappings"]}
    assert {"kinexemple-csv-3", "reeduc-fictif-xml-2", "ConceptMap-measures"} <= set(rows)
    assert all(row["version"] and row["source"] and row["licence"] for row in rows.values())
    file = resources.data_path("mappings", "vendors", "kinexemple-csv-3.toml")
    assert rows["kinexemple-csv-3"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert value["altered"] == []
    assert "imaginaire" in run("list")[1]


def test_show() -> None:
    text = run("show", "kinexemple-csv-3")[1]
    assert "/patient/birth_date" in text
    assert "date:%d/%m/%Y" in text
    assert "pain_vas" in text
    assert "38214-3" in run("show", "ConceptMap-measures")[1]
    assert said("show", "CodeSystem-kine-gateway")[1]["resourceType"] == "CodeSystem"
    assert said("show", "reeduc-fictif-xml-2")[1]["source"]["kind"] == "xml"
    with pytest.raises(MappingError):
        run("show", "inconnu")


def test_try_writes_what_may_be_submitted(tmp_path: Path) -> None:
    export = EXPORTS / "kinexemple-csv-3.csv"
    status, value = said("try", "kinexemple-csv-3", export, "--to", tmp_path, "--account", "autre-compte")
    assert status == 0
    assert value["written"] == ["saisie-001.json", "saisie-002.json"]
    written = json.loads((tmp_path / "saisie-001.json").read_bytes())
    assert written["account"] == "autre-compte"
    assert run("try", "kinexemple-csv-3", export)[0] == 0


def test_try_writes_only_what_is_whole(tmp_path: Path) -> None:
    export = tmp_path / "export.csv"
    good = (EXPORTS / "kinexemple-csv-3.csv").read_bytes()
    export.write_bytes(good.replace(b";PERIM;", b";INCONNUE;"))
    status, value = said("try", "kinexemple-csv-3", export, "--to", tmp_path / "to")
    assert status == 65
    assert value["written"] == ["saisie-002.json"]
    assert "MAP-101" in run("try", "kinexemple-csv-3", export)[1]
    export.write_bytes(good + b"torn;row\r\n")
    status, value = said("try", "kinexemple-csv-3", export, "--to", tmp_path / "none")
    assert (status, value["written"]) == (65, [])


def test_diff_of_a_table_and_of_the_pack(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(resources.data_path("mappings"), pack)
    assert said("diff", "pack", pack)[1] == {"changes": []}
    vendor = pack / "vendors" / "kinexemple-csv-3.toml"
    text = vendor.read_text(encoding="utf-8")
    vendor.write_text(text.replace('D = "droite"\n', ""), encoding="utf-8")
    added = {
        "kind": "added",
        "file": "vendors/kinexemple-csv-3.toml",
        "row": "/tables/cotes/D",
        "before": "",
        "after": '"droite"',
    }
    assert said("diff", "pack", pack)[1] == {"changes": [added]}
    assert [c["row"] for c in said("diff", "kinexemple-csv-3", vendor)[1]["changes"]] == ["/tables/cotes/D"]
    assert [c["row"] for c in said("diff", "kinexemple-csv-3", pack)[1]["changes"]] == ["/tables/cotes/D"]
    assert said("diff", "measures.csv", pack)[1] == {"changes": []}
    assert "1 différence" in run("diff", "pack", pack)[1]
