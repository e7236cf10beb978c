"""Files go in, documents arrive: the sidecar against the sandbox, with inputs good, odd and broken."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway.identity.ins import key_of
from tests.integration.practice import ROOT, Practice, case, open_practice

BILAN = "01_entorse_cheville_bilan"
ACCOUNT = "cabinet-01"


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, certificates=certificates)
    yield made
    made.box.close()


def schema(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((ROOT / "docs" / "schemas" / f"{name}.json").read_bytes())
    return value


def by_role(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {d["role"]: d for d in status["deliveries"]}


def changed_by_hand() -> dict[str, Any]:
    """Another patient, born in Haute-Corse (2B), with another measure: an input that no code was written for."""
    value = case(BILAN)
    nir = "184072B033451"
    value["key"] = "fait-main-1"
    value["patient"].update(
        ins={"matricule": nir + key_of(nir), "oid": "1.2.250.1.213.1.4.10"},
        birth_family="DE L'ÉPREUVE".replace("É", "E"),
        birth_given=["ANGE MARIE", "DOMINIQUE"],
        first_birth_given="ANGE MARIE",
        used_family="de L'Épreuve",
        used_given="Ange-Marie",
        sex="M",
        birth_date="1984-07-19",
        birth_place_cog="2B033",
        birth_place_name="Bastia",
    )
    value["document"]["id"] = "BDK-FAIT-MAIN"
    value["document"]["measures"].append({"code": "tug", "value": 11.4, "unit": "s"})
    return value


def test_a_changed_input_arrives_everywhere_with_what_it_says(practice: Practice) -> None:
    value = changed_by_hand()
    practice.drop(value, "corse", ACCOUNT)
    practice.run()
    status = practice.status(ACCOUNT, "corse")
    jsonschema.validate(status, schema("status"))
    assert {role: d["transport"] for role, d in by_role(status).items()} == {
        "medecin_traitant": "sent",
        "patient": "sent",
        "dmp": "sent",
    }
    matricule = value["patient"]["ins"]["matricule"]
    boxes = sorted(mail.rcpt for mail in practice.box.mail.all_messages())
    assert boxes == sorted(["helene.modele@medecin.mssante.example", f"{matricule}@patient.mssante.fr"])
    assert [mail.findings for mail in practice.box.mail.all_messages()] == [(), ()]
    [document] = practice.box.dmp.documents(matricule)
    assert b"2B033" in document.content
    assert b'value="11.4"' in document.content
    mail = message_from_bytes(practice.box.mail.all_messages()[0].bytes, policy=policy.default)
    assert "EPREUVE ANGE MARIE 19/07/1984" in mail["Subject"]
    assert mail["X-MSS-INS"] == "O"


def test_the_pdf_travels_inside_the_cda_when_wanted(practice: Practice) -> None:
    text = practice.config.read_text(encoding="utf-8") + "\n[cda]\nwith_pdf = true\n\n[fhir]\nwith_pdf = true\n"
    practice.config.write_text(text, encoding="utf-8")
    practice.drop(case(BILAN), "copie", ACCOUNT)
    practice.run()
    assert {d["transport"] for d in practice.status(ACCOUNT, "copie")["deliveries"]} == {"sent"}
    [document] = practice.box.dmp.documents()
    assert b"Copie du document" in document.content
    assert [mail.findings for mail in practice.box.mail.all_messages()] == [(), ()]


def test_a_file_dropped_twice_is_one_document(practice: Practice) -> None:
    value = case(BILAN)
    practice.drop(value, "un", ACCOUNT)
    practice.run()
    practice.drop(value, "deux", ACCOUNT)
    practice.run()
    assert practice.status(ACCOUNT, "un")["document_id"] == practice.status(ACCOUNT, "deux")["document_id"]
    assert len(practice.box.mail.all_messages()) == 2
    assert len(practice.box.dmp.documents()) == 1


def test_the_same_key_with_another_content_is_refused(practice: Practice) -> None:
    practice.drop(case(BILAN), "un", ACCOUNT)
    practice.run()
    other = case(BILAN)
    other["document"]["reason"] = "Autre motif"
    practice.drop(other, "deux", ACCOUNT)
    practice.run()
    report = json.loads((practice.outbox(ACCOUNT) / "rejected" / "deux.report.json").read_bytes())
    assert [f["path"] for f in report["findings"]] == ["/key"]


def test_a_likely_repeat_is_held_until_a_person_releases_it(practice: Practice) -> None:
    practice.drop(case(BILAN), "un", ACCOUNT)
    practice.run()
    again = case(BILAN)
    again["key"] = "autre-cle"
    again["document"]["reason"] = "Torsion de cheville droite, texte repris"
    practice.drop(again, "deux", ACCOUNT)
    practice.run()
    status = practice.status(ACCOUNT, "deux")
    assert {d["transport"] for d in status["deliveries"]} == {"held"}
    assert status["needs_person"] is True
    assert "deux" in (practice.outbox(ACCOUNT) / "A_FAIRE.html").read_text(encoding="utf-8")
    action = {"format": "kine-gateway/action/1", "action": "release", "by": "Mme Martin", "reason": "vraie correction"}
    practice.drop(action, "deux", ACCOUNT, suffix=".action.json")
    practice.run()
    assert {d["transport"] for d in practice.status(ACCOUNT, "deux")["deliveries"]} == {"sent"}


def test_what_cannot_go_electronically_is_printed_and_handed_over(practice: Practice) -> None:
    practice.drop(case("06_suivi_avc_bilan"), "avc", "cabinet-06")
    practice.run()
    printable = practice.outbox("cabinet-06") / "a_imprimer" / "avc.pdf"
    assert printable.read_bytes().startswith(b"%PDF-")
    action = {
        "format": "kine-gateway/action/1",
        "action": "handed_over",
        "by": "Mme Martin",
        "reason": "remis au patient",
        "means": "main_propre",
    }
    practice.drop({**action, "destination": "hand"}, "avc", "cabinet-06", suffix=".action.json")
    practice.drop({**action, "destination": "medecin_traitant"}, "avc2", "cabinet-06", suffix=".action.json")
    practice.run()
    roles = by_role(practice.status("cabinet-06", "avc"))
    assert roles["patient"]["transport"] == "handed_over"
    # An action whose name stands for no document is refused, not guessed.
    assert (practice.outbox("cabinet-06") / "rejected" / "avc2.action.json").exists()


Change = Callable[[dict[str, Any]], None]


def _set(*path: str | int, value: Any) -> Change:
    def change(target: dict[str, Any]) -> None:
        place: Any = target
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


BROKEN: list[tuple[str, Change, str, str]] = [
    ("unknown field", _set("surprise", value=1), "INP-003", "/surprise"),
    ("missing trait", _set("patient", "birth_family", value=None), "", "/patient/birth_family"),
    (
        "malformed matricule",
        _set("patient", "ins", "matricule", value="2010322278901"),
        "INS-001",
        "/patient/ins/matricule",
    ),
    (
        "two INS roots",
        _set("patient", "identifiers", value=[{"root": "1.2.250.1.213.1.4.8", "value": "201032227890155"}]),
        "INS-009",
        "/patient/identifiers/0/root",
    ),
    (
        "production INS in a test account",
        _set("patient", "ins", "oid", value="1.2.250.1.213.1.4.8"),
        "INS-008",
        "/patient/ins/oid",
    ),
    (
        "address outside the trust space",
        _set("recipients", 0, "mssante", value="helene.modele@gmail.example"),
        "DST-OUTSIDE",
        "/recipients/0/mssante",
    ),
    ("control character", _set("patient", "used_family", value="A\r\nBcc: x@y.z"), "INP-006", "/patient/used_family"),
    ("born tomorrow", _set("patient", "birth_date", value="2999-01-01"), "", "/patient/birth_date"),
    ("unknown account", _set("account", value="inconnu"), "CPT-001", "/account"),
    ("another author", _set("author", "rpps", value="99700001037"), "CPT-002", "/author/rpps"),
    ("absurd measure", _set("document", "measures", 0, "value", value=600), "", "/document/measures/0"),
    ("unknown measure", _set("document", "measures", 0, "code", value="vibes"), "", "/document/measures/0/code"),
]


def test_bad_files_are_refused_one_by_one_and_the_rest_goes_on(practice: Practice) -> None:
    for number, (_, change, _, _) in enumerate(BROKEN):
        value = copy.deepcopy(case(BILAN))
        value["key"] = f"broken-{number}"
        change(value)
        practice.drop(value, f"b{number:02}", ACCOUNT)
    practice.drop(b'{"format": "kine-gateway/submission/1", ', "malformed", ACCOUNT)
    practice.drop(b'{"a":' * 50_000, "deep", ACCOUNT)
    practice.drop(b"\xff\xfe" + '{"a":1}'.encode("utf-16-le"), "utf16", ACCOUNT)
    practice.drop(b"x" * 6_000_000, "oversize", ACCOUNT)
    practice.drop(b"%PDF-1.4", "vendor", ACCOUNT, suffix=".pdf")
    for path in (practice.outbox(ACCOUNT) / "new").iterdir():
        os.utime(path, (1, 1))  # old enough not to be taken for a file still being written
    practice.drop(case(BILAN), "good", ACCOUNT)
    practice.run()
    rejected = practice.outbox(ACCOUNT) / "rejected"
    for number, (name, _, code, path) in enumerate(BROKEN):
        report = json.loads((rejected / f"b{number:02}.report.json").read_bytes())
        jsonschema.validate(report, schema("rejection"))
        errors = [f for f in report["findings"] if f["severity"] == "error"]
        assert errors, name
        assert any((code in {"", f["code"]}) and f["path"].startswith(path) for f in errors), (name, errors)
        assert all(f["advice"] for f in errors), name
        assert (rejected / f"b{number:02}.json").exists(), name
    for name in ("malformed", "deep", "utf16", "oversize", "vendor"):
        assert json.loads((rejected / f"{name}.report.json").read_bytes())["findings"], name
    assert {d["transport"] for d in practice.status(ACCOUNT, "good")["deliveries"]} == {"sent"}
    assert len(practice.box.mail.all_messages()) == 2


def test_an_unqualified_identity_goes_without_ins_and_not_to_the_dmp(practice: Practice) -> None:
    value = case(BILAN)
    value["patient"]["identity_status"] = "VALI"
    practice.drop(value, "vali", ACCOUNT)
    practice.run()
    roles = by_role(practice.status(ACCOUNT, "vali"))
    assert (roles["medecin_traitant"]["transport"], roles["patient"]["transport"], roles["dmp"]["transport"]) == (
        "sent",
        "impossible",
        "impossible",
    )
    [mail] = practice.box.mail.all_messages()
    assert message_from_bytes(mail.bytes, policy=policy.default)["X-MSS-INS"] == "N"
    assert b"201032227890155" not in mail.bytes


def test_a_crash_between_commit_and_removal_sends_nothing_twice(practice: Practice) -> None:
    """The file is committed but still in `new/` when the daemon dies: the next start recognises it."""
    from gateway.api import Gateway

    value = case(BILAN)
    with Gateway.open(practice.config) as gateway:
        first = gateway.submit(json.dumps(value).encode())
    practice.drop(value, "un", ACCOUNT)
    practice.run()
    assert practice.status(ACCOUNT, "un")["document_id"] == first.document_id
    assert len(practice.box.mail.all_messages()) == 2


def test_file_names_reach_neither_the_store_nor_the_log(practice: Practice, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="gateway")
    practice.drop(case(BILAN), "DUPONT-Zenobie-secret", ACCOUNT)
    practice.drop(b"{}", "DURAND-Zenobie-secret", ACCOUNT)
    practice.run()
    assert (practice.outbox(ACCOUNT) / "status" / "DUPONT-Zenobie-secret.json").exists()
    assert not any(
        "Zenobie" in json.dumps(vars(r), default=str) for r in caplog.records if r.name.startswith("gateway")
    )
    for path in practice.folder.glob("gateway.sqlite*"):
        assert b"Zenobie" not in path.read_bytes()
    assert not any(b"Zenobie" in p.read_bytes() for p in (practice.folder / "checkpoints").rglob("*") if p.is_file())


def test_a_second_sidecar_on_the_same_folder_is_refused(practice: Practice) -> None:
    from gateway import platform
    from gateway.errors import GatewayError

    root = practice.outbox(ACCOUNT)
    root.mkdir(parents=True)
    with platform.exclusive_lock(root / ".lock"), pytest.raises((GatewayError, ExceptionGroup)):
        practice.run()


@pytest.mark.needs("node")
def test_a_client_in_another_language_drives_the_folder(practice: Practice) -> None:
    script = ROOT / "tests" / "integration" / "folder_client.mjs"
    node = shutil.which("node") or "node"
    source = ROOT / "fixtures" / "cases" / f"{BILAN}.json"
    outbox = str(practice.outbox(ACCOUNT))
    client = subprocess.Popen([node, str(script), outbox, str(source)], stdout=subprocess.PIPE, text=True)
    try:
        practice.run(until=lambda *_: client.poll() is not None)
    finally:
        client.kill()
    output = client.communicate()[0]
    assert client.returncode == 0, output
    assert json.loads(output) == {"medecin_traitant": "sent", "patient": "sent", "dmp": "sent"}
