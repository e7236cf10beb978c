"""The two axes of a delivery and every transition that exists (DESIGN §4 "Delivery").

The table below is the rule, not a description of it: the store refuses whatever is not in it, and docs/engine.md
is held to it by a test.
"""

from __future__ import annotations

from enum import StrEnum


class Transport(StrEnum):
    """Where the sending stands."""

    PREPARED = "prepared"
    SENDING = "sending"
    TRANSMITTING = "transmitting"
    SENT = "sent"
    RETRY = "retry"
    IN_DOUBT = "in_doubt"
    HELD = "held"
    WAITING_FOR_SESSION = "waiting_for_session"
    IMPOSSIBLE = "impossible"
    HANDED_OVER = "handed_over"
    SUPERSEDED = "superseded"
    DEAD = "dead"
    CANCELLED = "cancelled"


class Receipt(StrEnum):
    """What the other side said afterwards: "sent" is not "received"."""

    NONE = "none"
    AWAITED = "awaited"
    DELIVERED = "delivered"
    PROCESSED = "processed"
    INTEGRATED = "integrated"
    REFUSED = "refused"
    OVERDUE = "overdue"


class Event(StrEnum):
    """What moves a delivery along the transport axis; also the event name in the journal."""

    ACCEPTED = "accepted"
    CLAIMED = "claimed"
    TRANSMIT = "transmit"
    TAKEN = "taken"
    FAILED = "failed"
    GAVE_UP = "gave_up"
    REFUSED = "refused"
    MISCONFIGURED = "misconfigured"
    SESSION_NEEDED = "session_needed"
    NO_DESTINATION = "no_destination"
    DOUBT = "doubt"
    STILL_IN_DOUBT = "still_in_doubt"
    RESEND_DECIDED = "resend_decided"
    GIVEN_BACK = "given_back"
    RECOVERED = "recovered"
    SESSION_READY = "session_ready"
    RECEIPT = "receipt"
    HOLD = "hold"
    RELEASE = "release"
    CANCEL = "cancel"
    RETRY = "retry"
    HANDED = "handed"
    CONFIRM_SENT = "confirm_sent"
    SUPERSEDE = "supersede"
    FOLLOWS = "follows"
    TAKEN_OVER = "taken_over"
    OPPOSE = "oppose"
    RESTORED = "restored"


GATEWAY = "gateway"
"""Actor of what no person decided."""

T = Transport
IN_FLIGHT = (T.SENDING, T.TRANSMITTING)
"""States in which a worker holds the delivery."""
_ANSWERED = (T.SENDING, T.TRANSMITTING, T.IN_DOUBT)
_WAITING = (T.PREPARED, T.RETRY, T.WAITING_FOR_SESSION)

TRANSITIONS: dict[Event, tuple[tuple[Transport, ...], tuple[Transport, ...]]] = {
    # event: (from, to); no state before `accepted`
    Event.ACCEPTED: ((), (T.PREPARED, T.HELD, T.IMPOSSIBLE)),
    Event.CLAIMED: ((T.PREPARED, T.RETRY), (T.SENDING,)),
    Event.TRANSMIT: ((T.SENDING,), (T.TRANSMITTING,)),
    Event.TAKEN: (_ANSWERED, (T.SENT,)),
    Event.FAILED: (_ANSWERED, (T.RETRY,)),
    Event.GAVE_UP: (_ANSWERED, (T.DEAD,)),
    Event.REFUSED: (_ANSWERED, (T.DEAD,)),
    Event.MISCONFIGURED: (IN_FLIGHT, (T.RETRY,)),
    Event.SESSION_NEEDED: (IN_FLIGHT, (T.WAITING_FOR_SESSION,)),
    Event.NO_DESTINATION: (_ANSWERED, (T.IMPOSSIBLE,)),
    Event.DOUBT: (IN_FLIGHT, (T.IN_DOUBT,)),
    Event.STILL_IN_DOUBT: ((T.IN_DOUBT,), (T.IN_DOUBT,)),
    Event.RESEND_DECIDED: ((T.IN_DOUBT,), (T.RETRY,)),
    # A worker that stops, or loses its lease, before a byte left.
    Event.GIVEN_BACK: (IN_FLIGHT, (T.RETRY,)),
    # A worker that died: before `transmitting` nothing left, after it nobody knows.
    Event.RECOVERED: (IN_FLIGHT, (T.RETRY, T.IN_DOUBT)),
    Event.SESSION_READY: ((T.WAITING_FOR_SESSION,), (T.RETRY,)),
    # A receipt proves the sending, whatever the transport axis believed (a resending decided meanwhile, a restored
    # database): nothing is sent a second time.
    Event.RECEIPT: ((*_WAITING, T.HELD, T.IN_DOUBT, T.DEAD), (T.SENT,)),
    Event.HOLD: (_WAITING, (T.HELD,)),
    Event.RELEASE: ((T.HELD,), (T.PREPARED,)),
    Event.CANCEL: ((*_WAITING, T.HELD, T.IN_DOUBT, T.DEAD), (T.CANCELLED,)),
    Event.RETRY: ((T.RETRY, T.WAITING_FOR_SESSION, T.DEAD, T.IMPOSSIBLE), (T.RETRY,)),
    # `sent` only where the other side refused it afterwards, or said nothing in time (store/operating.py).
    Event.HANDED: ((*_WAITING, T.HELD, T.IN_DOUBT, T.DEAD, T.IMPOSSIBLE, T.SENT), (T.HANDED_OVER,)),
    Event.CONFIRM_SENT: ((T.IN_DOUBT,), (T.SENT,)),
    Event.SUPERSEDE: ((*_WAITING, T.HELD, T.DEAD, T.IMPOSSIBLE), (T.SUPERSEDED,)),
    # A corrected version that waited for the outcome of the earlier one.
    Event.FOLLOWS: ((T.PREPARED, T.RETRY), (T.PREPARED,)),
    # A linked delivery of the same document goes instead; `sent` only where it was refused afterwards.
    Event.TAKEN_OVER: ((*_WAITING, T.HELD, T.DEAD, T.IMPOSSIBLE, T.SENT), (T.SUPERSEDED,)),
    # The patient objects to this destination, as a named person recorded.
    Event.OPPOSE: ((*_WAITING, T.HELD), (T.IMPOSSIBLE,)),
    # A store restored from a backup: what was waiting may have been sent since.
    Event.RESTORED: ((*_WAITING, T.SENDING, T.TRANSMITTING), (T.IN_DOUBT,)),
}
"""Transport axis: event → (states it may start from, states it may lead to)."""

R = Receipt
RECEIPTS: dict[Receipt, tuple[Receipt, ...]] = {
    R.NONE: (R.AWAITED, R.DELIVERED, R.PROCESSED, R.INTEGRATED, R.REFUSED),
    R.AWAITED: (R.DELIVERED, R.PROCESSED, R.INTEGRATED, R.REFUSED, R.OVERDUE),
    # A late receipt still counts.
    R.OVERDUE: (R.DELIVERED, R.PROCESSED, R.INTEGRATED, R.REFUSED),
    R.DELIVERED: (R.PROCESSED, R.INTEGRATED, R.REFUSED, R.OVERDUE),
    R.PROCESSED: (R.INTEGRATED, R.REFUSED),
    R.REFUSED: (R.PROCESSED, R.INTEGRATED),
    R.INTEGRATED: (),
}
"""Receipt axis: state → states that a later receipt may put in its place; anything else is kept beside, unapplied."""

FINAL = frozenset({T.SENT, T.IMPOSSIBLE, T.HANDED_OVER, T.SUPERSEDED, T.DEAD, T.CANCELLED})
"""States in which the engine has nothing left to do: a document is erased only when all its deliveries are so."""


def allowed(event: Event, before: Transport | None, after: Transport) -> bool:
    """Whether `event` may lead from `before` (None: the delivery does not exist yet) to `after`."""
    starts, ends = TRANSITIONS[event]
    return after in ends and (before in starts if starts else before is None)
