"""`kine-gateway evidence`, as it is typed for a homologation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_commands import as_json, gateway
from tests.integration.practice import Practice, open_practice


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    yield made
    made.box.close()


def test_a_test_is_listed_previewed_and_run(practice: Practice, tmp_path: Path) -> None:
    config, out = practice.config, tmp_path / "preuves"
    codes = [one["code"] for one in as_json(gateway("evidence", "--list", "--json", config=config))]
    assert {"TD0.2", "TD2.1a", "TD2.1b", "TD3.1a", "TD3.2", "TD3.3a", "TD3.3c", "TD3.3d", "LIFE"} <= set(codes)
    order: list[str | Path] = ["evidence", "--test", "TD3.3c", "--account", "cabinet-01", "--out", out]
    preview = gateway(*order, "--dry-run", config=config)
    assert preview.returncode == 0
    assert "indirect" in preview.stderr.decode()
    assert practice.box.dmp.exchanges() == []
    assert gateway(*order, config=config, stdin=b"n\n").returncode == 1
    assert not out.exists()
    index = as_json(gateway(*order, "--yes", "--json", config=config))
    assert index["ok"] is True
    assert index == json.loads((out / "index.json").read_bytes())
    again = gateway(*order, "--yes", config=config)
    assert again.returncode == 78
    assert "EVD-005" in again.stderr.decode()


def test_what_cannot_be_run_says_why(practice: Practice, tmp_path: Path) -> None:
    config = practice.config
    base: list[str | Path] = ["evidence", "--out", tmp_path / "out", "--account", "cabinet-01"]
    assert "EVD-003" in gateway(*base, "--test", "XX", config=config).stderr.decode()
    assert "EVD-004" in gateway(*base, "--test", "TD3.2", config=config).stderr.decode()
    other: list[str | Path] = ["evidence", "--out", tmp_path / "out", "--account", "cabinet-06", "--test", "TD0.2"]
    assert "EVD-008" in gateway(*other, config=config).stderr.decode()
    assert gateway("evidence", config=config).returncode == 2
    assert not (tmp_path / "out").exists()
    assert practice.box.dmp.exchanges() == []
