"""Reading deliveries page by page, and the trace that reading and exporting leave in the journal.

A page is found by where the one before it ended, never by counting rows: the thousandth costs what the first does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from gateway.store.requests import Destination
from gateway.store.rows import DeliveryRow
from gateway.store.states import Receipt, Transport


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: the next one starts after it."""

    created_at: datetime
    delivery: str


@dataclass(frozen=True, slots=True)
class PageFilter:
    """Which deliveries; None and empty mean any. `since` included, `until` excluded (aware times of acceptance).

    `reference` is the delivery, its document, the CDA's identifier, or what the other side answered; `attention` keeps
    what may ask for a person, without what is impossible for one of the reasons `closed`. `accounts` bounds the search
    where `patient`, a pseudonym, is given.
    """

    accounts: tuple[str, ...] = ()
    states: tuple[Transport, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    destination: Destination | None = None
    reference: str | None = None
    patient: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    attention: bool = False
    closed: tuple[str, ...] = ()
    after: Cursor | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """A delivery and the pseudonym of its patient."""

    row: DeliveryRow
    patient: str

    @property
    def cursor(self) -> Cursor:
        """Where a page that ends here ends."""
        return Cursor(self.row.created_at, self.row.id)


@dataclass(frozen=True, slots=True)
class Consulted:
    """That somebody read or exported: `by` is the holder of the token, `kind` the page, `size` how many lines."""

    event: Literal["consulted", "exported", "logged_in"]
    by: str
    kind: str
    account: str | None = None
    document: str | None = None
    delivery: str | None = None
    patient: str | None = None
    size: int | None = None


class BrowseStore(Protocol):
    """What the store offers to who reads it page by page."""

    def page(self, wanted: PageFilter) -> list[Listed]:
        """Deliveries, newest first, at most `limit`."""
        ...

    def note_consulted(self, consulted: Consulted) -> None:
        """Journal that somebody read or exported."""
        ...

    def journal_records(self) -> int:
        """How many records the journal has, in all its shards."""
        ...
