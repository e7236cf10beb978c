"""The sidecar as a real service: what it tells systemd, whom it alerts, and its upgrade while files go on coming."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.api import Gateway
from gateway.errors import StoreError
from tests.integration.daemon import Daemon, ServiceManager, command, environment
from tests.integration.practice import CASES, ROOT, Practice, open_practice

pytestmark = [
    pytest.mark.timeout(300),  # programs of their own, on a machine that may be busy
    pytest.mark.skipif(sys.platform == "win32", reason="signals and unix sockets"),
]
KEEP = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"
FILES = sorted(CASES.glob("*_bilan.json"))[:5]


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    yield made
    made.box.close()


def drop(practice: Practice, file: Path) -> tuple[str, str]:
    value = json.loads(file.read_bytes())
    practice.drop(value, file.stem, value["account"])
    return value["account"], file.stem


def test_from_ready_to_stopping(practice: Practice, tmp_path: Path) -> None:
    alerts = tmp_path / "alerts"
    said = json.dumps([sys.executable, "-c", KEEP, str(alerts)])
    practice.config.write_text(f"{practice.config.read_text()}\n[alerts]\ncommand = {said}\n")
    practice.box.faults.set("mssante", "reject", count=1)
    manager = ServiceManager(tmp_path / "notify")
    daemon = Daemon(practice.config, tmp_path, "service", notify=manager.path)
    try:
        assert manager.next() == "READY=1"
        assert [manager.next(), manager.next()] == ["WATCHDOG=1"] * 2
        drop(practice, FILES[0])
        daemon.wait_for(lambda: alerts.exists() and '"dead"' in alerts.read_text())
        assert daemon.stop() == 0
    finally:
        daemon.process.kill()
        daemon.process.wait()
    rest = manager.rest()
    assert rest[-1] == "STOPPING=1"
    assert set(rest[:-1]) <= {"WATCHDOG=1"}
    manager.close()
    told = [json.loads(line) for line in alerts.read_text().splitlines()]
    assert Counter(one["state"] for one in told)["dead"] == 1
    lines = [json.loads(line) for line in daemon.log.read_text().splitlines() if line.startswith("{")]
    assert {"delivery_claimed", "delivery_refused"} <= {line["event"] for line in lines}
    assert not [line for line in lines if "dropped" in line]
    traits = re.findall(r'"(?:birth_family|matricule|family|value)": "([^"]{4,})"', FILES[0].read_text("utf-8"))
    assert traits
    assert not [trait for trait in traits if trait in daemon.log.read_text() + alerts.read_text()]


def next_release(folder: Path) -> Path:
    """The program with one more migration, as another installation has it."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("gateway", "mappings", "config"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    sql = folder / "gateway" / "store" / "sql" / "sqlite" / "9999_next.sql"
    sql.write_text("ALTER TABLE delivery ADD COLUMN next_release TEXT;\nCREATE TABLE next_release (id TEXT) STRICT;\n")
    return folder


class Software(threading.Thread):
    """The practice's own software: writes a file now and then and asks nobody."""

    def __init__(self, practice: Practice, files: list[Path]) -> None:
        super().__init__(daemon=True)
        self.practice, self.files = practice, files
        self.written: list[tuple[str, str]] = []

    def run(self) -> None:
        for file in self.files:
            self.written.append(drop(self.practice, file))
            time.sleep(0.4)


def test_files_go_on_coming_during_an_upgrade(practice: Practice, tmp_path: Path) -> None:
    """The old release is left running, the new one migrates under it: the old one stops by itself, nothing is lost."""
    release = next_release(tmp_path / "release")
    software = Software(practice, FILES)
    old = Daemon(practice.config, tmp_path, "old")
    new: Daemon | None = None
    try:
        software.start()
        old.wait_for(lambda: any(status(practice, *one) for one in list(software.written)))
        listed = command("queue", "list", "--json")
        migrated = subprocess.run(
            listed, env=environment(practice.config, release), capture_output=True, timeout=60, check=False
        )
        assert migrated.returncode == 0, migrated.stderr.decode()
        assert old.process.wait(60) == 70
        assert "[STO-004]" in old.log.read_text()
        assert "Traceback" not in old.log.read_text()
        new = Daemon(practice.config, tmp_path, "new", release)
        software.join()
        new.wait_for(lambda: all(done(practice, *one) for one in software.written))
        assert new.stop() == 0
    finally:
        for one in (old, new):
            if one is not None:
                one.process.kill()
                one.process.wait()
    judge(practice, software)


def status(practice: Practice, account: str, name: str) -> dict[str, object] | None:
    file = practice.outbox(account) / "status" / f"{name}.json"
    found: dict[str, object] | None = json.loads(file.read_bytes()) if file.exists() else None
    return found


def done(practice: Practice, account: str, name: str) -> bool:
    """Whether nothing of it moves any more by itself."""
    found = status(practice, account, name)
    return found is not None and bool(found["done"] or found["needs_person"])


def judge(practice: Practice, software: Software) -> None:
    """Counted by what the other side has, and by a store that only the new release can open."""
    assert len(software.written) == len(FILES)
    assert [path for account, _ in software.written for path in (practice.outbox(account) / "new").iterdir()] == []
    receptions = {
        mail.message_id: practice.box.mail.receptions(mail.message_id) for mail in practice.box.mail.all_messages()
    }
    assert set(receptions.values()) == {1}
    with pytest.raises(StoreError) as caught:
        Gateway.open(practice.config)
    assert caught.value.code == "STO-004"
    known = [status(practice, *one) or {} for one in software.written]
    assert len({str(one["document_id"]) for one in known}) == len(FILES)
    doubtful = [one for one in known if "in_doubt" in json.dumps(one)]  # cut off by the migration while it left
    assert len(receptions) >= len(FILES) - len(doubtful)
