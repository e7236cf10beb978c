"""The account's own mailbox, read by IMAP: what is new in it, and whether a mail of ours is in it (spec mssante §3.4).

The box belongs to a person: it is opened for reading only (EXAMINE, BODY.PEEK), nothing is marked, moved or deleted.

A server may lie about its numbers, after a restored backup for instance. So a cursor (UIDVALIDITY, UID) says where to
go on, and besides every mail of the last days is known by number, size and date of arrival: whatever is not known is
read, whatever its number. Reading a mail twice is harmless, since whoever takes it in knows it by its content.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.parser import BytesHeaderParser
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.channels.mssante import fetched, wire
from gateway.channels.mssante.imap_login import Identity
from gateway.channels.mssante.imap_session import Folder, ImapSession
from gateway.channels.mssante.mailbox_faults import MailboxError
from gateway.channels.outcome import Verdict

if TYPE_CHECKING:
    from gateway.channels.tokens import TokenSource
    from gateway.channels.trace import Tracer
    from gateway.clock import Clock
    from gateway.settings import ImapSettings

OVERLAP_DAYS = 2
"""How far back every look goes beside the cursor: what a server slips in under an old number is found there."""
ROUND_MAILS = 200
ROUND_BYTES = 100_000_000
"""What one look reads at most; the rest comes with the next."""
LISTED = 20_000
"""Mails that one look compares at most, the newest ones."""
_LIST_CHUNK = 500
_RENUMBERED_PAUSE = 3600.0
_SKEW = timedelta(minutes=10)
"""How far the server's clock may be from ours."""
_IDLE_LONGEST = 28 * 60.0
"""RFC 2177: an IDLE is to be renewed before 29 minutes."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a folder was read: everything up to `uid`, as long as UIDVALIDITY stays (RFC 9051 §2.3.1.1)."""

    uidvalidity: int
    uid: int


@dataclass(frozen=True, slots=True)
class FoundMail:
    """A mail of the folder. `whole` False: too long, `raw` holds its header only."""

    uidvalidity: int
    uid: int
    raw: bytes
    whole: bool


Take = Callable[[FoundMail], Awaitable[None]]


@dataclass(slots=True)
class Looked:
    """One look at a folder: mails read, and where to go on.

    `odd`: codes of what a truthful server would not say, or of mails that cannot be read whole. `more`: the rest waits.
    """

    cursor: Cursor | None = None
    read: int = 0
    odd: list[str] = field(default_factory=list)
    more: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """Our own mail found in the box: how many of it, and the SHA-256 (hex) of the header of the first."""

    count: int
    sha256: str


class Mailbox:
    """One folder of one box. One connection, one question at a time; questions run in a thread of its own.

    Every method raises MailboxError; a connection that failed is closed and the next question opens another.
    """

    def __init__(
        self,
        settings: ImapSettings,
        address: str,
        *,
        account: str,
        clock: Clock,
        token: TokenSource | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """`address` is the account's mailbox, the user unless the settings say another."""
        self._settings = settings
        self._clock = clock
        self._session = ImapSession(settings, Identity(settings, address, account, token), clock, tracer)
        self._cursor: Cursor | None = None
        self._known: dict[tuple[int, int], str] = {}
        self._owed: set[int] = set()
        self._long: set[int] = set()
        self._trusted: datetime | None = None
        self._renumbered_at = float("-inf")

    @property
    def folder(self) -> str:
        """The folder that is read."""
        return self._settings.folder

    @property
    def host(self) -> str:
        """The server."""
        return self._settings.host

    async def look(self, cursor: Cursor | None, take: Take, trusted: datetime | None = None) -> Looked:
        """Read what is new since `cursor` (None: never read), oldest first, and hand each mail to `take`.

        What `take` raises ends the look; the mail counts as unread. A mail may be handed over again. The cursor matters
        for the first look; this object remembers its own from then on. `trusted` is a time when everything up to the
        cursor had been read: what arrived before it is not read again after a restart.
        """
        looked = Looked(self._cursor or cursor)
        folder = await self._session.do("look", self._session.examine)
        self._trusted = trusted if self._cursor is None else None
        wanted, left = await self._session.do("look", lambda: self._list(folder, looked)), ROUND_BYTES
        self._cursor = looked.cursor
        # What failed before comes last: a mail that breaks the connection must not keep the others from being read.
        order = sorted(wanted, key=lambda uid: (uid in self._owed, uid))
        for number, uid in enumerate(order):
            if number >= ROUND_MAILS or left <= 0:
                looked.more = True
                break
            for found in await self._read(folder, uid, wanted[uid], looked):
                await take(found)
                looked.read += 1
                left -= len(found.raw)
            self._settle(folder, uid, wanted[uid])
        looked.cursor = self._cursor
        return looked

    def _settle(self, folder: Folder, uid: int, entry: fetched.Entry) -> None:
        """A mail was taken in: known from now on, and passed by the cursor. One that is owed is asked for again."""
        if uid in self._owed:
            return
        self._known[folder.uidvalidity, uid] = entry.mark
        before = self._cursor.uid if self._cursor is not None else 0
        self._cursor = Cursor(folder.uidvalidity, max(before, uid))

    async def find(self, message_id: str) -> Copy | None:
        """Look for a mail of ours by its Message-ID, and make sure by its header. None: it is not there (now)."""
        return await self._session.do("find_copy", lambda: self._find(message_id))

    async def unseen(self) -> tuple[int, bool]:
        """How many mails nobody has read yet, and whether the server offers IDLE (and we are to use it)."""
        return await self._session.do("count_unseen", self._unseen)

    async def wait(self, seconds: float) -> bool:
        """Wait until the server says that something changed, at most `seconds`. False, at once: no IDLE here."""
        if not self._session.idles:
            return False
        await self._session.do("idle", lambda: self._session.idle(min(seconds, _IDLE_LONGEST)))
        return True

    async def leave(self) -> None:
        """Close the connection politely; the next question opens another."""
        await self._session.leave()

    async def aclose(self) -> None:
        """Close for good; a question under way fails."""
        await self._session.aclose()

    # ------------------------------------------------------------------------------------------------- listing

    def _list(self, folder: Folder, looked: Looked) -> dict[int, fetched.Entry]:
        """What is to be read: unknown mails of the last days, and everything above the cursor."""
        since = self._check(folder, looked)
        days = OVERLAP_DAYS if since else self._settings.rescan_days
        wanted = self._search(looked, "SINCE", _imap_date(self._clock.now() - timedelta(days=days + 1)))
        if since:
            # `n:*` names the last mail too when its number is below n (RFC 9051 §9, seq-range).
            wanted |= {uid for uid in self._search(looked, "UID", f"{since + 1}:*") if uid > since}
        listed = sorted(wanted | self._owed)
        if len(listed) > LISTED:
            looked.odd.append("IMAP-TOO-MANY")
        return self._unknown(folder, listed[-LISTED:], looked)

    def _check(self, folder: Folder, looked: Looked) -> int:
        """The UID to go on from; 0: the numbers are new or cannot be trusted, so the last days are read anew."""
        if not folder.uidvalidity:
            looked.odd.append("IMAP-NO-UIDVALIDITY")
        cursor = looked.cursor
        if cursor is None:
            return 0
        if cursor.uidvalidity != folder.uidvalidity:
            self._renumbered(looked)
        elif folder.next is not None and folder.next <= cursor.uid:
            looked.odd.append("IMAP-UID-BACKWARDS")
        else:
            return cursor.uid
        looked.cursor = None
        return 0

    def _renumbered(self, looked: Looked) -> None:
        """Every number is void. At most once an hour, or a server that goes on so would have the box read for ever."""
        looked.odd.append("IMAP-UIDVALIDITY-CHANGED")
        now = self._clock.elapsed()
        if now - self._renumbered_at < _RENUMBERED_PAUSE:
            raise MailboxError(Verdict.TRANSIENT, "IMAP-UIDVALIDITY-CHANGED")
        self._renumbered_at = now
        self._known.clear()
        self._owed.clear()
        self._long.clear()

    def _search(self, looked: Looked, *criteria: str) -> set[int]:
        found, clean = self._session.search(*criteria)
        if not clean:
            looked.odd.append("IMAP-SEARCH")
        return found

    def _unknown(self, folder: Folder, listed: list[int], looked: Looked) -> dict[int, fetched.Entry]:
        told: dict[int, fetched.Entry] = {}
        for start in range(0, len(listed), _LIST_CHUNK):
            chunk = listed[start : start + _LIST_CHUNK]
            for entry in self._session.fetch(",".join(map(str, chunk)), "(UID RFC822.SIZE INTERNALDATE)"):
                uid = entry.uid
                if uid is None:
                    continue  # a change of flags, told in passing
                if uid not in chunk:
                    looked.odd.append("IMAP-UID-OTHER")
                elif uid in told and told[uid].mark != entry.mark:
                    looked.odd.append("IMAP-UID-TWICE")
                    told[uid].text = b""  # neither can be believed: whatever comes under this number is read
                else:
                    told[uid] = entry
        known = {uid: self._known.get((folder.uidvalidity, uid)) for uid in listed}
        if self._trusted is not None and looked.cursor is not None:
            before, last = self._trusted - _SKEW, looked.cursor.uid
            known |= {uid: one.mark for uid, one in told.items() if uid <= last and one.arrived_before(before)}
        self._known = {(folder.uidvalidity, uid): mark for uid, mark in known.items() if mark is not None}
        return {uid: told.get(uid, fetched.Entry()) for uid in listed if _unread(told.get(uid), known[uid])}

    # ------------------------------------------------------------------------------------------------- reading

    async def _read(self, folder: Folder, uid: int, entry: fetched.Entry, looked: Looked) -> list[FoundMail]:
        """The mail of this number; none when it is gone. Others that come in its place are taken too: it stays owed."""
        whole = uid not in self._long and (entry.size or 0) <= self._settings.max_bytes
        self._owed.add(uid)
        try:
            own, foreign = await self._session.do("read", lambda: self._bodies(folder, uid, whole=whole))
        except MailboxError as fault:
            if fault.reason == "IMAP-TOO-MUCH":
                self._long.add(uid)  # its size was a lie: next time by its header only
            raise
        if own or not foreign:
            self._owed.discard(uid)
        if foreign:
            looked.odd.append("IMAP-UID-OTHER")
        if len(own) > 1:
            looked.odd.append("IMAP-UID-TWICE")
        if own and not whole:
            looked.odd.append("IMAP-LONG-MAIL")
        return [FoundMail(folder.uidvalidity, uid, raw, whole) for raw in (*own, *foreign)]

    def _bodies(self, folder: Folder, uid: int, *, whole: bool) -> tuple[list[bytes], list[bytes]]:
        """What came under this number, and what came under others."""
        session = self._session
        if not session.selected and session.examine().uidvalidity != folder.uidvalidity:
            raise MailboxError(Verdict.TRANSIENT, "IMAP-REFUSED")  # another numbering: the next look starts afresh
        size = wire.TALK + (self._settings.max_bytes if whole else 0)
        found = session.fetch(str(uid), "(UID BODY.PEEK[])" if whole else "(UID BODY.PEEK[HEADER])", size)
        bodies = [(entry.uid == uid, entry.body) for entry in found if entry.body is not None]
        own = list(dict.fromkeys(body for mine, body in bodies if mine))
        return own, [body for mine, body in bodies if not mine and body not in own]

    # ---------------------------------------------------------------------------------------------- questions

    def _find(self, message_id: str) -> Copy | None:
        self._session.examine()
        headers = []
        for uid in sorted(self._search(Looked(), "HEADER", "Message-ID", f'"{message_id}"'))[:10]:
            entries = self._session.fetch(str(uid), "(UID BODY.PEEK[HEADER])")
            headers += [e.body for e in entries if e.uid == uid and e.body and _is_ours(e.body, message_id)]
        return Copy(len(headers), sha256(headers[0]).hexdigest()) if headers else None

    def _unseen(self) -> tuple[int, bool]:
        self._session.examine()
        count = len(self._search(Looked(), "UNSEEN"))
        return count, self._session.idles


def _unread(told: fetched.Entry | None, known: str | None) -> bool:
    return known is None or (told is not None and told.mark != known)


def _is_ours(header: bytes, message_id: str) -> bool:
    return str(BytesHeaderParser().parsebytes(header).get("Message-ID", "")).strip() == message_id


def _imap_date(at: datetime) -> str:
    return f"{at.day}-{fetched.MONTHS[at.month - 1]}-{at.year}"  # the months are English whatever the locale
