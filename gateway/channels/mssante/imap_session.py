"""One IMAP connection: opened when it is needed, asked one question at a time in a thread of its own, and traced."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.channels.mssante import fetched, imap_login, wire
from gateway.channels.mssante.mailbox_faults import MailboxError, classified, misconfigured
from gateway.channels.outcome import Verdict
from gateway.channels.tls import client_context
from gateway.channels.trace import Steps, Tracer
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.settings import ImapSettings

T = TypeVar("T")
Answer = tuple[str, list[Any]]

_CONNECT_LONGEST = 20.0
_FAREWELL = 5.0
_PATIENCE = 5
"""A whole command may take this many times the timeout of one stall, so that dripping bytes come to an end."""
_OURS = (MailboxError, wire.TooMuchError, wire.NoStartTlsError, wire.InjectedError)


@dataclass(frozen=True, slots=True)
class Folder:
    """What EXAMINE said: UIDVALIDITY (0: nothing), UIDNEXT (None: nothing)."""

    uidvalidity: int
    next: int | None


class ImapSession:
    """`do` runs a question in the thread; the other methods are for questions. All raise MailboxError, and a connection
    that failed is closed: the next question opens another.
    """

    def __init__(
        self, settings: ImapSettings, identity: imap_login.Identity, clock: Clock, tracer: Tracer | None
    ) -> None:
        """Nothing is opened yet."""
        self._settings = settings
        self._identity = identity
        self._clock = clock
        self._tracer = tracer or Tracer()
        self._steps = Steps(clock)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"imap-{identity.account}")
        self._wire: wire.Wire | None = None

    @property
    def idles(self) -> bool:
        """Whether there is a connection, and the server and the settings allow IDLE on it."""
        return self._settings.idle and self._wire is not None and "IDLE" in self._wire.capabilities

    async def do(self, action: str, question: Callable[[], T]) -> T:
        """Ask, in the thread; cancelled, the connection is cut so that the thread comes to an end."""
        ask = partial(copy_context().run, self._ask, action, question)  # traces know which delivery they are about
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, ask)
        except asyncio.CancelledError:
            if self._wire is not None:
                self._wire.kill()
            raise

    async def leave(self) -> None:
        """Close the connection politely."""
        if self._wire is not None:
            await self.do("leave", self._logout)

    async def aclose(self) -> None:
        """Close for good; a question under way fails."""
        if self._wire is not None:
            self._wire.kill()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._drop()

    # -------------------------------------------------------------------------------------------- for questions

    def examine(self) -> Folder:
        """Open the folder for reading only (RFC 9051 §6.3.3)."""
        folder = wire.quoted(self._settings.folder)
        try:
            self.said("EXAMINE", lambda: self._live.select(folder, readonly=True))
        except MailboxError as fault:
            raise misconfigured("IMAP-FOLDER") from fault
        return Folder(self._number("UIDVALIDITY") or 0, self._number("UIDNEXT"))

    def search(self, *criteria: str) -> tuple[set[int], bool]:
        """UIDs, and whether the answer held nothing else."""
        return fetched.uids(self.said("UID SEARCH", lambda: self._live.uid("SEARCH", *criteria)))

    def fetch(self, numbers: str, what: str, size: int = wire.TALK) -> list[fetched.Entry]:
        """FETCH by UID, an answer of at most `size` bytes."""
        self._live.allow(self._settings.timeout * _PATIENCE, size)
        return fetched.entries(self.said("UID FETCH", lambda: self._live.uid("FETCH", numbers, what)))

    def idle(self, seconds: float) -> None:
        """Wait for the server's word, at most `seconds`."""

        def ask() -> Answer:
            self._live.idle(seconds)
            return "OK", []

        self.said("IDLE", ask)

    @property
    def selected(self) -> bool:
        """Whether a folder is open: not any more once the connection was opened anew."""
        return self._live.state == "SELECTED"

    def said(self, request: str, ask: Callable[[], Answer]) -> list[Any]:
        """The answer to one command, traced. Raises MailboxError (IMAP-REFUSED) when it is not OK."""
        started, reply = self._steps.started(), "LOST"
        try:
            reply, data = ask()
        except Exception as fault:
            reply = classified(fault).reason.removeprefix("IMAP-")
            raise
        finally:
            self._steps.note(request, reply, started)
        if reply != "OK":
            raise MailboxError(Verdict.TRANSIENT, "IMAP-REFUSED")
        return data

    # ------------------------------------------------------------------------------------------- in the thread

    def _ask(self, action: str, question: Callable[[], T]) -> T:
        try:
            with self._tracer.action(action) as self._steps:
                if self._wire is None:
                    self._open()
                self._live.allow(self._settings.timeout * _PATIENCE, wire.TALK)
                return question()
        except (OSError, imaplib.IMAP4.error, ValueError, ConfigError, *_OURS) as fault:
            self._drop()
            raise classified(fault) from fault

    @property
    def _live(self) -> wire.Wire:
        assert self._wire is not None  # `_ask` opened it
        return self._wire

    def _open(self) -> None:
        self.said("CONNECT", self._connect)
        try:
            self.said("AUTHENTICATE", self._log_in)
        except BaseException:
            self._drop()
            raise

    def _connect(self) -> Answer:
        settings = self._settings
        self._wire = wire.connect(
            settings.host,
            settings.port,
            client_context(settings.tls, now=self._clock.now()),
            starttls=settings.security == "starttls",
            timeout=min(settings.timeout, _CONNECT_LONGEST),
            stall=settings.timeout,
        )
        return "OK", []

    def _log_in(self) -> Answer:
        imap_login.log_in(self._live, self._identity)
        return "OK", []

    def _drop(self) -> None:
        old, self._wire = self._wire, None
        if old is not None:
            wire.close(old)

    def _logout(self) -> None:
        self._live.allow(min(self._settings.timeout, _FAREWELL), wire.TALK)
        self._live.logout()
        self._wire = None

    def _number(self, name: str) -> int | None:
        data = self._live.untagged_responses.get(name, [])
        value = data[-1] if data else b""
        return int(value) if isinstance(value, bytes) and value.isdigit() and len(value) <= 10 else None
