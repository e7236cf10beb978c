"""The self-copy: the sender's own box as second recipient of the same transaction, and the proof it gives later.

A server that took the content took it for both recipients at once (RFC 5321 §4.1.1.4), so our mail lying in our own box
proves that the doctor's was accepted too. That it does not lie there proves nothing: a filter, a full box or a slow
queue keep it away as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from gateway.channels.mssante.mailbox_faults import MailboxError
from gateway.channels.outcome import Outcome, Verdict

if TYPE_CHECKING:
    from gateway.channels.mssante.imap import Copy
    from gateway.package.types import MailContext

FOUND = "MSS-COPY-FOUND"
ABSENT = "MSS-COPY-ABSENT"
UNKNOWN = "MSS-COPY-UNKNOWN"


class Finder(Protocol):
    """A mailbox that can be asked (`gateway.channels.mssante.imap.Mailbox`)."""

    async def find(self, message_id: str) -> Copy | None:
        """Our mail of this Message-ID."""
        ...

    async def aclose(self) -> None:
        """Close the connection."""
        ...


class SelfCopy:
    """Where copies go, and how they are found again. A connection is opened for each question: there are few."""

    def __init__(self, address: str, host: str, open_box: Callable[[], Finder]) -> None:
        """`address` is the sender's box, `host` the server that `open_box` reads it on."""
        self.address = address
        self._host = host
        self._open_box = open_box

    async def resolve(self, context: MailContext) -> Outcome:
        """ACCEPTED when the copy is found, with the hash of its header; IN_DOUBT otherwise, whatever the cause: a box
        that cannot be read must not stop the sending of other mails.
        """
        box = self._open_box()
        try:
            copy = await box.find(context.message_id)
        except MailboxError as fault:
            return Outcome(Verdict.IN_DOUBT, UNKNOWN, fault.reason, host=self._host)
        finally:
            await box.aclose()
        if copy is None:
            return Outcome(Verdict.IN_DOUBT, ABSENT, host=self._host)
        text = f"self-copy, {copy.count} in the box, header sha256 {copy.sha256}"
        return Outcome(Verdict.ACCEPTED, FOUND, text, host=self._host)
