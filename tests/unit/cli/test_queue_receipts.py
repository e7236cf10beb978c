"""`queue called`, `seen`, `not-my-patient`, `my-patient`, and what `queue show` says of a receipt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.api import Gateway
from gateway.cli.app import app
from tests.integration.practice import case, open_practice
from tests.integration.test_folder_receipts import about
from tests.unit.read import report_samples as samples
from tests.unit.read.report_samples import OLD_ERROR

BY = ["--by", "Mme Martin", "--reason", "vu au téléphone"]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A practice with one letter that was sent."""
    practice = open_practice(tmp_path_factory.mktemp("practice"))
    try:
        with Gateway.open(practice.config) as gateway:
            gateway.submit(json.dumps(case("01_entorse_cheville_bilan")).encode())
            gateway.deliver_due()
            [found] = gateway.deliveries(destination="medecin_traitant")
        mail = about(practice, found)
        with Gateway.open(practice.config) as gateway:
            gateway.receipts.take_in(found.account, samples.mdn(error=OLD_ERROR, sent=mail))
            gateway.receipts.take_in(found.account, samples.reply(sent=mail))
    finally:
        practice.box.close()
    return practice.config


def run(config: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["queue", *words, "--config", str(config)])
    return result.exit_code, result.output + (str(result.exception) if result.exit_code else "")


def delivery(config: Path) -> str:
    with Gateway.open(config) as gateway:
        [found] = gateway.deliveries(destination="medecin_traitant")
    return found.id


def test_receipts_are_shown_and_answered(config: Path) -> None:
    one = delivery(config)
    code, text = run(config, "show", one)
    assert code == 0
    for words in ("ne connaît pas ce patient", "MSS-RCPT-902", "queue called", "messages reçus", "MSS-RCPT-REPLY"):
        assert words in " ".join(text.split()), words
    value = json.loads(run(config, "show", one, "--json")[1])
    assert (value["receipt"], value["receipt_reason"], value["replies"]) == ("refused", "MSS-RCPT-902", 1)
    assert {line["kind"] for line in value["received"]} == {"mdn", "reply"}
    assert [row["receipt_reason"] for row in json.loads(run(config, "list", "--json")[1]) if row["id"] == one] == [
        "MSS-RCPT-902"
    ]
    for command in ("called", "seen"):
        assert run(config, command, one, *BY)[0] == 0
        code, text = run(config, command, one, *BY)
        assert code != 0
        assert "DLV-007" in text
    assert "0 envoi(s) retenu(s)" in run(config, "not-my-patient", one, *BY)[1]
    assert "0 envoi(s) libéré(s)" in run(config, "my-patient", one, *BY)[1]
    assert "DLV-009" in run(config, "my-patient", one, *BY)[1]
    notes = json.loads(run(config, "show", one, "--json")[1])["notes"]
    assert [note["action"] for note in notes] == ["called", "seen", "not_my_patient", "my_patient"]
    assert {(note["actor"], note["text"]) for note in notes} == {("Mme Martin", "vu au téléphone")}


def test_a_mail_is_handed_over_as_a_file_and_the_loose_ones_are_listed(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "recu.eml"
    file.write_bytes(samples.dsn(sender="mailer-daemon@ailleurs.example"))
    account = str(case("01_entorse_cheville_bilan")["account"])
    words = ["receipts", "take", str(file), "--account", account, "--json", "--config", str(config)]
    first, again = (json.loads(CliRunner().invoke(app, words).output) for _ in range(2))
    assert (first["verdict"], first["reason"], again["verdict"]) == ("forged", "MSS-RCPT-FORGED", "known")
    result = CliRunner().invoke(app, ["receipts", "loose", "--json", "--config", str(config)])
    [line] = json.loads(result.output)
    assert (line["verdict"], line["account"], line["delivery"]) == ("forged", account, None)
    assert "MSS-RCPT-FORGED" in CliRunner().invoke(app, ["receipts", "loose", "--config", str(config)]).output
