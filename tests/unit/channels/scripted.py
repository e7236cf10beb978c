"""A scripted SMTP operator on loopback: each step answers what the test says, or breaks the connection there."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme

DROP = "DROP"
"""Script value: close the connection instead of answering."""
SILENT = "SILENT"
"""Script value: never answer."""
EHLO = "250-operateur.example\n250-PIPELINING\n250-SIZE 26214400\n250-DSN\n250 8BITMIME"


@dataclass
class Certificates:
    """Files of a small authority: its anchor, a server for localhost, a client."""

    ca: Path
    cert: Path
    key: Path
    server: trustme.LeafCert
    authority: trustme.CA


def certificates(folder: Path, *names: str) -> Certificates:
    authority = trustme.CA()
    client = authority.issue_cert("cabinet@kine.example")
    found = Certificates(
        folder / "ca.pem",
        folder / "client.pem",
        folder / "client.key",
        authority.issue_cert(*(names or ("localhost", "127.0.0.1"))),
        authority,
    )
    authority.cert_pem.write_to_path(found.ca)
    client.cert_chain_pems[0].write_to_path(found.cert)
    client.private_key_pem.write_to_path(found.key)
    return found


@dataclass
class Operator:
    """Answers by step: greeting, ehlo, mail, rcpt, data, content, rset. Remembers what it was told."""

    script: dict[str, str] = field(default_factory=dict)
    port: int = 0
    commands: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    connections: int = 0
    pause: float = 0.0
    received: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def answer(self, step: str, default: str) -> str:
        return self.script.get(step, default)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            await self._converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not await self._say(writer, self.answer("greeting", "220 operateur.example ESMTP")):
            return
        while line := await reader.readline():
            command = line.decode().strip()
            self.commands.append(command)
            verb = command.split(" ")[0].split(":")[0].upper()
            if verb == "QUIT":
                await self._say(writer, "221 2.0.0 Bye")
                return
            if not await self._say(writer, self._reply(verb)):
                return
            if verb == "DATA" and self._reply("DATA").startswith("354"):
                self.messages.append(await self._content(reader))
                if not await self._say(writer, self.answer("content", "250 2.0.0 Ok: queued as 4XyZ")):
                    return

    async def _content(self, reader: asyncio.StreamReader) -> bytes:
        data = bytearray()
        while not data.endswith(b"\r\n.\r\n"):
            chunk = await reader.read(65536)
            if not chunk:
                raise OSError("the client went away")
            data += chunk
            await asyncio.sleep(self.pause)
        self.received.set()
        return bytes(data)

    def _reply(self, verb: str) -> str:
        defaults = {
            "EHLO": EHLO,
            "MAIL": "250 2.1.0 Ok",
            "RCPT": "250 2.1.5 Ok",
            "DATA": "354 End data with <CR><LF>.<CR><LF>",
            "RSET": "250 2.0.0 Ok",
        }
        return self.answer(verb.lower(), defaults.get(verb, "502 5.5.2 unknown"))

    async def _say(self, writer: asyncio.StreamWriter, text: str) -> bool:
        if text == SILENT:
            await asyncio.sleep(60)
        if text == DROP:
            writer.transport.abort()
            return False
        writer.write(text.replace("\n", "\r\n").encode() + b"\r\n")
        await writer.drain()
        return True

    def close_connections(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@asynccontextmanager
async def operator(
    files: Certificates, script: dict[str, str] | None = None, *, demand: bool = False
) -> AsyncIterator[Operator]:
    """Run an operator over implicit TLS with client certificates (`demand`: no connection without one)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files.server.configure_cert(context)
    files.authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED if demand else ssl.CERT_OPTIONAL
    found = Operator(script or {})
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(found.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        found.close_connections()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)
