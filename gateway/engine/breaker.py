"""One breaker per host: a server that is down costs one try a minute, not one per waiting delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.clock import Clock


class Breaker:
    """Closed (all may pass), open (nobody), half open (one probe). Kept in memory: a restart simply tries again."""

    def __init__(self, clock: Clock, failures: int, pause: float) -> None:
        """Open after `failures` in a row; let one probe pass every `pause` seconds."""
        self._clock = clock
        self._limit = failures
        self._pause = pause
        self._failures = 0
        self._probe_at = 0.0

    @property
    def open(self) -> bool:
        """Whether the host is taken to be down."""
        return self._failures >= self._limit

    def slots(self, wanted: int) -> int:
        """How many deliveries may be claimed for this host now."""
        if not self.open:
            return wanted
        return min(1, wanted) if self._clock.elapsed() >= self._probe_at else 0

    def claimed(self) -> None:
        """A delivery goes out: while open it is the probe, and nobody follows before the next pause."""
        if self.open:
            self._probe_at = self._clock.elapsed() + self._pause

    def note(self, ok: bool) -> bool:
        """Count an answer (or its absence). Returns whether the breaker opened or closed by it."""
        before = self.open
        self._failures = 0 if ok else self._failures + 1
        if self.open and not before:
            self._probe_at = self._clock.elapsed() + self._pause
        return self.open is not before
