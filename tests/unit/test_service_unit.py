"""The shipped systemd unit: systemd takes it, and the program says what the unit waits for."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "config" / "systemd" / "kine-gateway.service"


def test_it_is_a_notify_service_that_may_write_little() -> None:
    class Unit(configparser.RawConfigParser):
        def optionxform(self, optionstr: str) -> str:
            return optionstr

    unit = Unit(strict=False)
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    service = dict(unit["Service"])
    assert service["Type"] == "notify"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["UMask"] == "0077"
    daemon = (ROOT / "gateway" / "sidecar" / "daemon.py").read_text(encoding="utf-8")
    for word in ("READY=1", "WATCHDOG=1", "STOPPING=1"):
        assert word in daemon


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    text = UNIT.read_text(encoding="utf-8").replace("/opt/kine-gateway/bin/kine-gateway", "/bin/true")
    (tmp_path / "kine-gateway.service").write_text(text.replace("=kine\n", "=root\n"))
    command = ["systemd-analyze", "verify", str(tmp_path / "kine-gateway.service")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "kine-gateway.service" not in run.stderr, run.stderr
