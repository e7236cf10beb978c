"""Exact frames of HTTP exchanges, kept where a person asked for them (evidence for homologation), and never by default.

A frame is what a request or an answer is under TLS: start line, header fields as they went, empty line, body. Of an
answer that came in chunks the body is kept without its chunk sizes (RFC 9112 §7.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.clock import Clock

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Frames:
    """One exchange. `url` was asked; `response` is empty and `status` None when no answer came, `fault` says how.

    `tls`: protocol and cipher suite of the connection.
    """

    url: str
    request: bytes
    response: bytes
    status: int | None
    started: datetime
    ended: datetime
    fault: str = ""
    tls: str = ""


class Recorder(Protocol):
    """What takes the frames of a client. It holds identities and content: for synthetic patients only."""

    def __call__(self, frames: Frames, /) -> None:
        """Keep one exchange. May raise OSError: the evidence would be incomplete otherwise."""
        ...


@dataclass(slots=True)
class Tape:
    """The exchange under way."""

    clock: Clock
    url: str
    request: bytes = b""
    head: bytes = b""
    body: bytearray = field(default_factory=bytearray)
    status: int | None = None
    tls: str = ""
    started: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock.now()

    def asked(self, method: str, target: bytes, headers: Headers, body: Iterable[bytes]) -> None:
        """The request as it is about to leave (HTTP/1.1, RFC 9112 §3)."""
        line = method.encode("ascii") + b" " + target + b" HTTP/1.1\r\n"
        self.request = _head(line, headers) + b"".join(body)

    def answered(self, version: bytes, status: int, reason: bytes, headers: Headers) -> None:
        """The head of the answer, as it came (RFC 9112 §4)."""
        self.status = status
        self.head = _head(version + b" " + str(status).encode("ascii") + b" " + reason + b"\r\n", headers)

    def frames(self, fault: str = "") -> Frames:
        """What was taken."""
        response = self.head + bytes(self.body)
        return Frames(self.url, self.request, response, self.status, self.started, self.clock.now(), fault, self.tls)


def _head(line: bytes, headers: Headers) -> bytes:
    return line + b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n"
