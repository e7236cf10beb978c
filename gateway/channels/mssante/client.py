"""aiosmtplib's client with what it lacks here: traces, an abrupt end, and no patience with a tampered STARTTLS."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import aiosmtplib

from gateway.channels.mssante import classify
from gateway.channels.mssante.smtp_errors import InjectedError
from gateway.channels.trace import CANCELLED, Steps

_COMMANDS = frozenset({b"EHLO", b"HELO", b"AUTH", b"MAIL", b"RCPT", b"DATA", b"RSET", b"QUIT"})
_ONE_REPLY = re.compile(rb"(?:\d{3}-[^\n]*\n)*\d{3}(?:[ \r][^\n]*)?\n")


@dataclass(slots=True)
class Exchange:
    """A request under way; `answer` once there is one."""

    answer: aiosmtplib.SMTPResponse | None = None


class TracedClient(aiosmtplib.SMTP):
    """Every exchange goes into `steps`, whose owner may change from one action to the next."""

    def __init__(self, steps: Steps, **settings: Any) -> None:
        super().__init__(**settings)
        self.steps = steps

    @contextlib.asynccontextmanager
    async def traced(self, request: str) -> AsyncIterator[Exchange]:
        """Note the exchange inside: the code of its `answer`, or how it failed."""
        started, exchange = self.steps.started(), Exchange()
        try:
            yield exchange
        except BaseException as fault:
            self.steps.note(request, _failure(fault), started)
            raise
        if exchange.answer is not None:
            self.steps.note(request, _code(exchange.answer.code, str(exchange.answer.message)), started)

    async def connect(self, **settings: Any) -> aiosmtplib.SMTPResponse:
        """Connect, with TLS where it is implicit, and read the greeting."""
        async with self.traced("CONNECT") as exchange:
            exchange.answer = await super().connect(**settings)
        return exchange.answer

    async def execute_command(self, *args: bytes, **settings: Any) -> aiosmtplib.SMTPResponse:
        """Send a command. Only its first word is traced, and only when it is one: the rest of AUTH is a secret."""
        word = args[0] if args and args[0] in _COMMANDS else b"AUTH-RESPONSE"
        async with self.traced(word.decode()) as exchange:
            exchange.answer = await super().execute_command(*args, **settings)
        return exchange.answer

    async def starttls(self, **settings: Any) -> aiosmtplib.SMTPResponse:
        """Upgrade to TLS. Raises InjectedError when anything followed the reply in clear (CVE-2011-0411)."""
        async with self.traced("STARTTLS") as exchange:
            with self._watched() as seen:
                try:
                    exchange.answer = await super().starttls(**settings)
                finally:
                    if seen and not _ONE_REPLY.fullmatch(bytes(seen)):
                        self.close()
                        raise InjectedError("bytes in clear behind the reply to STARTTLS")
        return exchange.answer

    @contextlib.contextmanager
    def _watched(self) -> Iterator[bytearray]:
        """What arrives in clear meanwhile. aiosmtplib throws it away in silence; here it ends the connection."""
        seen, protocol = bytearray(), self.protocol
        if protocol is None:
            yield seen
            return
        receive = protocol.data_received

        def watch(data: bytes) -> None:
            seen.extend(data[:4096])
            receive(data)

        protocol.data_received = watch  # type: ignore[method-assign]
        try:
            yield seen
        finally:
            protocol.data_received = receive  # type: ignore[method-assign]

    def close(self) -> None:
        """Close and abort the transport. aiosmtplib closes on its own after a 421, a timeout or a failed connection:
        it must not wait for a TLS farewell that may never come, nor leave the socket to the garbage collector.
        """
        transport = self.transport
        with contextlib.suppress(RuntimeError):  # the loop that owned it may be closed already
            super().close()
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()


@dataclass(frozen=True, slots=True)
class Outflow:
    """What of our bytes the system has not taken yet, TLS and socket together.

    asyncio counts those of the TLS layer alone; the socket's transport below it is no public attribute, so where it is
    not found (`known` False) nobody can say what left.
    """

    transport: asyncio.WriteTransport
    known: bool

    @classmethod
    def of(cls, transport: asyncio.WriteTransport) -> Outflow:
        """The outflow of an open connection."""
        clear = transport.get_extra_info("sslcontext") is None
        return cls(transport, clear or _below(transport) is not None)

    @property
    def size(self) -> int:
        """Bytes still in this process."""
        below = _below(self.transport)
        return self.transport.get_write_buffer_size() + (0 if below is None else below.get_write_buffer_size())

    @property
    def cut(self) -> bool:
        """Whether the connection is known to be gone."""
        below, clear = _below(self.transport), self.transport.get_extra_info("sslcontext") is None
        lost = below.is_closing() if below is not None else self.known and not clear
        return lost or self.transport.is_closing()


def _below(transport: asyncio.WriteTransport) -> asyncio.WriteTransport | None:
    found = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    return found if isinstance(found, asyncio.WriteTransport) else None


def _code(code: int, text: str) -> str:
    status = classify.Reply(code, text).status
    return f"{code} {status}" if status else str(code)


def _failure(fault: BaseException) -> str:
    if isinstance(fault, aiosmtplib.SMTPResponseException):
        return _code(fault.code, str(fault.message))
    if isinstance(fault, Exception):
        return classify.failed(fault, "").reason.removeprefix("MSS-")
    return CANCELLED
