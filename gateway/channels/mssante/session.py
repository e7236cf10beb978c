"""One SMTP connection, driven step by step so that the moment of commitment is known exactly."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from enum import IntEnum

import aiosmtplib
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from gateway.channels.mssante import xoauth2
from gateway.channels.mssante.client import Outflow, TracedClient
from gateway.channels.mssante.smtp_errors import AuthRefusedError
from gateway.channels.outcome import BeforeCommit
from gateway.channels.tls import tls_fault
from gateway.channels.trace import Steps
from gateway.package.types import MailContext
from gateway.settings import SmtpSettings

# An address literal: the name of the machine is nobody's business, and looking it up can take seconds.
_EHLO_NAME = "[127.0.0.1]"
_CHUNK = 64 * 1024
_BUFFERED = 256 * 1024
_QUIT_TIMEOUT = 5.0


class Stage(IntEnum):
    """How far a transaction went. Only from END on does a lost connection leave a doubt: before the line that ends the
    content nobody may take the message over (RFC 5321 §4.1.1.4).
    """

    CONNECT = 0
    ENVELOPE = 1
    DATA = 2
    CONTENT = 3
    END = 4


class Session:
    """A connection to the operator. Not for concurrent use: the channel holds a lock around it."""

    def __init__(
        self,
        settings: SmtpSettings,
        context: ssl.SSLContext,
        *,
        attempts: int,
        pause: float,
        login: xoauth2.Login | None = None,
    ) -> None:
        """`attempts` and `pause` (seconds) rule the retries of connecting; `login` opens the box by a token."""
        self._settings = settings
        self._context = context
        self._attempts = attempts
        self._pause = pause
        self._login = login
        self._client: TracedClient | None = None
        self.stage = Stage.CONNECT
        self.copy_refused: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether the connection seems usable."""
        return self._client is not None and self._client.is_connected

    @property
    def size_limit(self) -> int:
        """What the server announced with SIZE (RFC 1870), in bytes; 0 when it sets no limit."""
        value = self._live.esmtp_extensions.get("size", "0")
        return int(value) if value.isdigit() else 0

    @property
    def _live(self) -> TracedClient:
        if self._client is None:
            raise aiosmtplib.SMTPServerDisconnected("not connected")
        return self._client

    async def open(self, steps: Steps) -> None:
        """Connect, upgrade to TLS, say EHLO, log in. Network hazards are tried again a few times, seconds apart, a
        refused token once, with a new one: it may have run out on its way.
        """
        try:
            await self._open(steps)
        except AuthRefusedError as refused:
            if not refused.token_at_fault:
                raise
            await self._open(steps)

    async def _open(self, steps: Steps) -> None:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._attempts),
            wait=wait_exponential(multiplier=self._pause, max=5.0),
            retry=retry_if_exception(_is_network_hazard),
            reraise=True,
        )
        await retrying(self._open_once, steps)

    async def _open_once(self, steps: Steps) -> None:
        self.stage = Stage.CONNECT
        client = self._make_client(steps)
        try:
            await client.connect()
            await self._secure(client)
            await client.ehlo()
            if self._login is not None:
                await xoauth2.login(client, self._login)
        except BaseException:
            client.close()
            raise
        self._client = client

    def _make_client(self, steps: Steps) -> TracedClient:
        return TracedClient(
            steps,
            hostname=self._settings.host,
            port=self._settings.port,
            timeout=self._settings.timeout,
            use_tls=self._settings.security == "tls",
            start_tls=False,  # done by `_secure`
            tls_context=self._context,
            local_hostname=_EHLO_NAME,
        )

    async def _secure(self, client: TracedClient) -> None:
        """Nothing but EHLO and STARTTLS is ever said in clear: an operator that offers no TLS is an error."""
        if self._settings.security == "starttls":
            await client.ehlo()
            await client.starttls()
        if client.get_transport_info("sslcontext") is None:
            raise aiosmtplib.SMTPException("STARTTLS did not encrypt the connection")

    async def transmit(
        self,
        context: MailContext,
        data: bytes,
        before_commit: BeforeCommit,
        steps: Steps,
        copy_to: str | None = None,
    ) -> str:
        """Send one message to one recipient; the text of the 250 that took it over.

        `before_commit` runs once the recipient is accepted, just before DATA. `copy_to` is the sender's own box, asked
        after the recipient: refused, the message goes without it and `copy_refused` has the code.

        Raises what aiosmtplib raises; `stage` says how far it went.
        """
        client = self._live
        client.steps = steps
        self.stage = Stage.ENVELOPE
        dsn = client.supports_extension("dsn")
        await client.mail(context.envelope_from, options=self._mail_options(context, len(data), dsn))
        await client.rcpt(context.envelope_to, options=_rcpt_options(context) if dsn else [])
        await self._ask_for_copy(client, copy_to, dsn=dsn)
        await before_commit()
        self.stage = Stage.DATA
        response = await client.execute_command(b"DATA")
        if response.code != 354:
            raise aiosmtplib.SMTPDataError(response.code, response.message)
        self.stage = Stage.CONTENT
        async with client.traced("CONTENT") as exchange:
            exchange.answer = answer = await self._content(client, data)
        if answer.code != 250:
            raise aiosmtplib.SMTPDataError(answer.code, answer.message)
        return answer.message

    async def _ask_for_copy(self, client: TracedClient, copy_to: str | None, *, dsn: bool) -> None:
        self.copy_refused = None
        if copy_to is None:
            return
        try:
            await client.rcpt(copy_to, options=["NOTIFY=NEVER"] if dsn else [])
        except aiosmtplib.SMTPResponseException as refused:
            if not self.is_open:
                raise
            self.copy_refused = refused.code

    def _mail_options(self, context: MailContext, size: int, dsn: bool) -> list[str]:
        options = [f"SIZE={size}"] if self._live.supports_extension("size") else []
        if dsn:
            options += ["RET=HDRS", f"ENVID={xtext(context.envid)}"]
        return options

    async def _content(self, client: aiosmtplib.SMTP, data: bytes) -> aiosmtplib.SMTPResponse:
        """Write the message and read the answer. `timeout` runs on stalls, not on the whole upload, and the answer
        has `answer_timeout`: giving up early would make a doubt that only a person can settle.

        `client.data()` would do both at once: its limit would count a slow upload as a lost answer, and it hides
        whether the connection broke before or after the content left.
        """
        protocol, transport = client.protocol, client.transport
        if protocol is None or not isinstance(transport, asyncio.WriteTransport):
            raise aiosmtplib.SMTPServerDisconnected("connection lost")
        answer, out = asyncio.ensure_future(protocol.read_response()), Outflow.of(transport)
        if not out.known:
            self.stage = Stage.END  # nobody could say whether the end of the message had left
        try:
            await asyncio.sleep(0)  # the reader must be armed before the first byte leaves
            stuffed = data.replace(b"\r\n.", b"\r\n..") + (b"" if data.endswith(b"\r\n") else b"\r\n")
            for start in range(0, len(stuffed), _CHUNK):
                if answer.done() or out.cut:
                    break
                protocol.write(stuffed[start : start + _CHUNK])
                await self._drain(out, answer, _BUFFERED)
            await self._drain(out, answer, 0)
            if answer.done():
                return self._early(answer.result())
            if out.cut:
                raise aiosmtplib.SMTPServerDisconnected("connection lost")
            protocol.write(b".\r\n")
            self.stage = Stage.END
            return await asyncio.wait_for(answer, self._settings.answer_timeout)
        finally:
            if not answer.done() or answer.cancelled():
                answer.cancel()
                self.close()

    def _early(self, answer: aiosmtplib.SMTPResponse) -> aiosmtplib.SMTPResponse:
        """An answer to a message that was not sent whole: a refusal is one, a 250 would be a lie. Either way the two
        sides no longer agree on where they are, so the connection ends.
        """
        self.close()
        if not 400 <= answer.code < 600:
            raise aiosmtplib.SMTPServerDisconnected("answered before the end of the message")
        return answer

    async def _drain(self, out: Outflow, answer: asyncio.Future[aiosmtplib.SMTPResponse], goal: int) -> None:
        """Wait until at most `goal` bytes are buffered; a stall longer than the timeout raises TimeoutError."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)  # so that a lost connection or an early answer is seen
        left, since = out.size, loop.time()
        while left > goal and not answer.done():
            await asyncio.sleep(0.005)
            size = out.size
            if size < left:
                since = loop.time()
            elif loop.time() - since > self._settings.timeout:
                raise TimeoutError("the server stopped reading")
            left = size

    async def reset(self) -> None:
        """Forget the current transaction; close when the server does not play along."""
        if not self.is_open:
            return
        try:
            await self._live.rset(timeout=_QUIT_TIMEOUT)
        except (aiosmtplib.SMTPException, OSError):
            self.close()

    async def quit(self, steps: Steps | None = None) -> None:
        """Leave politely, then close."""
        if self.is_open:
            self._live.steps = steps or self._live.steps
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await self._live.quit(timeout=_QUIT_TIMEOUT)
        self.close()
        await asyncio.sleep(0)  # the loop closes the socket in its next round

    def close(self) -> None:
        """Close at once."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _rcpt_options(context: MailContext) -> list[str]:
    return ["NOTIFY=SUCCESS,FAILURE,DELAY", f"ORCPT=rfc822;{xtext(context.envelope_to)}"]


def xtext(value: str) -> str:
    """RFC 3461 §4: printable ASCII, `+`, `=` and everything else as `+XX`."""
    return "".join(
        char if "!" <= char <= "~" and char not in "+=" else "".join(f"+{b:02X}" for b in char.encode())
        for char in value
    )


def _is_network_hazard(fault: BaseException) -> bool:
    if isinstance(fault, aiosmtplib.SMTPResponseException) or tls_fault(fault) is not None:
        return False
    return isinstance(fault, (OSError, TimeoutError))
