"""Every command, as a person or a script types it, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.integration.practice import CASES, ROOT, Practice, case, open_practice

BILAN = CASES / "01_entorse_cheville_bilan.json"
REASON = ["--reason", "essai", "--by", "Mme Martin"]


def gateway(
    *arguments: str | Path, config: Path | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KINE_GATEWAY_")}
    if config is not None:
        environment["KINE_GATEWAY_CONFIG"] = str(config)
    command = [str(Path(sys.executable).parent / "kine-gateway"), *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=100, check=False)


def as_json(run: subprocess.CompletedProcess[bytes], status: int = 0) -> Any:
    assert run.returncode == status, run.stderr.decode() + run.stdout.decode()
    return json.loads(run.stdout)


def schema(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((ROOT / "docs" / "schemas" / f"{name}.json").read_bytes())
    return value


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    yield made
    made.box.close()


def test_help_names_every_command() -> None:
    text = gateway("--help").stdout.decode()
    for verb in ("check", "render", "submit", "run", "queue", "journal", "sandbox", "demo", "doctor", "config"):
        assert f"\n  {verb} " in text, verb


def test_check_reads_a_file_or_standard_input() -> None:
    report = as_json(gateway("check", BILAN, "--json"))
    jsonschema.validate(report, schema("report"))
    assert report["ok"] is True
    assert [line["role"] for line in report["plan"]] == ["medecin_traitant", "patient", "dmp"]
    assert as_json(gateway("check", "-", "--json", stdin=BILAN.read_bytes())) == report


def test_check_of_a_bad_file_says_why_and_exits_65() -> None:
    value = case("01_entorse_cheville_bilan")
    value["patient"]["birth_given"] = "MAELYS"
    run = gateway("check", "-", stdin=json.dumps(value).encode())
    assert run.returncode == 65
    assert "/patient/birth_given" in run.stdout.decode()
    report = as_json(gateway("check", "-", "--json", stdin=json.dumps(value).encode()), status=65)
    jsonschema.validate(report, schema("report"))


def test_render_writes_the_named_files_without_key_or_configuration(tmp_path: Path) -> None:
    value = as_json(gateway("render", BILAN, "--to", tmp_path / "out", "--json"))
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {
        "document.cda.xml",
        "document.fhir.json",
        "document.pdf",
        "IHE_XDM.ZIP",
        "medecin_traitant.eml",
        "patient.eml",
        "dmp-request.bin",
    }
    assert set(value["files"]) == names
    assert b"UNSIGNED PREVIEW" in (tmp_path / "out" / "dmp-request.bin").read_bytes()


def test_submit_is_idempotent_and_dry_run_stores_nothing(practice: Practice) -> None:
    dry = as_json(gateway("submit", BILAN, "--dry-run", "--json", config=practice.config))
    assert dry["ok"] is True
    assert as_json(gateway("queue", "list", "--json", config=practice.config)) == []
    first = as_json(gateway("submit", BILAN, "--json", config=practice.config))
    again = as_json(gateway("submit", BILAN, "--json", config=practice.config))
    assert (first["created"], again["created"]) == (True, False)
    assert first["document_id"] == again["document_id"]


def test_the_queue_is_steered_delivered_and_proven(practice: Practice, tmp_path: Path) -> None:
    config = practice.config
    document = as_json(gateway("submit", CASES / "03_epaule_operee_bilan.json", "--json", config=config))
    ids = {d["role"]: d["id"] for d in document["deliveries"]}
    doctor, patient = ids["medecin_traitant"], ids["patient"]
    assert as_json(gateway("queue", "hold", doctor, *REASON, "--json", config=config))["transport"] == "held"
    refused = gateway("queue", "hold", doctor, *REASON, config=config)
    assert refused.returncode == 77, refused.stderr
    assert as_json(gateway("queue", "release", doctor, *REASON, "--json", config=config))["transport"] == "prepared"
    handed = as_json(gateway("queue", "handed", patient, "--means", "main_propre", *REASON, "--json", config=config))
    assert handed["transport"] == "handed_over"
    run = gateway("run", "--once", "--json", config=config)
    assert run.returncode == 0, run.stderr
    shown = as_json(gateway("queue", "show", doctor, "--json", config=config))
    assert shown["transport"] == "sent"
    assert [a["verdict"] for a in shown["history"]] == ["accepted"]
    assert [n["action"] for n in shown["notes"]] == ["hold", "release"]
    cancel = gateway("queue", "cancel", doctor, "--yes", *REASON, config=config)
    assert cancel.returncode == 77
    assert gateway("queue", "show", "no-such-delivery", config=config).returncode == 1

    verified = as_json(gateway("journal", "verify", "--json", config=config))
    assert verified["ok"] is True
    export = tmp_path / "journal.jsonl"
    as_json(gateway("journal", "export", "--to", export, "--json", config=config))
    assert as_json(gateway("journal", "verify", export, "--json"))["size"] == verified["size"]
    altered = export.read_bytes().replace(b'"hold"', b'"keep"', 1)
    assert altered != export.read_bytes()
    export.write_bytes(altered)
    assert as_json(gateway("journal", "verify", export, "--json"), status=1)["ok"] is False


def test_cancel_asks_first(practice: Practice) -> None:
    config = practice.config
    document = as_json(gateway("submit", CASES / "06_suivi_avc_bilan.json", "--json", config=config))
    [delivery] = [d["id"] for d in document["deliveries"] if d["transport"] == "prepared"]
    assert gateway("queue", "cancel", delivery, *REASON, config=config, stdin=b"n\n").returncode == 1
    assert as_json(gateway("queue", "show", delivery, "--json", config=config))["transport"] == "prepared"
    done = as_json(gateway("queue", "cancel", delivery, "--yes", *REASON, "--json", config=config))
    assert done["transport"] == "cancelled"


def test_doctor_and_config_say_what_is_wrong(practice: Practice, tmp_path: Path) -> None:
    good = as_json(gateway("doctor", "--json", config=practice.config))
    assert good["ok"] is True
    assert good["journal"]["ok"] is True
    assert as_json(gateway("config", "check", "--json", config=practice.config))["ok"] is True
    shown = as_json(gateway("config", "show", "--json", config=practice.config))
    assert shown["sidecar.scan_every"] == {"value": 0.1, "origin": "fichier"}
    assert shown["sidecar.workers"]["origin"] == "défaut"
    broken = tmp_path / "broken.toml"
    text = practice.config.read_text(encoding="utf-8").replace('url = "https://', 'surprise = 1\nurl = "https://', 1)
    broken.write_text(text, encoding="utf-8")
    run = gateway("config", "check", config=broken)
    assert run.returncode == 78
    assert "surprise" in run.stderr.decode()
    assert gateway("config", "check", config=tmp_path / "absent.toml").returncode == 78
    assert gateway("run").returncode == 78


def test_an_error_is_json_too_when_asked(tmp_path: Path) -> None:
    value = as_json(gateway("config", "show", "--json", config=tmp_path / "absent.toml"), status=78)
    assert value["error"]["code"] == "CFG-001"


def test_the_sandbox_shows_what_it_received(practice: Practice) -> None:
    shown = as_json(gateway("sandbox", "--dir", practice.folder, "--show", "--json"))
    assert set(shown) == {"mails", "documents"}


def test_a_channel_is_paused_and_resumed_by_name(practice: Practice) -> None:
    config = practice.config
    as_json(gateway("submit", BILAN, "--json", config=config))
    account = json.loads(BILAN.read_bytes())["account"]
    assert (
        gateway("queue", "pause", account, "dmp", "--reason", "panne", "--by", "Mme Martin", config=config).returncode
        == 0
    )
    [paused] = as_json(gateway("queue", "pauses", "--json", config=config))
    assert (paused["account"], paused["channel"], paused["actor"]) == (account, "dmp", "Mme Martin")
    run = gateway("run", "--once", "--wait", "0", "--json", config=config)
    assert run.returncode == 0, run.stderr
    states = {d["channel"]: d["transport"] for d in as_json(gateway("queue", "list", "--json", config=config))}
    assert states["dmp"] == "prepared"
    assert states["mssante"] == "sent"
    assert gateway("queue", "resume", account, "dmp", "--by", "Mme Martin", config=config).returncode == 0
    assert gateway("run", "--once", config=config).returncode == 0
    states = {d["channel"]: d["transport"] for d in as_json(gateway("queue", "list", "--json", config=config))}
    assert states["dmp"] == "sent"
    assert gateway("queue", "pause", "nobody", "--reason", "x", config=config).returncode == 78
