"""The process that gets killed: a real store and a real worker, with named places where it can die.

The places are put around and inside the store's transactions, on the wire and around checkpoints from here, so the
product itself has no crash switch.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway import store as stores
from gateway.channels.outcome import BeforeCommit, Outcome, Verdict
from gateway.clock import SystemClock, SystemRandomness
from gateway.engine.worker import Worker
from gateway.package.types import Package
from gateway.settings import Settings
from gateway.store.database import Transaction
from gateway.store.outbox import Outbox

METHODS = ("accept", "claim", "mark_transmitting", "record", "claim_doubtful", "recover")
WIRE = ("wire.connected", "wire.half", "wire.sent", "wire.answered", "ask.before", "ask.answered")
CHECKPOINT = ("checkpoint.before", "checkpoint.after")
BATCHES = {"mark_many": "mark_transmitting", "record_many": "record"}
"""Several at once, in one transaction: the same steps."""
STEPS = tuple(f"{name}.{place}" for name in METHODS for place in ("before", "commit", "after")) + WIRE + CHECKPOINT
STEADY = "nobody"


@dataclass
class Bomb:
    """Goes off the n-th time that a step is reached. `signal` SIGKILL, or SIGSTOP to be woken later."""

    step: str
    count: int
    signal: int = signal.SIGKILL

    def __call__(self, step: str) -> None:
        if step == self.step:
            self.count -= 1
            if self.count == 0:
                os.kill(os.getpid(), self.signal)


class MinedDatabase:
    """A database whose transactions can die just before their COMMIT."""

    def __init__(self, inner: Any, bomb: Callable[[str], None]) -> None:
        self.inner, self.bomb = inner, bomb
        self.doing = threading.local()

    @contextmanager
    def write(self, *shards: Any) -> Iterator[Transaction]:
        with self.inner.write(*shards) as tx:
            yield tx
            self.bomb(f"{getattr(self.doing, 'name', '')}.commit")

    def read(self) -> Any:
        return self.inner.read()

    def close(self) -> None:
        self.inner.close()


class MinedFolder:
    """A checkpoint folder that can die before and after it writes."""

    def __init__(self, inner: Any, bomb: Callable[[str], None]) -> None:
        self.inner, self.bomb = inner, bomb

    def write(self, size: int, root: bytes, shard: int = 0) -> Path:
        self.bomb("checkpoint.before")
        path: Path = self.inner.write(size, root, shard)
        self.bomb("checkpoint.after")
        return path

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def mined_store(settings: Settings, bomb: Callable[[str], None]) -> Outbox:
    opened = stores.open(settings, SystemClock(), SystemRandomness())
    assert isinstance(opened, Outbox)
    database = MinedDatabase(opened.core.db, bomb)
    opened.core = replace(opened.core, db=database, folder=MinedFolder(opened.core.folder, bomb))  # type: ignore[arg-type]
    for name in (*METHODS, *BATCHES):
        setattr(opened, name, _mined(BATCHES.get(name, name), getattr(opened, name), database, bomb))
    return opened


def _mined(name: str, method: Callable[..., Any], database: MinedDatabase, bomb: Callable[[str], None]) -> Any:
    def call(*arguments: Any, **options: Any) -> Any:
        bomb(f"{name}.before")
        database.doing.name = name
        try:
            result = method(*arguments, **options)
        finally:
            database.doing.name = ""
        bomb(f"{name}.after")
        return result

    return call


class Wire:
    """A channel to the sink; its steps can be meant on every lane or on one of them."""

    def __init__(self, port: int, lane: str, bomb: Callable[[str], None]) -> None:
        self.port, self.lane, self._bomb = port, lane, bomb

    def bomb(self, step: str) -> None:
        self._bomb(step)
        self._bomb(f"{self.lane} {step}")

    async def send(self, package: Package, before_commit: BeforeCommit) -> Outcome:
        name = package.parts[0].data
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await before_commit()
            self.bomb("wire.connected")
            line = b"SEND " + name + b"\n"
            writer.write(line[:8])
            await writer.drain()
            self.bomb("wire.half")
            writer.write(line[8:])
            await writer.drain()
            self.bomb("wire.sent")
            answer = await reader.readline()
            self.bomb("wire.answered")
        finally:
            writer.close()
        return Outcome(Verdict.ACCEPTED, "SNK-250") if answer else Outcome(Verdict.IN_DOUBT, "SNK-LOST")

    async def resolve(self, package: Package) -> Outcome:
        self.bomb("ask.before")
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"ASK " + package.parts[0].data + b"\n")
        answer = await reader.readline()
        writer.close()
        self.bomb("ask.answered")
        return Outcome(Verdict.ACCEPTED, "SNK-YES") if answer == b"YES\n" else Outcome(Verdict.TRANSIENT, "SNK-NO")

    async def aclose(self) -> None:
        return


def work(settings: Settings, port: int, bomb: Bomb) -> None:
    """Deliver until nothing waits, or until killed."""
    store = mined_store(settings, bomb)
    worker = Worker(
        store,
        lambda account, channel: Wire(port, f"{account}/{channel}", bomb),
        clock=store.core.clock,
        randomness=store.core.ids,
        settings=settings,
        subscribers=(),
    )
    asyncio.run(_until_idle(store, worker, settings))
    store.close()


async def _until_idle(store: Outbox, worker: Worker, settings: Settings) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    accounts = [account.id for account in settings.account]
    while not running.done():
        await asyncio.sleep(0.02)
        busy = {"sending", "transmitting"} & {count.state for count in store.counts()}
        if store.next_due(accounts) is None and not busy:
            stop.set()
            break
    await running


def submit(settings: Settings, requests: list[Any], bomb: Bomb) -> None:
    """Submit every request, or die trying."""
    store = mined_store(settings, bomb)
    for request in requests:
        store.accept(request)
    store.close()
