"""A hostile, slow or broken SMTP operator on a real socket. It keeps every byte that reached it, TLS records included.

TLS is done over memory buffers, so what travelled in clear is known for certain and not taken from a library's word.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

EHLO = "250-operateur.example\r\n250-SIZE 26214400\r\n250-DSN\r\n250 8BITMIME"
REPLIES = {
    "banner": "220 operateur.example ESMTP",
    "starttls": "220 2.0.0 Ready to start TLS",
    "mail": "250 2.1.0 Ok",
    "rcpt": "250 2.1.5 Ok",
    "data": "354 End data with <CR><LF>.<CR><LF>",
    "dot": "250 2.0.0 Ok: queued as 4XyZ",
    "rset": "250 2.0.0 Ok",
    "quit": "221 2.0.0 Bye",
}


@dataclass(frozen=True)
class Drop:
    """The connection is reset at this step; `stored`: what had arrived was kept all the same."""

    stored: bool = False


@dataclass(frozen=True)
class Slow:
    """The right answer, after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Flood:
    """This, over and over, as fast as it is taken, up to `size` bytes."""

    chunk: bytes
    size: int = 5_000_000


Action = str | bytes | Drop | Slow | Flood


@dataclass(frozen=True)
class Authority:
    """A private authority, a client certificate from it, and server certificates good and bad, as files or contexts."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)
    stranger: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.ca.cert_pem.write_to_path(self.ca_file)
        client = self.ca.issue_cert("cabinet@kine.example")
        client.cert_chain_pems[0].write_to_path(self.folder / "client.pem")
        client.private_key_pem.write_to_path(self.folder / "client.key")

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def server(self, kind: str) -> ssl.SSLContext:
        now = datetime.now(UTC)
        leaf = {
            "good": lambda: self.ca.issue_cert("localhost"),
            "tls1.1": lambda: self.ca.issue_cert("localhost"),
            "expired": lambda: self.ca.issue_cert(
                "localhost", not_before=now - timedelta(days=30), not_after=now - timedelta(days=1)
            ),
            "wrong host": lambda: self.ca.issue_cert("ailleurs.example"),
            "unknown ca": lambda: self.stranger.issue_cert("localhost"),
            "revoked": lambda: self.ca.issue_cert("localhost"),
        }[kind]()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        if kind == "tls1.1":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("ALL:@SECLEVEL=0")
        if kind == "revoked":
            self._revoke(x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number)
        return context

    @property
    def crl_file(self) -> Path:
        return self.folder / "crl.pem"

    def _revoke(self, serial: int) -> None:
        authority = x509.load_pem_x509_certificate(self.ca.cert_pem.bytes())
        key = serialization.load_pem_private_key(self.ca.private_key_pem.bytes(), password=None)
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(authority.subject)
        builder = builder.last_update(now - timedelta(days=1)).next_update(now + timedelta(days=1))
        row = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - timedelta(hours=1)).build()
        signed = builder.add_revoked_certificate(row).sign(key, hashes.SHA256())  # type: ignore[arg-type]
        self.crl_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


class GoneError(Exception):
    """The conversation is over."""


class Line:
    """One connection: bytes as they come, then within TLS. `raw` collects every byte received on the socket."""

    def __init__(self, sock: socket.socket, raw: bytearray) -> None:
        self._sock, self._raw = sock, raw
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._buffer = bytearray()

    def encrypt(self, context: ssl.SSLContext) -> None:
        self._in.write(bytes(self._buffer))  # what came behind STARTTLS in clear is no TLS: the handshake says so
        self._buffer.clear()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        while True:
            try:
                self._tls.do_handshake()
                return self._flush()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            except ssl.SSLError:
                self._flush()
                raise GoneError from None

    def send(self, data: bytes) -> None:
        if self._tls is None:
            self._sock.sendall(data)
        else:
            self._tls.write(data)
            self._flush()

    def line(self) -> bytes:
        while b"\n" not in self._buffer:
            self._buffer += self._read()
        at = self._buffer.index(b"\n") + 1
        found = bytes(self._buffer[:at])
        del self._buffer[:at]
        return found

    def content(self, until: int | None = None) -> bytes:
        """The message up to its end, or its first `until` bytes."""
        while not self._buffer.endswith(b"\r\n.\r\n") and (until is None or len(self._buffer) < until):
            self._buffer += self._read()
        found = bytes(self._buffer)
        self._buffer.clear()
        return found

    def reset(self) -> None:
        """Cut the connection without a word (RST)."""
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def _read(self) -> bytes:
        if self._tls is None:
            return self._receive()
        while True:
            try:
                data = self._tls.read(65536)
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
                continue
            except ssl.SSLError:
                raise GoneError from None
            if not data:
                raise GoneError
            return data

    def _feed(self) -> None:
        self._in.write(self._receive())

    def _receive(self) -> bytes:
        data = self._sock.recv(65536)
        if not data:
            raise GoneError
        self._raw += data
        return data

    def _flush(self) -> None:
        if self._out.pending:
            self._sock.sendall(self._out.read())


@dataclass
class Operator:
    """What the server does at each step (`connect`, `banner`, `ehlo`, `starttls`, `tls-ehlo`, `mail`, `rcpt`, `data`,
    `inside`, `dot`, `quit`), unless it does right; and what reached it.
    """

    context: ssl.SSLContext
    script: dict[str, Action] = field(default_factory=dict)
    security: str = "tls"
    port: int = 0
    raw: bytearray = field(default_factory=bytearray)
    heard: list[str] = field(default_factory=list)
    stored: list[bytes] = field(default_factory=list)
    connections: int = 0

    def mend(self) -> None:
        """From now on all goes well."""
        self.script.clear()

    def serve(self, sock: socket.socket) -> None:
        self.connections += 1
        line = Line(sock, self.raw)
        with contextlib.suppress(GoneError, OSError):
            self._converse(line)
        with contextlib.suppress(OSError):
            sock.close()

    def _converse(self, line: Line) -> None:
        if isinstance(self.script.get("connect"), Drop):
            return line.reset()
        encrypted = self.security == "tls" and "plain" not in self.script
        if encrypted:
            line.encrypt(self.context)
        self._say(line, "banner")
        while True:
            command = line.line().decode("latin-1").strip()
            self.heard.append(command)
            verb = command.split(" ")[0].split(":")[0].lower()
            step = "tls-ehlo" if verb == "ehlo" and encrypted else verb
            if verb == "ehlo":
                offer = (
                    EHLO if encrypted or "stripped" in self.script else EHLO.replace("\r\n", "\r\n250-STARTTLS\r\n", 1)
                )
                self._say(line, step, offer)
            elif verb == "data":
                self._say(line, "data")
                self._content(line)
            elif self._say(line, step) and verb == "starttls":
                line.encrypt(self.context)
                encrypted = True
            if verb == "quit":
                return None

    def _content(self, line: Line) -> None:
        inside = self.script.get("inside")
        if inside is not None:
            line.content(until=1000)
            self._act(line, inside, REPLIES["dot"])
            while True:  # a socket that is closed over unread bytes takes back what was said
                line.line()
        message, action = line.content(), self.script.get("dot")
        if not isinstance(action, (Drop, str, bytes)) or (isinstance(action, Drop) and action.stored):
            self.stored.append(message)
        self._say(line, "dot")

    def _say(self, line: Line, step: str, right: str | None = None) -> bool:
        reply = right or REPLIES.get(step, "502 5.5.2 unknown")
        action = self.script.get(step)
        if action is None:
            line.send(reply.encode() + b"\r\n")
            return True
        self._act(line, action, reply)
        return isinstance(action, Slow) or (isinstance(action, (str, bytes)) and action[:3] in {"220", b"220"})

    def _act(self, line: Line, action: Action, reply: str) -> None:
        if isinstance(action, Drop):
            line.reset()
            raise GoneError
        if isinstance(action, Slow):
            time.sleep(action.seconds)
            line.send(reply.encode() + b"\r\n")
        elif isinstance(action, Flood):
            for _ in range(action.size // len(action.chunk)):
                line.send(action.chunk)
            time.sleep(0.5)
        else:
            line.send(action if isinstance(action, bytes) else action.encode() + b"\r\n")


@contextlib.contextmanager
def running(operator: Operator) -> Iterator[Operator]:
    """Listen on loopback until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        operator.port = listener.getsockname()[1]
        threads: list[threading.Thread] = []
        accepting = threading.Thread(target=_accept, args=(listener, operator, threads), daemon=True)
        accepting.start()
        try:
            yield operator
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(5)
            for thread in threads:
                thread.join(5)


def _accept(listener: socket.socket, operator: Operator, threads: list[threading.Thread]) -> None:
    with contextlib.suppress(OSError):
        while True:
            sock, _ = listener.accept()
            sock.settimeout(10)
            thread = threading.Thread(target=operator.serve, args=(sock,), daemon=True)
            threads.append(thread)
            thread.start()
