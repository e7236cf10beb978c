"""Was it accepted? What the journal of one delivery proves, told in a code (DESIGN §4 rules 4 and 7). Pure.

Only what is proven never to have been accepted may be sent another way. A question put to the other side answers for
every attempt, the answer of an attempt for itself alone; a report that a mail was returned answers for that mail.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gateway import wording
from gateway.store.states import Event, Receipt, Transport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.store.base import DeliveryDetail

UNDER_WAY, IN_DOUBT, SENT, TAKEN, ENDED, MAYBE = (
    "LNK-UNDER-WAY",
    "LNK-IN-DOUBT",
    "LNK-SENT",
    "LNK-TAKEN",
    "LNK-ENDED",
    "LNK-MAYBE",
)
"""Why non-acceptance is not proven: under way, in doubt, sent and not refused, refused by the reader's own software (he
has the mail), ended by a person, or an earlier attempt that may have arrived."""

_DOUBTS = frozenset({Event.DOUBT, Event.RESTORED})
_ANSWERS = frozenset({Event.FAILED, Event.REFUSED, Event.GAVE_UP, Event.NO_DESTINATION})
_CONFIRMED = frozenset({Receipt.DELIVERED, Receipt.PROCESSED, Receipt.INTEGRATED})
_EVER = -1
"""Stands for a doubt that no single attempt can settle: the store came from a backup."""


def unproven(detail: DeliveryDetail) -> str | None:
    """Why it is not proven that the other side refused a delivery or never saw it; None when it is."""
    row = detail.row
    if row.state in {Transport.SENDING, Transport.TRANSMITTING}:
        return UNDER_WAY
    if row.state is Transport.IN_DOUBT:
        return IN_DOUBT
    if row.state is Transport.SENT:
        return _of_sent(detail)
    if row.state in {Transport.HANDED_OVER, Transport.SUPERSEDED, Transport.CANCELLED}:
        return ENDED
    return MAYBE if may_have_arrived(detail.records) else None


def _of_sent(detail: DeliveryDetail) -> str | None:
    if detail.row.receipt is not Receipt.REFUSED:
        return SENT
    back = wording.returned(detail.row.receipt_reason) and not may_have_arrived(detail.records)
    return None if back else TAKEN


def may_have_arrived(records: Iterable[str]) -> bool:
    """Whether an attempt of a delivery may have been taken, by its journal records in order."""
    told = _Told()
    for record in records:
        told.add(json.loads(record))
    return bool(told.doubtful)


class _Told:
    """What the records have said so far: fences of attempts that may have been taken, fences of questions."""

    def __init__(self) -> None:
        self.doubtful: set[int] = set()
        self._confirmed = False
        self._questions: set[int] = set()
        self._state = ""

    def add(self, record: dict[str, Any]) -> None:
        """The next record."""
        event, fence = record["event"], record.get("fence", _EVER)
        state = record.get("state", self._state)
        if event == "resolving":
            self._questions.add(fence)
        elif event in _DOUBTS or (event == Event.RECOVERED and state == Transport.IN_DOUBT):
            self.doubtful.add(_EVER if event == Event.RESTORED else fence)
        elif event in {Event.TAKEN, Event.CONFIRM_SENT, Event.RECEIPT}:
            self._taken(record)
        elif event in _ANSWERS:
            self._answer(fence)
        elif event == "late_result":
            self._late(record, fence)
        self._state = state

    def _answer(self, fence: int) -> None:
        if fence in self._questions:
            self.doubtful.clear()
        else:
            self.doubtful.discard(fence)

    def _late(self, record: dict[str, Any], fence: int) -> None:
        """A result that came after the delivery had moved on: it still says what became of its own attempt."""
        if record.get("verdict") in {"accepted", "in_doubt"}:
            self.doubtful.add(fence)
        elif fence not in self._questions:
            self.doubtful.discard(fence)

    def _taken(self, record: dict[str, Any]) -> None:
        """Sent for sure, until a report says that the mail came back; one that was confirmed does not come back."""
        receipt, code = record.get("receipt"), record.get("text") or record.get("reason")
        self._confirmed = self._confirmed or (record["event"] == Event.RECEIPT and receipt in _CONFIRMED)
        if receipt == Receipt.REFUSED and wording.returned(code) and not self._confirmed:
            self.doubtful.clear()
        elif receipt != Receipt.OVERDUE:
            self.doubtful.add(record.get("fence", _EVER))
