"""What arrives in a mailbox, as the store takes it, and what the store did with it.

The engine has read the mail and judged whether it may be believed; the store finds the delivery that it is about,
checks the recipient, and changes, records and journals in one transaction together with the place in the mailbox.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from gateway.store.states import Receipt

if TYPE_CHECKING:
    from gateway.store.base import DeliveryRow

MailKind = Literal["dsn", "mdn", "failure", "reply", "auto_reply", "own", "other"]
Verdict = Literal[
    "applied", "noted", "doubled", "known", "unmatched", "forged", "wrong_recipient", "ambiguous", "ignored"
]
"""`applied` changed a delivery; `noted` is about one and changed nothing; `doubled` said it before in another copy;
`known` is the very same bytes again; `ignored` is no business of the gateway. The others were not believed.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mail lies: IMAP folder, its UIDVALIDITY and the mail's UID (RFC 9051 §2.3.1.1)."""

    folder: str
    uidvalidity: int
    uid: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last mail of a folder that was taken in. A server with another `uidvalidity` has to be read afresh.

    `seen_at`: when a mail of the folder last left a trace; everything up to the cursor had been read by then.
    """

    uidvalidity: int
    uid: int
    seen_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class MailKeys:
    """What a receipt names of a mail that was sent; the store keeps keyed hashes of them."""

    message_id: str
    envid: str
    recipient: str


@dataclass(frozen=True, slots=True)
class Word:
    """What a received mail says about one recipient.

    `receipt` is where it would put the receipt axis, None: nowhere (delayed, relayed); `reason` the stable code of
    what it says. `final` may differ from `original` (one address, in the forms it may have been written in): the mail
    was forwarded. `anyone`: who speaks need not be the recipient. `reply` asks a person to read the mail, `asks` to
    act. `last`: nothing more about the delivery will be said, so an ordinary letter waits for no more.
    """

    receipt: Receipt | None
    reason: str
    original: tuple[str, ...] = ()
    final: str | None = None
    reply: bool = False
    asks: bool = False
    last: bool = False
    not_patient: bool = False
    anyone: bool = False


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A mail to take in. `doubt` is the code of why it is not to be believed (None: it may be).

    `message_ids` in order of preference; `strict`: all that are known must mean the same delivery.
    `evidence_sha256` is the hex hash of the whole mail, `report_id` its own Message-ID, `host` its sender's domain.
    """

    kind: MailKind
    evidence_sha256: str
    words: tuple[Word, ...] = ()
    message_ids: tuple[str, ...] = ()
    envids: tuple[str, ...] = ()
    report_id: str | None = None
    host: str | None = None
    doubt: str | None = None
    strict: bool = True
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class TakenMail:
    """What was done with it. `delivery` is the row after the change, None where none was found."""

    kind: MailKind
    verdict: Verdict
    reason: str | None = None
    delivery: DeliveryRow | None = None
    held: tuple[DeliveryRow, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceivedLine:
    """A received mail in a delivery's timeline: codes, time and place, never content."""

    at: datetime
    kind: str
    verdict: str
    reason: str | None
    evidence_sha256: str
    folder: str | None
    uid: int | None


@dataclass(frozen=True, slots=True)
class LooseMail:
    """A receipt that could not be put on a delivery (or was not believed), and where it lies."""

    account: str
    line: ReceivedLine
    delivery_id: str | None


@dataclass(frozen=True, slots=True)
class PairHold:
    """Nothing goes to one recipient about one patient until a person says so. `delivery_id` is what began it."""

    account: str
    delivery_id: str
    reason: str
    actor: str
    since: datetime


class ReceiptStore(Protocol):
    """The receipt side of `Store`."""

    def mail_cursor(self, account: str, folder: str) -> Cursor | None:
        """How far a folder of an account's mailbox was taken in; None: never."""
        ...

    def move_cursor(self, account: str, place: Place) -> None:
        """Remember a place without a mail: the folder is empty, or what lies there cannot be read at all."""
        ...

    def take_mail(self, account: str, mail: ReceivedMail) -> TakenMail:
        """Match, apply, record and journal a received mail, and move the cursor, in one transaction. Idempotent."""
        ...

    def note_mailbox(self, account: str, event: str, *, reason: str | None, host: str | None) -> None:
        """Journal that a mailbox cannot be read, behaves oddly, or is read again. `event` and `reason` are codes."""
        ...

    def mark_overdue(self, account: str | None = None) -> list[DeliveryRow]:
        """Make receipts whose time is over `overdue`, each once. Returns those deliveries."""
        ...

    def received(self, delivery_id: str) -> list[ReceivedLine]:
        """The mails that were taken in about a delivery, oldest first."""
        ...

    def loose_mails(self, account: str | None = None, limit: int = 200) -> list[LooseMail]:
        """Receipts that were believed of no delivery, newest first."""
        ...

    def attend(self, delivery_id: str, action: Literal["called", "seen"], *, by: str, reason: str) -> DeliveryRow:
        """A named person did what a receipt (or its absence) asked for; ends its alert.

        Raises StateError (DLV-007) when nothing asks, InputError like `act`.
        """
        ...

    def hold_pair(self, delivery_id: str, *, by: str, reason: str) -> list[DeliveryRow]:
        """Not this doctor's patient: hold what is queued from this patient to this recipient, and what comes later.

        Returns the deliveries that are held by it now. Raises StateError (DLV-008) for what is no mail.
        """
        ...

    def release_pair(self, delivery_id: str, *, by: str, reason: str) -> list[DeliveryRow]:
        """End such a hold and let go what it holds. Raises StateError (DLV-009) when there is none."""
        ...

    def pair_holds(self) -> list[PairHold]:
        """Every such hold."""
        ...

    def unkeyed_mails(self, limit: int = 100) -> list[str]:
        """Mails whose keys the store does not know: accepted by a version that kept none."""
        ...

    def key_mail(self, delivery_id: str, keys: MailKeys | None) -> None:
        """Give a mail its keys; None: they cannot be known any more (erased)."""
        ...


PROVES = frozenset({Receipt.AWAITED, Receipt.DELIVERED, Receipt.PROCESSED, Receipt.INTEGRATED, Receipt.REFUSED})
"""Receipt states that only a mail which left can have."""
PROVED = "ENG-RECEIPT"
"""Reason of a delivery that a receipt proves to be sent."""
