"""No more calls in a second than the key allows, whoever in this process makes them (17 for the public API)."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

_WINDOW = 1.0
"""Seconds."""


class RateLimit:
    """At most `calls` in any second, as the server counts them. Thread-safe.

    A call takes a place and gives it back a second after its answer: the server got the call before it answered, so
    however long the way is, the call that takes the place over arrives more than a second later.
    """

    def __init__(
        self,
        calls: int,
        *,
        elapsed: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._free = [float("-inf")] * calls
        self._elapsed = elapsed
        self._sleep = sleep
        self._changed = threading.Condition()

    @contextmanager
    def call(self) -> Iterator[float]:
        """Wait for a place, then make the call inside the block; gives the seconds waited."""
        with self._changed:
            while not self._free:
                self._changed.wait()
            pause = max(0.0, heapq.heappop(self._free) - self._elapsed())
        if pause:
            self._sleep(pause)
        try:
            yield pause
        finally:
            with self._changed:
                heapq.heappush(self._free, self._elapsed() + _WINDOW)
                self._changed.notify()


@cache
def limit_for(key: str, calls: int) -> RateLimit:
    """The limit shared by all clients of this process that use the same key (`key`: a digest of it, and the host)."""
    _ = key
    return RateLimit(calls)
