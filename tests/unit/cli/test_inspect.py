"""`inspect` shows every kind of file, says what it did not read, and never obeys what a file says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from tests.unit.fixture_cases import NAMES, prepared

RUN = CliRunner()
BILAN = prepared(NAMES[0])


def shown(data: bytes, folder: Path, *options: str) -> tuple[int, str]:
    path = folder / "fichier"  # no extension: the content decides
    path.write_bytes(data)
    done = RUN.invoke(app, ["inspect", str(path), *options])
    return done.exit_code, done.stdout


@pytest.mark.parametrize("kind", ["cda", "fhir", "xdm"])
def test_a_document_of_ours_is_shown_whole(kind: str, tmp_path: Path) -> None:
    status, text = shown(BILAN.renderings[kind], tmp_path)
    assert status == 0
    header = BILAN.document.header
    assert header.title in text
    assert header.patient.birth_family in text
    for section in BILAN.document.walk():
        assert f"{section.title} ({section.code.code})" in text
    for word in ("problème", "objectif", "acte prévu", "douleur", "mesure", "score", "constat"):
        assert word in text


def test_codes_are_those_of_the_file(tmp_path: Path) -> None:
    assert "(38208-5)" in shown(BILAN.renderings["cda"], tmp_path)[1]
    assert "Douleur, échelle numérique (72514-3)" in shown(BILAN.renderings["fhir"], tmp_path)[1]


def test_brief_leaves_the_narrative_out(tmp_path: Path) -> None:
    whole, brief = shown(BILAN.renderings["cda"], tmp_path)[1], shown(BILAN.renderings["cda"], tmp_path, "--brief")[1]
    assert "Statut du masseur-kinésithérapeute" in whole
    assert "Statut du masseur-kinésithérapeute" not in brief


def test_json_holds_everything(tmp_path: Path) -> None:
    status, text = shown(BILAN.renderings["cda"], tmp_path, "--json")
    assert status == 0
    [[_name, reading]] = json.loads(text)["readings"]
    document = reading["document"]
    assert document["header"]["kind"] == "assessment"
    assert len(document["sections"]) == len(BILAN.document.sections)
    entries = [entry for section in document["sections"] for entry in section["entries"]]
    assert {"StatementEntry", "ProblemEntry", "MeasureEntry"} <= {entry["class"] for entry in entries}


def test_a_file_that_is_nothing_fails(tmp_path: Path) -> None:
    status, text = shown(b"%PDF-1.7", tmp_path)
    assert status == 65
    assert "RDB-008" in text


def test_what_was_not_said_is_null_in_json_and_absent_in_tables(tmp_path: Path) -> None:
    status, text = shown(b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>', tmp_path, "--json")
    assert status == 65
    [[_name, reading]] = json.loads(text)["readings"]
    assert reading["document"]["header"]["effective_time"] is None
    assert "0001" not in shown(b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>', tmp_path)[1]


def test_a_terminal_never_obeys_a_file(tmp_path: Path) -> None:
    bundle = json.loads(BILAN.renderings["fhir"])
    bundle["entry"][0]["resource"]["title"] = "\u001b]0;pris\u0007\u009b31m\u202etitre"
    _status, text = shown(json.dumps(bundle).encode(), tmp_path)
    assert "titre" in text
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)


def test_a_mail_is_shown(tmp_path: Path) -> None:
    package = next(d.package for d in BILAN.deliveries if d.package is not None and d.route.channel == "mssante")
    status, text = shown(package.parts[0].data, tmp_path)
    assert status == 0
    assert "X-MSS-CODECDA" in text
    assert "METADATA.XML" in text
    assert BILAN.document.header.title in text


@pytest.mark.parametrize("kind", ["cda", "fhir"])
def test_targets_and_reasons_are_shown(kind: str, tmp_path: Path) -> None:
    text = shown(prepared("17_genou_complet_bilan").renderings[kind], tmp_path)[1]
    assert "cible : Flexion active (genou, côté droit) (41347-6) >= 130 deg" in text
    assert text.count("non mesuré : oxymètre indisponible") == 2  # in the narrative and as an entry
