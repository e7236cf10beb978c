"""What a worker says to its subscribers: events made from what it has at hand, a claim, a lane or a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gateway.engine.events import DeliveryEvent, Publisher, Subscriber, of_row

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.engine.lanes import Lane
    from gateway.store.base import Claim, DeliveryRow


class Announcer(Publisher):
    """A publisher that dates what it says."""

    def __init__(self, subscribers: Sequence[Subscriber], clock: Clock) -> None:
        super().__init__(subscribers)
        self._clock = clock

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

    def row(self, event: str, row: DeliveryRow) -> None:
        """Something happened to a delivery that nobody holds."""
        self.publish(of_row(event, row, self._clock.now(), row.reason))
