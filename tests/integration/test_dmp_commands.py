"""The `dmp` commands as a person types them: what they print, how they end, and what they leave in the journal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.api import Gateway
from gateway.cli.app import main
from gateway.errors import InputError
from tests.integration.practice import CASES, Practice, case, open_practice
from tests.integration.test_dmp_life import ACCOUNT, BILAN, direct, submit

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, certificates=certificates)
    yield made
    made.box.close()


@pytest.fixture
def run(practice: Practice, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, str, str]:
        more = ["-c", str(practice.config), "--account", ACCOUNT]
        monkeypatch.setattr(sys, "argv", ["kine-gateway", "dmp", *words, *more])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else int(bool(code))), said.out, said.err

    return call


def fed(practice: Practice) -> str:
    with Gateway.open(practice.config) as gateway:
        return submit(gateway)


def asked(practice: Practice) -> list[dict[str, Any]]:
    with Gateway.open(practice.config) as gateway:
        records = [json.loads(one.record) for one in gateway.store.snapshot().records()]
    return [one for one in records if one["event"] in {"dmp_asked", "dmp_change"}]


def test_a_person_s_round(practice: Practice, run: Run, tmp_path: Path) -> None:
    direct(practice)
    document = fed(practice)
    assert run("test", "--of", document)[:2] == (0, "DMP ouvert, alimentation permise.\n")
    status, out, _ = run("find", "--of", document, "--json")
    found = json.loads(out)
    [one] = found["documents"]
    assert (status, one["ours"], one["status"]) == (0, document, "Approved")
    assert document in run("find", "--of", document)[1]
    assert "1 lot(s)" in run("sets", "--of", document)[1]
    status, out, _ = run("links", "--of", document, one["entry_uuid"])
    assert (status, "HasMember" in out) == (0, True)

    status, out, _ = run("get", one["unique_id"], "--of", document, "--out", str(tmp_path / "lus"))
    assert status == 0
    assert "empreinte conforme" in out
    [file] = (tmp_path / "lus").iterdir()
    assert file.name == f"{one['unique_id']}.xml"
    assert file.read_bytes() == practice.box.dmp.documents()[0].content

    status, out, err = run("mask", document, "--reason", "demande", "--dry-run")
    assert (status, "masquer aux professionnels" in out, err) == (0, True, "")
    status, out, _ = run("mask", document, "--reason", "demande", "--by", "Anne Essai", "--yes", "--json")
    planned = json.loads(out)
    assert (status, planned["delivery"]["transport"], planned["change"]) == (0, "prepared", "mask")
    assert run("mask", document, "--reason", "demande", "--yes")[2].startswith(f"Envoi {planned['delivery']['id']}")
    status, out, _ = run("hide", document, "--reason", "demande", "--yes")
    assert (status, "DMP-CHG-PENDING" in out) == (65, True)
    with Gateway.open(practice.config) as gateway:
        gateway.deliver_due()
        view = gateway.delivery(planned["delivery"]["id"]).view
        assert (view.transport, view.label) == ("sent", "DMP : masquer aux professionnels")
        assert gateway.verify_journal().ok
    assert "masqué aux professionnels" in run("find", "--of", document)[1]


def test_each_question_is_an_access_without_identity(practice: Practice, run: Run) -> None:
    direct(practice)
    document = fed(practice)
    run("find", "--of", document, "--by", "Anne Essai")
    run("find", "--patient", str(CASES / f"{BILAN}.json"), "--by", "Anne Essai")
    practice.box.faults.set("dmp", "refuse", only="TD3.1")
    status, _, err = run("find", "--of", document, "--by", "Anne Essai")
    assert (status, "DMP-XDSRegistryBusy" in err) == (69, True)
    run("delete", document, "--reason", "Madame Modèle le demande", "--by", "Anne Essai", "--yes")
    records = asked(practice)
    told = [(one["event"], one["kind"], one.get("verdict"), one.get("size"), one.get("document")) for one in records]
    assert told == [
        ("dmp_asked", "find", "asked", None, document),
        ("dmp_asked", "find", "answered", 1, document),
        ("dmp_asked", "find", "asked", None, None),
        ("dmp_asked", "find", "answered", 1, None),
        ("dmp_asked", "find", "asked", None, document),
        ("dmp_asked", "find", "refused", None, document),
        ("dmp_change", "delete", None, None, document),
    ]
    assert {one["by"] for one in records} == {"Anne Essai"}
    assert len({one["patient"] for one in records if "patient" in one}) == 1
    text, patient = json.dumps(records), case(BILAN)["patient"]
    for trait in (patient["ins"]["matricule"], patient["birth_family"], patient["birth_date"], "Modèle"):
        assert trait not in text


def test_rights_and_wrong_uses(practice: Practice, run: Run, tmp_path: Path) -> None:
    document = fed(practice)
    status, out, _ = run("mask", document, "--reason", "demande", "--yes")
    assert (status, "DMP-RIGHTS" in out) == (65, True)
    status, _, err = run("get", "2.25.1", "--of", document, "--out", str(tmp_path / "rien"))
    assert (status, "DMP-RIGHTS" in err, (tmp_path / "rien").exists()) == (65, True, False)
    assert run("find")[0] == 2
    assert run("find", "--of", document, "--status", "x")[0] == 2
    assert run("find", "--of", document, "--since", "hier")[0] == 2
    assert run("find", "--of", "inconnu")[0] == 1
    assert run("archive", "inconnu", "--reason", "x", "--yes")[0] == 1
    assert len(asked(practice)) == 0


def test_an_ins_that_may_not_leave_asks_nothing(practice: Practice) -> None:
    value = case(BILAN)
    value["patient"]["identity_status"] = "VALI"
    with Gateway.open(practice.config) as gateway, pytest.raises(InputError) as refused:
        gateway.dmp(ACCOUNT).find(json.dumps(value).encode(), by="Anne Essai")
    assert [one.code for one in refused.value.findings] == ["PKG-001"]
    assert asked(practice) == []


def test_what_is_not_in_the_dmp_is_not_changed(practice: Practice, run: Run) -> None:
    with Gateway.open(practice.config) as gateway:
        document = gateway.submit(json.dumps(case(BILAN)).encode()).document_id
    status, out, _ = run("delete", document, "--reason", "x", "--yes")
    assert (status, "DMP-CHG-NOT-SENT" in out) == (65, True)
