"""An auditor's commands on a practice that really sent: prove, disclose, verify-proof, verify-document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_commands import as_json, gateway
from tests.integration.practice import CASES, Practice, open_practice


def case_file(number: str) -> Path:
    return next(CASES.glob(f"{number}_*.json"))


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    yield made
    made.box.close()


def test_an_auditor_finds_and_proves_what_was_sent(practice: Practice, tmp_path: Path) -> None:
    config = practice.config
    first = as_json(gateway("submit", case_file("01"), "--json", config=config))
    other = as_json(gateway("submit", case_file("08"), "--json", config=config))
    assert gateway("run", "--once", config=config).returncode == 0
    mine = [delivery["id"] for delivery in first["deliveries"]]

    key = next((tmp_path / "practice").rglob("journal.pub"))
    proof, disclosure = tmp_path / "proof.json", tmp_path / "disclosure.json"
    assert gateway("journal", "prove", mine[0], "--to", proof, config=config).returncode == 0
    shown = as_json(gateway("journal", "verify-proof", proof, "--public-key", key, "--json"))
    assert {record["delivery"] for record in shown["records"]} == {mine[0]}
    assert "sent" in {record.get("state") for record in shown["records"]}

    assert gateway("journal", "disclose", first["document_id"], "--to", disclosure, config=config).returncode == 0
    text = disclosure.read_text()
    assert other["document_id"] not in text
    assert not any(delivery["id"] in text for delivery in other["deliveries"])
    matricule = json.loads(case_file("01").read_bytes())["patient"]["ins"]["matricule"]
    assert matricule not in text
    asked = ["journal", "verify-proof", disclosure, "--public-key", key]
    (tmp_path / "matricule.txt").write_text(f"{matricule[:7]} {matricule[7:]}\n")
    assert gateway(*asked, "--matricule-from-file", tmp_path / "matricule.txt").returncode == 0
    asked += ["--matricule-from-stdin", "--json"]
    assert as_json(gateway(*asked, stdin=matricule.encode()))["ok"] is True
    refused = as_json(gateway(*asked, stdin=b"102034500000123"), status=1)
    assert [finding["code"] for finding in refused["findings"]] == ["JRN-114"]

    received = next((tmp_path / "practice").rglob("*.eml"))
    found = as_json(gateway("journal", "verify-document", received, "--json", config=config))["found"]
    assert {one["document"] for one in found} <= {first["document_id"], other["document_id"]}
    assert any(trace["state"] == "sent" and trace["sent_at"] for one in found for trace in one["deliveries"])
    export, stranger = tmp_path / "export.jsonl", tmp_path / "stranger.pdf"
    assert gateway("journal", "export", "--to", export, config=config).returncode == 0
    assert as_json(gateway("journal", "verify-document", received, "--export", export, "--json"))["found"] == found
    stranger.write_bytes(b"%PDF-1.4 not ours")
    assert gateway("journal", "verify-document", stranger, "--export", export).returncode == 1
