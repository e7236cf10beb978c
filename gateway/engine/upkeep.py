"""What a running gateway does now and then beside delivering: signs a checkpoint, has it anchored by a third party.

Other chores are handed in: each is called at every look and knows itself when it is due.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gateway.channels.timestamp import stamp
from gateway.errors import ConfigError, GatewayError, StoreError
from gateway.store import anchors
from gateway.store.anchors import AnchorError
from gateway.store.database import NEWER

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.settings import JournalSettings, TimestampSettings
    from gateway.store.base import Store
    from gateway.store.checkpoint import SignedNote

_LOG = logging.getLogger("gateway.engine")
TICK = 30.0
"""Seconds between two looks at what is due."""
PATIENCE = 600.0
"""Seconds before an authority that failed is asked again."""


class Upkeep:
    """Times are those of the clock that counts suspend: a machine that slept does its upkeep when it wakes."""

    def __init__(
        self, store: Store, settings: JournalSettings, clock: Clock, chores: Sequence[Callable[[], None]] = ()
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._chores = chores
        self._signed_at = clock.elapsed()
        self._anchor_at = clock.elapsed()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.to_thread(self.tick)
            await asyncio.sleep(TICK)

    def tick(self) -> None:
        """Do what is due. A failure is logged and tried again later; it never hurts a delivery.

        Raises StoreError (STO-004) once a newer release has migrated the store: this one has to stop.
        """
        now = self._clock.elapsed()
        self._same_release()
        if now - self._signed_at >= self._settings.every_minutes * 60:
            self._signed_at = now
            try:
                self._store.checkpoint()
            except StoreError as fault:
                _LOG.error("checkpoint_not_signed", extra={"code": fault.code})
        if self._settings.timestamp is not None and now >= self._anchor_at:
            self._anchor_at = now + self._anchor(self._settings.timestamp)
        for chore in self._chores:
            chore()

    def _same_release(self) -> None:
        """Raise StoreError (STO-004) once a newer release has the store."""
        try:
            self._store.now()
        except StoreError as fault:
            if fault.code == NEWER:
                raise

    def _anchor(self, settings: TimestampSettings) -> float:
        """Seconds until the next anchor."""
        try:
            anchored = anchor(self._store, settings)
        except (GatewayError, OSError) as fault:
            _LOG.error("journal_not_anchored", extra={"code": getattr(fault, "code", type(fault).__name__)})
            return PATIENCE
        if anchored is not None:
            _LOG.info("journal_anchored", extra={"checkpoint": anchored})
        return settings.every_hours * 3600


def anchor(store: Store, settings: TimestampSettings) -> str | None:
    """Sign checkpoints and have them stamped. Returns a file name, None when nothing is new since the last stamp.

    The stamp is verified before it is kept. Raises TimestampError, ConfigError (TSA-003, TSA-004).
    """
    store.checkpoint()
    stamped = [_anchor_one(store, settings, note) for note in store.unanchored()]
    return stamped[0] if stamped else None


def _anchor_one(store: Store, settings: TimestampSettings, note: SignedNote) -> str:
    token = stamp(settings, note.data)
    try:
        anchors.verify(token, note.data, anchors.load_roots(settings.roots_file))
    except (AnchorError, OSError, ValueError) as fault:
        advice = "Vérifier journal.timestamp.roots_file : les racines de cette autorité, en PEM."
        raise ConfigError("TSA-004", "L'horodatage reçu ne vient pas de l'autorité attendue.", advice) from fault
    store.anchor(note.name, token)
    return note.name
