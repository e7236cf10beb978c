"""The master key is changed as an operator types it; backups from before and after open with the right keys."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from gateway.cli.output import exit_status
from gateway.errors import GatewayError
from gateway.settings import load
from gateway.store import database_path, keyring
from tests.integration.practice import CASES, Practice, open_practice

FIRST, SECOND = (next(CASES.glob(f"{number}_*.json")) for number in ("01", "08"))
WHO = ("--by", "Anne", "--reason", "annuel")


@dataclass
class Ended:
    """A command that has run in this process: a new one for each would take most of the time."""

    returncode: int
    stdout: str
    stderr: str


def gateway(*arguments: str | Path, config: Path) -> Ended:
    environment = {"KINE_GATEWAY_CONFIG": str(config)}
    ran = CliRunner().invoke(app, [str(one) for one in arguments], env=environment)
    if isinstance(ran.exception, GatewayError):
        return Ended(exit_status(ran.exception), ran.stdout, ran.stderr + str(ran.exception))
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return Ended(ran.exit_code, ran.stdout, ran.stderr)


def as_json(ended: Ended) -> Any:
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    yield made
    made.box.close()


def keys(config: Path) -> dict[str, dict[str, object]]:
    return {one["role"]: one for one in as_json(gateway("keys", "list", "--json", config=config))}


def test_the_key_is_changed_step_by_step(practice: Practice, tmp_path: Path) -> None:
    config = practice.config
    assert gateway("submit", FIRST, config=config).returncode == 0
    before = keys(config)["current"]
    assert before["documents"] == 1
    plan = as_json(gateway("keys", "rotate", *WHO, "--dry-run", "--json", config=config))
    assert plan == {"kind": "new", "key_id": None, "rows": 2}
    assert keys(config)["current"]["id"] == before["id"]  # a look changes nothing

    staged = as_json(gateway("keys", "rotate", *WHO, "--stage", "--json", config=config))["key_id"]
    assert {role: one["id"] for role, one in keys(config).items()} == {"current": before["id"], "waiting": staged}
    told = gateway("keys", "rotate", *WHO, config=config)
    assert told.returncode == 0, told.stderr
    assert "Documents et faits : 2/2" in told.stderr
    assert f"keys retire {before['id']}" in told.stderr
    assert gateway("submit", SECOND, config=config).returncode == 0
    found = keys(config)
    assert (found["current"]["id"], found["current"]["documents"]) == (staged, 2)
    assert found["older"] == {**before, "role": "older", "documents": 0, "facts": 0, "current": False}

    refused = gateway("keys", "retire", staged, *WHO, "--yes", config=config)
    assert (refused.returncode, "KEY-006" in refused.stderr) == (77, True)
    assert gateway("keys", "retire", "0" * 16, *WHO, "--yes", config=config).returncode == 1
    old = str(before["id"])
    assert as_json(gateway("keys", "retire", old, *WHO, "--dry-run", "--json", config=config))["retired"] is False
    assert gateway("keys", "retire", old, *WHO, config=config).returncode != 0  # nobody there to confirm
    assert "older" in keys(config)
    assert gateway("keys", "retire", old, *WHO, "--yes", config=config).returncode == 0
    assert keys(config)["retired"]["here"] is False

    assert gateway("run", "--once", config=config).returncode == 0
    rows = as_json(gateway("queue", "list", "--json", config=config))
    assert {row["transport"] for row in rows if row["channel"] in {"mssante", "dmp"}} == {"sent"}
    assert as_json(gateway("journal", "verify", "--json", config=config))["ok"] is True
    shown = gateway("keys", "list", config=config).stdout
    assert "en usage" in shown
    assert "détruite" in shown


def test_a_backup_from_before_opens_with_the_keyring_of_then(practice: Practice, tmp_path: Path) -> None:
    config, phrase = practice.config, tmp_path / "phrase"
    phrase.write_text("une phrase assez longue\n")
    safe = ("--passphrase-file", phrase)
    assert gateway("submit", FIRST, config=config).returncode == 0
    then, now = tmp_path / "then.json", tmp_path / "now.json"
    assert gateway("keys", "backup", "--to", then, *safe, config=config).returncode == 0
    assert gateway("backup", "--to", tmp_path / "copy", config=config).returncode == 0
    old = str(keys(config)["current"]["id"])
    assert gateway("keys", "rotate", *WHO, config=config).returncode == 0
    new = str(keys(config)["current"]["id"])
    assert gateway("keys", "backup", "--to", now, *safe, config=config).returncode == 0  # both keys

    settings = load(config)
    database, file = database_path(settings), settings.sealing.key_file
    shutil.copyfile(tmp_path / "copy" / "gateway.db", database)
    assert keys(config)["current"]["id"] == old  # the whole keyring opens both
    assert gateway("keys", "rotate", *WHO, config=config).returncode == 0  # the new key waits in it: no third one
    assert keys(config)["current"]["id"] == new
    assert gateway("keys", "retire", old, *WHO, "--yes", config=config).returncode == 0

    shutil.copyfile(tmp_path / "copy" / "gateway.db", database)
    refused = gateway("keys", "list", config=config)
    assert "SEA-010" in refused.stderr
    assert "keys restore" in refused.stderr
    back = as_json(gateway("keys", "restore", then, *safe, "--json", config=config))
    assert (back["written"], back["added"]) == ([], [old])
    document = as_json(gateway("queue", "list", "--json", config=config))[0]
    assert document["id"]
    assert keys(config)["current"]["id"] == old

    file.unlink()
    back = as_json(gateway("keys", "restore", now, *safe, "--json", config=config))
    assert back["written"] == ["master"]
    assert {key.id for key in keyring.load(file).keys} == {old, new}
