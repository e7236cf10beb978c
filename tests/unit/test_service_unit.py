"""The shipped systemd unit: systemd takes it, and the program says what the unit waits for."""

from __future__ import annotations

import configparser
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

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


def _installed(folder: Path) -> Path:
    """The unit as systemd reads it, its program and user being those of this machine."""
    text = UNIT.read_text(encoding="utf-8").replace("/opt/kine-gateway/bin/kine-gateway", "/bin/true")
    target = folder / "kine-gateway.service"
    target.write_text(text.replace("=kine\n", "=root\n"))
    return target


@pytest.mark.needs("systemd-analyze")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    command = ["systemd-analyze", "verify", str(_installed(tmp_path))]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "kine-gateway.service" not in run.stderr, run.stderr


@pytest.mark.needs("systemd-analyze")
def test_systemd_calls_it_little_exposed(tmp_path: Path) -> None:
    """0 is a service that can do nothing, 10 one that can do everything. `root` is of this test alone."""
    text = _installed(tmp_path).read_text().replace("=root\n", "=nobody\n")
    (tmp_path / "kine-gateway.service").write_text(text)
    command = [
        "systemd-analyze",
        "security",
        "--offline=true",
        "--threshold=20",
        str(tmp_path / "kine-gateway.service"),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-500:] + run.stderr
    bare = "[Service]\nExecStart=/bin/true\n"
    (tmp_path / "kine-gateway.service").write_text(bare)
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0  # the threshold is one


def test_the_windows_service_runs_what_the_unit_runs() -> None:
    """Only read: no Windows is here to run it."""
    root = ET.parse(ROOT / "config" / "windows" / "kine-gateway-service.xml").getroot()
    assert root.tag == "service"
    names = {one.attrib["name"] for one in root.iter("env")}
    assert "KINE_GATEWAY_CONFIG" in names
    assert root.findtext("arguments") == "run --json"
    assert str(root.findtext("stoptimeout")).split()[0] == "60"
