"""The HTTPS client of the DMP channel against a bare server: what left, what came back, and where it may go."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from gateway.channels.dmp.answers import MAX_ANSWER
from gateway.channels.dmp.http import Exchange, HttpClient
from gateway.channels.tls import client_context, tls_fault
from gateway.package.mtom import HttpBody
from gateway.settings import TlsSettings
from tests.unit.channels.scripted import Certificates, certificates

BODY = HttpBody('multipart/related; boundary="x"', (b"corps" * 600, b"corps" * 400))


@dataclass
class Server:
    """Answers every request with the same bytes, or drops the connection when there are none."""

    reply: bytes
    port: int = 0
    requests: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            self.requests.append(head + await reader.readexactly(length))
            writer.write(self.reply)
            await writer.drain()
            if self.reply:
                await reader.read()  # until the client closes
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()


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
