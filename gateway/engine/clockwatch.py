"""Keeps an eye on this machine's clock: a DMP that would refuse everything for it is paused until it is right again.

A VIHF says from when to when it holds, so a clock that is minutes off makes every request worthless. Nothing is ever
corrected by what a server says: the clock is the system's to set (NTP), and what was measured is only written down.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from gateway import platform
from gateway.channels import sntp
from gateway.engine import retry
from gateway.store.states import GATEWAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.clock import Clock, Randomness
    from gateway.engine.lanes import Lane
    from gateway.settings import ClockSettings
    from gateway.skew import Skew
    from gateway.store.base import Store

_LOG = logging.getLogger("gateway.engine")
REASON = retry.WRONG_CLOCK
SAVED_EVERY = 600.0
"""Seconds between two savings of the measurements for other processes."""


class ClockWatch:
    """The clock of one worker's machine. Calls of one instance must not overlap."""

    def __init__(self, store: Store, skew: Skew, settings: ClockSettings, clock: Clock) -> None:
        self._store = store
        self._skew = skew
        self._limit = settings.max_skew
        self._clock = clock
        self._boot = platform.boot_id()
        self._wrong: set[str] = set()
        self._saved: tuple[float, frozenset[str]] = (float("-inf"), frozenset())
        self._began = False

    def off(self, host: str) -> bool:
        """Whether the clock is surely too far from that of this host."""
        return bool(self._limit) and self._skew.off(self._limit, host) is not None

    def look(self, lanes: Sequence[Lane]) -> list[tuple[str, Lane]]:
        """Pause what the clock spoils and resume what it no longer does: (`paused` or `resumed`, lane), each once.

        Raises StoreError.
        """
        self._begin()
        told = []
        for lane in lanes:
            if lane.channel != "dmp" or "/" in lane.host:  # no server: that channel is not configured
                continue
            wrong = self.off(lane.host)
            if wrong and lane.account not in self._wrong:
                told += [("paused", lane)] if self._stop(lane) else []
            elif not wrong and lane.account in self._wrong and self._is_right():
                told += [("resumed", lane)] if self._release(lane) else []
        self._save()
        return told

    def _begin(self) -> None:
        """What this machine already knows: measured by other processes, or paused by the last one that ran."""
        if self._began:
            return
        if self._boot:
            self._skew.known(self._store.clock_readings(self._boot))
        self._wrong = {one.account for one in self._store.pauses() if (one.actor, one.reason) == (GATEWAY, REASON)}
        self._began = True

    def _is_right(self) -> bool:
        """Near enough by the best estimate; or nobody knows any more, and then the DMP itself is to say."""
        found = self._skew.agreed()
        return found is None or not self._limit or abs(found.seconds) <= self._limit

    def _stop(self, lane: Lane) -> bool:
        found = self._skew.off(self._limit, lane.host)
        self._store.tell_machine("clock_wrong", reason=REASON, size=0 if found is None else len(found.sources))
        _LOG.error("clock_wrong", extra={"account": lane.account, "host": lane.host})
        self._wrong.add(lane.account)
        if self._is_shared(lane):
            lane.closed = True
            return True
        known = any((one.account, one.channel) == (lane.account, lane.channel) for one in self._store.pauses())
        self._store.pause(lane.account, lane.channel, by=GATEWAY, reason=REASON)
        return not known

    def _release(self, lane: Lane) -> bool:
        found = self._skew.agreed()
        self._store.tell_machine("clock_right", reason=REASON, size=0 if found is None else len(found.sources))
        self._wrong.discard(lane.account)
        if lane.closed:
            lane.closed = False
            return True
        ours = (lane.account, lane.channel, GATEWAY, REASON)
        if not any((one.account, one.channel, one.actor, one.reason) == ours for one in self._store.pauses()):
            return False  # a person resumed it, or paused it for another reason
        return self._store.resume(lane.account, lane.channel, by=GATEWAY)

    def _is_shared(self, lane: Lane) -> bool:
        """Whether other machines serve the account too: then only this one keeps still, their clocks are their own."""
        return self._store.lock_path(lane.account) is None

    def _save(self) -> None:
        """Now and then, and at once when a server speaks for the first time."""
        now, (at, sources) = self._clock.elapsed(), self._saved
        readings = self._skew.own()
        names = frozenset(one.source for one in readings)
        if not self._boot or not readings or (names <= sources and now - at < SAVED_EVERY):
            return
        self._store.note_clock(self._boot, readings)
        self._saved = now, names


async def ask_time_servers(settings: ClockSettings, skew: Skew, ids: Randomness) -> None:
    """Ask the configured time servers every now and then, until cancelled. One that is silent is logged, no more."""
    while settings.sntp:
        for server in settings.sntp:
            await asyncio.to_thread(_ask, server, settings.timeout, skew, ids)
        await asyncio.sleep(settings.every)


def _ask(server: str, timeout: float, skew: Skew, ids: Randomness) -> None:
    started = skew.started()
    try:
        said = sntp.ask(server, timeout, ids)
    except sntp.SntpError as fault:
        _LOG.warning("time_server_silent", extra={"code": fault.code, "host": server})
        return
    # It had the question after it left and answered before the answer came: both ends bound the distance.
    skew.told(server, said.received, said.answered, started)
