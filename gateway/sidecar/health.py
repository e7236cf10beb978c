"""/healthz, /readyz and /metrics on loopback, for a supervisor and for Prometheus. Off unless configured."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from gateway.errors import ConfigError, GatewayError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.api import Gateway
    from gateway.sidecar.metrics import Metrics

_TIMEOUT = 5.0
_MAX_REQUEST = 8192
_JSON, _TEXT = "application/json", "text/plain; version=0.0.4; charset=utf-8"


class Health:
    """Answers GET requests; knows nothing of a document."""

    def __init__(self, gateway: Gateway, metrics: Metrics) -> None:
        self._gateway = gateway
        self._metrics = metrics

    def ready(self) -> dict[str, Any]:
        """Whether the gateway can take documents over and deliver them, and which channels are paused."""
        try:
            self._gateway.store.counts()
            paused = [f"{one.account}/{one.channel}" for one in self._gateway.pauses()]
        except GatewayError as fault:
            return {"ready": False, "reason": fault.code}
        if not self._gateway.working:
            return {"ready": False, "reason": "worker"}
        return {"ready": True, "paused": paused}

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, media type and body for a path."""
        if path == "/healthz":
            return 200, _JSON, b'{"alive": true}\n'
        if path == "/readyz":
            state = self.ready()
            return (200 if state["ready"] else 503), _JSON, json.dumps(state).encode() + b"\n"
        if path == "/metrics":
            return 200, _TEXT, self._metrics.text()
        return 404, _JSON, b'{"error": "not found"}\n'


@contextlib.asynccontextmanager
async def serving(gateway: Gateway) -> AsyncIterator[int | None]:
    """Serve while the block runs, where `[health]` is configured; the port, None without.

    Raises ConfigError (CFG-016): the address is taken.
    """
    settings = gateway.settings.health
    if settings is None:
        yield None
        return
    from gateway.sidecar.metrics import Metrics

    health = Health(gateway, Metrics(gateway))
    try:
        server = await asyncio.start_server(lambda r, w: _serve(health, r, w), settings.host, settings.port)
    except OSError as fault:
        raise ConfigError("CFG-016", f"{settings.listen} n'est pas libre.", "Changer health.listen.") from fault
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def _serve(health: Health, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _TIMEOUT)
        words = head[:_MAX_REQUEST].split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or words[0] not in {"GET", "HEAD"}:
            status, kind, body = 405, _JSON, b'{"error": "GET only"}\n'
        else:
            status, kind, body = await asyncio.to_thread(health.answer, words[1].partition("?")[0])
        lines = (f"HTTP/1.1 {status} -", f"Content-Type: {kind}", f"Content-Length: {len(body)}")
        writer.write("\r\n".join((*lines, "Connection: close", "\r\n")).encode())
        writer.write(b"" if words[0] == "HEAD" else body)
        await asyncio.wait_for(writer.drain(), _TIMEOUT)
    writer.close()
