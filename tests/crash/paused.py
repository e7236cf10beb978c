"""Processes that sleep past their lease (SIGSTOP): what they send on waking, and how wide the window is that remains.

The lease is checked before the content leaves. A process that stops before the check sends nothing; one that stops in
the instant between the check and the first byte cannot know that it slept, and what it then sends is late. That window
cannot be closed from this side of the wire: here it is measured, and what comes of it is counted.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.api import Gateway

CHECK = "claiming._mark"
"""The transaction that makes `transmitting` durable; the lease is checked before it, and twice after it."""
BEFORE = (f"{CHECK}.before", f"{CHECK}.commit", f"{CHECK}.after")
"""Stops before the last check of the lease: nothing may leave."""
WINDOW = ("smtp.data.before", "dmp.post.before")
"""Stops behind the last check, before the first byte: what leaves is late."""


class Pauses:
    """Which pauses are still to be made, and what came of those that were."""

    def __init__(self, folder: Path, wanted: int) -> None:
        self.folder, self.wanted = folder, wanted

    @property
    def made(self) -> list[dict[str, Any]]:
        """Each pause: where, and which attempt was in hand."""
        path = self.folder / "pauses"
        lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def enough(self) -> bool:
        """Whether as many were made as were planned."""
        return len(self.made) >= self.wanted

    def next(self, chance: random.Random) -> str:
        """Where the next process stops: three in four before the check."""
        return chance.choice(BEFORE if chance.random() < 0.75 else WINDOW)

    def told(self, gateway: Gateway) -> dict[str, Any]:
        """The figures. `sent_on_waking` counts first bytes of attempts that slept before the check: it must be 0."""
        left = {tuple(line.split()[:2]) for line in self._windows}
        before = [attempt for one in self.made if one["step"] in BEFORE for attempt in _attempts(one)]
        inside = [attempt for one in self.made if one["step"] in WINDOW for attempt in _attempts(one)]
        late = [attempt for attempt in inside if attempt in left]
        return {
            "pauses": len(self.made),
            "deliveries paused before the check": len(before),
            "sent on waking": sum(attempt in left for attempt in before),
            "deliveries paused inside the window": len(inside),
            "sent late from the window": len(late),
            "late ones that the journal tells of": sum(_is_told(gateway, *attempt) for attempt in late),
            "window in milliseconds": self._width(),
        }

    @property
    def _windows(self) -> list[str]:
        path = self.folder / "windows"
        return path.read_text(encoding="ascii").splitlines() if path.exists() else []

    def _width(self) -> dict[str, Any]:
        """How long the window was when nobody paused in it, by channel: how many, median, 99th percentile."""
        paused = {attempt for one in self.made for attempt in _attempts(one)}
        found: dict[str, list[float]] = {}
        for delivery, attempt, channel, seconds in (line.split() for line in self._windows):
            if (delivery, attempt) not in paused:
                found.setdefault(channel, []).append(1000 * float(seconds))
        return {
            channel: {
                "times": len(times),
                "p50": round(sorted(times)[len(times) // 2], 3),
                "p99": round(sorted(times)[len(times) * 99 // 100], 3),
            }
            for channel, times in sorted(found.items())
        }


def _attempts(pause: dict[str, Any]) -> list[tuple[str, str]]:
    return [(delivery, str(attempt)) for delivery, attempt in pause["attempts"]]


def _is_told(gateway: Gateway, delivery: str, attempt: str) -> bool:
    """Whether the journal has what came of a late sending: its result, late or not, or the doubt about it."""
    records = [json.loads(one) for one in gateway.store.delivery(delivery).records]
    mine = [one for one in records if str(one.get("attempt")) == attempt]
    return any(one["event"] in {"late_result", "recovered", "doubt", "taken", "refused", "failed"} for one in mine)
