"""Webhooks: a signed word to the vendor's program when deliveries moved (https://www.standardwebhooks.com).

A hint: the truth is `/v1/changes`, which the same cursor serves. The queue is the journal itself: what is kept is how
far each receiver has taken it, in a small file, so nothing is lost while a receiver is away, and nothing grows.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import logging
import ssl
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway import platform
from gateway.errors import ConfigError, GatewayError, StoreError
from gateway.store.sealing import read_secret
from gateway.views import delivery_view
from gateway.web.api import cursors
from gateway.web.api.problems import RefusedError

if TYPE_CHECKING:
    import httpx2

    from gateway.api import Gateway
    from gateway.clock import Clock, Randomness
    from gateway.engine.events import DeliveryEvent
    from gateway.settings import Settings, WebhookSettings
    from gateway.store.base import Store

_LOG = logging.getLogger("gateway.web")
FORMAT = "kine-gateway/webhooks/1"
EVENT = "deliveries.changed"
DELAYS = (5.0, 30.0, 120.0, 600.0, 3600.0)
"""Seconds before each further try; the last one repeats, for as long as it takes."""
MAX_ANSWER = 64 * 1024
"""Bytes of an answer that are read."""
_SHORTEST, _LONGEST = 24, 64
"""Bytes of a secret (Standard Webhooks: 24 to 64)."""


def sign(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: HMAC-SHA256 over id, time (seconds since 1970) and body."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, content, "sha256")).decode()


def read_key(path: Path) -> bytes:
    """The secret of a webhook: base64, with or without `whsec_` before it. Raises ConfigError (WEB-006), StoreError."""
    text = read_secret(path).strip().removeprefix(b"whsec_")
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if not _SHORTEST <= len(key) <= _LONGEST:
        advice = f"Y écrire whsec_ suivi de {_SHORTEST} à {_LONGEST} octets au hasard, en base64."
        raise ConfigError("WEB-006", f"{path} n'est pas un secret de webhook.", advice)
    return key


class Progress:
    """How far each receiver has taken the journal of its account. One process at a time holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, name: str) -> str | None:
        """The cursor of a receiver; None: it never took anything."""
        value = self._all().get(name)
        return value if isinstance(value, str) else None

    def put(self, name: str, cursor: str) -> None:
        """Note that it took everything before this place."""
        value = {"format": FORMAT, "cursors": {**self._all(), name: cursor}}
        platform.write_atomic(self._path, json.dumps(value, indent=1).encode())

    def _all(self) -> dict[str, Any]:
        try:
            value = json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError, RecursionError):
            return {}
        found = value.get("cursors") if isinstance(value, dict) else None
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Message:
    """What is told, the same at each try. `cursor` is where the receiver stands once it took it."""

    id: str
    body: bytes
    cursor: str


class Receiver:
    """One webhook: what it has to be told next, and how telling went."""

    def __init__(self, settings: WebhookSettings, store: Store, progress: Progress) -> None:
        self.settings = settings
        self._store = store
        self._progress = progress
        self._key = read_key(settings.secret_file)
        self._name = f"{settings.account}-{sha256(settings.url.encode()).hexdigest()[:12]}"
        self._pending: Message | None = None
        self.failures = 0

    def next(self, now: str) -> Message | None:
        """What moved since the last message that was taken; None: nothing. The first time, it starts from here on."""
        if self._pending is None:
            account, known = self.settings.account, self._progress.get(self._name)
            if known is None:
                self._progress.put(self._name, cursors.now(self._store, account))
                return None
            try:
                after = cursors.read(self._store, account, known)
            except RefusedError:  # a restored database: what was told of it may not hold any more
                after = 0
            self._pending = self._message(after, now)
        return self._pending

    def _message(self, after: int, now: str) -> Message | None:
        account = self.settings.account
        moved = cursors.follow(self._store, account, after)
        cursor = cursors.text(self._store, account, moved.upto)
        if not moved.rows:
            if moved.upto > after:
                self._progress.put(self._name, cursor)
            return None
        shown = [delivery_view(row).as_dict() for row in moved.rows]
        data = {"account": account, "cursor": cursor, "more": moved.more, "deliveries": shown}
        body = json.dumps({"type": EVENT, "timestamp": now, "data": data}, ensure_ascii=False).encode()
        name = sha256(f"{self._name}.{after}.{moved.upto}".encode()).hexdigest()[:32]
        return Message(f"msg_{name}", body, cursor)

    def headers(self, message: Message, timestamp: int) -> dict[str, str]:
        """Headers of one try: the id stays, time and signature are fresh."""
        return {
            "content-type": "application/json",
            "user-agent": "kine-gateway",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._key, message.id, timestamp, message.body),
        }

    def taken(self, message: Message) -> None:
        """The receiver has it."""
        if self.failures:
            _LOG.info("webhook_recovered", extra={"account": self.settings.account, "failures": self.failures})
        self._progress.put(self._name, message.cursor)
        self.failures, self._pending = 0, None

    def failed(self, why: str) -> None:
        """It has not; said once, until it works again."""
        self.failures += 1
        if self.failures == 1:
            _LOG.warning("webhook_failed", extra={"account": self.settings.account, "error": why})

    def pause(self, ids: Randomness) -> float:
        """Seconds before the next try, between half of the delay and the whole."""
        delay = DELAYS[min(self.failures, len(DELAYS)) - 1]
        return delay * (0.5 + ids.uniform() / 2)


def check(settings: Settings) -> None:
    """Read every secret, before anything starts. Raises ConfigError (WEB-006), StoreError."""
    for one in settings.web.webhook:
        read_key(one.secret_file)


async def run(gateway: Gateway, stop: asyncio.Event) -> None:
    """Tell every configured receiver what moves, until `stop` is set. Another process that does it is left alone.

    Raises ConfigError (WEB-006), StoreError: a secret cannot be used.
    """
    found = gateway.settings.web.webhook
    if not found:
        return
    path = gateway.settings.webhooks_file
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(platform.exclusive_lock(path.with_suffix(".lock")))
        except StoreError as fault:
            _LOG.info("webhooks_elsewhere", extra={"code": fault.code})
            return
        progress = Progress(path)
        receivers = [Receiver(one, gateway.store, progress) for one in found]
        async with asyncio.TaskGroup() as group:
            for receiver in receivers:
                group.create_task(_follow(gateway, receiver, stop))


async def _follow(gateway: Gateway, receiver: Receiver, stop: asyncio.Event) -> None:
    moved = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wake(_: DeliveryEvent) -> None:
        loop.call_soon_threadsafe(moved.set)

    gateway.subscribe(wake)
    async with _client(receiver.settings) as client:
        while not stop.is_set():
            told = await _tell(receiver, client, gateway.clock)
            if told is None:
                await _rest(gateway.settings.sidecar.scan_every, stop, moved)
            elif not told:
                await _rest(receiver.pause(gateway.randomness), stop)
            moved.clear()


async def _tell(receiver: Receiver, client: httpx2.AsyncClient, clock: Clock) -> bool | None:
    """One message: whether it was taken; None when there is nothing to tell."""
    import httpx2

    try:
        message = await asyncio.to_thread(receiver.next, clock.now().isoformat())
        if message is None:
            return None
        headers = receiver.headers(message, int(clock.now().timestamp()))
        status = await _posted(client, receiver.settings.url, message.body, headers)
        if 200 <= status < 300:
            await asyncio.to_thread(receiver.taken, message)
            return True
        receiver.failed(f"HTTP {status}")
    except GatewayError as fault:  # a busy database: it is asked again
        receiver.failed(fault.code)
    except (httpx2.HTTPError, OSError) as fault:  # nobody there, or a full disk: never a reason to stop delivering
        receiver.failed(type(fault).__name__)
    return False


async def _posted(client: httpx2.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> int:
    """The status. What is said beside it is of no use: little of it is read, so that the connection may stay."""
    async with client.stream("POST", url, content=body, headers=headers) as answer:
        read = 0
        async for chunk in answer.aiter_raw():
            read += len(chunk)
            if read > MAX_ANSWER:
                break
        return answer.status_code


def _client(settings: WebhookSettings) -> httpx2.AsyncClient:
    import httpx2

    context = ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # No redirection: what is signed for one place is for no other.
    return httpx2.AsyncClient(verify=context, timeout=settings.timeout, follow_redirects=False, trust_env=False)


async def _rest(seconds: float, *ends: asyncio.Event) -> None:
    waiting = [asyncio.ensure_future(one.wait()) for one in ends]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
