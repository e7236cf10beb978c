"""Whatever a careless umask says, no other user reads a file that the gateway makes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.e2e.test_commands import gateway
from tests.integration.practice import CASES, open_practice

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")


def test_every_file_and_folder_is_private(tmp_path: Path, certificates: Path) -> None:
    before = os.umask(0)
    try:
        practice = open_practice(tmp_path / "practice", certificates=certificates)
        try:
            config, home = practice.config, tmp_path / "practice"
            theirs = set(home.rglob("*"))  # what the sandbox and this test made
            case = next(CASES.glob("01_*.json")).read_bytes()
            practice.drop(case, "MARTIN Eva", json.loads(case)["account"])
            theirs |= set((home / "outbox").rglob("*"))
            theirs.add(home / "outbox")
            assert gateway("run", "--once", config=config).returncode == 0
            assert gateway("token", "add", "--name", "x", "--role", "auditor", config=config).returncode == 0
            assert gateway("backup", "--to", tmp_path / "backup", config=config).returncode == 0
            made = [path for path in (*home.rglob("*"), *(tmp_path / "backup").rglob("*")) if path not in theirs]
            sandbox = practice.box.folder
            ours = [path for path in made if sandbox not in path.parents and not path.is_socket()]
            assert len(ours) > 20
            open_ones = [f"{path} {path.stat().st_mode & 0o777:o}" for path in ours if path.stat().st_mode & 0o077]
            assert open_ones == []
        finally:
            practice.box.close()
    finally:
        os.umask(before)
