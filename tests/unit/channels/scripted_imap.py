"""A scripted IMAP server on loopback: truthful unless the test says otherwise, command by command."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.unit.channels.scripted import DROP, Certificates

Said = str | bytes
Answer = Callable[["Box", list[str]], Said | list[Said]]
"""What a test puts in the place of the truth: untagged lines (without CRLF, or raw bytes), or DROP at the end."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PASSWORD = "un-secret"


@dataclass
class Mail:
    """One mail of the box."""

    raw: bytes
    at: datetime


@dataclass
class Box:
    """A folder and how the server speaks of it. `lies` are by command: examine, search, list, fetch, login, idle."""

    mails: dict[int, Mail] = field(default_factory=dict)
    uidvalidity: int | None = 7
    uidnext: int | None = None
    capabilities: str = "IMAP4rev1 IDLE AUTH=PLAIN AUTH=EXTERNAL AUTH=XOAUTH2"
    greeting: str = "* OK ready"
    clear: str = "IMAP4rev1 STARTTLS LOGINDISABLED"
    behind_starttls: bytes = b""
    lies: dict[str, Answer] = field(default_factory=dict)
    refused: str = ""
    """Text of a refused login."""
    challenge: bytes = b""
    pause: float = 0.0
    commands: list[str] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, raw: bytes, uid: int | None = None, at: datetime | None = None) -> int:
        """Deliver a mail, under the next number unless another is given."""
        number = uid or max(self.mails, default=0) + 1
        self.mails[number] = Mail(raw, at or datetime.now(UTC))
        self.changed.set()
        return number

    def line(self, uid: int) -> str:
        """The truth about one mail, as a FETCH of its particulars."""
        mail = self.mails[uid]
        date = f"{mail.at.day:2d}-{MONTHS[mail.at.month - 1]}-{mail.at:%Y %H:%M:%S} +0000"
        return f'* {self.order(uid)} FETCH (UID {uid} RFC822.SIZE {len(mail.raw)} INTERNALDATE "{date}")'

    def body(self, uid: int, raw: bytes | None = None, said: int | None = None) -> bytes:
        """A mail as a FETCH of its body; `said` is the UID that the server gives it."""
        data = self.mails[uid].raw if raw is None else raw
        return f"* 1 FETCH (UID {said or uid} BODY[] {{{len(data)}}}\r\n".encode() + data + b")\r\n"

    def order(self, uid: int) -> int:
        """Sequence number."""
        return sorted(self.mails).index(uid) + 1


class _GoneError(Exception):
    """The server drops the connection."""


class _Talk:
    def __init__(
        self, box: Box, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: ssl.SSLContext | None
    ) -> None:
        self.box, self.reader, self.writer, self.tls = box, reader, writer, tls

    async def run(self) -> None:
        box = self.box
        await self.say(box.greeting)
        while line := await self.reader.readline():
            await asyncio.sleep(box.pause)
            tag, _, command = line.decode().strip().partition(" ")
            box.commands.append(command)
            verb, *words = command.split(" ")
            verb, words = (f"UID {words[0]}", words[1:]) if verb == "UID" else (verb, words)
            handler = getattr(self, "do_" + verb.lower().replace(" ", "_"), None)
            if handler is None:
                await self.say(f"{tag} BAD unknown")
                continue
            done = await handler(tag, words)
            if done is not None:
                await self.say(f"{tag} {done}")
            if verb == "LOGOUT":
                return

    async def say(self, text: Said) -> None:
        if text == DROP:
            raise _GoneError
        self.writer.write(text if isinstance(text, bytes) else text.encode() + b"\r\n")
        await self.writer.drain()

    async def tell(self, name: str, words: list[str], truth: list[Said]) -> None:
        lie = self.box.lies.get(name)
        said = truth if lie is None else lie(self.box, words)
        for one in said if isinstance(said, list) else [said]:
            await self.say(one)

    async def do_capability(self, _tag: str, _words: list[str]) -> str:
        await self.say(f"* CAPABILITY {self.box.clear if self.tls else self.box.capabilities}")
        return "OK done"

    async def do_starttls(self, tag: str, _words: list[str]) -> None:
        assert self.tls is not None
        await self.say(f"{tag} OK go\r\n".encode() + self.box.behind_starttls)
        await self.writer.start_tls(self.tls)
        self.tls = None

    async def do_authenticate(self, _tag: str, words: list[str]) -> str:
        import base64

        if "authenticate_no" in self.box.lies:
            return "NO not this way"
        await self.say("+ ")
        self.box.logins.append(words[0].encode() + b" " + base64.b64decode(await self.reader.readline()))
        if self.box.refused:
            if self.box.challenge:
                await self.say(b"+ " + base64.b64encode(self.box.challenge) + b"\r\n")
                await self.reader.readline()
            return f"NO {self.box.refused}"
        return "OK in"

    async def do_login(self, _tag: str, words: list[str]) -> str:
        self.box.logins.append(b"LOGIN " + " ".join(words).encode())
        return f"NO {self.box.refused}" if self.box.refused else "OK in"

    async def do_examine(self, _tag: str, _words: list[str]) -> str:
        box = self.box
        truth: list[Said] = [f"* {len(box.mails)} EXISTS"]
        if box.uidvalidity is not None:
            truth.append(f"* OK [UIDVALIDITY {box.uidvalidity}] valid")
        truth.append(f"* OK [UIDNEXT {box.uidnext or max(box.mails, default=0) + 1}] next")
        await self.tell("examine", _words, truth)
        return "NO no such folder" if "examine_no" in box.lies else "OK [READ-ONLY] done"

    async def do_uid_search(self, _tag: str, words: list[str]) -> str:
        box, found = self.box, sorted(self.box.mails)
        if words[0] == "UID":
            first = int(words[1].split(":")[0])
            found = [uid for uid in found if uid >= first] or found[-1:]  # `n:*` always names the last
        elif words[0] == "SINCE":
            day, month, year = words[1].split("-")
            since = datetime(int(year), MONTHS.index(month) + 1, int(day), tzinfo=UTC)
            found = [uid for uid in found if box.mails[uid].at >= since]
        elif words[0] == "HEADER":
            wanted = words[2].strip('"').encode()
            found = [uid for uid in found if wanted in box.mails[uid].raw]
        await self.tell("search", words, ["* SEARCH " + " ".join(map(str, found))])
        return "OK done"

    async def do_uid_fetch(self, _tag: str, words: list[str]) -> str:
        box, numbers = self.box, [int(one) for one in words[0].split(",")]
        there = [uid for uid in numbers if uid in box.mails]
        if "BODY.PEEK" not in " ".join(words):
            await self.tell("list", words, [box.line(uid) for uid in there])
        elif "HEADER" in " ".join(words):
            truth: list[Said] = [
                box.body(uid, box.mails[uid].raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n") for uid in there
            ]
            await self.tell("header", words, truth)
        else:
            await self.tell("fetch", words, [box.body(uid) for uid in there])
        return "OK done"

    async def do_idle(self, tag: str, _words: list[str]) -> None:
        await self.say("+ idling")
        self.box.changed.clear()
        waiting = asyncio.create_task(self.box.changed.wait())
        ending = asyncio.create_task(self.reader.readline())
        await asyncio.wait({waiting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            await self.say(f"* {len(self.box.mails)} EXISTS")
        waiting.cancel()
        await ending
        await self.say(f"{tag} OK idle ended")

    async def do_logout(self, _tag: str, _words: list[str]) -> str:
        await self.say("* BYE bye")
        return "OK out"


def server_context(certificates: Certificates, *, ask: bool = True) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.server.configure_cert(context)
    if ask:
        certificates.authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@asynccontextmanager
async def serving(box: Box, certificates: Certificates, *, starttls: bool = False) -> AsyncIterator[Box]:
    """Serve the box until the end of the block; `box.port` is where."""
    context = server_context(certificates)
    tasks: set[asyncio.Task[None] | None] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        box.connections += 1
        tasks.add(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError, _GoneError):
            await _Talk(box, reader, writer, context if starttls else None).run()
        writer.transport.abort()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=None if starttls else context, limit=2**20)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.sleep(0.01)
