"""Two episodes from first session to closing report, really sent: the figures by hand, an export verified alone."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.api import Gateway
from tests.e2e.test_commands import as_json, gateway
from tests.integration.practice import CASES, Practice, open_practice

ROOT = Path(__file__).resolve().parents[2]
# Case 01: ankle, 6 sessions, DMP. Case 06: stroke, 30 sessions, no DMP, one fall, sent to another doctor. Two kines.
NAMES = (
    "01_entorse_cheville_bilan",
    "01_entorse_cheville_compte_rendu",
    "06_suivi_avc_bilan",
    "06_suivi_avc_compte_rendu",
)
BY_HAND = {
    "participating_kines": 2,
    "patients": 2,
    "sessions_per_patient": 18.0,
    "sessions_total": 36,
    "dmps_updated": 1,
    "dmp_documents": 2,
    "adverse_events": 1,
    "reoriented_patients": 1,
    "reoriented_share": 50.0,
}


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    yield made
    made.box.close()


def figures(told: dict[str, Any]) -> dict[str, Any]:
    return {name: told["figures"][name] for name in BY_HAND}


def identities() -> list[str]:
    patients = [json.loads((CASES / f"{name}.json").read_bytes())["patient"] for name in NAMES]
    return [text for one in patients for text in (one["ins"]["matricule"], one["birth_family"])]


def test_report_and_export(practice: Practice, tmp_path: Path) -> None:
    config = practice.config
    for name in NAMES:
        assert gateway("submit", CASES / f"{name}.json", config=config).returncode == 0
    assert gateway("run", "--once", config=config).returncode == 0

    asked = ["report", "--period", "2025"]
    files: list[str | Path] = [
        "--csv",
        tmp_path / "a.csv",
        "--pdf",
        tmp_path / "a.pdf",
        "--reorientations",
        tmp_path / "r.csv",
    ]
    told = as_json(gateway(*asked, *files, "--adverse-events", tmp_path / "e.csv", "--json", config=config))
    assert figures(told) == BY_HAND
    assert told["open_episodes"] == 1  # the report of case 06 is an intermediate one
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-1.4")
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("*.csv"))
    assert not any(text in written for text in identities())
    with (tmp_path / "r.csv").open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file, delimiter=";")
    assert (row["numero"], row["vers"]) == ("1", "autre médecin")
    shown = gateway(*asked, config=config).stdout.decode()
    assert "18,0 (total des actes : 36)" in shown
    assert f"--at {told['checkpoint']['size']}" in shown

    named: list[str | Path] = [
        "--reorientations",
        tmp_path / "named.csv",
        "--with-identity",
        "--by",
        "Anne TEST",
        "--json",
    ]
    as_json(gateway(*asked, *named, config=config))
    assert identities()[-2] in (tmp_path / "named.csv").read_text(encoding="utf-8")
    export(practice, tmp_path, by="Anne TEST")

    (tmp_path / "before.json").write_text(json.dumps(told))
    with Gateway.open(config) as opened:
        for waiting in opened.deliveries(states=["held", "prepared", "retry"]):
            opened.handed(waiting.id, by="Anne TEST", reason="remis", means="hand")
        for document in {one.document_id for one in opened.deliveries()}:
            opened.store.erase(document, by="Anne TEST")
    again = as_json(gateway(*asked, "--at", tmp_path / "before.json", "--json", config=config))
    assert again == told
    now = as_json(gateway(*asked, "--json", config=config))
    assert figures(now) == BY_HAND
    assert now["checkpoint"] != told["checkpoint"]
    refused = gateway("report", "--period", "2025-15", config=config)
    assert refused.returncode == 65
    assert b"IND-001" in refused.stderr
    assert gateway(*asked, "--with-identity", config=config).returncode == 2
    unknown = gateway(*asked, "--account", "nobody", config=config)
    assert b"IND-007" in unknown.stderr


def export(practice: Practice, folder: Path, by: str) -> None:
    out, key = folder / "export", next((folder / "practice").rglob("journal.pub"))
    told = as_json(
        gateway("audit", "export", "--format", "fhir", "--out", out, "--by", by, "--json", config=practice.config)
    )
    assert told["lines"] > 4
    command: list[str | Path] = [sys.executable, "-I", ROOT / "docs" / "verify_export.py", out, "--public-key", key]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout.startswith("OK:"), run.stdout
    text = (out / "journal.jsonl").read_text(encoding="utf-8")
    # The identities were taken out before: the journal says who did it.
    assert '"event":"exported"' in text
    assert '"kind":"declaration_reorientations_identity"' in text
    assert not any(one in text for one in identities())
    assert gateway("audit", "export", "--format", "csv", "--out", out, config=practice.config).returncode == 77
