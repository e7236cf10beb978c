"""Linked deliveries and withdrawn documents, as the store takes them (DESIGN §4 rules 7 and 8).

The engine has judged what may be done from what it read a moment ago; the store does it in one transaction, and only
if nothing has moved since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from gateway.store.states import Receipt, Transport

if TYPE_CHECKING:
    from gateway.store.requests import PlannedDelivery
    from gateway.store.rows import DeliveryRow

LinkAction = Literal["readdress", "reprepare"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A delivery as the caller saw it when he decided: nothing is done when it has moved since."""

    delivery: str
    state: Transport
    receipt: Receipt
    fence: int

    @classmethod
    def of(cls, row: DeliveryRow) -> Seen:
        """What is to be compared of a row."""
        return cls(row.id, row.state, row.receipt, row.fence)


@dataclass(frozen=True, slots=True)
class Link:
    """A new delivery of the same document in place of one that was proven not to be accepted.

    `reason` are the person's own words, sealed; `action` says whether it goes elsewhere or is only packed anew.
    """

    seen: Seen
    planned: PlannedDelivery
    action: LinkAction
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What a withdrawal sends because of one delivery: a retraction, a deletion, or a person's errand.

    It waits while that delivery is under way. `certain`: nothing of it can have arrived before, so this is needless
    when the attempt under way fails. `settle` in seconds: how long a deletion waits after a doubt.
    """

    after: str
    planned: PlannedDelivery
    certain: bool = False
    settle: float = 0.0


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Documents (all versions of one) to withdraw at once. `reason` is a code, `note` the person's words, sealed."""

    documents: tuple[str, ...]
    by: str
    reason: str
    note: str
    seen: tuple[Seen, ...]
    follow_ups: tuple[FollowUp, ...]


class LinkStore(Protocol):
    """The side of `Store` for linked deliveries and withdrawals."""

    def link(self, link: Link) -> str:
        """Put a new delivery in the place of another, which becomes `superseded`. Returns the new one's id.

        Raises ConflictError (LNK-001) when it moved meanwhile, StateError (DLV-001) from a state that proves nothing,
        StateError (WDR-001) once the document is withdrawn, InputError like `act`.
        """
        ...

    def withdraw(self, withdrawal: Withdrawal) -> tuple[str, ...]:
        """Withdraw documents: cancel what has not left, plan what follows. Returns the ids of the follow-ups.

        Raises ConflictError (LNK-001) when a delivery moved meanwhile, StateError (WDR-001) when one of the documents
        is withdrawn already, InputError like `act`.
        """
        ...
