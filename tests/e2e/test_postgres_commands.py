"""The commands of a practice with `store.url = "postgresql://..."` as the only change, each in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.test_commands import BILAN, REASON, as_json, gateway
from tests.integration import database
from tests.integration.pg_practice import practice
from tests.integration.practice import Practice
from tests.unit.store.engines import postgres

__all__ = ["postgres", "practice"]
pytestmark = [pytest.mark.needs("postgres"), pytest.mark.timeout(240)]


def test_a_day_of_a_practice(practice: Practice, tmp_path: Path) -> None:
    """Submit, steer, deliver, look, prove; nothing of it knows which engine is below."""
    config = practice.config
    document = as_json(gateway("submit", BILAN, "--json", config=config))
    again = as_json(gateway("submit", BILAN, "--json", config=config))
    signed = [path.name for path in (practice.folder / "checkpoints").glob("checkpoint-*.txt")]
    assert signed, "a command signs what it added to the journal when it ends"
    assert (document["created"], again["created"], again["document_id"]) == (True, False, document["document_id"])
    doctor = next(one["id"] for one in document["deliveries"] if one["role"] == "medecin_traitant")
    assert as_json(gateway("queue", "hold", doctor, *REASON, "--json", config=config))["transport"] == "held"
    assert as_json(gateway("queue", "release", doctor, *REASON, "--json", config=config))["transport"] == "prepared"
    run = gateway("run", "--once", "--json", config=config)
    assert run.returncode == 0, run.stderr
    shown = as_json(gateway("queue", "show", doctor, "--json", config=config))
    assert (shown["transport"], [one["action"] for one in shown["notes"]]) == ("sent", ["hold", "release"])
    listed = as_json(gateway("queue", "list", "--json", config=config))
    assert {one["transport"] for one in listed} == {"sent"}
    assert as_json(gateway("journal", "verify", "--json", config=config))["ok"] is True
    export = tmp_path / "journal.jsonl"
    as_json(gateway("journal", "export", "--to", export, "--json", config=config))
    assert as_json(gateway("journal", "verify", export, "--json"))["ok"] is True
    assert not list(practice.folder.glob("*.sqlite*")), "nothing of it lies in a file"


def test_doctor_looks_at_the_server(postgres: database.Server, practice: Practice) -> None:
    config = practice.config
    as_json(gateway("submit", BILAN, "--json", config=config))
    value = as_json(gateway("doctor", "--json", config=config), status=1)  # this server runs with fsync off
    found = {one["code"] for one in value["findings"] if one["severity"] == "error"}
    assert (found, value["journal"]["ok"]) == ({"CFG-132"}, True)
    url = next(line for line in config.read_text(encoding="utf-8").splitlines() if line.startswith("url ="))
    with postgres.connect(url.split('"')[1]) as connection:
        connection.execute("INSERT INTO schema_version VALUES (9999)")
    value = as_json(gateway("doctor", "--json", config=config), status=1)
    assert "STO-004" in {one["code"] for one in value["findings"]}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"postgresql://kine@127.0.0.1:{probe.getsockname()[1]}/kine"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(url, f'url = "{nobody}"'), encoding="utf-8")
    value = as_json(gateway("doctor", "--json", config=config), status=1)
    [found_there] = [one for one in value["findings"] if one["path"] == "/store/url"]
    assert (found_there["code"], found_there["severity"], value["journal"]) == ("STO-010", "error", None)
    assert found_there["advice"]


def test_the_pages_are_served(practice: Practice) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with practice.config.open("a", encoding="utf-8") as file:
        file.write(f'\n[web]\nlisten = "127.0.0.1:{port}"\n')
    command = [str(Path(sys.executable).parent / "kine-gateway"), "serve", "--config", str(practice.config)]
    served = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
    try:
        assert _answer(served, f"http://127.0.0.1:{port}/") == 200
    finally:
        served.send_signal(signal.SIGTERM)
        assert served.wait(60) == 0


def _answer(served: subprocess.Popen[bytes], url: str) -> int:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and served.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except OSError:
            time.sleep(0.05)
    raise AssertionError("nothing was served")
