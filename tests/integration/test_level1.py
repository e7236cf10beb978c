"""A PDF with its metadata, through the folder to the sandbox; what may be another patient's waits for a person."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway.api import Gateway
from gateway.identity.ins import key_of
from tests.integration.practice import ROOT, Practice, case, open_practice
from tests.unit.fixture_cases import prepared
from tests.unit.level1.samples import archive

BILAN = "01_entorse_cheville_bilan"
ACCOUNT = "cabinet-01"
DOCTOR = "helene.modele@medecin.mssante.example"


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, certificates=certificates)
    yield made
    made.box.close()


def vendor_pdf() -> bytes:
    """The PDF of the same patient, as another program might have made it."""
    return prepared(BILAN).renderings["pdf"]


def metadata(**changes: Any) -> dict[str, Any]:
    value = case(BILAN)
    value["format"] = "kine-gateway/level1/1"
    value["key"] = "pdf-1"
    value["document"] = {name: value["document"][name] for name in ("kind", "id", "date")}
    return value | changes


def states(status: dict[str, Any]) -> set[tuple[str, str | None]]:
    return {(one["transport"], one["reason"]) for one in status["deliveries"]}


def test_a_dropped_archive_arrives_everywhere(practice: Practice) -> None:
    practice.drop(archive(metadata(), vendor_pdf()), "martin", ACCOUNT, suffix=".zip")
    practice.run()
    status = practice.status(ACCOUNT, "martin")
    jsonschema.validate(status, json.loads((ROOT / "docs" / "schemas" / "status.json").read_bytes()))
    assert {one["transport"] for one in status["deliveries"]} == {"sent"}
    assert [mail.findings for mail in practice.box.mail.all_messages()] == [(), ()]
    [document] = practice.box.dmp.documents()
    assert b"nonXMLBody" in document.content
    message = message_from_bytes(practice.box.mail.messages(DOCTOR)[0].bytes, policy=policy.default)
    assert isinstance(message, EmailMessage)
    [pdf] = [part for part in message.iter_attachments() if part.get_content_type() == "application/pdf"]
    assert pdf.get_payload(decode=True) == vendor_pdf()
    # The same archive again is the same document; the same key with another PDF is refused.
    practice.drop(archive(metadata(), vendor_pdf()), "encore", ACCOUNT, suffix=".zip")
    practice.drop(archive(metadata(), vendor_pdf() + b"\n"), "autre", ACCOUNT, suffix=".zip")
    practice.run()
    assert practice.status(ACCOUNT, "encore")["document_id"] == status["document_id"]
    assert len(practice.box.mail.all_messages()) == 2
    assert (practice.outbox(ACCOUNT) / "rejected" / "autre.zip").exists()


def other_patient() -> dict[str, Any]:
    nir = "184072B033451"
    patient = case(BILAN)["patient"]
    patient.update(
        ins={"matricule": nir + key_of(nir), "oid": "1.2.250.1.213.1.4.10"},
        identifiers=[],
        birth_given=["ANGE"],
        first_birth_given="ANGE",
        used_given="Ange",
        sex="M",
        birth_date="1984-07-19",
        birth_place_cog="2B033",
    )
    return patient


def test_a_pdf_that_does_not_name_the_patient_waits_for_a_person(practice: Practice) -> None:
    patient = other_patient() | {"birth_family": "DURAND", "used_family": "Durand"}
    practice.drop(archive(metadata(patient=patient), vendor_pdf()), "durand", ACCOUNT, suffix=".zip")
    practice.drop(archive(metadata(patient=other_patient(), key="pdf-2"), vendor_pdf()), "ange", ACCOUNT, suffix=".zip")
    practice.run()
    assert states(practice.status(ACCOUNT, "durand")) <= {("held", "PDF-NO-NAME"), ("held", "PDF-OTHER-PATIENT")}
    # The same family name, and the very same PDF: born on another day.
    assert states(practice.status(ACCOUNT, "ange")) <= {("held", "PDF-NO-BIRTH"), ("held", "PDF-OTHER-PATIENT")}
    assert practice.box.mail.all_messages() == []
    assert practice.box.dmp.documents() == []
    action = {"format": "kine-gateway/action/1", "action": "release", "by": "Mme Martin", "reason": "vérifié"}
    practice.drop(action, "durand", ACCOUNT, suffix=".action.json")
    practice.run()
    assert {one["transport"] for one in practice.status(ACCOUNT, "durand")["deliveries"]} == {"sent"}


def test_the_same_pdf_for_two_patients_is_held(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        gateway.submit(archive(metadata(), vendor_pdf()))
        value = archive(metadata(patient=other_patient(), key="pdf-2"), vendor_pdf())
        report = gateway.check(value)
        assert report.ok
        assert "PDF-OTHER-PATIENT" in {one.code for one in report.findings}
        held = gateway.status(gateway.submit(value).document_id)
    assert {(one.transport, one.reason) for one in held.deliveries} == {("held", "PDF-OTHER-PATIENT")}


def test_a_matricule_seen_with_other_traits_is_held(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        gateway.submit(json.dumps(case(BILAN)).encode())  # the traits of a structured document count too
        patient = case(BILAN)["patient"] | {"birth_date": "2001-03-15"}
        value = archive(metadata(patient=patient), vendor_pdf())
        assert "PDF-OTHER-TRAITS" in {one.code for one in gateway.check(value).findings}
        held = gateway.status(gateway.submit(value).document_id)
        assert {(one.transport, one.reason) for one in held.deliveries} == {("held", "PDF-OTHER-TRAITS")}


def test_no_trait_and_no_hash_of_a_pdf_is_stored_in_clear(practice: Practice) -> None:

    with Gateway.open(practice.config) as gateway:
        gateway.submit(archive(metadata(), vendor_pdf()))
    for path in practice.folder.glob("gateway.sqlite*"):
        content = path.read_bytes()
        assert b"LE GOFF" not in content
        assert b"legoff" not in content


def test_a_corrected_pdf_replaces_the_first(practice: Practice) -> None:
    practice.drop(archive(metadata(), vendor_pdf()), "martin", ACCOUNT, suffix=".zip")
    practice.run()
    second = prepared("01_entorse_cheville_compte_rendu").renderings["pdf"]
    practice.drop(archive(metadata(key="pdf-2", replaces="@previous"), second), "martin", ACCOUNT, suffix=".zip")
    practice.run()
    assert {one["transport"] for one in practice.status(ACCOUNT, "martin")["deliveries"]} == {"sent"}
    assert [mail.findings for mail in practice.box.mail.all_messages()] == [()] * 4
    found = sorted((one.cda_version, one.status) for one in practice.box.dmp.documents())
    assert found == [(1, "Deprecated"), (2, "Approved")]


def test_bad_archives_are_refused_one_by_one(practice: Practice) -> None:
    bad = {
        "vide": b"",
        "coupe": archive(metadata(), vendor_pdf())[:-200],
        "intrus": archive(metadata(), vendor_pdf(), virus__exe=b"MZ"),
        "html": archive(metadata(), b"<html>"),
        "champ": archive(metadata(surprise=1), vendor_pdf()),
        "geant": b"PK\x03\x04" + bytes(15_000_000),
    }
    for name, data in bad.items():
        practice.drop(data, name, ACCOUNT, suffix=".zip")
    for path in (practice.outbox(ACCOUNT) / "new").iterdir():
        os.utime(path, (1, 1))  # old enough not to be taken for a file still being written
    practice.drop(archive(metadata(), vendor_pdf()), "bon", ACCOUNT, suffix=".zip")
    practice.run()
    for name in bad:
        report = json.loads((practice.outbox(ACCOUNT) / "rejected" / f"{name}.report.json").read_bytes())
        jsonschema.validate(report, json.loads((ROOT / "docs" / "schemas" / "rejection.json").read_bytes()))
        assert report["findings"], name
    assert {one["transport"] for one in practice.status(ACCOUNT, "bon")["deliveries"]} == {"sent"}


def test_the_command_line_takes_the_archive(practice: Practice, tmp_path: Path) -> None:
    file, to = tmp_path / "bilan.zip", tmp_path / "rendu"
    file.write_bytes(archive(metadata(), vendor_pdf()))
    command = [str(Path(sys.executable).parent / "kine-gateway")]
    config = ["--config", str(practice.config), "--json"]
    for arguments in (["check", str(file)], ["render", str(file), "--to", str(to)], ["submit", str(file)]):
        run = subprocess.run([*command, *arguments, *config], capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stderr
    assert (to / "document.pdf").read_bytes() == vendor_pdf()
    assert {one["transport"] for one in json.loads(run.stdout)["deliveries"]} == {"prepared"}
