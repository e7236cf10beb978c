"""What is finished, and how much of its content is still there: what erasing by age or for want of room needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

Kind = Literal["mails", "documents"]
"""`mails`: messages as transmitted. `documents`: the whole content; its key is destroyed."""
Why = Literal["age", "size"]


@dataclass(frozen=True, slots=True)
class Ended:
    """A document of which nothing is left to do. `ended_at`: the last that happened to it, a receipt included."""

    document_id: str
    account: str
    ended_at: datetime
    mails: bool
    """Whether its mails are still there."""


@dataclass(frozen=True, slots=True)
class Old:
    """Documents taken over by some day whose content is still there: those that are finished, and how many are not."""

    ended: tuple[Ended, ...]
    open: int


class RetentionStore(Protocol):
    """What the store offers to who erases what is finished."""

    def old(self, before: datetime, all_before: datetime | None = None) -> Old:
        """Documents taken over by `before` with mails left, and all those by `all_before` (None: none).

        Not finished is what waits, is under way, in doubt, held or refused for good; what awaits a receipt, a person's
        look or an answer's reading; a withdrawal that goes on; a patient who is stopped; what a later version of it,
        still under way, may need; what has no frozen facts yet.
        """
        ...

    def weights(self, document_id: str) -> dict[Kind, int]:
        """Bytes of a document's content: those of its mails alone, and all of them."""
        ...

    def content_bytes(self) -> int:
        """Bytes that the store takes: pages in use of the file on SQLite, sizes of the contents on PostgreSQL."""
        ...

    def retire(self, document_id: str, kind: Kind, *, by: str, why: Why) -> bool:
        """Erase that much of a document, with a journal record. False: it is no longer finished, or already gone.

        Whether it is finished is looked at again inside the transaction.
        """
        ...
