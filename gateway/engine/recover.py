"""What a worker does before anything else: take back what a dead one left (DESIGN §4 rule 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.store.claiming import CLOCK_STEP

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.clock import Clock
    from gateway.store.base import Store

GATEWAY = "gateway"


def take_over(store: Store, account: str, settle: float) -> list[str]:
    """Recover every delivery of an account whose worker role this process just got.

    The role is an OS lock: whoever held it before is gone, so nobody need wait for its leases to run out. A store that
    any number of workers share has no such role: there a dead worker's leases run out first.
    `settle`: seconds before evidence is asked for. Returns the deliveries taken back.
    """
    alone = store.lock_path(account) is not None
    return store.recover(account=account, owner_gone=alone, settle=settle, went_back=True)


def resume_misconfigured(store: Store, accounts: Sequence[str]) -> list[tuple[str, str]]:
    """End the pauses that the gateway itself set: at a start the configuration may have been mended.

    Pauses set by a person stay, and so does the stop after a restored backup. Returns (account, channel) pairs.
    """
    found = [(p.account, p.channel) for p in store.pauses() if p.actor == GATEWAY and p.account in accounts]
    return [pair for pair in found if store.resume(*pair, by=GATEWAY)]


class Jumps:
    """Sees the clock of the due times jump, against the one that never does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._base: float | None = None

    def seen(self, now: datetime) -> float:
        """Seconds by which it jumped since the last look, forward or (negative) back; 0: by less than a minute."""
        before, self._base = self._base, now.timestamp() - self._clock.elapsed()
        jump = 0.0 if before is None else self._base - before
        return jump if abs(jump) > CLOCK_STEP.total_seconds() else 0.0
