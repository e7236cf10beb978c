"""No more calls in a second than the key allows, whoever in this process makes them (17 for the public API)."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import cache

_WINDOW = 1.05
"""Seconds: a little more than one, for the server's clock is not ours."""


class RateLimit:
    """At most `calls` in any window of a second. `wait` blocks until the next call may leave. Thread-safe."""

    def __init__(
        self,
        calls: int,
        *,
        elapsed: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._last: deque[float] = deque(maxlen=calls)
        self._elapsed = elapsed
        self._sleep = sleep
        self._lock = threading.Lock()

    def wait(self) -> float:
        """Reserve the next free moment and sleep until then; returns the seconds slept."""
        with self._lock:
            now = self._elapsed()
            full = len(self._last) == self._last.maxlen
            at = max(now, self._last[0] + _WINDOW) if full else now
            self._last.append(at)
        if at > now:
            self._sleep(at - now)
        return at - now


@cache
def limit_for(key: str, calls: int) -> RateLimit:
    """The limit shared by all clients of this process that use the same key (`key`: a digest of it, and the host)."""
    _ = key
    return RateLimit(calls)
