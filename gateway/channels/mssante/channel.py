"""MSSanté channel: one frozen message to one recipient of the trust space, over mutual TLS."""

from __future__ import annotations

import asyncio
import ssl

import aiosmtplib

from gateway.channels.mssante import classify
from gateway.channels.mssante.session import Session, Stage
from gateway.channels.outcome import BeforeCommit, Outcome, Verdict
from gateway.channels.tls import client_context
from gateway.errors import ConfigError
from gateway.package.types import MailContext, Package
from gateway.rules.trust_space import TrustList
from gateway.settings import SmtpSettings

IDLE_TIMEOUT = 30.0
"""Seconds an unused connection is kept: long enough for a batch, short of any operator's own limit."""


class MssanteChannel:
    """Sends mail for one account. One connection, one message at a time, reused while it is busy.

    `attempts` and `pause` (seconds) rule the short retries of connecting; the days-long ones are the engine's.
    """

    def __init__(
        self,
        smtp: SmtpSettings,
        trust: TrustList,
        *,
        idle_timeout: float = IDLE_TIMEOUT,
        attempts: int = 3,
        pause: float = 0.5,
    ) -> None:
        self._smtp = smtp
        self._trust = trust
        self._idle_timeout = idle_timeout
        self._attempts = attempts
        self._pause = pause
        self._tls: ssl.SSLContext | None = None
        self._session: Session | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    async def send(self, package: Package, before_commit: BeforeCommit) -> Outcome:
        """Try once. Raises only what `before_commit` raises (LeaseLostError), with nothing sent."""
        context = package.context
        if not isinstance(context, MailContext):
            raise TypeError("not a mail package")
        data = package.part("message").data
        outcome = self._refuse_here(context, data)
        if outcome is not None:
            return outcome
        self._follow_loop()
        async with self._lock:
            self._stop_idle_timer()
            try:
                return await self._attempt(context, data, _Once(before_commit))
            finally:
                self._start_idle_timer()

    async def resolve(self, package: Package) -> Outcome:
        """Was it accepted? This channel has no evidence of its own: receipts and self-copies decide, or a person."""
        if not isinstance(package.context, MailContext):
            raise TypeError("not a mail package")
        return Outcome(Verdict.IN_DOUBT, "MSS-NO-EVIDENCE", host=self._smtp.host)

    async def aclose(self) -> None:
        """Close the connection politely."""
        self._stop_idle_timer()
        session, self._session = self._session, None
        if session is None:
            return
        if self._loop is asyncio.get_running_loop():
            await session.quit()
        else:
            session.close()

    # ------------------------------------------------------------------------------------ before connecting

    def _refuse_here(self, context: MailContext, data: bytes) -> Outcome | None:
        if not self._trust.allows(context.envelope_to):
            return Outcome(Verdict.PERMANENT, "MSS-TRUST-SPACE")
        if len(data) > self._smtp.max_bytes:
            return Outcome(Verdict.PERMANENT, "MSS-SIZE", f"{len(data)} > {self._smtp.max_bytes}")
        if self._tls is None:
            try:
                self._tls = client_context(self._smtp.tls)
            except ConfigError as fault:
                return Outcome(Verdict.CONFIGURATION, "MSS-TLS-FILES", fault.message, host=self._smtp.host)
        return None

    # -------------------------------------------------------------------------------------------- connection

    async def _attempt(self, context: MailContext, data: bytes, commit: _Once) -> Outcome:
        reused = self._session is not None and self._session.is_open
        outcome = await self._try(context, data, commit)
        if reused and not commit.called and outcome.reason in _STALE:
            # The operator closed the idle connection; nothing was sent, so a fresh one may be tried at once.
            outcome = await self._try(context, data, commit)
        return outcome

    async def _try(self, context: MailContext, data: bytes, commit: _Once) -> Outcome:
        host, known = self._smtp.host, (context.envelope_to, context.envelope_to.partition("@")[0])
        session: Session | None = None
        try:
            session = await self._open()
            limit = session.size_limit
            if 0 < limit < len(data):
                return Outcome(Verdict.PERMANENT, "MSS-SIZE-SERVER", f"{len(data)} > {limit}", host=host)
            text = await session.transmit(context, data, commit)
        except (aiosmtplib.SMTPException, OSError, ValueError) as fault:
            if commit.failed:
                await self._give_up(session)
                raise
            return await self._after_fault(session, fault, known)
        except BaseException:  # lease lost, or cancelled: leave no half transaction behind
            await self._give_up(session)
            raise
        return classify.accepted(text, host, *known)

    async def _after_fault(self, session: Session | None, fault: Exception, known: tuple[str, ...]) -> Outcome:
        host = self._smtp.host
        answered = isinstance(fault, aiosmtplib.SMTPResponseException) and 400 <= fault.code < 600
        if session is not None and session.stage is Stage.CONTENT and not answered:
            session.close()
            reason = "MSS-DOUBT-TIMEOUT" if isinstance(fault, TimeoutError) else "MSS-DOUBT-LOST"
            return Outcome(Verdict.IN_DOUBT, reason, classify.failed(fault, host, *known).text, host=host)
        if session is not None:
            await (session.reset() if answered else self._give_up(session))
        return classify.failed(fault, host, *known)

    async def _open(self) -> Session:
        if self._session is not None and self._session.is_open:
            return self._session
        assert self._tls is not None  # `_refuse_here` made it
        session = Session(self._smtp, self._tls, attempts=self._attempts, pause=self._pause)
        await session.open()
        self._session = session
        return session

    async def _give_up(self, session: Session | None) -> None:
        if session is not None:
            session.close()

    # ------------------------------------------------------------------------------------- loop and idleness

    def _follow_loop(self) -> None:
        """A connection belongs to its event loop: a caller with another loop gets a new one."""
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        if self._session is not None:
            self._session.close()
        self._session, self._idle = None, None
        self._loop, self._lock = loop, asyncio.Lock()

    def _start_idle_timer(self) -> None:
        if self._session is not None and self._loop is not None:
            self._idle = self._loop.call_later(self._idle_timeout, self._drop)

    def _stop_idle_timer(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _drop(self) -> None:
        if self._session is not None and not self._lock.locked():
            self._session.close()
            self._session = None


_STALE = frozenset({"MSS-LOST", "MSS-CONNECT", "MSS-421", "MSS-421-4.4.2"})


class _Once:
    """`before_commit` with a memory: whether it was called, and whether it refused."""

    def __init__(self, before_commit: BeforeCommit) -> None:
        self._before_commit = before_commit
        self.called = False
        self.failed = False

    async def __call__(self) -> None:
        self.called = True
        try:
            await self._before_commit()
        except BaseException:
            self.failed = True
            raise
