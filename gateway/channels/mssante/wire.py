"""IMAP on the wire: the standard library's client, held to limits that a hostile server cannot pass.

`imaplib` allocates whatever a literal announces, waits for as long as bytes drip in, and knows IDLE only from Python
3.14 on. Reading through a buffer of our own mends all three, and shows what a server (or somebody between) said in
clear behind its answer to STARTTLS: the injection of CVE-2011-0411, which would be taken for part of the secure talk.
"""

from __future__ import annotations

import contextlib
import imaplib
import selectors
import socket
import ssl
import time

LINE = 1_000_000
"""Longest line of an answer, in bytes: a SEARCH of 100,000 mails still fits."""
TALK = 4_000_000
"""Bytes that an answer without a mail in it may have."""
_CHUNK = 65_536


class TooMuchError(Exception):
    """The server sends more than it was asked for."""


class NoStartTlsError(Exception):
    """STARTTLS is not offered, or refused: nothing more is said on this connection."""


class InjectedError(Exception):
    """Bytes in clear came behind the answer to STARTTLS."""


class _Bounded(imaplib.IMAP4):
    """Reads through a buffer: at most `_left` bytes until `_deadline` (both set by `allow`)."""

    def __init__(self, *args: object, timeout: float, stall: float, **kwargs: object) -> None:
        self._buffer = bytearray()
        self._stall = stall
        self.allow(stall, TALK)
        super().__init__(*args, timeout=timeout, **kwargs)  # type: ignore[arg-type, misc]

    def allow(self, seconds: float, size: int) -> None:
        """What the next commands may take: `seconds` in all, `size` bytes in all."""
        self._deadline = time.monotonic() + seconds
        self._left = size

    def read(self, size: int) -> bytes:
        """A literal. Raises TooMuchError before a byte is waited for, TimeoutError, abort."""
        if size > self._left + len(self._buffer):
            raise TooMuchError
        while len(self._buffer) < size:
            if not self._more():
                raise self.abort("connection lost")
        return self._take(size)

    def readline(self) -> bytes:
        """A line with its end; empty when the connection is lost (imaplib makes an abort of it)."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > LINE:
                raise TooMuchError
            if not self._more():
                return b""
        return self._take(end + 1)

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _more(self) -> bool:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._left <= 0:
            raise TooMuchError
        self.sock.settimeout(min(self._stall, left))
        data = self.sock.recv(min(_CHUNK, self._left))
        self._left -= len(data)
        self._buffer += data
        return bool(data)

    # ------------------------------------------------------------------------------------------------ extras

    def secure(self, context: ssl.SSLContext) -> None:
        """STARTTLS, and forget everything that was said before it (RFC 9051 §6.2.1).

        Raises NoStartTlsError, InjectedError, ssl.SSLError.
        """
        if self.state != "NONAUTH" or "STARTTLS" not in self.capabilities:
            raise NoStartTlsError  # a greeting that skips the login would also skip TLS
        if self.xatom("STARTTLS")[0] != "OK":
            raise NoStartTlsError
        if self._buffer:
            raise InjectedError
        self.sock.settimeout(self._stall)
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
        self.untagged_responses = {}
        self.learn()

    def learn(self) -> None:
        """Ask anew what the server can do: it may say more after TLS and after the login."""
        kind, data = self.capability()
        text = b" ".join(item for item in data if isinstance(item, bytes)) if kind == "OK" else b""
        self.capabilities = tuple(text.decode("ascii", "replace").upper().split())

    def idle(self, seconds: float) -> None:
        """Wait until the server says something (RFC 2177), at most `seconds`.

        Raises what a read raises; a refusal of IDLE is an abort.
        """
        tag = b"IDLE1"
        self.allow(self._stall, TALK)
        self.send(tag + b" IDLE\r\n")
        if not self._until(b"+", tag):
            raise self.abort("IDLE refused")
        self._await_word(seconds)
        self.allow(self._stall, TALK)
        self.send(b"DONE\r\n")
        self._until(tag, b"* BYE")

    def _until(self, wanted: bytes, end: bytes) -> bool:
        """Read lines until one begins with `wanted`; False: one began with `end`. Raises abort when lost."""
        while line := self.readline():
            if line.startswith(wanted):
                return True
            if line.startswith(end):
                return False
        raise self.abort("connection lost")

    def _await_word(self, seconds: float) -> None:
        if self._buffer or (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self.sock, selectors.EVENT_READ)
            selector.select(seconds)

    def kill(self) -> None:
        """Make whoever reads in another thread stop at once."""
        with contextlib.suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


class TlsWire(_Bounded, imaplib.IMAP4_SSL):
    """TLS from the first byte."""


class ClearWire(_Bounded):
    """In clear until `secure`: nothing secret may be said before."""


Wire = TlsWire | ClearWire


def connect(host: str, port: int, context: ssl.SSLContext, *, starttls: bool, timeout: float, stall: float) -> Wire:
    """A secured connection that nobody has logged in on yet. Seconds: `timeout` to connect, `stall` without a byte.

    Raises OSError, ssl.SSLError, imaplib.IMAP4.error, NoStartTlsError, InjectedError, TooMuchError.
    """
    if not starttls:
        return TlsWire(host, port, ssl_context=context, timeout=timeout, stall=stall)
    wire = ClearWire(host, port, timeout=timeout, stall=stall)
    try:
        wire.secure(context)
    except BaseException:
        close(wire)
        raise
    return wire


def quoted(text: str) -> str:
    """A quoted string (RFC 9051 §4.3): imaplib writes the name of a box and of a folder as it gets them."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def close(wire: Wire) -> None:
    """Let go without a word: a farewell may never be answered."""
    with contextlib.suppress(OSError):
        wire.shutdown()
