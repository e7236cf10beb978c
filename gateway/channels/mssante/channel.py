"""MSSanté channel: one frozen message to one recipient of the trust space, over mutual TLS."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

import aiosmtplib

from gateway.channels.mssante import classify
from gateway.channels.mssante.selfcopy import SelfCopy
from gateway.channels.mssante.session import Session, Stage
from gateway.channels.mssante.xoauth2 import Login
from gateway.channels.outcome import BeforeCommit, Outcome, Verdict
from gateway.channels.tls import client_context
from gateway.channels.tokens import SessionNeeded, TokenUnavailableError
from gateway.channels.trace import Steps, Tracer
from gateway.errors import ConfigError
from gateway.identity.matricule import PATIENT_DOMAIN
from gateway.package.types import MailContext, Package
from gateway.rules.trust_space import TrustList
from gateway.settings import SmtpSettings

IDLE_TIMEOUT = 30.0
"""Seconds an unused connection is kept: long enough for a batch, short of any operator's own limit."""

PATIENT_MAX = 25_000_000
"""Bytes of a whole encoded mail that Mon espace santé takes (25 Mo, ENS §6), whatever the operator would."""


class MssanteChannel:
    """Sends mail for one account. One connection, one message at a time, reused while it is busy.

    `attempts` and `pause` (seconds) rule the short retries of connecting; the days-long ones are the engine's. `login`
    opens the box where the settings want a token. `copy`: the sender's own box gets each mail too, and proves it later.
    """

    _session_type = Session

    def __init__(
        self,
        smtp: SmtpSettings,
        trust: TrustList,
        *,
        idle_timeout: float = IDLE_TIMEOUT,
        attempts: int = 3,
        pause: float = 0.5,
        login: Login | None = None,
        tracer: Tracer | None = None,
        copy: SelfCopy | None = None,
    ) -> None:
        self._smtp = smtp
        self._trust = trust
        self._idle_timeout = idle_timeout
        self._attempts = attempts
        self._pause = pause
        self._login = login if smtp.auth == "xoauth2" else None
        self._tracer = tracer or Tracer(channel="smtp", host=smtp.host)
        # What lies outside the trust space gets no copy either.
        self._copy = copy if copy is not None and trust.allows(copy.address) else None
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
                with self._tracer.action("send") as steps:
                    return await self._attempt(_Mail(context, data, _Once(before_commit), steps))
            finally:
                self._start_idle_timer()

    async def probe(self) -> Outcome:
        """Open a connection as for a mail, log in, and leave: ACCEPTED, or why nothing could be sent now."""
        outcome = self._files_refused() or self._no_login()
        if outcome is not None:
            return outcome
        session = self._new_session()
        with self._tracer.action("probe") as steps:
            try:
                await session.open(steps)
            except _FAULTS as fault:
                return self._failed(fault)
            await session.quit()
        return Outcome(Verdict.ACCEPTED, "MSS-READY", host=self._smtp.host)

    async def resolve(self, package: Package) -> Outcome:
        """Was it accepted? Only the self-copy can tell here; otherwise receipts decide, or a person."""
        if not isinstance(package.context, MailContext):
            raise TypeError("not a mail package")
        if self._copy is not None:
            return await self._copy.resolve(package.context)
        return Outcome(Verdict.IN_DOUBT, "MSS-NO-EVIDENCE", host=self._smtp.host)

    async def aclose(self) -> None:
        """Close the connection politely."""
        self._stop_idle_timer()
        session, self._session = self._session, None
        if session is None:
            return
        if self._loop is asyncio.get_running_loop():
            with self._tracer.action("leave") as steps:
                await session.quit(steps)
        else:
            session.close()

    # ------------------------------------------------------------------------------------ before connecting

    def _refuse_here(self, context: MailContext, data: bytes) -> Outcome | None:
        if not self._trust.allows(context.envelope_to):
            return Outcome(Verdict.PERMANENT, "MSS-TRUST-SPACE")
        if len(data) > PATIENT_MAX and context.envelope_to.lower().endswith(f"@{PATIENT_DOMAIN}"):
            return Outcome(Verdict.PERMANENT, "MSS-SIZE-PATIENT", f"{len(data)} > {PATIENT_MAX}")
        if len(data) > self._smtp.max_bytes:
            return Outcome(Verdict.PERMANENT, "MSS-SIZE", f"{len(data)} > {self._smtp.max_bytes}")
        return self._files_refused() or self._no_login()

    def _files_refused(self) -> Outcome | None:
        if self._tls is None:
            try:
                self._tls = client_context(self._smtp.tls, now=self._tracer.clock.now())
            except ConfigError as fault:
                return Outcome(Verdict.CONFIGURATION, "MSS-TLS-FILES", fault.message, host=self._smtp.host)
        return None

    def _no_login(self) -> Outcome | None:
        if self._smtp.auth == "xoauth2" and self._login is None:
            return Outcome(Verdict.CONFIGURATION, "MSS-TOKEN-SOURCE", host=self._smtp.host)
        return None

    # -------------------------------------------------------------------------------------------- connection

    async def _attempt(self, mail: _Mail) -> Outcome:
        reused = self._session is not None and self._session.is_open
        outcome = await self._try(mail)
        if reused and not mail.commit.called and self._is_stale(outcome):
            # The operator closed the idle connection, or its session ran out; nothing was sent, so a fresh one may be
            # tried at once.
            if self._session is not None:
                self._session.close()
            outcome = await self._try(mail)
        return outcome

    def _is_stale(self, outcome: Outcome) -> bool:
        ran_out = self._login is not None and outcome.verdict is Verdict.CONFIGURATION
        return ran_out or outcome.reason in _STALE

    async def _try(self, mail: _Mail) -> Outcome:
        host, size = self._smtp.host, len(mail.data)
        session: Session | None = None
        try:
            session = await self._open(mail.steps)
            limit = session.size_limit
            if 0 < limit < size:
                return Outcome(Verdict.PERMANENT, "MSS-SIZE-SERVER", f"{size} > {limit}", host=host)
            text = await session.transmit(mail.context, mail.data, mail.commit, mail.steps, self._copy_to(mail))
        except _FAULTS as fault:
            if mail.commit.failed:
                await self._give_up(session)
                raise
            return await self._after_fault(session, fault, mail.known)
        except BaseException:  # lease lost, or cancelled: leave no half transaction behind
            await self._give_up(session)
            raise
        if session.copy_refused is not None:
            text += f" (self-copy refused: {session.copy_refused})"
        return classify.accepted(text, host, *mail.known)

    def _copy_to(self, mail: _Mail) -> str | None:
        own = None if self._copy is None else self._copy.address
        return own if own != mail.context.envelope_to else None

    def _failed(self, fault: Exception, *known: str) -> Outcome:
        """Outcome of a connection that did not come about."""
        if isinstance(fault, (SessionNeeded, TokenUnavailableError, ConfigError)):
            return classify.no_token(fault, self._smtp.host)
        return classify.before_mail(classify.failed(fault, self._smtp.host, *known))

    async def _after_fault(self, session: Session | None, fault: Exception, known: tuple[str, ...]) -> Outcome:
        if session is None:
            return self._failed(fault, *known)
        host = self._smtp.host
        answered = isinstance(fault, aiosmtplib.SMTPResponseException) and 400 <= fault.code < 600
        if session.stage is Stage.CONTENT and not answered:
            session.close()
            reason = "MSS-STALLED" if isinstance(fault, TimeoutError) else "MSS-CUT"
            return Outcome(Verdict.TRANSIENT, reason, classify.failed(fault, host, *known).text, host=host)
        if session.stage is Stage.END and not answered:
            session.close()
            reason = "MSS-DOUBT-TIMEOUT" if isinstance(fault, TimeoutError) else "MSS-DOUBT-LOST"
            if session.copy_refused is not None:
                reason = "MSS-DOUBT-NO-COPY"
            return Outcome(Verdict.IN_DOUBT, reason, classify.failed(fault, host, *known).text, host=host)
        await (session.reset() if answered else self._give_up(session))
        return classify.failed(fault, host, *known)

    async def _open(self, steps: Steps) -> Session:
        if self._session is not None and self._session.is_open:
            return self._session
        session = self._new_session()
        await session.open(steps)
        self._session = session
        return session

    def _new_session(self) -> Session:
        assert self._tls is not None  # `_files_refused` made it
        return self._session_type(self._smtp, self._tls, attempts=self._attempts, pause=self._pause, login=self._login)

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


_FAULTS = (aiosmtplib.SMTPException, OSError, ValueError, SessionNeeded, TokenUnavailableError, ConfigError)
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


@dataclass(frozen=True, slots=True)
class _Mail:
    """One message on its way."""

    context: MailContext
    data: bytes
    commit: _Once
    steps: Steps

    @property
    def known(self) -> tuple[str, ...]:
        """Words of identity that a server may repeat, for scrubbing."""
        return self.context.envelope_to, self.context.envelope_to.partition("@")[0]
