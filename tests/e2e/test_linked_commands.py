"""`queue readdress`, `reprepare`, `print`, `handed --at` and `withdraw`, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_commands import as_json, gateway
from tests.integration.practice import Practice, case, open_practice

DOCTOR = "helene.modele@medecin.mssante.example"
BY = ["--by", "Mme Martin"]
WHY = ["--reason", "boîte changée", *BY]


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    yield made
    made.box.close()


def submitted(practice: Practice, address: str) -> dict[str, Any]:
    """Submit the first case with its doctor at this address and send it. Deliveries by destination."""
    value = case("01_entorse_cheville_bilan")
    value["recipients"][0]["mssante"] = address
    run = gateway("submit", "-", "--json", config=practice.config, stdin=json.dumps(value).encode())
    document = as_json(run)["document_id"]
    assert gateway("run", "--once", config=practice.config).returncode == 0
    return listed(practice, document)


def listed(practice: Practice, document: str) -> dict[str, Any]:
    rows = as_json(gateway("queue", "list", "--json", config=practice.config))
    return {row["destination"]: row for row in reversed(rows) if row["document_id"] == document}


def test_readdress_previews_then_sends(practice: Practice) -> None:
    config, old = practice.config, submitted(practice, "inconnu.modele@medecin.mssante.example")["medecin_traitant"]
    order = ["queue", "readdress", old["id"], "--to", DOCTOR, "--name", "Hélène MODELE", *WHY]
    preview = as_json(gateway(*order, "--dry-run", "--json", config=config))
    assert (preview["ok"], preview["new_delivery"], preview["after"]) == (True, None, DOCTOR)
    text = gateway(*order, "--dry-run", config=config)
    assert "rien n'est fait" in text.stdout.decode()
    made = as_json(gateway(*order, "--json", config=config))["new_delivery"]
    assert (made["transport"], made["succeeds"]) == ("prepared", old["id"])
    assert gateway("run", "--once", config=config).returncode == 0
    shown = as_json(gateway("queue", "show", old["id"], "--json", config=config))
    assert (shown["transport"], shown["succeeded_by"]) == ("superseded", made["id"])
    assert made["id"] in gateway("queue", "show", old["id"], config=config).stderr.decode()
    assert len(practice.box.mail.messages(DOCTOR)) == 1
    again = gateway(*order, "--json", config=config)
    assert again.returncode != 0
    assert json.loads(again.stdout)["findings"][0]["code"] == "LNK-ENDED"


def test_what_is_refused_says_why(practice: Practice) -> None:
    delivery = submitted(practice, DOCTOR)["medecin_traitant"]["id"]
    for order in (["readdress", delivery, "--to", "autre@medecin.mssante.example"], ["reprepare", delivery]):
        run = gateway("queue", *order, *WHY, "--dry-run", config=practice.config)
        assert run.returncode == 1
        assert "LNK-SENT" in run.stderr.decode()


def test_print_then_handed_over(practice: Practice, tmp_path: Path) -> None:
    value = case("01_entorse_cheville_bilan")
    value["patient"]["delivery"] = "hand"
    run = gateway("submit", "-", "--json", config=practice.config, stdin=json.dumps(value).encode())
    delivery = listed(practice, as_json(run)["document_id"])["hand"]
    out = tmp_path / "remise.pdf"
    assert as_json(gateway("queue", "print", delivery["id"], "--out", out, "--json", config=practice.config))
    assert out.read_bytes().startswith(b"%PDF-1.4")
    assert "PRT-005" in gateway("queue", "print", delivery["id"], "--out", out, config=practice.config).stderr.decode()
    order = ["queue", "handed", delivery["id"], "--means", "main_propre", "--at", "2026-01-05T14:30", *WHY]
    early = gateway(*order, "--json", config=practice.config)
    assert as_json(early)["transport"] == "handed_over"
    future = gateway(*order[: -len(WHY) - 1], "2099-01-01", *WHY, "--json", config=practice.config)
    assert future.returncode != 0


def test_withdraw_previews_asks_and_follows_to_the_end(practice: Practice) -> None:
    config, rows = practice.config, submitted(practice, DOCTOR)
    document = rows["dmp"]["document_id"]
    order = ["withdraw", document, "--reason", "wrong_patient", "--note", "dossier confondu", *BY]
    plan = as_json(gateway(*order, "--dry-run", "--json", config=config))
    assert sorted(step["what"] for step in plan["steps"]) == ["delete", "retract", "retract"]
    no = gateway(*order, config=config, stdin=b"n\n")
    assert no.returncode != 0
    assert gateway("withdraw", document, "--status", "--json", config=config).returncode != 0
    started = as_json(gateway(*order, "--yes", "--json", config=config))
    assert started["ended"] is False
    assert gateway("run", "--once", config=config).returncode == 0
    ended = as_json(gateway("withdraw", document, "--status", "--json", config=config))
    assert (ended["ended"], ended["needs_person"], ended["by"]) == (True, False, "Mme Martin")
    assert "Annulation terminée." in gateway("withdraw", document, "--status", config=config).stderr.decode()
    assert as_json(gateway(*order, "--yes", "--json", config=config)) == ended
    assert gateway("journal", "verify", config=config).returncode == 0
    bad = gateway("withdraw", document, "--reason", "humeur", "--yes", "--json", *BY, config=config)
    assert bad.returncode != 0
