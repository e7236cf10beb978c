"""What a corrected version follows: the earlier versions and where each of them arrived, or may have.

The engine reads it from the store; the pure road takes it as an argument and opens no store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.records.people import Recipient


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """The earlier version that a document replaces: its identifier and its number in the same set of versions.

    The entry ids (`urn:uuid:...`) are those under which XDS metadata described it: `archive_entry` in the archive
    that was mailed, `registry_entry` in the request sent to the DMP; None where it never went that way. `messages` are
    the mails that took it: address and Message-ID.
    """

    id: str
    version: int
    archive_entry: str | None = None
    registry_entry: str | None = None
    messages: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """A place that has an earlier version: which one, by which delivery, and whether that is certain."""

    document: str
    delivery: str
    certain: bool


@dataclass(frozen=True, slots=True)
class Lineage:
    """The earlier versions of a document being corrected.

    `predecessor` is the gateway's id of the last one; `set_id` and `version` are what the new one bears. `received` is
    by place: `dmp`, or a mailbox in lower case; `refs` by the CDA identifier that `Received.document` names, newest
    first. `former` are professionals who received one and may be missing from the new submission. `supersedes` are
    deliveries that never left.
    """

    predecessor: str
    set_id: str
    version: int
    received: Mapping[str, Received]
    refs: Mapping[str, DocumentRef]
    former: tuple[Recipient, ...] = ()
    supersedes: tuple[str, ...] = ()

    def edition(self, place: str) -> str | None:
        """Identifier of the version that a place has, None where it has none."""
        found = self.received.get(place)
        return None if found is None else found.document
