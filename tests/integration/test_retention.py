"""How long content stays, on a practice that sent for real; and a copy of that practice, adopted by a person."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.api import Gateway
from gateway.cli.app import app
from gateway.clock import FrozenClock, SystemClock
from gateway.errors import NotFoundError
from gateway.settings import load
from gateway.store import database_path
from tests.integration.practice import Practice, case, open_practice

ASSESSMENT, SUMMARY = "01_entorse_cheville_bilan", "01_entorse_cheville_compte_rendu"
TABLE = "\n[retention]\nmails_days = 90\ndocuments_days = 400\nrecord_kept_elsewhere = true\n"
DAY_MS = 86_400_000


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    made.config.write_text(made.config.read_text(encoding="utf-8") + TABLE, encoding="utf-8")
    yield made
    made.box.close()


def invoke(practice: Practice, *arguments: str, status: int = 0) -> Any:
    run = CliRunner().invoke(app, [*arguments, "--config", str(practice.config), "--json"])
    assert run.exit_code == status, run.output
    return json.loads(run.stdout)


def sent(practice: Practice, *names: str) -> None:
    """Submit, deliver, and let every receipt come."""
    with Gateway.open(practice.config) as gateway:
        for name in names:
            gateway.submit(json.dumps(case(name)).encode())
            gateway.deliver_due()
        for number, one in enumerate(gateway.deliveries(states=["sent"])):
            if one.channel == "mssante":
                sha256 = f"{number:064x}"
                gateway.store.record_receipt(one.id, "processed", evidence_sha256=sha256)  # type: ignore[arg-type]


def later(days: float) -> FrozenClock:
    return FrozenClock(SystemClock().now() + timedelta(days=days))


def aged(practice: Practice, days: int) -> None:
    """As if everything had happened that many days ago."""
    with closing(sqlite3.connect(database_path(load(practice.config)))) as database, database:
        for table, column in (("document", "accepted_at"), ("delivery", "changed_at"), ("receipt", "at")):
            database.execute(f"UPDATE {table} SET {column} = {column} - ?", [days * DAY_MS])


def test_an_episode_keeps_everything_until_nothing_is_owed(practice: Practice) -> None:
    sent(practice, ASSESSMENT)
    with Gateway.open(practice.config, clock=later(5000)) as gateway:
        found = gateway.retention.preview().plan
        assert (found.due, found.owed, found.open) == ((), 1, 0)  # the report of care never came
    sent(practice, SUMMARY)
    with Gateway.open(practice.config, clock=later(5000)) as gateway:
        assert {one.kind for one in gateway.retention.preview().plan.due} == {"documents"}
        assert len(gateway.retention.preview().plan.due) == 2


def test_preview_then_erase_from_the_command_line(practice: Practice) -> None:
    sent(practice, ASSESSMENT, SUMMARY)
    aged(practice, 100)
    shown = invoke(practice, "retention", "--dry-run")
    assert [(one["kind"], one["why"]) for one in shown["due"]] == [("mails", "age")] * 2
    assert shown["erased"] is None
    assert invoke(practice, "retention", "--dry-run")["due"] == shown["due"]  # nothing was done
    refused = CliRunner().invoke(app, ["retention", "--config", str(practice.config)], input="n\n")
    assert refused.exit_code == 1
    assert "messages transmis" in refused.stdout
    erased = invoke(practice, "retention", "--yes", "--by", "Mme Martin")["erased"]
    assert erased == {"mails": 2, "documents": 0, "bytes": sum(one["bytes"] for one in shown["due"]), "kept": 0}
    with Gateway.open(practice.config) as gateway:
        mail = next(one for one in gateway.deliveries() if one.channel == "mssante")
        with pytest.raises(NotFoundError):
            gateway.store.parts(mail.id)
        assert gateway.rendering(mail.document_id, "cda")
        plan = gateway.linked.plan_withdrawal(mail.document_id, reason="error", by="Mme Martin", note="essai")
        assert {"retract", "delete"} <= {step.what for step in plan.steps}  # every recipient can still be told
    aged(practice, 400)
    assert invoke(practice, "retention", "--yes")["erased"]["documents"] == 2
    with Gateway.open(practice.config) as gateway:
        assert gateway.verify_journal().ok
        assert {line.obligation.state for line in gateway.obligations.standing().lines} <= {"met", "not_due"}
    assert invoke(practice, "retention", "--dry-run")["due"] == []


def test_a_copied_practice_waits_for_a_person(practice: Practice, tmp_path: Path) -> None:
    sent(practice, ASSESSMENT)
    with Gateway.open(practice.config) as gateway:
        gateway.submit(json.dumps(case(SUMMARY)).encode())
    before = len(practice.box.mail.all_messages())
    shutil.copytree(practice.folder, tmp_path / "copy")
    text = practice.config.read_text(encoding="utf-8").replace(str(practice.folder), str(tmp_path / "copy"))
    copy = Practice(practice.box, tmp_path / "copy" / practice.config.name, tmp_path / "copy")
    copy.config.write_text(text, encoding="utf-8")
    copy.run(lambda sidecar, gateway: bool(gateway.pauses()))
    assert len(practice.box.mail.all_messages()) == before
    account = str(case(ASSESSMENT)["account"])
    page = (copy.outbox(account) / "A_FAIRE.html").read_text(encoding="utf-8")
    assert "cette base est une copie" in page
    found = invoke(copy, "store", "where", status=1)
    assert (found["verdict"], [one["code"] for one in found["findings"]]) == ("still_there", ["STO-014"])
    doctor = CliRunner().invoke(app, ["doctor", "--config", str(copy.config)])
    assert "STO-014" in doctor.stdout
    refused = CliRunner().invoke(app, ["queue", "resume", "*", "--config", str(copy.config)])
    assert getattr(refused.exception, "code", "") == "STO-015"
    adopted = invoke(copy, "store", "adopt", "--reason", "essai", "--by", "Mme Martin", "--yes")
    assert adopted["in_doubt"] >= 2
    assert invoke(copy, "store", "where")["verdict"] == "at_home"
    assert invoke(practice, "store", "where")["verdict"] == "at_home"  # the original is not asked
