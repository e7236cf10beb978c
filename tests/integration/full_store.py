"""What the tests of a full disk share, on both stores: documents that come in, a worker that delivers meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from gateway.clock import SeededRandomness, SystemClock
from gateway.engine.worker import Worker
from gateway.store.outbox import Outbox
from tests.unit.engine.test_worker import Script
from tests.unit.store import kit

LONG = 60.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG):
        while not condition():  # noqa: ASYNC110 (the condition is in the database)
            await asyncio.sleep(0.02)


def accept_many(store: Outbox) -> None:
    for number in range(50):  # free pages inside the file may take a few
        store.accept(kit.request(f"more-{number}"))


def bench(store: Outbox, folder: Path, script: Script, told: list[str], lease: float = 60.0, **retry: object) -> Worker:
    """A worker with a scripted channel, whose events are told."""
    settings = kit.settings(folder, retry={"lease": lease, **retry}, sidecar={"scan_every": 0.05})
    more = {"clock": SystemClock(), "randomness": SeededRandomness("w"), "settings": settings}
    return Worker(store, lambda *_: script, subscribers=[lambda event: told.append(event.event)], **more)  # type: ignore[arg-type]
