"""Obligations over a real road: documents sent to the sandbox, what the store proves, what the folder says of it."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.api import Gateway
from gateway.api.obligations import Standing
from gateway.cli.app import app
from gateway.clock import FrozenClock, SystemClock
from gateway.engine.events import DeliveryEvent
from gateway.sidecar.daemon import Sidecar
from tests.integration.practice import Practice, case, open_practice

ASSESSMENT, SUMMARY = "01_entorse_cheville_bilan", "01_entorse_cheville_compte_rendu"


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Any:
    opened = open_practice(tmp_path, certificates=certificates)
    yield opened
    opened.box.close()


def later(days: float) -> FrozenClock:
    return FrozenClock(SystemClock().now() + timedelta(days=days))


def states(gateway: Gateway, kind: str) -> dict[str, str]:
    lines = gateway.obligations.standing().lines
    return {one.obligation.to: one.obligation.state for one in lines if one.obligation.document == kind}


def test_from_the_first_session_to_the_report(practice: Practice) -> None:
    value = case(ASSESSMENT)
    account = str(value["account"])
    practice.drop(value, "bilan", account)
    practice.run()
    with Gateway.open(practice.config) as gateway:
        found = states(gateway, "assessment")
        assert found["dmp"] == "met"  # the registry answered
        assert found["medecin_traitant"] == "due"  # sent, and its receipt is awaited
        assert set(states(gateway, "treatment_summary").values()) == {"late"}  # the episode began in 2025
        [mail] = gateway.deliveries(destination="medecin_traitant")
        gateway.store.record_receipt(mail.id, "delivered", evidence_sha256="0" * 64)  # type: ignore[arg-type]
        for delivery in gateway.deliveries(destination="patient"):
            gateway.store.record_receipt(delivery.id, "processed", evidence_sha256="1" * 64)  # type: ignore[arg-type]
    practice.drop(case(SUMMARY), "compte-rendu", account)
    practice.run()
    with Gateway.open(practice.config) as gateway:
        lines = [one.obligation for one in gateway.obligations.standing(episode="EP-01").lines]
        assert {one.document for one in lines} == {"assessment", "treatment_summary"}
        met = {(one.document, one.to): one.evidence for one in lines if one.state == "met"}
        assert met[("assessment", "medecin_traitant")].how == "dsn"  # type: ignore[union-attr]
        assert met[("assessment", "patient")].how == "mdn"  # type: ignore[union-attr]
        assert met[("treatment_summary", "dmp")].how == "registry"  # type: ignore[union-attr]
        assert all(one.document_id for one in lines)  # nothing is missing any more
        text = json.dumps(gateway.obligations.standing().as_dict(), ensure_ascii=False)
    patient = value["patient"]
    assert [word for word in (patient["birth_family"], patient["ins"]["matricule"], "cheville") if word in text] == []


def test_the_folder_warns_once_and_keeps_asking_until_it_is_met(
    practice: Practice, caplog: pytest.LogCaptureFixture
) -> None:
    value = case(ASSESSMENT)
    account = str(value["account"])
    practice.drop(value, "bilan", account)
    caplog.set_level(logging.WARNING, logger="gateway.engine")
    practice.run()
    page = (practice.outbox(account) / "A_FAIRE.html").read_text(encoding="utf-8")
    assert "compte rendu des soins : médecin traitant, patient, DMP" in page
    assert "Écrire ce document et le déposer dans le dossier." in page
    told = [record for record in caplog.records if record.args == ("obligation_late",)]
    assert len(told) == 3  # one for each reader
    caplog.clear()
    practice.run()  # a restart tells nothing again
    assert [record for record in caplog.records if record.args == ("obligation_late",)] == []
    with Gateway.open(practice.config) as gateway:
        records = [json.loads(entry.record) for entry in gateway.store.snapshot().records()]
    noted = [one for one in records if one["event"] == "obligation_late"]
    assert sorted(one["role"] for one in noted) == ["dmp", "medecin_traitant", "patient"]
    assert {(one["kind"], one["reason"]) for one in noted} == {("treatment_summary", "OBL-NO-DOCUMENT")}
    practice.drop(case(SUMMARY), "compte-rendu", account)
    practice.run()
    page = (practice.outbox(account) / "A_FAIRE.html").read_text(encoding="utf-8")
    assert "Écrire ce document" not in page


def test_programs_are_told_too(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        gateway.submit(json.dumps(case(ASSESSMENT)).encode())
    seen: list[DeliveryEvent] = []
    with Gateway.open(practice.config, clock=later(3)) as gateway:
        gateway.subscribe(seen.append)
        first = gateway.obligations.late(tell=True)
        again = gateway.obligations.late(tell=True)
    assert len(first.lines) == len(again.lines) == 6  # three of the assessment, three of the report
    assert [one.event for one in seen] == ["obligation_late"] * 6
    assert {one.document for one in seen} == {first.lines[0].obligation.near}


def test_the_sidecar_asks_again_only_when_it_is_time(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    value = case(ASSESSMENT)
    practice.drop(value, "bilan", str(value["account"]))
    practice.run()
    clock = later(0)
    with Gateway.open(practice.config, clock=clock) as gateway:
        sidecar = Sidecar(gateway)
        asked: list[str | None] = []
        real = gateway.obligations.late

        def counted(account: str | None = None, *, tell: bool = False) -> Standing:
            asked.append(account)
            return real(account, tell=tell)

        monkeypatch.setattr(gateway.obligations, "late", counted)
        sidecar.refresh()
        sidecar.refresh(everything=False)
        assert len(asked) == 1
        clock.advance(3601)
        sidecar.refresh(everything=False)
        assert len(asked) == 2
        sidecar.refresh(everything=True)  # something changed while an obligation is late: a minute later, not at once
        assert len(asked) == 2
        clock.advance(61)
        sidecar.refresh(everything=False)
        assert len(asked) == 3


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.output


def test_the_commands(practice: Practice, tmp_path: Path) -> None:
    value = case(ASSESSMENT)
    with Gateway.open(practice.config) as gateway:
        document = gateway.submit(json.dumps(value).encode()).document_id
    config = ("--config", str(practice.config))
    status, text = run("obligations", *config)
    assert status == 1
    assert "bilan initial" in text
    assert "3 en retard, 3 à venir" in text
    status, text = run("obligations", "--json", "--missing", "--document", document, *config)
    shown = json.loads(text)
    assert shown["format"] == "kine-gateway/obligations/1"
    assert {one["state"] for one in shown["obligations"]} == {"due", "late"}
    episode = shown["obligations"][0]["episode"]
    for name, number in ((episode[:12], 6), ("EP-01", 6), ("EP-99", 0)):
        assert len(json.loads(run("obligations", "--json", "--episode", name, *config)[1])["obligations"]) == number


def test_the_billing_is_compared_and_names_nobody_unless_asked(practice: Practice, tmp_path: Path) -> None:
    value = case(ASSESSMENT)
    matricule, name = value["patient"]["ins"]["matricule"], value["patient"]["birth_family"]
    with Gateway.open(practice.config) as gateway:
        gateway.submit(json.dumps(value).encode())
    export = tmp_path / "facturation.csv"
    lines = ["Matricule;Date de l'acte;Mode d'accès;Nom"]
    lines += [f"{matricule};{day}/10/2025;direct;{name}" for day in ("06", "13")]
    lines += ["199999999999999;06/10/2025;direct;INCONNU", "188888888888888;06/10/2025;ordonnance;AUTRE"]
    export.write_bytes("\n".join(lines).encode("cp1252"))
    config = ("--config", str(practice.config))
    status, text = run("reconcile", str(export), *config)
    assert status == 1
    assert "épisode terminé sans compte rendu" in text
    assert "aucun document" in text
    assert name not in text
    assert matricule not in text
    shown = json.loads(run("reconcile", str(export), "--json", "--identity", *config)[1])
    assert [(one["gap"], one["lines"]) for one in shown["missing"]] == [("no_document", [4]), ("no_report", [2, 3])]
    assert {one["name"] for one in shown["missing"]} == {name, "INCONNU"}
    assert shown["totals"]["lines"] == 4
    assert shown["totals"]["direct"] == 3
    written = b"".join(path.read_bytes() for path in practice.folder.rglob("*.db*"))
    assert b"INCONNU" not in written
