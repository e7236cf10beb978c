"""One bucket of tokens per host: a server is asked no more often than it allows, whoever in this process asks.

A delivery that has no token yet is simply not claimed: it holds no lease and no place, and stays open to another
process, while deliveries to other hosts go on. Among those that wait, the most urgent is claimed first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.clock import Clock

_SLACK = 1e-6
"""Tokens: what rounding may take from a full one."""


class Bucket:
    """Up to `burst` deliveries at once, and `per_minute` in the long run; 0: as many as one likes. Kept in memory."""

    def __init__(self, clock: Clock, per_minute: float, burst: int) -> None:
        """Full at first."""
        self._clock = clock
        self._rate = per_minute / 60
        self._size = float(burst)
        self._tokens = float(burst)
        self._at = clock.elapsed()

    def slots(self, wanted: int) -> int:
        """How many deliveries may be claimed for this host now."""
        if not self._rate:
            return wanted
        self._refill()
        return min(wanted, int(self._tokens + _SLACK))

    def take(self) -> None:
        """A delivery was claimed."""
        if self._rate:
            self._tokens -= 1

    def wait(self) -> float:
        """Seconds until there is a token; 0 when there is one."""
        if not self._rate:
            return 0.0
        self._refill()
        return 0.0 if self._tokens + _SLACK >= 1 else (1 - self._tokens) / self._rate

    def _refill(self) -> None:
        now = self._clock.elapsed()
        self._tokens = min(self._size, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
