"""`patient held`, `export` and `erase`, as they are typed: what a patient is given, and what is gone afterwards."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.api import Gateway
from gateway.cli.app import app
from gateway.errors import GatewayError, NotFoundError
from tests.e2e.test_commands import gateway
from tests.integration.practice import CASES, Practice, case, open_practice
from tests.security.needles import Needles, of_submission

BILAN, SUMMARY, OTHER = "01_entorse_cheville_bilan", "01_entorse_cheville_compte_rendu", "03_epaule_operee_bilan"
MATRICULE = case(BILAN)["patient"]["ins"]["matricule"]
BY, WHY = ["--by", "Mme Martin"], ["--reason", "patient_request"]
NAME = "LE GOFF-ESSAI Maëlys"


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    made.config.write_text(made.config.read_text(encoding="utf-8").replace("0.1\n", "0.1\nkeep = true\n"), "utf-8")
    yield made
    made.box.close()


def run(practice: Practice, *words: Any, stdin: bytes = b"") -> Result:
    """The command in this process: a new one for each would take a second."""
    line = ["patient", *map(str, words), "--config", str(practice.config)]
    return CliRunner().invoke(app, line, input=stdin)


def typed(practice: Practice, *words: Any, stdin: bytes = b"", status: int = 0) -> Any:
    found = run(practice, *words, "--json", stdin=stdin)
    assert found.exit_code == status, found.output
    return json.loads(found.stdout)


def handed_in(practice: Practice, *names: str) -> None:
    for number, name in enumerate(names):
        practice.drop(case(name), f"{NAME} {number}", case(name)["account"])
    practice.run()


def test_a_copy_of_all_that_is_held_and_how_it_is_told(practice: Practice, tmp_path: Path) -> None:
    handed_in(practice, BILAN, SUMMARY)
    out = tmp_path / "copie.zip"
    one = ("--matricule-from-stdin", "--account", case(BILAN)["account"])
    made = typed(practice, "export", *one, "--out", out, *BY, stdin=f"{MATRICULE}\n".encode())
    assert (made["documents"], made["hidden"]) == (2, 0)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with zipfile.ZipFile(out) as archive:
        names = archive.namelist()
        summary = json.loads(archive.read("resume.json"))
        page = archive.read("LISEZ-MOI.txt").decode("utf-8-sig")
        bilan = next(doc for doc in summary["documents"] if doc["kind"] == "assessment")
        pdf = next(name for name in bilan["files"] if name.endswith(".pdf"))
        with Gateway.open(practice.config) as opened:
            assert archive.read(pdf) == opened.rendering(bilan["document_id"], "pdf")
            assert archive.read(pdf.replace(".pdf", ".cda.xml")) == opened.rendering(bilan["document_id"], "cda")
            records = "".join(opened.export_journal())
    assert not [name for name in names if "GOFF" in name.upper() or MATRICULE in name]
    told = {(d["destination"], d["transport"], d["address"]) for d in bilan["deliveries"]}
    assert ("patient", "sent", f"{MATRICULE}@patient.mssante.fr") in told
    assert ("medecin_traitant", "sent", case(BILAN)["recipients"][0]["mssante"]) in told
    for words in ("art. 17", "DMP", "sauvegardes", "R4321-91", case(BILAN)["recipients"][0]["mssante"]):
        assert words in page, words
    assert '"event":"patient_disclosed"' in records
    assert MATRICULE not in records
    again = run(practice, "export", *one, "--out", out, stdin=MATRICULE.encode())
    assert "RGT-010" in str(again.exception), "nothing is overwritten"


def test_hidden_content_is_told_and_left_out(practice: Practice, tmp_path: Path) -> None:
    value = case(BILAN)
    value["visibility"] = {**value.get("visibility", {}), "hidden_from_patient": True}
    with Gateway.open(practice.config) as opened:
        document = opened.submit(json.dumps(value).encode()).document_id
    made = typed(practice, "export", "--document", document, "--out", tmp_path / "a.zip", *BY)
    assert (made["documents"], made["hidden"]) == (0, 1)
    whole = typed(practice, "export", "--document", document, "--out", tmp_path / "b.zip", "--include-hidden", *BY)
    assert (whole["documents"], whole["hidden"]) == (1, 0)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert [name for name in archive.namelist() if name.startswith("documents/")] == []
        assert "annoncé" in archive.read("LISEZ-MOI.txt").decode("utf-8-sig")


def test_erasing_is_previewed_done_and_done_again(practice: Practice, tmp_path: Path) -> None:
    handed_in(practice, BILAN, SUMMARY, OTHER)
    one = ("--submission", CASES / f"{BILAN}.json")
    plan = typed(practice, "erase", *one, "--dry-run")
    assert (len(plan["erasable"]), plan["blocked"], plan["gone"]) == (2, [], [])
    assert {"RGT-005", "RGT-006"} <= {finding["code"] for finding in plan["findings"]}
    assert min(len(plan[part]) for part in ("kept", "beyond_reach", "erases")) > 2
    with Gateway.open(practice.config) as opened:
        assert opened.rendering(plan["erasable"][0], "pdf"), "a preview changes nothing"
    assert gateway("patient", "erase", *one, *WHY, config=practice.config).returncode == 1, (
        "it asks, and nobody answers"
    )
    with Gateway.open(practice.config) as opened:
        assert opened.rendering(plan["erasable"][0], "pdf")

    done = typed(practice, "erase", *one, *WHY, *BY, "--yes")
    assert (sorted(done["erased"]), done["refused"], done["scrubbed"]) == (sorted(plan["erasable"]), [], True)
    assert done["files"] >= 4
    folder = practice.outbox(case(BILAN)["account"])
    assert not [path for path in folder.rglob("*") if NAME in path.name]
    with Gateway.open(practice.config) as opened:
        for document in plan["erasable"]:
            with pytest.raises(NotFoundError, match="DOC-410"):
                opened.rendering(document, "pdf")
        assert {one.transport for one in opened.status(plan["erasable"][0]).deliveries} == {"sent"}
        assert opened.verify_journal().ok
        records = [json.loads(entry.record) for entry in opened.store.snapshot().records()]
        assert len(opened.store.facts(case(BILAN)["account"])) == 2, "frozen facts stay"
    told = [record for record in records if record.get("event") == "document_erased"]
    assert {(one["by"], one["reason"]) for one in told} == {("Mme Martin", "patient_request")}
    needles = Needles.of(of_submission(case(BILAN)))
    copy = tmp_path / "apres.zip"
    again = typed(practice, "erase", *one, *WHY, *BY, "--yes")
    assert (again["erased"], sorted(again["gone"])) == ([], sorted(plan["erasable"]))
    assert typed(practice, "export", *one, "--out", copy, *BY)["documents"] == 0
    assert not needles.within(copy.read_bytes()), "what is left of the patient names nobody"
    practice.run()
    assert not [path for path in folder.rglob("*") if NAME in path.name]


def test_what_is_not_finished_stays_until_it_is_given_up(practice: Practice) -> None:
    with Gateway.open(practice.config) as opened:
        document = opened.submit(json.dumps(case(BILAN)).encode()).document_id
        plan = typed(practice, "erase", "--document", document, "--dry-run", status=1)
        assert plan["blocked"] == [document]
        blocked = [finding for finding in plan["findings"] if finding["code"] == "RGT-002"]
        assert len(blocked) == 3
        assert "queue cancel" in blocked[0]["advice"]
        assert "RGT-003" in {finding["code"] for finding in plan["findings"]}, "the duty is not fulfilled"
        kept = typed(practice, "erase", "--document", document, *WHY, *BY, "--yes", status=1)
        assert (kept["erased"], kept["refused"]) == ([], [document])
        assert opened.rendering(document, "pdf")
        for one in opened.status(document).deliveries:
            opened.cancel(one.id, by="Mme Martin", reason="le patient le demande")
    assert typed(practice, "erase", "--document", document, *WHY, *BY, "--yes")["erased"] == [document]


def test_the_sidecar_takes_away_the_files_of_what_another_program_erased(practice: Practice) -> None:
    handed_in(practice, BILAN)
    folder = practice.outbox(case(BILAN)["account"])
    assert [path for path in folder.rglob("*") if NAME in path.name]
    with Gateway.open(practice.config) as opened:
        opened.patients.erase(opened.deliveries()[0].document_id, by="Mme Martin", reason="patient_request")
    practice.run()
    assert not [path for path in folder.rglob("*") if NAME in path.name]


def test_a_document_that_came_without_ins_is_pointed_out(practice: Practice) -> None:
    value = case(BILAN)
    value["key"], value["patient"]["ins"], value["patient"]["identity_status"] = "sans-ins", None, "VALI"
    value["document"]["id"] = "SANS-INS"
    with Gateway.open(practice.config) as opened:
        first = opened.submit(json.dumps(case(BILAN)).encode()).document_id
        other = opened.submit(json.dumps(value).encode()).document_id
    found = typed(practice, "held", "--document", first)
    assert [one["document_id"] for one in found["documents"]] == [first]
    assert found["same_traits"] == [other]


@pytest.mark.parametrize(
    ("words", "stdin", "code"),
    [
        (("--matricule-from-stdin",), b"201032227890156\n", "RGT-011"),
        (("--matricule-from-stdin",), f"{MATRICULE}\n".encode(), "RGT-008"),
        (("--matricule-from-stdin", "--account", case(BILAN)["account"]), f"{MATRICULE}\n".encode(), "RGT-001"),
        (("--document", "inconnu"), b"", "DOC-404"),
    ],
)
def test_what_cannot_be_answered_is_said(practice: Practice, words: tuple[str, ...], stdin: bytes, code: str) -> None:
    found = run(practice, "held", *words, stdin=stdin)
    assert isinstance(found.exception, GatewayError)
    said = f"{found.exception} {found.output}"
    assert code in said
    assert stdin.decode().strip() not in said or not stdin, "a matricule is never repeated"


def test_a_reason_is_one_that_the_law_knows(practice: Practice) -> None:
    with Gateway.open(practice.config) as opened:
        document = opened.submit(json.dumps(case(BILAN)).encode()).document_id
    found = run(practice, "erase", "--document", document, "--reason", "demande de Mme X", "--yes")
    assert "RGT-009" in str(found.exception)
    assert run(practice, "held").exit_code == 2
    assert run(practice, "held", "--document", document).output.count("gardé par obligation") == 1
