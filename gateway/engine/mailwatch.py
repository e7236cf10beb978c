"""Watches the mailbox of each account: what comes back is taken in, whatever the sending lanes are doing.

Each box has a task of its own: a mail server that is slow, down or lying holds up no delivery and no other account.
What goes wrong is told once, until it is over; a server that refuses us is left alone for an hour.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from gateway.channels.mssante.imap import Cursor, FoundMail, Looked, Take
from gateway.channels.mssante.mailbox_faults import MailboxError
from gateway.channels.outcome import Verdict
from gateway.engine import receipts
from gateway.engine.events import DeliveryEvent
from gateway.errors import StoreError
from gateway.store.received import Place, TakenMail

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.clock import Clock, Randomness
    from gateway.rules.trust_space import TrustList
    from gateway.settings import AccountSettings
    from gateway.store.base import Store

_LOG = logging.getLogger("gateway.engine")
REFUSED_PAUSE = 3600.0
"""Seconds before a server that refused us is asked again: a person has to change something first."""
LONGEST_BACKOFF = 900.0
BLIPS = 3
"""Failures in a row before anybody is told that a server cannot be reached."""
_FIRST_BACKOFF = 15.0
_GAPS = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds between looks when the server wakes us for nothing, again and again."""
FAULT = "IMAP-FAULT"
"""Reason of a look that our own code spoilt."""


class Box(Protocol):
    """A mailbox as the watch needs it (`gateway.channels.mssante.imap.Mailbox`)."""

    @property
    def folder(self) -> str:
        """The folder that is read."""
        ...

    @property
    def host(self) -> str:
        """The server."""
        ...

    async def look(self, cursor: Cursor | None, take: Take, trusted: datetime | None = None) -> Looked:
        """Read what is new."""
        ...

    async def wait(self, seconds: float) -> bool:
        """Wait for the server's word."""
        ...

    async def leave(self) -> None:
        """Close the connection politely."""
        ...

    async def aclose(self) -> None:
        """Close for good."""
        ...


@dataclass(slots=True)
class Polled:
    """One round over a mailbox, in codes and counts: `kinds` counts mails as `kind verdict`.

    `reason` is empty when all went well; `verdict` is then None. `odd`: what a truthful server would not say.
    """

    account: str
    folder: str
    host: str
    read: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    odd: tuple[str, ...] = ()
    verdict: Verdict | None = None
    reason: str = ""
    message: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "account": self.account,
            "folder": self.folder,
            "host": self.host,
            "ok": not self.reason,
            "read": self.read,
            "mails": dict(sorted(self.kinds.items())),
            "odd": list(self.odd),
            "reason": self.reason or None,
            "message": self.message or None,
        }


@dataclass(frozen=True, slots=True)
class Desk:
    """What every watch of a worker shares."""

    store: Store
    trust: TrustList
    clock: Clock
    randomness: Randomness
    tell: Callable[[DeliveryEvent], None]
    reporters: tuple[str, ...] = ()


class MailWatch:
    """The watch over one account's mailbox."""

    def __init__(self, account: AccountSettings, box: Box, desk: Desk) -> None:
        """`account.imap` must be set."""
        assert account.imap is not None
        self.account = account.id
        self.polled = False
        """Whether the box was looked at, with success or not."""
        self._looked_at = float("-inf")
        self._account = account
        self._settings = account.imap
        self._box = box
        self._desk = desk
        self._told: set[str] = set()
        self._failures = 0
        self._idle_looks = 0

    async def run(self) -> None:
        """Look, wait, look again, until cancelled."""
        try:
            while True:
                polled = await self.poll()
                await (self._back_off(polled.verdict) if polled.verdict else self._rest(polled))
        finally:
            await self._box.aclose()

    async def poll(self) -> Polled:
        """Take in everything that is new, once. Raises nothing but CancelledError."""
        polled = Polled(self.account, self._box.folder, self._box.host)
        try:
            await self._take_all(polled)
        except MailboxError as fault:
            polled.verdict, polled.reason, polled.message = fault.verdict, fault.reason, fault.message
        except StoreError as fault:  # a full disk, a busy database: the mails stay where they are
            polled.verdict, polled.reason, polled.message = Verdict.TRANSIENT, fault.code, fault.message
        except Exception as fault:  # noqa: BLE001 (a mail that we choke on must not end the watch)
            _LOG.error("mail_fault", extra={"account": self.account, "error": type(fault).__name__})
            polled.verdict, polled.reason = Verdict.TRANSIENT, FAULT
        await self._tell_state(polled)
        self.polled = True
        self._looked_at = self._desk.clock.elapsed()
        return polled

    @property
    def current(self) -> bool:
        """Whether the box was looked at, with success or not, since the machine was last switched on or woke up."""
        return self._desk.clock.elapsed() - self._looked_at < REFUSED_PAUSE + 3 * self._settings.poll_every

    async def aclose(self) -> None:
        """Close the connection."""
        await self._box.aclose()

    # ------------------------------------------------------------------------------------------------ taking in

    async def _take_all(self, polled: Polled) -> None:
        stored = await asyncio.to_thread(self._desk.store.mail_cursor, self.account, self._box.folder)
        cursor = None if stored is None else Cursor(stored.uidvalidity, stored.uid)
        trusted = None if stored is None else stored.seen_at
        odd: list[str] = []
        while True:
            looked = await self._box.look(cursor, lambda found: self._take(found, polled), trusted)
            odd += looked.odd
            polled.read += looked.read
            polled.odd = tuple(sorted(set(odd)))
            if not looked.more:
                return
            cursor = looked.cursor

    async def _take(self, found: FoundMail, polled: Polled) -> None:
        taken = await asyncio.to_thread(self._take_in, found)
        polled.kinds[f"{taken.kind} {taken.verdict}"] += 1
        for event in receipts.events(taken, self._desk.clock.now()):
            self._desk.tell(event)

    def _take_in(self, found: FoundMail) -> TakenMail:
        return receipts.take_in(
            self._desk.store,
            self._account,
            found.raw,
            self._desk.trust,
            place=Place(self._box.folder, found.uidvalidity, found.uid),
            reporters=self._desk.reporters,
            self_copy=self._settings.self_copy,
        )

    # -------------------------------------------------------------------------------------------------- waiting

    async def _rest(self, polled: Polled) -> None:
        """Until the server says something, or the time has come."""
        self._idle_looks = 0 if polled.read else self._idle_looks + 1
        started = self._desk.clock.elapsed()
        try:
            if not await self._box.wait(self._settings.poll_every):
                await self._box.leave()
                await asyncio.sleep(self._settings.poll_every)
        except MailboxError as fault:
            # A connection that idles is often cut by something in between: look again, and say so only if that fails.
            _LOG.info("mailbox_wait_ended", extra={"account": self.account, "reason": fault.reason})
        gap = _GAPS[min(self._idle_looks, len(_GAPS) - 1)] - (self._desk.clock.elapsed() - started)
        if gap > 0 and self._idle_looks:
            await asyncio.sleep(gap)

    async def _back_off(self, verdict: Verdict) -> None:
        if verdict is Verdict.CONFIGURATION:
            wait = REFUSED_PAUSE
        elif verdict is Verdict.SESSION:
            wait = max(self._settings.poll_every, self._account.token_probe)
        else:
            step = min(LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** min(self._failures - 1, 10))
            wait = step * (0.5 + self._desk.randomness.uniform() / 2)
        await asyncio.sleep(wait)

    # -------------------------------------------------------------------------------------------------- telling

    async def _tell_state(self, polled: Polled) -> None:
        """Say what began and what is over, each once."""
        self._failures = self._failures + 1 if polled.verdict else 0
        now = set(polled.odd)
        if polled.verdict and (polled.verdict in _AT_ONCE or self._failures >= BLIPS):
            now.add(polled.reason)
        for code in sorted(now - self._told):
            await self._tell(_EVENTS.get(polled.verdict, UNREACHABLE) if code == polled.reason else ODD, code)
        if polled.verdict:
            now |= self._told  # nothing is known to be over while the box cannot be read
        elif any(code not in polled.odd for code in self._told):
            await self._tell(BACK, "")
        self._told = now

    async def _tell(self, event: str, reason: str) -> None:
        """Tell subscribers and the journal: what was not read then is no proof of silence."""
        now, host = self._desk.clock.now(), self._box.host
        try:
            await asyncio.to_thread(
                self._desk.store.note_mailbox, self.account, event, reason=reason or None, host=host
            )
        except StoreError as fault:  # the store itself may be what is wrong
            _LOG.error("store_unavailable", extra={"code": fault.code})
        self._desk.tell(DeliveryEvent(now, event, self.account, "mssante", reason=reason, host=host))


class MailRoom:
    """The watches of a worker. `open_watch(account)` gives a new one, None where the account has no mailbox to read."""

    def __init__(self, open_watch: Callable[[str], MailWatch | None]) -> None:
        self._open_watch = open_watch
        self._watches: list[MailWatch] = []

    @property
    def looked(self) -> bool:
        """Whether every box under watch was looked at by now, with success or not."""
        return all(watch.polled for watch in self._watches)

    def current(self, account: str) -> bool:
        """Whether the box of an account, if it is under watch, says what came by now: only then silence is silence."""
        return all(watch.current for watch in self._watches if watch.account == account)

    @asynccontextmanager
    async def watching(self, accounts: Iterable[str]) -> AsyncIterator[None]:
        """Watch these accounts' boxes meanwhile."""
        self._watches = self._open(accounts)
        tasks = [asyncio.create_task(watch.run()) for watch in self._watches]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def poll(self, accounts: Iterable[str]) -> list[Polled]:
        """Look at each box once."""
        watches = self._open(accounts)
        try:
            return list(await asyncio.gather(*(watch.poll() for watch in watches)))
        finally:
            for watch in watches:
                await watch.aclose()

    def _open(self, accounts: Iterable[str]) -> list[MailWatch]:
        return [watch for account in sorted(accounts) if (watch := self._open_watch(account)) is not None]


ODD = "mailbox_odd"
"""The server said something that a truthful one would not, or a mail cannot be read whole."""
UNREACHABLE = "mailbox_unreachable"
MISCONFIGURED = "mailbox_misconfigured"
SESSION_NEEDED = "mailbox_session_needed"
BACK = "mailbox_back"
_EVENTS: dict[Verdict | None, str] = {Verdict.CONFIGURATION: MISCONFIGURED, Verdict.SESSION: SESSION_NEEDED}
_AT_ONCE = frozenset(_EVENTS)
