"""What the sidecar weighs when nothing happens, before and after its first document, and what `--help` costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.integration.practice import Practice, case, open_practice

ACCOUNT = "cabinet-01"
COMMAND = Path(sys.executable).parent / "kine-gateway"
IDLE_SECONDS = 20.0

pytestmark = [
    pytest.mark.bench,
    pytest.mark.timeout(200),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc (Linux)"),
]


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    # The default interval of the folder scan: the one whose cost is promised.
    text = made.config.read_text(encoding="utf-8").replace("scan_every = 0.1", "scan_every = 2.0")
    made.config.write_text(text, encoding="utf-8")
    yield made
    made.box.close()


def megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def share_of_a_core(pid: int) -> float:
    before = cpu_seconds(pid)
    time.sleep(IDLE_SECONDS)
    return (cpu_seconds(pid) - before) / IDLE_SECONDS


def test_an_idle_sidecar_is_light(practice: Practice, root: Path) -> None:
    """DESIGN §6: below 80 MB before the first document, 160 MB after, below 0.5 % of a core."""
    page = practice.outbox(ACCOUNT) / "A_FAIRE.html"
    process = subprocess.Popen([COMMAND, "run", "--config", practice.config], stderr=subprocess.DEVNULL)
    try:
        wait_for(page.exists)
        time.sleep(1)
        fresh, idle = megabytes(process.pid), share_of_a_core(process.pid)
        practice.drop(case("01_entorse_cheville_bilan"), "un", ACCOUNT)
        status = practice.outbox(ACCOUNT) / "status" / "un.json"
        wait_for(lambda: status.exists() and json.loads(status.read_bytes())["done"])
        after, idle_after = megabytes(process.pid), share_of_a_core(process.pid)
    finally:
        process.terminate()
        process.wait(30)
    result = {
        "rss_before_mb": round(fresh, 1),
        "rss_after_mb": round(after, 1),
        "idle_core_share": round(idle, 4),
        "idle_core_share_after": round(idle_after, 4),
        "budget": {"rss_before_mb": 80, "rss_after_mb": 160, "idle_core_share": 0.005},
    }
    write(root, "sidecar", result)
    assert fresh < 80
    assert after < 160
    assert max(idle, idle_after) < 0.005


def test_help_costs_little_more_than_starting_python(root: Path) -> None:
    """DESIGN §6: below 0.25 s, heavy imports being lazy; held here as a ratio to importing typer alone."""

    def milliseconds(*command: str | Path) -> float:
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return (time.perf_counter() - start) * 1000

    pairs = [(milliseconds(sys.executable, "-c", "import typer"), milliseconds(COMMAND, "--help")) for _ in range(15)]
    least, spent = median(p[0] for p in pairs), median(p[1] for p in pairs)
    result = {"import_typer_ms": round(least), "help_ms": round(spent), "ratio": round(spent / least, 2), "budget": 2.5}
    write(root, "help", result)
    assert result["ratio"] <= 2.5


def write(root: Path, name: str, result: dict[str, Any]) -> None:
    folder = root / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(name, result)
