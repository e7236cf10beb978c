"""What servers' clocks said, kept for the processes of the same machine that ask nobody; and that a clock was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from gateway.skew import Reading

if TYPE_CHECKING:
    from gateway.store.core import Core

MachineEvent = Literal["clock_wrong", "clock_right", "store_back"]
KEPT = 7 * 86_400_000
"""Milliseconds after which the readings of another run of a machine are dropped."""


class ClockStore(Protocol):
    """Measurements of clocks. `boot` names the run of the machine that they belong to (`platform.boot_id`)."""

    def note_clock(self, boot: str, readings: Sequence[Reading]) -> None:
        """Keep the newest reading of each server."""
        ...

    def clock_readings(self, boot: str) -> list[Reading]:
        """What was measured in this run of the machine."""
        ...

    def tell_machine(self, event: MachineEvent, *, reason: str, size: int | None = None) -> None:
        """Journal that this machine's clock became wrong, or right again (`size`: how many servers say so; the offset
        is in every record), or that the store serves again.
        """
        ...


class ClockOutbox:
    """What `Outbox` inherits; every method is described in ClockStore."""

    core: Core

    def note_clock(self, boot: str, readings: Sequence[Reading]) -> None:
        """See ClockStore."""
        with self.core.write() as work:
            work.tx.many("clock_put", [{"boot": boot, "now": work.ms, **_columns(one)} for one in readings])
            work.tx.run("clock_drop", boot=boot, before=work.ms - KEPT)

    def clock_readings(self, boot: str) -> list[Reading]:
        """See ClockStore."""
        with self.core.db.read() as tx:
            rows = tx.all("clock_readings", boot=boot)
        return [
            Reading(row["source"], row["low_ms"] / 1000, row["high_ms"] / 1000, row["at_ms"] / 1000, row["samples"])
            for row in rows
        ]

    def tell_machine(self, event: MachineEvent, *, reason: str, size: int | None = None) -> None:
        """See ClockStore."""
        with self.core.write() as work:
            work.note(event, reason=reason, size=size)


def _columns(reading: Reading) -> dict[str, str | int]:
    """Milliseconds, rounded away from the middle: a span stays sure."""
    return {
        "source": reading.source,
        "low_ms": int(reading.low * 1000 // 1),
        "high_ms": -int(-reading.high * 1000 // 1),
        "at_ms": round(reading.at * 1000),
        "samples": reading.samples,
    }
