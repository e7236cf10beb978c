"""Delivery events: one frozen object for each change, and subscribers that log, count or show it.

The core emits; it imports no log or metrics library beyond the standard one. A subscriber that fails is logged once
and never hurts a delivery: the journal, not the event, is the proof.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.store.rows import DeliveryRow

_LOG = logging.getLogger("gateway.engine")


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """What happened to a delivery, in codes and ids only.

    `event` and `state` are the journal's words; `due_in` seconds until the next look, None: none by itself; `elapsed`
    seconds that the attempt took. A pause or a breaker has no delivery: `delivery` is empty then.
    """

    at: datetime
    event: str
    account: str
    channel: str
    delivery: str = ""
    document: str = ""
    destination: str = ""
    state: str = ""
    attempt: int = 0
    reason: str = ""
    host: str | None = None
    due_in: float | None = None
    elapsed: float = 0.0


def of_row(name: str, row: DeliveryRow, now: datetime, reason: str | None) -> DeliveryEvent:
    """An event about a delivery as the store shows it."""
    return DeliveryEvent(
        now,
        name,
        row.account,
        row.channel,
        row.id,
        row.document_id,
        row.destination,
        row.state,
        row.attempts,
        reason or "",
    )


ALARMS = frozenset(
    {
        "paused",
        "session_wanted",
        "store_unavailable",
        "mailbox_odd",
        "mailbox_unreachable",
        "mailbox_misconfigured",
        "mailbox_session_needed",
        "obligation_late",
        "receipt_overdue",
        "store_copied",
        "store_over_cap",
    }
)
"""Events that somebody should look at, whatever the state of a delivery."""

Subscriber = Callable[[DeliveryEvent], None]


class Publisher:
    """Tells every subscriber, whatever the others do."""

    def __init__(self, subscribers: Sequence[Subscriber]) -> None:
        self._subscribers = subscribers

    def publish(self, event: DeliveryEvent) -> None:
        """Hand the event to each subscriber."""
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception as fault:  # noqa: BLE001 (a broken subscriber must not stop a delivery)
                _LOG.error("subscriber_failed", extra={"error": type(fault).__name__})


def log_event(event: DeliveryEvent) -> None:
    """Write an event to the standard log `gateway.engine`, its fields as extras."""
    level = logging.WARNING if event.state in {"dead", "in_doubt"} or event.event in ALARMS else logging.INFO
    fields = {key: value for key, value in asdict(event).items() if value and key not in {"at", "event"}}
    _LOG.log(level, "delivery_%s", event.event, extra=fields)
