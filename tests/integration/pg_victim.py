"""A worker process on PostgreSQL that can be killed or paused, and the other side that counts what it received."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from gateway import store as stores
from gateway.clock import SystemClock, SystemRandomness
from gateway.errors import LeaseLostError, StoreError
from gateway.settings import Settings
from gateway.store.base import Claim, Result, Wanted
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Receipt, Transport
from tests.unit.store import kit

SENT = Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", receipt=Receipt.AWAITED)
ABSENT = Result(Event.FAILED, Transport.RETRY, "transient", "SNK-NO", due_in=0)
OPEN = ("prepared", "sending", "transmitting", "retry", "in_doubt")


def settings(folder: Path, url: str) -> Settings:
    """A gateway of several accounts, so that several shards have work."""
    one = kit.settings(folder, store={"url": url})
    accounts = tuple(one.account[0].model_copy(update={"id": name}) for name in ("cabinet", "autre", "tiers", "quart"))
    return one.model_copy(update={"account": accounts})


def open_store(chosen: Settings) -> Outbox:
    opened = stores.open(chosen, SystemClock(), SystemRandomness())
    assert isinstance(opened, Outbox)
    return opened


class Sink:
    """Receptions as lines appended to a file: one write each, which the system does not split."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self, delivery: str, worker: str) -> None:
        """The document arrives."""
        with self.path.open("ab", buffering=0) as file:
            file.write(f"{delivery} {worker}\n".encode())

    def complain(self, worker: str, fault: StoreError, seconds: float = 0.0) -> None:
        """A worker was told by its store that something could not be done, after so many seconds."""
        with self._complaints.open("ab", buffering=0) as file:
            file.write(f"{worker} {fault.code} {seconds}\n".encode())

    def complaints(self, worker: str) -> list[tuple[str, float]]:
        """What a worker was told, in order, and how long each took to be told."""
        lines = self._complaints.read_text().splitlines() if self._complaints.exists() else []
        told = [line.split() for line in lines]
        return [(code, float(seconds)) for name, code, seconds in told if name == worker]

    @property
    def _complaints(self) -> Path:
        return self.path.with_suffix(".complaints")

    def received(self) -> Counter[str]:
        """How often each delivery arrived."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return Counter(line.split()[0] for line in lines)


def work(chosen: Settings, name: str, sink: Sink, lease: float, linger: float, pause_at: int = 0) -> None:
    """Deliver until nothing is open. `linger` seconds go by between the claim and the wire; with `pause_at` the process
    stops itself (SIGSTOP) once, before its n-th delivery goes out.
    """
    store, number = open_store(chosen), 0
    while True:
        try:
            if not any(count.state in OPEN for count in store.counts()):
                break
            store.recover(settle=0)
            for claim in store.claim(Wanted(name, lease, 4)):
                number += 1
                time.sleep(linger)
                _deliver(store, sink, claim, stop=number == pause_at)
            for claim in store.claim_doubtful(Wanted(name, lease, 4)):
                _insist(store, sink, claim, SENT if sink.received()[claim.delivery_id] else ABSENT)
            time.sleep(0.02)
        except StoreError as fault:  # the server went away: wait for it
            sink.complain(name, fault)
            time.sleep(0.1)
    store.close()


def _deliver(store: Outbox, sink: Sink, claim: Claim, *, stop: bool) -> None:
    import signal

    try:
        if stop:
            os.kill(os.getpid(), signal.SIGSTOP)
        store.mark_transmitting(claim)
        sink.take(claim.delivery_id, claim.worker)
    except LeaseLostError:
        _insist(store, sink, claim, Result(Event.GIVEN_BACK, Transport.RETRY, "lost", "ENG-LEASE", due_in=0))
        return
    _insist(store, sink, claim, SENT)


def _insist(store: Outbox, sink: Sink, claim: Claim, result: Result) -> Any:
    """A result is recorded whatever it takes, as a flight does."""
    for _ in range(100):
        started = time.monotonic()
        try:
            return store.record(claim, result)
        except StoreError as fault:
            sink.complain(claim.worker, fault, time.monotonic() - started)
            time.sleep(0.1)
    raise AssertionError("the server never came back")


def submit(chosen: Settings, name: str, number: int, sink: Sink | None = None) -> None:
    """Submit documents, again and again until each is taken: same key, so none is taken twice. Complaints as `name`."""
    store = open_store(chosen)
    for place in range(number):
        account = chosen.account[place % len(chosen.account)].id
        request = kit.request(f"{name}-{place}", kit.mail(), account=account)
        while True:
            try:
                store.accept(request)
                break
            except StoreError as fault:
                if sink is not None:
                    sink.complain(name, fault)
                time.sleep(0.1)
    store.close()
