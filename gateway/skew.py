"""How far this machine's clock is from those of the servers it talks to: measured, written down, never applied.

Every answer of a server is a sample: the time that it tells lies between the moment the request left and the moment the
answer came. Both are read on the clock that never jumps, so a sample is a span that surely holds the distance between
that clock and the server's, the wider the slower the answer was. Spans of one server are intersected, which takes the
latency out; those of several servers are compared, so that one of them alone misleads nobody. The wall clock comes in
last: when it jumps, that shows at once and without asking anybody.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.clock import Clock

DATE_SPAN = 2.0
"""Seconds that a Date header leaves open: it tells whole seconds (RFC 9110 §5.6.7), renewed once a second."""
DRIFT = 500e-6
"""Seconds a second by which an old sample may have become wrong: the fastest that a kernel slews its clock."""
FRESH = 6 * 3600.0
"""Seconds for which a server's word counts; its span has then grown by some twenty seconds."""


def http_date(text: str | None) -> datetime | None:
    """The instant of a header of a server (RFC 9110 §5.6.7), aware; None for anything that is none. Never raises."""
    try:
        at = parsedate_to_datetime(text or "")
        at = at.replace(tzinfo=at.tzinfo or UTC)
        at.timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):  # the library's own checks are few
        return None
    return at


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of one server: its time less the machine's elapsed clock, between `low` and `high` seconds.

    `at` is when it was last asked, by the elapsed clock; `samples` how many answers stand behind it.
    """

    source: str
    low: float
    high: float
    at: float
    samples: int = 1

    def widened(self, now: float) -> Reading:
        """The same at another moment, with what the clocks may have drifted apart meanwhile."""
        more = abs(now - self.at) * DRIFT
        return replace(self, low=self.low - more, high=self.high + more)


@dataclass(frozen=True, slots=True)
class Offset:
    """Seconds to add to this machine's time to have that of `sources`, give or take `error`."""

    seconds: float
    error: float
    sources: tuple[str, ...]

    @property
    def least(self) -> float:
        """How far the clock is off at the very least."""
        return max(0.0, abs(self.seconds) - self.error)


class Skew:
    """The measurements of one process. Safe from any thread; channels note, the engine and the store ask."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._readings: dict[str, Reading] = {}
        self._since = clock.elapsed()

    def started(self) -> float:
        """When a request leaves, for `dated` and `told`."""
        return self._clock.elapsed()

    def dated(self, source: str, header: str | None, started: float) -> None:
        """An HTTP answer has just come, with this Date header (RFC 9110 §6.6.1). What is no date says nothing."""
        at = http_date(header)
        if at is not None:
            self.told(source, at.timestamp(), at.timestamp() + DATE_SPAN, started)

    def told(self, source: str, first: float, last: float, started: float) -> None:
        """A server's time was between these instants (POSIX seconds) at some moment since `started`."""
        ended = self._clock.elapsed()
        if not source or ended < started:
            return
        new = Reading(source, first - ended, last - started, ended)
        with self._lock:
            known = self._readings.get(source)
            self._readings[source] = new if known is None else _joined(known.widened(ended), new)

    def known(self, readings: Iterable[Reading]) -> None:
        """Take what another process measured since this machine started, where nothing newer is known."""
        with self._lock:
            for reading in readings:
                mine = self._readings.get(reading.source)
                if mine is None or mine.at < reading.at:
                    self._readings[reading.source] = reading

    def readings(self) -> list[Reading]:
        """What counts now, by source, each as wide as it has become."""
        now = self._clock.elapsed()
        with self._lock:
            found = sorted(self._readings.values(), key=lambda one: one.source)
        return [one.widened(now) for one in found if 0 <= now - one.at <= FRESH]

    def own(self) -> list[Reading]:
        """What this process itself measured, as it was when last measured."""
        with self._lock:
            return sorted((one for one in self._readings.values() if one.at >= self._since), key=lambda one: one.source)

    def of(self, reading: Reading, at: datetime | None = None) -> Offset:
        """A reading as an offset of the wall clock, or of `at` that another clock says now (a database server's)."""
        wall = (at or self._clock.now()).timestamp() - self._clock.elapsed()
        middle, half = (reading.low + reading.high) / 2, (reading.high - reading.low) / 2
        return Offset(middle - wall, half, (reading.source,))

    def agreed(self, at: datetime | None = None) -> Offset | None:
        """What most servers agree on; None when nothing is known, or they contradict each other."""
        best = _majority(self.readings())
        if best is None:
            return None
        return replace(self.of(best[0], at), sources=best[1])

    def off(self, limit: float, host: str) -> Offset | None:
        """The offset when the clock is surely off by more than `limit` seconds; None otherwise.

        One server's word is enough about itself alone: it is `host`, or another one says the same.
        """
        found = self.agreed()
        if found is None or found.least <= limit:
            return None
        return found if host in found.sources or len(found.sources) > 1 else None


def _joined(old: Reading, new: Reading) -> Reading:
    """Both spans hold, so their intersection does; where they contradict, a clock was set and the newer one counts."""
    low, high = max(old.low, new.low), min(old.high, new.high)
    return new if low > high else replace(new, low=low, high=high, samples=old.samples + 1)


def _majority(readings: list[Reading]) -> tuple[Reading, tuple[str, ...]] | None:
    """The span that lies in more than half of the readings (Marzullo's algorithm), and whose they are."""
    best: list[Reading] = []
    for start in readings:  # the densest span begins where one of them does
        holding = [one for one in readings if one.low <= start.low <= one.high]
        if len(holding) > len(best):
            best = holding
    if 2 * len(best) <= len(readings):
        return None
    low, high = max(one.low for one in best), min(one.high for one in best)
    return Reading("", low, high, min(one.at for one in best)), tuple(one.source for one in best)
