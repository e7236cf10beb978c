"""The processes that the campaign kills: the sidecar, workers, and a program that submits. All run the product itself.

What differs from an installed gateway: the mines of `steps.py`, and what `_share` makes once for all documents.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.crash import papers, steps

if TYPE_CHECKING:
    from gateway.api import Gateway

REFUSED = 3
"""Exit code of a process that the store turned away (another holds the role, the server is away): start it again."""


@dataclass(frozen=True)
class Orders:
    """What a process is told. `step` "" for none; `count`: at which time that it comes there; `stops`: SIGSTOP."""

    folder: Path
    config: Path
    name: str
    step: str = ""
    count: int = 1
    stops: bool = False
    until: int = 0
    """For the one who submits: the number of the first document that is not there yet."""

    @property
    def log(self) -> Path:
        """What the process says."""
        return self.folder / f"{self.name}.log"


def sidecar(orders: Orders) -> None:
    """Watch the folders and deliver, as `kine-gateway run` does."""
    from gateway.sidecar.daemon import Sidecar

    live(orders, lambda gateway, stop: Sidecar(gateway).run(stop))


def worker(orders: Orders) -> None:
    """Deliver, as a second machine does."""
    live(orders, lambda gateway, stop: gateway.arun(stop))


def submitter(orders: Orders) -> None:
    """Submit one document after the other by the library; what was answered is written down as such."""

    async def work(gateway: Gateway, stop: asyncio.Event) -> None:
        known = answered(orders.folder)
        mine = (n for n in range(orders.until) if papers.account_of(n) in papers.LIBRARY and n not in known)
        for number in mine:
            if stop.is_set():
                return
            submitted = await asyncio.to_thread(gateway.submit, papers.paper(number))
            append(orders.folder / "answered", f"{number} {submitted.document_id}\n")

    live(orders, work)


def answered(folder: Path) -> dict[int, str]:
    """Documents whose submission was answered, each with its id."""
    path = folder / "answered"
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    return {int(number): document for number, document in (line.split() for line in lines)}


def append(path: Path, line: str) -> None:
    """Add a line to a file: one write, which the system does not split."""
    with path.open("ab", buffering=0) as file:
        file.write(line.encode())


def founder(orders: Orders) -> None:
    """Open a store that nobody has opened yet, and close it."""

    async def nothing(_gateway: Gateway, _stop: asyncio.Event) -> None:
        return

    live(orders, nothing)


def live(orders: Orders, work: Callable[[Gateway, asyncio.Event], Any]) -> None:
    """Open the gateway, mined, and let it work until it is told to stop."""
    from gateway import platform
    from gateway.api import Gateway
    from gateway.errors import StoreError

    log = os.open(orders.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 2)
    _share(orders.folder)
    steps.arm(_mine(orders))
    _time_the_window(orders.folder)

    async def run(gateway: Gateway) -> None:
        stop = asyncio.Event()
        platform.call_on_stop(asyncio.get_running_loop(), stop.set)
        await work(gateway, stop)

    try:
        with Gateway.open(orders.config) as gateway:
            asyncio.run(run(gateway))
    except BaseException as fault:  # noqa: BLE001 (told, and turned into an exit code)
        refused = _all_of(fault, StoreError)
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(REFUSED if refused else 1)


def _all_of(fault: BaseException, kind: type[BaseException]) -> bool:
    """Whether nothing but faults of this kind ended the process, groups looked into."""
    if isinstance(fault, BaseExceptionGroup):
        return all(_all_of(one, kind) for one in fault.exceptions)
    return isinstance(fault, kind)


def _mine(orders: Orders) -> steps.Mine:
    if not orders.stops:
        return steps.Mine(orders.step, orders.count)

    def told() -> None:
        # In the store the thread says which deliveries the lease is being checked for; on the wire the task does.
        held = getattr(_marking, "claims", None) or [_left[_task()][0]]
        attempts = [[claim.delivery_id, claim.attempt] for claim in held]
        about = {"step": orders.step, "at": time.time(), "attempts": attempts}
        append(orders.folder / "pauses", json.dumps(about) + "\n")

    _remember_claims()
    return steps.Mine(orders.step, orders.count, signal.SIGSTOP, told)


_marking = threading.local()
_left: dict[int, Any] = {}
"""The claim whose lease was checked last and when, by the task that sends it."""


def _task() -> int:
    try:
        return id(asyncio.current_task())
    except RuntimeError:  # no loop in this thread
        return 0


def _remember_claims() -> None:
    """Which deliveries a paused process had in hand: those whose lease was being checked."""
    from gateway.store.outbox import Outbox

    one, many = Outbox.mark_transmitting, Outbox.mark_many

    def marked(self: Outbox, claim: Any) -> None:
        with _in_hand([claim]):
            one(self, claim)

    def marked_together(self: Outbox, claims: Any) -> Any:
        with _in_hand(claims):
            return many(self, claims)

    Outbox.mark_transmitting = marked  # type: ignore[method-assign]
    Outbox.mark_many = marked_together  # type: ignore[method-assign]


@contextmanager
def _in_hand(claims: Any) -> Iterator[None]:
    _marking.claims = claims
    try:
        yield
    finally:
        _marking.claims = None


def _share(folder: Path) -> None:
    """Make once, for all documents, what costs most and no crash depends on.

    That is the PDF, the FHIR rendering (which goes nowhere here), and the reading of the keys that sign.
    """
    from gateway.package import keys
    from gateway.render import fhir
    from gateway.render.pdf import compiler

    compiler.typeset = _once(folder / "shared.pdf", compiler.typeset)
    fhir.render = _once(folder / "shared.fhir.json", fhir.render)
    read, known = keys.signing_keys, {}

    def signing_keys(settings: Any) -> Any:
        if settings.sign_key_file not in known:
            known[settings.sign_key_file] = read(settings)
        return known[settings.sign_key_file]

    keys.signing_keys = signing_keys


def _once(shared: Path, make: Callable[..., bytes]) -> Callable[..., bytes]:
    def kept(*arguments: Any, **options: Any) -> bytes:
        if not shared.exists():
            part = shared.with_name(f"{shared.name}.{os.getpid()}.{threading.get_ident()}")
            part.write_bytes(make(*arguments, **options))
            part.replace(shared)
        return shared.read_bytes()

    return kept


def _time_the_window(folder: Path) -> None:
    """Write down each time that a first byte leaves: of which attempt, and how long after its lease was checked."""
    from gateway.channels.dmp.http import Exchange
    from gateway.channels.mssante.client import TracedClient
    from gateway.engine.desk import Desk

    leave, command, trace = Desk.leave, TracedClient.execute_command, Exchange.trace
    waiting: set[int] = set()

    def out(channel: str) -> None:
        if _task() in waiting:
            waiting.discard(_task())
            claim, at = _left[_task()]
            line = f"{claim.delivery_id} {claim.attempt} {channel} {time.monotonic() - at:.6f}\n"
            append(folder / "windows", line)

    async def checked(self: Desk, claim: Any) -> None:
        await leave(self, claim)
        _left[_task()] = claim, time.monotonic()
        waiting.add(_task())

    async def execute(self: TracedClient, *arguments: bytes, **options: Any) -> Any:
        if arguments[0] == b"DATA":
            out("smtp")
        return await command(self, *arguments, **options)

    async def traced(self: Exchange, event: str, info: dict[str, Any]) -> None:
        await trace(self, event, info)
        if event.endswith("send_request_headers.started"):
            out("dmp")

    Desk.leave = checked  # type: ignore[method-assign]
    TracedClient.execute_command = execute  # type: ignore[method-assign]
    Exchange.trace = traced  # type: ignore[method-assign]
