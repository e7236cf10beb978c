"""What a worker says to its subscribers: events made from what it has at hand, a claim, a lane or a row."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gateway.engine.events import DeliveryEvent, Publisher, Subscriber, of_row

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.engine.lanes import Lane
    from gateway.errors import StoreError
    from gateway.store.base import Claim, DeliveryRow, Store

_LOG = logging.getLogger("gateway.engine")


class Announcer(Publisher):
    """A publisher that dates what it says."""

    def __init__(self, subscribers: Sequence[Subscriber], clock: Clock) -> None:
        super().__init__(subscribers)
        self._clock = clock
        self.missing = ""
        """Code of the fault that keeps the store from serving."""

    def attempt(self, event: str, claim: Claim, **fields: Any) -> None:
        """Something happened in an attempt."""
        about = (claim.account, claim.channel, claim.delivery_id, claim.document_id, claim.destination)
        self.publish(DeliveryEvent(self._clock.now(), event, *about, attempt=claim.attempt, **fields))

    def lane(self, lane: Lane, event: str, reason: str) -> None:
        """Something holds for a whole lane."""
        now = self._clock.now()
        self.publish(DeliveryEvent(now, event, lane.account, lane.channel, reason=reason, host=lane.host))

    def channel(self, event: str, account: str, channel: str) -> None:
        """Something happened to a channel of an account."""
        self.publish(DeliveryEvent(self._clock.now(), event, account, channel))

    def store_gone(self, fault: StoreError) -> None:
        """The store cannot serve (a full disk, a server away): said to people once, until `store_back`.

        Nothing is lost meanwhile: what is not accepted stays where it is, what is under way is tried again.
        """
        _LOG.error("store_unavailable", extra={"code": fault.code})
        if not self.missing:
            self.missing = fault.code
            self.publish(DeliveryEvent(self._clock.now(), "store_unavailable", "", "", reason=fault.code))

    def store_back(self, store: Store) -> None:
        """Try a write of our own where the store was gone: a record that it serves again. Raises StoreError."""
        if self.missing:
            store.tell_machine("store_back", reason=self.missing)
            self.missing = ""
            self.publish(DeliveryEvent(self._clock.now(), "store_back", "", ""))

    def row(self, event: str, row: DeliveryRow) -> None:
        """Something happened to a delivery that nobody holds."""
        self.publish(of_row(event, row, self._clock.now(), row.reason))
