"""The store as the rest of the gateway sees it: what goes in, what comes out, and the `Store` protocol.

The store knows bytes, states and codes; it knows no package, no channel and no document. The engine turns those
into what is written here. A second engine (PostgreSQL) implements `gateway.store.database.Database` and ships its
own sql/ folder; everything above it, this protocol included, stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from gateway.store.browsing_types import BrowseStore
from gateway.store.checkpoint import SignedNote
from gateway.store.clockbook import ClockStore
from gateway.store.dmp_acts import DmpStore
from gateway.store.facts import FactStore
from gateway.store.following import FollowStore
from gateway.store.holdings import RightsStore
from gateway.store.homes import HomeStore
from gateway.store.linked import LinkStore
from gateway.store.masters import KeyStore
from gateway.store.oppositions import OppositionStore
from gateway.store.received import ReceiptStore
from gateway.store.requests import (
    NORMAL,
    SOON,
    URGENT,
    Accepted,
    AcceptRequest,
    Blob,
    ChannelName,
    Destination,
    Guard,
    PlannedDelivery,
    Purpose,
)
from gateway.store.retention import RetentionStore
from gateway.store.rows import Attempt, DeliveryDetail, DeliveryRow, DocumentRow, Note, Withdrawn
from gateway.store.states import Event, Receipt, Transport
from gateway.store.stops import PatientStore

if TYPE_CHECKING:
    from gateway.errors import LeaseLostError
    from gateway.store.snapshot import Snapshot

__all__ = [
    "ANY",
    "NORMAL",
    "SOON",
    "URGENT",
    "AcceptRequest",
    "Accepted",
    "Action",
    "Attempt",
    "Blob",
    "ChannelName",
    "Claim",
    "Count",
    "DeliveryDetail",
    "DeliveryRow",
    "Destination",
    "DocumentRow",
    "Filter",
    "Guard",
    "Note",
    "Pause",
    "PlannedDelivery",
    "Progress",
    "Purpose",
    "Result",
    "Store",
    "Wanted",
    "Withdrawn",
]

Action = Literal["hold", "release", "cancel", "retry", "handed", "confirm_sent"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a worker asks for. `lease` in seconds; account and channel None: any; `before`: due by then, not by now."""

    worker: str
    lease: float
    limit: int
    account: str | None = None
    channel: str | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the schedule of a delivery has run: failures that count, reachable seconds spent waiting."""

    failures: int = 0
    burned: float = 0.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery in the hands of one worker until `deadline` (seconds of the clock that counts suspend)."""

    delivery_id: str
    document_id: str
    account: str
    channel: ChannelName
    destination: Destination
    kind: Literal["send", "resolve"]
    attempt: int
    fence: int
    worker: str
    deadline: float
    progress: Progress
    parts: tuple[Blob, ...]
    context: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended and what follows. `due_in` in seconds; None: the engine does not look again by itself.

    `pause` stops the channel of this account at the same time (configuration outcomes). A doubt that stays is shown
    with the reason that it began with, unless `tells`: then this answer is what a person has to know.
    """

    event: Event
    state: Transport
    verdict: str
    reason: str
    text: str = ""
    reference: str | None = None
    host: str | None = None
    due_in: float | None = None
    progress: Progress = Progress()
    receipt: Receipt = Receipt.NONE
    pause: bool = False
    tells: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries to list; None means any. `limit` rows, newest first."""

    account: str | None = None
    states: tuple[Transport, ...] = ()
    destination: Destination | None = None
    document_id: str | None = None
    since: datetime | None = None
    limit: int = 1000


ANY = Filter()


@dataclass(frozen=True, slots=True)
class Count:
    """Deliveries of one account, channel and state: how many, and when the oldest was accepted."""

    account: str
    channel: ChannelName
    state: Transport
    number: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """A channel of an account (or `*`, all of it) that sends nothing for now."""

    account: str
    channel: str
    reason: str
    actor: str
    since: datetime


class Store(
    BrowseStore,
    ClockStore,
    DmpStore,
    FactStore,
    FollowStore,
    HomeStore,
    KeyStore,
    LinkStore,
    OppositionStore,
    PatientStore,
    ReceiptStore,
    RetentionStore,
    RightsStore,
    Protocol,
):
    """Documents, deliveries and the journal. Every change and its journal record commit together.

    Any process may use a store of its own on the same database. Methods raise StoreError when the database cannot
    serve (busy, full, damaged), NotFoundError for an unknown id.
    """

    def accept(self, request: AcceptRequest) -> Accepted:
        """Take a document over, in one transaction.

        Raises ConflictError: same key, other content; or what it replaces was replaced already, or moved meanwhile.
        """
        ...

    def accept_many(self, requests: Sequence[AcceptRequest]) -> list[Accepted]:
        """`accept` for several documents in one transaction: all of them or none. Raises like it."""
        ...

    def claim(self, wanted: Wanted) -> list[Claim]:
        """Due deliveries, now `sending`, each with a new fence; committed before this returns."""
        ...

    def claim_doubtful(self, wanted: Wanted) -> list[Claim]:
        """Deliveries `in_doubt` whose evidence is due to be asked for; their state stays."""
        ...

    def mark_transmitting(self, claim: Claim) -> None:
        """Make `transmitting` durable, just before bytes leave. Raises LeaseLostError (lease over, or fenced off)."""
        ...

    def mark_many(self, claims: Sequence[Claim]) -> list[LeaseLostError | None]:
        """`mark_transmitting` for several claims, in one transaction: in the place of each, why it may not leave."""
        ...

    def renew(self, claim: Claim, lease: float) -> Claim:
        """The same claim with a later deadline. Raises LeaseLostError."""
        ...

    def record(self, claim: Claim, result: Result) -> bool:
        """End an attempt. False: the delivery has moved on meanwhile; the result is journalled, the state stays."""
        ...

    def record_many(self, ended: Sequence[tuple[Claim, Result]]) -> list[bool]:
        """`record` for several attempts, in one transaction: all of them or none."""
        ...

    def recover(
        self, *, account: str | None = None, owner_gone: bool = False, settle: float = 0.0, went_back: bool = False
    ) -> list[str]:
        """Take deliveries back from dead workers: expired leases, or all with `owner_gone`. Returns their ids.

        Evidence of doubtful ones is asked for after `settle` seconds: the other side may still be at work on them.
        What waits for times that a clock set back put far off is freed; `went_back`: look for it in any case.
        """
        ...

    def act(
        self,
        delivery_id: str,
        action: Action,
        *,
        by: str,
        reason: str,
        means: str | None = None,
        at: datetime | None = None,
    ) -> DeliveryRow:
        """What a named person decides; `means` and `at` (aware, None: now) say how and when it was handed over.

        Raises StateError where the state does not allow it.
        """
        ...

    def pause(self, account: str, channel: str = "*", *, by: str, reason: str) -> None:
        """Send nothing more on a channel of an account (`*`: on none). `reason` is a code."""
        ...

    def resume(self, account: str, channel: str = "*", *, by: str) -> bool:
        """End a pause; False when there was none."""
        ...

    def pauses(self) -> list[Pause]:
        """What is paused."""
        ...

    def session_ready(self, account: str, channel: ChannelName, *, by: str) -> int:
        """A person renewed the session: deliveries that waited for it become due. Returns how many."""
        ...

    def record_receipt(
        self, delivery_id: str, receipt: Receipt, *, evidence_sha256: str, code: str | None = None
    ) -> bool:
        """Note a receipt; the same evidence twice changes nothing. Returns whether the delivery changed."""
        ...

    def document(self, document_id: str) -> DocumentRow:
        """One document."""
        ...

    def named(self, account: str, name: str) -> DocumentRow:
        """A document of an account, by its id or its CDA's identifier. Raises NotFoundError (DOC-404)."""
        ...

    def documents(self, account: str, patient: str) -> list[DocumentRow]:
        """The documents of a patient (given as in AcceptRequest), oldest first."""
        ...

    def same_patient(self, document_id: str) -> list[DocumentRow]:
        """The documents of the patient of this one, it included, oldest first. Raises NotFoundError (DOC-404)."""
        ...

    def known(self, account: str, key: str | None, content_sha256: str) -> Accepted | None:
        """What `accept` would find instead of creating anything. Raises ConflictError like it."""
        ...

    def suspicion(self, account: str, patient: str, guard: Guard) -> str | None:
        """Why a document would be held as possibly another patient's (a code); None: nothing against it."""
        ...

    def rendering(self, document_id: str, name: str) -> Blob:
        """Submission (`submission`) or rendering of a document, opened. Raises NotFoundError once erased."""
        ...

    def parts(self, delivery_id: str) -> tuple[Blob, ...]:
        """The frozen parts of a delivery, opened."""
        ...

    def context(self, delivery_id: str) -> bytes | None:
        """The send context of a delivery, opened; None without a package. Raises NotFoundError once erased."""
        ...

    def delivery(self, delivery_id: str) -> DeliveryDetail:
        """One delivery with its timeline."""
        ...

    def deliveries(self, wanted: Filter = ANY) -> list[DeliveryRow]:
        """Deliveries, newest first."""
        ...

    def counts(self) -> list[Count]:
        """How many deliveries that are not at an end stand where, and since when."""
        ...

    def next_due(self, accounts: Sequence[str], channel: str | None = None) -> datetime | None:
        """When the engine has something to do next, on one channel or on any; None: nothing waits."""
        ...

    def checkpoint(self) -> None:
        """Sign the journal's present size and root, outside the database."""
        ...

    def attest(self, subject: str, line: str) -> str:
        """A statement signed with the journal's key (a signed note of two lines that is no checkpoint)."""
        ...

    def unanchored(self) -> tuple[SignedNote, ...]:
        """The newest checkpoint of each shard, unless it has a time stamp of a third party already."""
        ...

    def anchor(self, name: str, token: bytes) -> None:
        """Keep the time stamp of a checkpoint beside it."""
        ...

    def touched(self, after: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Sizes of the journal, and the documents that its records beyond the sizes `after` (none: all) are about."""
        ...

    def snapshot(self) -> Snapshot:
        """The journal as an auditor reads it."""
        ...

    @property
    def shards(self) -> int:
        """How many shards the journal has."""
        ...

    def lock_path(self, account: str) -> str | None:
        """File whose OS lock is the worker role of this account; None: any number of workers share it, by leases."""
        ...

    def now(self) -> datetime:
        """The time that leases and due times follow."""
        ...

    def close(self) -> None:
        """Sign a last checkpoint and close."""
        ...
