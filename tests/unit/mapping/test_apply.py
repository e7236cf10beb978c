"""Exports of two imaginary products become the submissions written beside; whatever cannot be carried is a finding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.api import Gateway
from gateway.errors import MappingError
from gateway.findings import Finding, Severity
from gateway.mapping import Mapped, VendorMapping, apply, load, names
from gateway.records.submission import parse

FOLDER = Path(__file__).resolve().parents[3] / "fixtures" / "vendors"
CSV = (FOLDER / "kinexemple-csv-3.csv").read_bytes()
XML = (FOLDER / "reeduc-fictif-xml-2.xml").read_bytes()
EXPORTS = {"kinexemple-csv-3": CSV, "reeduc-fictif-xml-2": XML}


def codes(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(f.code, f.severity.value, f.path) for f in findings]


def kinexemple(data: bytes) -> tuple[list[Mapped], list[Finding]]:
    return apply(data, load("kinexemple-csv-3"))


def changed(old: str, new: str, count: int = 1) -> bytes:
    text = CSV.decode("cp1252")
    assert old in text
    return text.replace(old, new, count).encode("cp1252")


def test_every_shipped_mapping_has_its_example() -> None:
    assert set(names()) == set(EXPORTS)


@pytest.mark.parametrize("name", EXPORTS)
def test_the_example_gives_the_submissions_written_beside(name: str) -> None:
    documents, findings = apply(EXPORTS[name], load(name))
    assert findings == []
    assert [codes(document.findings) for document in documents] == [[] for _ in documents]
    written = [json.loads(path.read_bytes()) for path in sorted((FOLDER / "expected").glob(f"{name}-*.json"))]
    assert [document.submission for document in documents] == written
    assert written


@pytest.mark.parametrize("name", EXPORTS)
def test_what_is_made_may_leave(name: str) -> None:
    for document in apply(EXPORTS[name], load(name))[0]:
        report = Gateway.preview().check(document.data())
        assert [f for f in report.findings if f.severity is Severity.ERROR] == []


def test_values_are_those_of_the_export() -> None:
    """Read by eye in the export, not taken from the output."""
    first, second = (json.loads(document.data()) for document in kinexemple(CSV)[0])
    assert first["patient"]["ins"] == {"matricule": "201032227890155", "oid": "1.2.250.1.213.1.4.10"}
    assert first["patient"]["birth_given"] == ["MAELYS", "ANNE"]
    assert first["document"]["date"] == "2025-10-06T09:30:00+02:00"
    assert second["document"]["date"] == "2026-01-12T14:00:00+01:00"
    assert second["patient"]["sex"] == "M"
    assert "ins" not in second["patient"]
    assert [(m["code"], m["value"], m["unit"]) for m in second["document"]["measures"]] == [
        ("pain_vas", "32", "mm"),
        ("rom_active_dorsiflexion", "10", "deg"),
        ("faam_adl", "71", "%"),
    ]
    assert len(first["document"]["measures"]) == 8
    [summary] = (json.loads(document.data()) for document in apply(XML, load("reeduc-fictif-xml-2"))[0])
    assert summary["patient"]["ins"]["matricule"] == "267079913990341"
    assert summary["patient"]["phone"] == "0600000003"
    assert summary["document"]["initial_date"] == "2025-10-20T08:30:00+02:00"
    assert [m["value"] for m in summary["document"]["initial_measures"]] == ["6", "42", "95", "68.2"]


def test_an_unknown_measure_blocks_and_is_named_by_row_and_column_only() -> None:
    [first, second], findings = kinexemple(changed(";PERIM;", ";PERIM_BRAS_MARTIN;"))
    assert findings == []
    assert codes(first.findings) == [("MAP-101", "error", "/ligne/6/MESURE"), ("MAP-108", "error", "/ligne/6")]
    assert not first.ok
    assert second.ok
    assert not any("MARTIN" in f.message + f.path + f.advice for f in first.findings)
    assert len(first.submission["document"]["measures"]) == 7


@pytest.mark.parametrize(
    ("old", "new", "code", "column"),
    [
        (";14/03/2001;", ";14-03-2001;", "MAP-102", "NE_LE"),
        (";F;14/03", ";Z;14/03", "MAP-101", "SEXE"),
        (";AD-CPTS;", ";AD-AUTRE;", "MAP-101", "ACCES"),
        (";99700001011;Testou", ";99700009999;Testou", "MAP-101", "RPPS_KINE"),
        (";6;Mobilisations actives|Travail", ";six;Mobilisations actives|Travail", "MAP-102", "SEANCES"),
    ],
)
def test_a_value_that_cannot_be_carried_blocks(old: str, new: str, code: str, column: str) -> None:
    first = kinexemple(changed(old, new, 99))[0][0]
    assert (code, "error", f"/ligne/2/{column}") in codes(first.findings)


def test_a_policy_may_let_go_with_a_warning() -> None:
    first = kinexemple(changed(";06 00 00 00 01;", ";demander;", 99))[0][0]
    assert codes(first.findings) == [("MAP-102", "warning", "/ligne/2/MOBILE")]
    assert first.ok
    assert "phone" not in first.submission["patient"]


def test_rows_of_one_document_that_disagree_block() -> None:
    first = kinexemple(changed("Le Goff-Essai;Maëlys, Anne", "Autre-Essai;Maëlys, Anne"))[0][0]
    assert codes(first.findings) == [("MAP-104", "error", "/ligne/3/NOM_NAISSANCE")]


def test_a_column_that_nobody_takes_is_said_once() -> None:
    lines = CSV.decode("cp1252").split("\r\n")
    data = "\r\n".join([f"{lines[0]};NOTE", *(f"{line};à voir" for line in lines[1:-1]), ""]).encode("cp1252")
    documents, findings = kinexemple(data)
    assert codes(findings) == [("MAP-103", "warning", "/NOTE")]
    assert "11 valeur" in findings[0].message
    assert all(document.ok for document in documents)


def test_an_element_that_nobody_takes_is_said() -> None:
    data = XML.replace(b"<motif>", b"<note urgent='oui'>x</note><motif>")
    documents, findings = apply(data, load("reeduc-fictif-xml-2"))
    assert codes(findings) == [
        ("MAP-103", "warning", "/patient/compteRendu/note"),
        ("MAP-103", "warning", "/patient/compteRendu/note/@urgent"),
    ]
    assert documents[0].ok


def test_an_intermediate_assessment_that_no_list_takes_is_said() -> None:
    data = XML.replace(
        b"<evolution>", b"<bilan moment='milieu' date='202511151000'><mesure code='grip'>20</mesure></bilan><evolution>"
    )
    findings = apply(data, load("reeduc-fictif-xml-2"))[1]
    assert ("MAP-103", "warning", "/patient/compteRendu/bilan/mesure") in codes(findings)


def test_a_missing_column_a_torn_row_and_a_missing_value() -> None:
    assert codes(kinexemple(changed(";NE_LE;", ";NAISSANCE;"))[1])[0] == ("MAP-105", "error", "/NE_LE")
    lines = CSV.decode("cp1252").split("\r\n")
    torn = "\r\n".join([lines[0], lines[1] + ";de trop", *lines[2:]]).encode("cp1252")
    assert codes(kinexemple(torn)[1]) == [("MAP-106", "error", "/ligne/2")]
    first = kinexemple(changed(";Torsion de cheville droite au handball il y a 48 h;", ";;", 99))[0][0]
    assert codes(first.findings) == [("MAP-109", "error", "/ligne/2/MOTIF")]


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("kinexemple-csv-3", b"", "MAP-105"),
        ("kinexemple-csv-3", CSV.split(b"\r\n")[0], "MAP-107"),
        ("kinexemple-csv-3", b'"a', "MAP-100"),
        ("kinexemple-csv-3", b"\x81\x8d", "MAP-100"),
        ("reeduc-fictif-xml-2", b"", "MAP-100"),
        ("reeduc-fictif-xml-2", b"<export/>", "MAP-107"),
        ("reeduc-fictif-xml-2", b'<!DOCTYPE a [<!ENTITY x "y">]><export>&x;</export>', "MAP-100"),
    ],
)
def test_what_is_no_export(name: str, data: bytes, code: str) -> None:
    documents, findings = apply(data, load(name))
    assert documents == []
    assert code in [f.code for f in findings]


def test_json_exports_too() -> None:
    mapping = VendorMapping.model_validate(
        {
            "format": "kine-gateway/vendor-mapping/1",
            "name": "essai-json",
            "title": "Essai",
            "version": "1",
            "source": {"kind": "json", "record": "/bilans", "ignore": ["bilans/couleur"]},
            "rule": [
                {"to": "/document/id", "from": "/numero", "required": True},
                {"to": "/document/plan/techniques", "from": "/soins", "many": True},
            ],
            "each": [
                {
                    "to": "/document/measures",
                    "path": "/mesures",
                    "when": {"field": "/fait", "in": ["true"]},
                    "rule": [{"to": "/value", "from": "/v", "convert": ["number", "unit:cm->mm"]}],
                }
            ],
        }
    )
    value: dict[str, Any] = {
        "bilans": [
            {
                "numero": 12,
                "couleur": "bleu",
                "soins": ["a", "b"],
                "mesures": [{"v": 5.50, "fait": True}, {"v": 1, "fait": False}, {"v": "haut", "fait": True}],
                "reste": {"x": None, "y": "z"},
            }
        ]
    }
    [document], findings = apply(json.dumps(value).encode(), mapping)
    assert document.submission["document"] == {
        "id": "12",
        "plan": {"techniques": ["a", "b"]},
        "measures": [{"value": "55"}],
    }
    assert codes(document.findings) == [
        ("MAP-102", "error", "/bilans/0/mesures/2/v"),
        ("MAP-108", "error", "/bilans/0/mesures/2"),
    ]
    assert codes(findings) == [("MAP-103", "warning", "/bilans/mesures/v"), ("MAP-103", "warning", "/bilans/reste/y")]


def test_findings_of_the_submission_come_after(tmp_path: Path) -> None:
    first = kinexemple(changed(";S93.4;", ";CECI EST FAUX !;", 99))[0][0]
    assert first.ok
    assert [f.path for f in parse(first.data())[1]] == ["/document/problems/0/code/code"]


GOOD = """format = "kine-gateway/vendor-mapping/1"
name = "x"
title = "X"
version = "1"
[source]
kind = "csv"
group_by = ["A"]
[[rule]]
to = "/key"
from = "A"
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("vendor-mapping/1", "vendor-mapping/9"),
        ('from = "A"', ""),
        ('from = "A"', 'from = "A"\nconstant = "b"'),
        ('from = "A"', 'from = "A"\nconvert = ["eval:1"]'),
        ('from = "A"', 'from = "A"\nconvert = ["date"]'),
        ('from = "A"', 'from = "A"\nconvert = ["upper:x"]'),
        ('from = "A"', 'from = "A"\nconvert = ["unit:pouce->mm"]'),
        ('from = "A"', 'from = "A"\nconvert = ["lookup:absente"]'),
        ('from = "A"', 'from = "A"\nunknown = 1'),
        ('"/key"', '"key"'),
        ('"/key"', '"/a/99999999"'),
        ('group_by = ["A"]', ""),
        ('from = "A"', 'from = "A"\n[[rule]]\nto = "/key/x"\nfrom = "A"'),
        ('from = "A"', 'from = "A"\n[[rule]]\nto = "/l/0"\nfrom = "A"\n[[rule]]\nto = "/l/x"\nfrom = "A"'),
        ('from = "A"', 'from = "A"\n[tables.t]\nfile = "absent.csv"'),
        ('title = "X"', "title = "),
    ],
)
def test_a_mapping_file_that_cannot_work_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert load(str(path)).name == "x"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(MappingError) as refused:
        load(str(path))
    assert refused.value.code == "MAP-110"


@pytest.mark.parametrize("name", ["inconnu", "../manifest", "A B"])
def test_an_unknown_name(name: str) -> None:
    with pytest.raises(MappingError) as refused:
        load(name)
    assert refused.value.code == "MAP-111"
