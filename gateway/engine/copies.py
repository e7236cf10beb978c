"""Sees to it that a copy of the store sends nothing: at each start by where it is, then by the checkpoints outside."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gateway.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.clock import Clock
    from gateway.store.base import Store
    from gateway.store.homes import Verdict

_LOG = logging.getLogger("gateway.engine")
EVERY = 300.0
"""Seconds between two looks at the folder of checkpoints."""
EVENT = "store_copied"


def settle_in(store: Store, tell: Callable[[str], None]) -> Verdict:
    """Before anything is sent: a copy is paused, and told. Raises StoreError."""
    verdict = store.settle_in()
    if verdict.copied:
        _LOG.error(EVENT, extra={"reason": str(verdict)})
        tell(EVENT)
    return verdict


class CopyWatch:
    """While the gateway works: another copy of its store may sign into the same folder."""

    def __init__(self, store: Store, clock: Clock, tell: Callable[[str], None]) -> None:
        self._store = store
        self._clock = clock
        self._tell = tell
        self._next = clock.elapsed() + EVERY
        self._known = False

    def tick(self) -> None:
        """Look when it is time; told once. A failure is logged and tried again at the next look."""
        if self._known or self._clock.elapsed() < self._next:
            return
        self._next = self._clock.elapsed() + EVERY
        try:
            self._known = self._store.forked()
        except (GatewayError, OSError) as fault:
            _LOG.error("copy_not_looked_for", extra={"code": getattr(fault, "code", type(fault).__name__)})
            return
        if self._known:
            _LOG.error(EVENT, extra={"reason": "forked"})
            self._tell(EVENT)
