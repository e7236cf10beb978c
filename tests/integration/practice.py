"""A practice around a running sandbox, for tests: one call gives servers, certificates and a configuration."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.api import Gateway
from gateway.cli.practice import read_submissions, write_practice
from gateway.clock import SystemClock
from gateway.sandbox.service import Sandbox
from gateway.sidecar.daemon import Sidecar, pause

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "fixtures" / "cases"
FAST_RETRY = "delays = [0.2, 0.4]\njitter = false\nbreaker_pause = 0.3\n"


@dataclass
class Practice:
    """Sandbox, configuration and folders of one test."""

    box: Sandbox
    config: Path
    folder: Path

    def outbox(self, account: str) -> Path:
        return self.folder / "outbox" / account

    def drop(self, value: dict[str, Any] | bytes, name: str, account: str, suffix: str = ".json") -> None:
        """Write beside, then rename: what a billing software does."""
        new = self.outbox(account) / "new"
        new.mkdir(parents=True, exist_ok=True)
        part = new / f"{name}.part"
        part.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
        part.rename(new / f"{name}{suffix}")

    def run(self, until: Callable[[Sidecar, Gateway], bool] | None = None, seconds: float = 30.0) -> None:
        """Run the sidecar until nothing waits (or `until` says so)."""
        with Gateway.open(self.config) as gateway:
            sidecar = Sidecar(gateway)
            asyncio.run(_run(sidecar, until or (lambda one, _: one.idle), gateway, seconds))

    def status(self, account: str, name: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.outbox(account) / "status" / f"{name}.json").read_bytes())
        return value


async def _run(sidecar: Sidecar, until: Callable[[Sidecar, Gateway], bool], gateway: Gateway, seconds: float) -> None:
    stop = asyncio.Event()
    deadline = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        group.create_task(sidecar.run(stop))
        while not until(sidecar, gateway) and time.monotonic() < deadline:
            await pause(stop, 0.05)
        stop.set()
    assert time.monotonic() < deadline, "the sidecar did not come to rest"


def case(name: str) -> dict[str, Any]:
    """A fixture submission as plain data, to be changed by hand."""
    value: dict[str, Any] = json.loads((CASES / f"{name}.json").read_bytes())
    return value


def open_practice(folder: Path, retry: str = FAST_RETRY, certificates: Path | None = None) -> Practice:
    """Start a sandbox in `folder` with an account for each author of the fixtures. Close it with `.box.close()`.

    `certificates` is the `sandbox/pki` folder of another practice: making thirty RSA keys takes seconds.
    """
    if certificates is not None:
        shutil.copytree(certificates, folder / "sandbox" / "pki")
    box = Sandbox(folder / "sandbox", clock=SystemClock())
    box.start()
    config = write_practice(folder, box, read_submissions(sorted(CASES.glob("*.json"))), retry=retry)
    text = config.read_text(encoding="utf-8") + "\n[sidecar]\nscan_every = 0.1\n"
    config.write_text(text, encoding="utf-8")
    return Practice(box, config, folder)
