"""Processes that take documents over and deliver them while another one changes the master key and is killed at it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from typing import Any

from gateway.api import Gateway
from gateway.errors import StoreError
from gateway.settings import Settings
from gateway.store import keyring, rotating
from gateway.store.base import Wanted
from gateway.store.core import Work
from gateway.store.masters import Batch
from tests.integration.pg_victim import SENT, Sink, open_store
from tests.unit.store import kit
from tests.unit.store.test_facts import NEW as NEW_FACTS

WHO = {"by": "Anne", "reason": "annuel"}
STEPS = ("ring", "made", "used", "inside", "between", "retired")
"""Where a rotation is killed: the key is in the keyring and not in the database; made, not in use; in use, nothing
handed over; inside a batch; between two batches; retired in the database and still in the keyring."""
AT_ONCE = 8
"""Documents in a batch here, so that there are many."""


def accept(chosen: Settings, name: str, stop: Event) -> None:
    """Take documents over until told to stop."""
    store, number = open_store(chosen), 0
    while not stop.is_set():
        account = chosen.account[number % 2].id
        store.accept(kit.request(f"{name}{number}", kit.mail(), account=account, facts=NEW_FACTS))
        number += 1
        time.sleep(0.05)
    store.close()


def deliver(chosen: Settings, name: str, sink: Sink, stop: Event) -> None:
    """Deliver until told to stop and nothing is due."""
    store = open_store(chosen)
    while True:
        last = stop.is_set()
        claims = store.claim(Wanted(name, 60.0, 4))
        for claim in claims:
            assert claim.parts
            store.mark_transmitting(claim)
            sink.take(claim.delivery_id, name)
            store.record(claim, SENT)
        if last and not claims:
            break
        time.sleep(0.05)
    store.close()


def rotate(chosen: Settings, step: str | None) -> None:
    """A whole rotation, and the end of every key that nothing needs; with `step`, killed there."""
    keys = Gateway.open(chosen).keys
    _small_batches()
    if step is not None:
        _die_at(step)
    for key_id in keys.rotate(**WHO).idle:
        keys.retire(key_id, **WHO)


def _small_batches() -> None:
    whole = rotating.rewrap

    def small(core: Any, key_id: str, limit: int, skip: frozenset[str]) -> Batch:
        return whole(core, key_id, min(limit, AT_ONCE), skip)

    rotating.rewrap = small


def _die_at(step: str) -> None:
    if step == "ring":
        keyring.change = _dying(keyring.change)
    elif step == "made":
        rotating.add = _dying(rotating.add)
    elif step == "used":
        rotating.use = _dying(rotating.use)
    elif step == "between":
        rotating.rewrap = _dying(rotating.rewrap)
    else:
        Work.note = _dying(Work.note, {"inside": "documents_rewrapped", "retired": "master_key_retired"}[step])  # type: ignore[method-assign]
        if step == "retired":
            Work.note, keyring.change = _whole_note, _dying(keyring.change, before=True, alone=True)  # type: ignore[method-assign]


_whole_note = Work.note


def _dying(whole: Callable[..., Any], event: str | None = None, *, before: bool = False, alone: bool = False) -> Any:
    """The function, and death after its first call (`before` it; `event`: the first that notes it). `alone`: only a
    call that takes a key away counts."""

    def dies(*arguments: Any, **named: Any) -> Any:
        if alone and "retire" not in getattr(arguments[1], "__qualname__", ""):
            return whole(*arguments, **named)
        if before:
            os.kill(os.getpid(), signal.SIGKILL)
        result = whole(*arguments, **named)
        if event is None or arguments[1] == event:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return dies


def answers(chosen: Settings) -> bool:
    """Whether the store opens at all."""
    try:
        open_store(chosen).close()
    except StoreError:
        return False
    return True
