"""A test that lacks its server is skipped in plain sight, and fails where skipping is forbidden."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROBE = "tests/unit/test_checkers.py::test_kitcheck_passes_the_examples_and_sees_a_fault"


def _run_without_reference_material(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "KINE_REQUIRE_SERVERS"}
    environment |= {"KINE_SHARED": str(tmp_path / "nowhere"), **variables}
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", PROBE]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_skips_are_counted(tmp_path: Path) -> None:
    run = _run_without_reference_material(tmp_path)
    assert run.returncode == 0
    assert "1 skipped" in run.stdout
    assert "Skipped for want of a server or tool: shared (1)" in run.stdout


def test_skips_are_failures_where_forbidden(tmp_path: Path) -> None:
    run = _run_without_reference_material(tmp_path, KINE_REQUIRE_SERVERS="1")
    assert run.returncode == 1
    assert "skipping is forbidden here" in run.stdout
