"""An episode from its first session to the closing report: obligations met, indicators right, an export that verifies.

The episode is one sprained ankle seen in direct access: six sessions, no reorientation, no undesirable event. What the
receiving side answers is written here as its software would write it (RFC 8098).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_commands import as_json, gateway
from tests.integration.practice import CASES, ROOT, Practice, open_practice

ASSESSMENT = CASES / "01_entorse_cheville_bilan.json"
SUMMARY = CASES / "01_entorse_cheville_compte_rendu.json"
EXPECTED = {
    # Counted by hand in the two files: one author; one patient, one motive; sessions_done = 6; one DMP that got two
    # documents; `adverse_events` and `reorientation` are empty in both.
    "participating_kines": 1,
    "patients": 1,
    "sessions_per_patient": 6.0,
    "sessions_total": 6,
    "dmps_updated": 1,
    "dmp_documents": 2,
    "adverse_events": 0,
    "reoriented_patients": 0,
    "reoriented_share": 0.0,
}


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    yield made
    made.box.close()


def processed(sent: EmailMessage, recipient: str, number: int) -> bytes:
    """What the recipient's software answers to a mail that it took in."""
    domain = recipient.partition("@")[2]
    return (
        f"Return-Path: <>\r\nFrom: <{recipient}>\r\nTo: {sent['From'].addresses[0].addr_spec}\r\nSubject: Traite\r\n"
        f"Message-ID: <mdn-{number}@{domain}>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nTraite.\r\n"
        "--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
        f"Final-Recipient: rfc822;{recipient}\r\nOriginal-Recipient: rfc822;{recipient}\r\n"
        f"Original-Message-ID: {sent['Message-ID']}\r\n"
        "Disposition: automatic-action/MDN-sent-automatically; processed\r\n\r\n--b--\r\n"
    ).encode()


def obligations(config: Path, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = as_json(gateway("obligations", "--json", config=config), status=status)
    return found


def answer_everything(practice: Practice, folder: Path, account: str) -> None:
    mails = sorted(practice.box.folder.rglob("*.eml"))
    assert len(mails) == 4
    for number, path in enumerate(mails):
        sent = message_from_bytes(path.read_bytes(), policy=policy.default)
        assert isinstance(sent, EmailMessage)
        recipient = sent["To"].addresses[0].addr_spec
        receipt = folder / f"receipt-{number}.eml"
        receipt.write_bytes(processed(sent, recipient, number))
        run = gateway("receipts", "take", receipt, "--account", account, "--json", config=practice.config)
        assert run.returncode == 0, run.stderr


def test_an_episode_from_the_first_session_to_the_closing_report(practice: Practice, tmp_path: Path) -> None:
    config, account = practice.config, json.loads(ASSESSMENT.read_bytes())["account"]
    assert gateway("submit", ASSESSMENT, config=config).returncode == 0
    # The episode began more than three months ago: its report is late already, and the command says so.
    before = obligations(config, status=1)["obligations"]
    assert {one["document"] for one in before if one["state"] == "late"} == {"treatment_summary"}
    assert {(one["document"], one["to"]) for one in before if one["state"] == "due"} >= {
        ("assessment", "medecin_traitant"),
        ("assessment", "patient"),
        ("assessment", "dmp"),
    }
    assert gateway("submit", SUMMARY, config=config).returncode == 0
    assert gateway("run", "--once", config=config).returncode == 0
    answer_everything(practice, tmp_path, account)

    done = obligations(config)
    assert {key: number for key, number in done["counts"].items() if number} == {"met": 6, "met_electronic": 6}
    assert {(one["document"], one["to"]) for one in done["obligations"]} == {
        (document, to)
        for document in ("assessment", "treatment_summary")
        for to in ("medecin_traitant", "patient", "dmp")
    }

    report = as_json(gateway("report", "--period", "2025", "--json", config=config))
    assert {name: report["figures"][name] for name in EXPECTED} == EXPECTED
    assert [motive["count"] for motive in report["figures"]["motives"]] == [1]
    assert report["open_episodes"] == 0
    again = as_json(
        gateway("report", "--period", "2025", "--at", str(report["checkpoint"]["size"]), "--json", config=config)
    )
    assert again["figures"] == report["figures"]
    assert as_json(gateway("report", "--period", "2024", "--json", config=config))["figures"]["patients"] == 0

    key = next((tmp_path / "practice").rglob("journal.pub"))
    for form in ("csv", "jsonl", "fhir", "atna"):
        out = tmp_path / form
        assert gateway("audit", "export", "--format", form, "--out", out, config=config).returncode == 0
        assert verified(out, key).returncode == 0, verified(out, key).stdout
    [table] = (tmp_path / "csv").glob("*.csv")
    table.write_bytes(table.read_bytes().replace(b"medecin_traitant", b"medecin_traitanT", 1))
    assert verified(tmp_path / "csv", key).returncode != 0


def verified(folder: Path, key: Path) -> subprocess.CompletedProcess[str]:
    """The small script of docs/, in a process without this package on its path."""
    script = [sys.executable, "-I", ROOT / "docs" / "verify_export.py", folder, "--public-key", key]
    return subprocess.run(script, capture_output=True, text=True, check=False)
