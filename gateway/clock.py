"""Time and randomness, injected everywhere so that every byte of a document can be repeated."""

from __future__ import annotations

import random
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", None)


class Clock(Protocol):
    """Wall-clock time for people and records, elapsed time for leases and deadlines."""

    def now(self) -> datetime:
        """Aware UTC time."""
        ...

    def elapsed(self) -> float:
        """Seconds from an arbitrary start, never going back and counting suspend where the system can."""
        ...


class Randomness(Protocol):
    """Source of identifiers and keys."""

    def uuid(self) -> UUID:
        """A random (version 4) UUID."""
        ...

    def token(self, size: int) -> bytes:
        """`size` random bytes."""
        ...

    def uniform(self) -> float:
        """A number in [0, 1), for jitter."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Aware UTC time."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Seconds since boot, suspend included (Linux); elsewhere the monotonic clock."""
        return time.clock_gettime(_BOOTTIME) if _BOOTTIME is not None else time.monotonic()


@dataclass
class FrozenClock:
    """A clock that moves only when told to: tests and fixtures."""

    at: datetime
    passed: float = 0.0

    def now(self) -> datetime:
        """The frozen instant, in UTC."""
        return self.at.astimezone(UTC)

    def elapsed(self) -> float:
        """Seconds advanced so far."""
        return self.passed

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self.at += timedelta(seconds=seconds)
        self.passed += seconds


class SystemRandomness:
    """The operating system's generator."""

    def uuid(self) -> UUID:
        """A random (version 4) UUID."""
        return UUID(bytes=secrets.token_bytes(16), version=4)

    def token(self, size: int) -> bytes:
        """`size` random bytes."""
        return secrets.token_bytes(size)

    def uniform(self) -> float:
        """A number in [0, 1)."""
        return secrets.randbelow(1 << 53) / (1 << 53)


@dataclass
class SeededRandomness:
    """Repeatable randomness for tests and fixtures. Never for keys that protect anything."""

    seed: str
    _source: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._source = random.Random(self.seed)

    def uuid(self) -> UUID:
        """The next UUID of the seed's sequence."""
        return UUID(bytes=self._source.randbytes(16), version=4)

    def token(self, size: int) -> bytes:
        """The next bytes of the seed's sequence."""
        return self._source.randbytes(size)

    def uniform(self) -> float:
        """The next number of the seed's sequence."""
        return self._source.random()
