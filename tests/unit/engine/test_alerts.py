"""An alert is told once for each change, and its program can hurt nothing."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.engine.alerts import EVENTS, Alerts
from gateway.engine.events import DeliveryEvent
from gateway.settings import AlertSettings

DOUBT = DeliveryEvent(datetime(2026, 3, 2, tzinfo=UTC), "doubt", "cabinet", "mssante", "d1", "doc", state="in_doubt")
KEEP = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"


def told(path: Path, number: int) -> list[dict[str, str]]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= number:
            return [json.loads(line) for line in lines]
        time.sleep(0.02)
    raise AssertionError(f"{number} alerts were never told")


def test_each_change_is_told_once(tmp_path: Path) -> None:
    file = tmp_path / "told"
    alerts = Alerts(AlertSettings(command=(sys.executable, "-c", KEEP, str(file)), timeout=5))
    alerts(DOUBT)
    alerts(replace(DOUBT, event="still_in_doubt"))  # the same doubt, asked for again
    alerts(replace(DOUBT, event="taken", state="sent"))
    alerts(replace(DOUBT, event="claimed", state="sending"))
    alerts(DOUBT)  # a doubt again, later
    alerts(replace(DOUBT, event="paused", state="", delivery=""))
    found = told(file, 3)
    time.sleep(0.3)
    assert [one["event"] for one in told(file, 3)] == ["doubt", "doubt", "paused"]
    assert found[0]["delivery"] == "d1"


@pytest.mark.parametrize("command", [("/no/such/program",), (sys.executable, "-c", "raise SystemExit(3)")])
def test_a_program_that_fails_is_logged_only(command: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> None:
    Alerts(AlertSettings(command=command, timeout=5))(DOUBT)
    deadline = time.monotonic() + 10
    while not caplog.records and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [record.getMessage() for record in caplog.records] == ["alert_not_told"]


def test_a_receipt_that_did_not_come_is_told(tmp_path: Path) -> None:
    file = tmp_path / "told"
    alerts = Alerts(AlertSettings(command=(sys.executable, "-c", KEEP, str(file)), timeout=5))
    alerts(replace(DOUBT, event="receipt_overdue", state="sent"))
    assert [one["event"] for one in told(file, 1)] == ["receipt_overdue"]


def test_every_event_that_is_told_of_is_one_that_something_tells() -> None:
    folder = Path(__file__).resolve().parents[3] / "gateway"
    others = [path for path in folder.rglob("*.py") if path.name not in {"alerts.py", "events.py"}]
    code = "".join(path.read_text(encoding="utf-8") for path in others)
    assert {event for event in EVENTS if f'"{event}"' not in code} == set()


def test_what_waits_at_the_end_is_told(tmp_path: Path) -> None:
    file = tmp_path / "told"
    alerts = Alerts(AlertSettings(command=(sys.executable, "-c", KEEP, str(file)), timeout=10))
    for number in range(3):
        alerts(replace(DOUBT, delivery=f"d{number}"))
    alerts.close()
    assert [one["delivery"] for one in told(file, 3)] == ["d0", "d1", "d2"]
