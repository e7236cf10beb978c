"""Traces: for each exchange with a server who, when, which server, what was asked, what it answered, how long it took.

What ANS FAQ 10217 (SC.MSS/CONF.17-18, ECO.4.1.1) asks of software that uses an MSSanté box: never content. So a step
holds a command word and a reply code, and nothing that could be an address, a name or an identifier gets in. The
journal proves deliveries; traces explain what happened on the wire, and are kept for months, not for ever.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gateway.clock import Clock, SystemClock
from gateway.skew import Skew

_LOG = logging.getLogger("gateway.channels")
_DELIVERY: ContextVar[str] = ContextVar("traced_delivery", default="")
_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9./_-]{0,39}(?: [A-Za-z][A-Za-z0-9./_-]{0,39})?")
_REPLY = re.compile(r"(?:[A-Z]{2,5} )?\d{1,3}(?: \d\.\d{1,3}\.\d{1,3})?|[A-Za-z][A-Za-z0-9-]{0,39}")
_LONG_NUMBER = re.compile(r"\d{6}")
CANCELLED = "CANCELLED"
"""Reply of a request that we gave up before there was one."""
UNSAID = "?"
"""Stands for a request or reply that is no plain word or code, and so is not written down."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request and its reply: `MAIL`, `250 2.1.0`. `ms` is how long the reply took, in milliseconds."""

    request: str
    reply: str
    ms: float


@dataclass(frozen=True, slots=True)
class Trace:
    """One action on one server, in the order of its steps.

    `at` is this machine's time; `author` the professional's identifier (RPPS), `delivery` empty when none is concerned.
    """

    at: datetime
    account: str
    author: str
    channel: str
    host: str
    action: str
    steps: tuple[Step, ...]
    delivery: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `steps` as (request, reply, milliseconds)."""
        return {
            "at": self.at.isoformat(timespec="milliseconds"),
            "account": self.account,
            "author": self.author,
            "channel": self.channel,
            "host": self.host,
            "action": self.action,
            "delivery": self.delivery,
            "steps": [[step.request, step.reply, step.ms] for step in self.steps],
        }


class TraceSink(Protocol):
    """Whatever keeps traces. May raise OSError: the exchange goes on all the same."""

    def __call__(self, trace: Trace, /) -> None:
        """Keep one trace."""
        ...


@dataclass(slots=True)
class Steps:
    """The steps of the action under way."""

    clock: Clock
    found: list[Step] = field(default_factory=list)

    def started(self) -> float:
        """When a request leaves, for `note`."""
        return self.clock.elapsed()

    def note(self, request: str, reply: str, started: float) -> None:
        """A request (its command word only) and the code of its reply, or how it failed (`LOST`, `TIMEOUT`)."""
        ms = round((self.clock.elapsed() - started) * 1000, 1)
        self.found.append(Step(_safe(request, _WORDS), _safe(reply, _REPLY), ms))


def _safe(text: str, allowed: re.Pattern[str]) -> str:
    return text if allowed.fullmatch(text) and not _LONG_NUMBER.search(text) else UNSAID


def discard(_trace: Trace) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Tracer:
    """Makes the traces of one account on one server."""

    sink: TraceSink = discard
    clock: Clock = field(default_factory=SystemClock)
    account: str = ""
    author: str = ""
    channel: str = ""
    host: str = ""
    skew: Skew | None = None

    def dated(self, date: str | None, started: float, host: str = "") -> None:
        """An HTTP answer to what left at `started` (`Steps.started`) has come, with this Date header."""
        if self.skew is not None:
            self.skew.dated(host or self.host, date, started)

    @contextmanager
    def action(self, name: str) -> Iterator[Steps]:
        """Trace what happens inside; an action without any exchange leaves none."""
        at, steps = self.clock.now(), Steps(self.clock)
        try:
            yield steps
        finally:
            if steps.found:
                self._keep(name, at, steps)

    def _keep(self, name: str, at: datetime, steps: Steps) -> None:
        about = (self.account, self.author, self.channel, self.host)
        try:
            self.sink(Trace(at, *about, name, tuple(steps.found), _DELIVERY.get()))
        except OSError as fault:  # a full disk must not stop a delivery: the journal is the proof, not this
            _LOG.error("trace_lost", extra={"error": type(fault).__name__})


@contextmanager
def about(delivery: str) -> Iterator[None]:
    """The traces made inside are about this delivery."""
    token = _DELIVERY.set(delivery)
    try:
        yield
    finally:
        _DELIVERY.reset(token)
