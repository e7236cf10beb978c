"""Where a withdrawal stands: what was stopped, what is being taken back, what a person still has to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gateway import wording

if TYPE_CHECKING:
    from gateway.store.base import DeliveryRow, DocumentRow

_OPEN = frozenset({"sending", "transmitting", "in_doubt"})


@dataclass(frozen=True, slots=True)
class WithdrawalLine:
    """One delivery of a withdrawal: a document that was stopped or had left, or what takes it back.

    `confirmed`: nothing is left to do about it. `next_step` is what a person has to do, French, empty when nothing.
    """

    delivery: str
    document: str
    purpose: str
    destination: str
    role: str
    transport: str
    receipt: str
    reason: str | None
    confirmed: bool
    next_step: str


@dataclass(frozen=True, slots=True)
class WithdrawalView:
    """A withdrawal. `ended` once every line is confirmed; `needs_person` where one waits for somebody."""

    documents: tuple[str, ...]
    reason: str
    by: str
    at: datetime
    ended: bool
    needs_person: bool
    lines: tuple[WithdrawalLine, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "at": self.at.isoformat()}


def withdrawal_view(rows: Sequence[DocumentRow], deliveries: Sequence[DeliveryRow]) -> WithdrawalView:
    """The withdrawal of these versions (newest first; the first one is withdrawn), with all their deliveries."""
    first = rows[0].withdrawn
    assert first is not None  # the caller looked
    lines = tuple(_line(row) for row in deliveries)
    return WithdrawalView(
        documents=tuple(row.id for row in rows),
        reason=first.reason,
        by=first.by,
        at=first.at,
        ended=all(line.confirmed for line in lines),
        needs_person=any(line.next_step for line in lines),
        lines=lines,
    )


def _line(row: DeliveryRow) -> WithdrawalLine:
    confirmed = _confirmed(row)
    asked = not confirmed and wording.needs_person(row.state, row.receipt, row.reason)
    return WithdrawalLine(
        delivery=row.id,
        document=row.document_id,
        purpose=row.purpose,
        destination=row.destination,
        role=row.role,
        transport=row.state.value,
        receipt=row.receipt.value,
        reason=row.reason,
        confirmed=confirmed,
        next_step=_step(row) if asked else "",
    )


def _confirmed(row: DeliveryRow) -> bool:
    if row.purpose == "document":
        return row.state not in _OPEN
    if row.state == "sent":
        return row.receipt != "refused"
    return row.state in {"handed_over", "cancelled", "superseded"}


def _step(row: DeliveryRow) -> str:
    if row.purpose == "retraction":
        return str(wording.words()["withdrawal"]["call"])
    return wording.advice(row.state, row.receipt, row.reason)
