"""A practice is saved while it works, loses its machine, and comes back: nothing is sent again blindly."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.settings import load
from gateway.store import backup, database_path
from tests.e2e.test_commands import as_json, gateway
from tests.integration.practice import CASES, Practice, open_practice

FIRST, SECOND = (next(CASES.glob(f"{number}_*.json")) for number in ("01", "08"))


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    yield made
    made.box.close()


def test_a_lost_machine_comes_back_held(practice: Practice, tmp_path: Path) -> None:
    config = practice.config
    phrase, keys, copy = tmp_path / "phrase", tmp_path / "keys.json", tmp_path / "backup"
    phrase.write_text("une phrase assez longue\n")
    assert gateway("submit", FIRST, config=config).returncode == 0
    saved = gateway("keys", "backup", "--to", keys, "--passphrase-file", phrase, config=config)
    assert saved.returncode == 0, saved.stderr
    taken = as_json(gateway("backup", "--to", copy, "--json", config=config))
    assert taken["documents"] == 1
    # After the backup the first document is sent, and another one is taken over.
    assert gateway("submit", SECOND, config=config).returncode == 0
    assert gateway("run", "--once", config=config).returncode == 0
    received = len(list((tmp_path / "practice").rglob("*.eml")))

    settings = load(config)
    database = database_path(settings)
    shutil.copyfile(copy / "gateway.db", database)  # the checkpoints were kept elsewhere: they are ahead of it
    settings.sealing.key_file.unlink()
    back = as_json(gateway("keys", "restore", keys, "--passphrase-file", phrase, "--json", config=config))
    assert back["written"] == ["master"]

    assert gateway("run", "--once", "--wait", "0", config=config).returncode == 0
    rows = as_json(gateway("queue", "list", "--json", config=config))
    assert {row["transport"] for row in rows if row["channel"] in {"mssante", "dmp"}} <= {"in_doubt", "sent"}
    assert len(list((tmp_path / "practice").rglob("*.eml"))) == received  # nothing went a second time
    assert [one["account"] for one in as_json(gateway("queue", "pauses", "--json", config=config))] == ["*"]
    verified = as_json(gateway("journal", "verify", "--json", config=config))
    assert "JRN-112" in {finding["code"] for finding in verified["findings"]}


def test_a_backup_is_checked_and_never_overwritten(practice: Practice, tmp_path: Path) -> None:
    config, copy = practice.config, tmp_path / "backup"
    assert gateway("submit", FIRST, config=config).returncode == 0
    assert gateway("backup", "--to", copy, config=config).returncode == 0
    assert gateway("backup", "--to", copy, config=config).returncode != 0
    assert backup.check(copy).documents == 1
    data = bytearray((copy / "gateway.db").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "gateway.db").write_bytes(data)
    with pytest.raises(StoreError, match="entière"):
        backup.check(copy)
