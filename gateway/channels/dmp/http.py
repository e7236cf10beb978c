"""One HTTPS client per event loop, mutual TLS, and the exact knowledge of whether a request left."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gateway.channels.dmp.answers import MAX_ANSWER
from gateway.channels.dmp.multipart import MultipartReader
from gateway.channels.recording import Recorder, Tape
from gateway.clock import Clock, SystemClock
from gateway.package.mtom import HttpBody
from gateway.skew import http_date

if TYPE_CHECKING:
    import httpx2

    from gateway.channels.outcome import BeforeCommit

_SLICE = 64 * 1024
_SECONDS = re.compile(r"[ \t]*[0-9]+[ \t]*")
_KEEP_ALIVE = 15.0  # seconds; shorter than servers do, so that a request rarely meets a connection being closed


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, media type and body (bounded) of an answer; `retry_after` in seconds, `date` as the server wrote it.

    `parts`: what came beside the root of a multipart answer, by Content-ID, when that was asked for; `content_type` and
    `data` are then those of the root.
    """

    status: int
    content_type: str
    data: bytes
    retry_after: float | None
    parts: Mapping[str, bytes] = field(default_factory=dict)
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: method, address, body, what is accepted; of the answer no more than `most` bytes are read."""

    method: str
    url: str
    body: HttpBody | None = None
    accept: str = ""
    most: int = MAX_ANSWER

    @property
    def headers(self) -> dict[str, str]:
        """Fields of its own. With a length the pieces go as they are, not chunked, which few SOAP stacks like."""
        found = {"Accept": self.accept} if self.accept else {}
        if self.body is not None:
            found |= {"Content-Type": self.body.content_type, "Content-Length": str(self.body.size)}
        return found


class HttpClient:
    """Posts SOAP requests, and sends those of the FHIR door.

    Raises what httpx2 raises; `Exchange.sent` says whether anything had left.
    `recorder` takes the exact frames of every exchange, timed by `clock`.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        timeout: float,
        recorder: Recorder | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._context = context
        self._timeout = timeout
        self._recorder = recorder
        self._clock = clock or SystemClock()
        self._client: httpx2.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def _for_this_loop(self) -> httpx2.AsyncClient:
        import httpx2  # heavy, and only a process that feeds the DMP needs it

        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            limits = httpx2.Limits(max_connections=4, max_keepalive_connections=2, keepalive_expiry=_KEEP_ALIVE)
            self._client = httpx2.AsyncClient(
                verify=self._context,
                timeout=httpx2.Timeout(self._timeout),
                limits=limits,
                follow_redirects=False,  # the document goes to the configured address or nowhere
                trust_env=False,
                headers={"User-Agent": "kine-gateway", "Accept-Encoding": "identity"},
            )
            self._loop = loop
        return self._client

    async def post(self, url: str, body: HttpBody, exchange: Exchange, *, large: int | None = None) -> HttpAnswer:
        """POST piece by piece and read the whole answer, up to MAX_ANSWER bytes.

        With `large` a multipart answer is taken apart as it arrives, each attached part up to so many bytes. Raises
        AnswerError when it cannot be.
        """
        return await self.send(Asked("POST", url, body), exchange, large=large)

    async def send(self, asked: Asked, exchange: Exchange, *, large: int | None = None) -> HttpAnswer:
        """Any request; see `post`."""
        if self._recorder is None:
            return await self._send(asked, exchange, large, None)
        tape, fault = Tape(self._clock, asked.url), ""
        try:
            return await self._send(asked, exchange, large, tape)
        except BaseException as broken:
            fault = type(broken).__name__
            raise
        finally:
            self._recorder(tape.frames(fault))

    async def _send(self, asked: Asked, exchange: Exchange, large: int | None, tape: Tape | None) -> HttpAnswer:
        client, body = self._for_this_loop(), asked.body
        request = client.build_request(
            asked.method,
            asked.url,
            content=None if body is None else _pieces(body),
            headers=asked.headers,
            extensions={"trace": exchange.trace},
        )
        if tape is not None:
            tape.asked(asked.method, request.url.raw_path, request.headers.raw, () if body is None else body.pieces)
        response = await client.send(request, stream=True)
        try:
            if tape is not None:
                version, reason = response.http_version.encode("ascii"), response.reason_phrase.encode("latin-1")
                tape.answered(version, response.status_code, reason, response.headers.raw)
                tape.tls = _tls(response)
                response.stream = _taped(response.stream, tape)
            return await _read(response, large, asked.most)
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            with contextlib.suppress(OSError):
                await client.aclose()


async def _read(response: httpx2.Response, large: int | None, most: int) -> HttpAnswer:
    kind = response.headers.get("content-type", "")
    after, date = _retry_after(response.headers.get("retry-after")), response.headers.get("date")
    if large is not None and kind.lower().lstrip().startswith("multipart/"):
        reader = MultipartReader(kind, largest=large)
        async for chunk in response.aiter_bytes():
            reader.feed(chunk)
        root, attached = reader.close()
        return HttpAnswer(response.status_code, root.content_type, bytes(root.data), after, attached, date)
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > most:
            break
    return HttpAnswer(response.status_code, kind, bytes(data), after, date=date)


def _tls(response: httpx2.Response) -> str:
    """Protocol and cipher suite of the connection that the answer came over; empty when it does not say."""
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("ssl_object") if stream is not None else None
    if connection is None or (cipher := connection.cipher()) is None:
        return ""
    return f"{connection.version()} {cipher[0]}"


def _taped(stream: Any, tape: Tape) -> httpx2.AsyncByteStream:
    """The same stream, whose bytes are kept as they came, before any content coding is undone."""
    import httpx2

    class Taped(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in stream:
                tape.body += chunk
                yield chunk

        async def aclose(self) -> None:
            await stream.aclose()

    return Taped()


class Exchange:
    """Remembers whether the first byte of a request left (httpcore trace events).

    `before` is called once the connection stands, just before that byte: what it raises goes to the caller of the
    request, with nothing sent.
    """

    def __init__(self, before: BeforeCommit | None = None) -> None:
        self.sent = False
        self._before = before

    async def trace(self, event: str, _info: dict[str, Any]) -> None:
        """Callback of the `trace` extension."""
        if event.endswith("send_request_headers.started"):
            await self.leave()

    async def leave(self) -> None:
        """The first byte is about to leave."""
        if self._before is not None:
            await self._before()
        self.sent = True


async def _pieces(body: HttpBody) -> AsyncIterator[bytes]:
    """A large part goes out as it lies in memory, in slices that a TLS record or a few can take."""
    for piece in body.pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _SLICE):
            yield bytes(view[start : start + _SLICE])


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 §10.2.3), at most a day; None when absent or unreadable."""
    if not value:
        return None
    if _SECONDS.fullmatch(value):
        return min(float(value), 86400.0)
    at = http_date(value)
    return None if at is None else min(max((at - datetime.now(UTC)).total_seconds(), 0.0), 86400.0)
