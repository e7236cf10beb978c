"""How much and how often: requests for each token, bytes for each request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

from starlette.types import Message, Receive

from gateway.clock import Clock
from gateway.web.api.problems import RefusedError

SMALL = 65_536
"""Bytes of an order (an action, a search): far above any real one."""
_KEPT = 10_000
"""Callers that are remembered; the one unseen for longest is forgotten first, and starts afresh."""


class RateLimit:
    """A bucket for each caller: as many requests at once as a minute allows, then one for each that time gives back."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._size = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Count a request. Returns 0.0, or the seconds to wait when there have been too many."""
        now = self._clock.elapsed()
        with self._lock:
            left, seen = self._buckets.pop(caller, (float(self._size), now))
            left = min(self._size, left + max(0.0, now - seen) * self._size / 60)
            allowed = left >= 1
            self._buckets[caller] = (left - 1 if allowed else left, now)
            while len(self._buckets) > _KEPT:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) * 60 / self._size


def announced(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The length that a request announces; 0 where it announces none, or nonsense."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and len(value) < 16:
            return int(value)
    return 0


def bounded(receive: Receive, limit: int) -> Receive:
    """The same stream, cut off once it is longer than `limit` bytes, whatever length it announced."""
    read = 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise too_large(limit)
        return message

    return counted


def too_large(limit: int) -> RefusedError:
    """The refusal of a body that is too long."""
    return RefusedError(413, "WEB-413", "Requête trop grosse.", f"La limite est de {limit} octets ([web] max_bytes).")
