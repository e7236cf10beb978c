"""The HTTPS client of the DMP channel against a bare server: what left, what came back, and where it may go."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from gateway.channels.dmp.answers import MAX_ANSWER, AnswerError
from gateway.channels.dmp.http import Exchange, HttpClient, _pieces
from gateway.channels.tls import client_context, tls_fault
from gateway.errors import LeaseLostError
from gateway.package.mtom import HttpBody
from gateway.settings import TlsSettings
from tests.unit.channels.scripted import Certificates, certificates

BODY = HttpBody('multipart/related; boundary="x"', (b"corps" * 600, b"corps" * 400))


@dataclass
class Server:
    """Answers every request with the same bytes, or drops the connection when there are none."""

    reply: bytes
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.requests.append(await self._request(reader))
                writer.write(self.reply)
                await writer.drain()
                if not self.reply:
                    return
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return head + await reader.readexactly(length)


@asynccontextmanager
async def server(files: Certificates, reply: bytes) -> AsyncIterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # as the DMP
    files.server.configure_cert(context)
    files.authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    found = Server(reply)
    listening = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=context)
    found.port = listening.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        listening.close()
        await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls"))


def client(files: Certificates) -> HttpClient:
    return HttpClient(client_context(TlsSettings(ca_file=files.ca, cert_file=files.cert, key_file=files.key)), 2.0)


def http(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_body_and_type_arrive_unchanged(files: Certificates) -> None:
    async with server(files, http("200 OK", "Content-Type: text/xml", body=b"<ok/>")) as found:
        http_client, exchange = client(files), Exchange()
        answer = await http_client.post(f"https://localhost:{found.port}/repository", BODY, exchange)
        await http_client.aclose()
    assert (answer.status, answer.content_type, answer.data, answer.retry_after) == (200, "text/xml", b"<ok/>", None)
    assert exchange.sent
    head, _, body = found.requests[0].partition(b"\r\n\r\n")
    assert body == BODY.data
    assert b'content-type: multipart/related; boundary="x"' in head.lower()


async def test_redirection_is_never_followed(files: Certificates) -> None:
    async with server(files, http("307 Temporary Redirect", "Location: /elsewhere")) as found:
        http_client = client(files)
        answer = await http_client.post(f"https://localhost:{found.port}/repository", BODY, Exchange())
        await http_client.aclose()
    assert answer.status == 307
    assert len(found.requests) == 1


async def test_retry_after(files: Certificates) -> None:
    async with server(files, http("503 Busy", "Retry-After: 12")) as found:
        http_client = client(files)
        answer = await http_client.post(f"https://localhost:{found.port}/", BODY, Exchange())
        await http_client.aclose()
    assert (answer.status, answer.retry_after) == (503, 12.0)


async def test_endless_answer_is_cut(files: Certificates) -> None:
    async with server(files, http("200 OK", body=b"x" * (MAX_ANSWER + 2_000_000))) as found:
        http_client = client(files)
        answer = await http_client.post(f"https://localhost:{found.port}/", BODY, Exchange())
        await http_client.aclose()
    assert MAX_ANSWER < len(answer.data) < MAX_ANSWER + 1_000_000


async def test_lost_answer_was_sent_and_refused_connection_was_not(files: Certificates) -> None:
    async with server(files, b"") as found:
        http_client, exchange = client(files), Exchange()
        with pytest.raises(httpx2.TransportError):
            await http_client.post(f"https://localhost:{found.port}/", BODY, exchange)
        await http_client.aclose()
    assert exchange.sent
    http_client, exchange = client(files), Exchange()
    with pytest.raises(httpx2.ConnectError):
        await http_client.post("https://localhost:1/", BODY, exchange)
    await http_client.aclose()
    assert not exchange.sent


async def test_the_lease_is_checked_once_the_connection_stands(files: Certificates) -> None:
    """Opening a connection may take seconds: the check comes behind it, and before the first byte of the request."""
    calls: list[int] = []
    async with server(files, http("200 OK")) as found:

        async def check() -> None:
            calls.append(found.connections)

        http_client = client(files)
        for _ in range(2):
            await http_client.post(f"https://localhost:{found.port}/", BODY, Exchange(check))
        await http_client.aclose()
    assert calls == [1, 1]
    assert len(found.requests) == 2


async def test_a_lease_that_is_lost_sends_nothing(files: Certificates) -> None:
    async def check() -> None:
        raise LeaseLostError("ENG-LEASE", "lost")

    async with server(files, http("200 OK")) as found:
        http_client, exchange = client(files), Exchange(check)
        with pytest.raises(LeaseLostError):
            await http_client.post(f"https://localhost:{found.port}/", BODY, exchange)
        assert (await http_client.post(f"https://localhost:{found.port}/", BODY, Exchange())).status == 200
        await http_client.aclose()
    assert not exchange.sent
    assert len(found.requests) == 1


async def test_nobody_there_is_known_before_the_lease_is_checked(files: Certificates) -> None:
    """A server that cannot be reached leaves no doubt, whatever happens to the process meanwhile."""

    async def check() -> None:
        raise AssertionError("nothing was about to leave")

    http_client = client(files)
    with pytest.raises(httpx2.ConnectError):
        await http_client.post("https://localhost:1/", BODY, Exchange(check))
    await http_client.aclose()


async def test_server_of_another_authority_gets_nothing(files: Certificates, tmp_path: Path) -> None:
    stranger = certificates(tmp_path)
    async with server(stranger, http("200 OK")) as found:
        http_client, exchange = client(files), Exchange()
        with pytest.raises(httpx2.ConnectError) as refused:
            await http_client.post(f"https://localhost:{found.port}/", BODY, exchange)
        await http_client.aclose()
    assert not exchange.sent
    assert found.requests == []
    assert tls_fault(refused.value) is not None


def test_one_client_for_several_event_loops(files: Certificates) -> None:
    http_client = client(files)
    statuses: list[int] = []

    async def once() -> None:
        async with server(files, http("200 OK", "Connection: close")) as found:
            statuses.append((await http_client.post(f"https://localhost:{found.port}/", BODY, Exchange())).status)

    asyncio.run(once())
    asyncio.run(once())
    assert statuses == [200, 200]


async def test_one_connection_serves_every_request(files: Certificates) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
                )
                await reader.readexactly(length)
                writer.write(http("200 OK"))
                await writer.drain()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files.server.configure_cert(context)
    files.authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    http_client = client(files)
    for _ in range(5):
        assert (await http_client.post(f"https://localhost:{port}/", BODY, Exchange())).status == 200
    assert connections == 1
    await http_client.aclose()
    listening.close()


async def test_a_large_body_is_never_joined() -> None:
    """What goes out are slices of the frozen parts: a document is not copied into one more buffer."""
    body = HttpBody("x/y", (b"head", b"a" * 200_000, b"tail"))
    assert body.size == 200_008
    slices = [piece async for piece in _pieces(body)]
    assert b"".join(slices) == body.data
    assert max(len(piece) for piece in slices) <= 64 * 1024


async def test_documents_of_an_answer_come_in_parts_of_their_own(files: Certificates) -> None:
    document = b"\r\n--frontiere" + bytes(range(256)) * 4000
    whole = (
        b"--b\r\nContent-ID: <root>\r\nContent-Type: application/xop+xml\r\n\r\n<a/>\r\n"
        b"--b\r\nContent-ID: <d>\r\n\r\n" + document + b"\r\n--b--\r\n"
    )
    kind = 'Content-Type: multipart/related; boundary="b"; start="<root>"'
    async with server(files, http("200 OK", kind, body=whole)) as found:
        http_client, url = client(files), f"https://localhost:{found.port}/"
        answer = await http_client.post(url, BODY, Exchange(), large=2_000_000)
        await http_client.aclose()
        assert (answer.data, answer.content_type, answer.parts) == (b"<a/>", "application/xop+xml", {"d": document})
        http_client = client(files)
        with pytest.raises(AnswerError, match="too large"):
            await http_client.post(url, BODY, Exchange(), large=1000)
        await http_client.aclose()
