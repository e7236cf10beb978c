"""`kine-gateway serve`: the pages, the API, the deliveries and the webhooks in one process, until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from gateway.errors import ConfigError, GatewayError, StoreError

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

    from gateway.api import Gateway
    from gateway.settings import WebSettings

_LOG = logging.getLogger("gateway.web")
AGAIN = 10.0
"""Seconds between two looks at whether the program that delivers now has stopped."""


def listen(web: WebSettings) -> socket.socket:
    """A socket on the address of the settings. Raises ConfigError (WEB-007): it is taken, or not ours."""
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    try:
        return socket.create_server((web.host, web.port), family=family, backlog=128)
    except OSError as fault:
        advice = "Choisir un autre port : --listen 127.0.0.1:PORT, ou [web] listen."
        raise ConfigError("WEB-007", f"Impossible d'écouter sur {web.listen} ({fault.strerror}).", advice) from fault


def server(app: ASGIApp, web: WebSettings) -> uvicorn.Server:
    """A server without signal handlers and log of its own, that believes nothing of proxies; TLS as configured.

    Raises ConfigError (WEB-008): the certificate or its key cannot be used.
    """
    import uvicorn

    class Quiet(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Signals are ours: they stop the deliveries too."""
            yield

    config = uvicorn.Config(
        app,
        ssl_certfile=None if web.cert_file is None else str(web.cert_file),
        ssl_keyfile=None if web.key_file is None else str(web.key_file),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=30,
        limit_concurrency=200,
    )
    try:
        config.load()
    except OSError as fault:  # ssl.SSLError is one
        message = f"Certificat ou clé inutilisable : {web.cert_file}, {web.key_file}."
        raise ConfigError("WEB-008", message, "Donner un certificat et sa clé en PEM, sans mot de passe.") from fault
    return Quiet(config)


async def run(
    gateway: Gateway, app: ASGIApp, stop: asyncio.Event, *, deliver: bool, started: Callable[[int], None]
) -> None:
    """Serve until `stop` is set, then finish what is under way. `started` is told the port.

    With `deliver` what is accepted is sent here too, unless another program (`kine-gateway run`) does it already.
    Raises ConfigError (WEB-006 to WEB-008), StoreError.
    """
    from gateway.web import webhooks

    webhooks.check(gateway.settings)
    one = server(app, gateway.settings.web)
    work = [webhooks.run(gateway, stop), *([_deliver(gateway, stop)] if deliver else [])]
    with listen(gateway.settings.web) as door:
        try:
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(one.serve([door]))
                for part in work:
                    group.create_task(part)
                started(door.getsockname()[1])
                await _first(stop, serving)
                stop.set()
                one.should_exit = True
        except ExceptionGroup as faults:
            ours = next((fault for fault in faults.exceptions if isinstance(fault, GatewayError)), None)
            if ours is None:
                raise
            raise ours from None


async def _first(stop: asyncio.Event, serving: asyncio.Task[None]) -> None:
    """Until we are told to stop, or the server stops by itself."""
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def _deliver(gateway: Gateway, stop: asyncio.Event) -> None:
    told = False
    while not stop.is_set():
        try:
            await gateway.arun(stop)
        except StoreError as fault:
            if fault.code != "LCK-001":
                raise
            if not told:
                _LOG.info("delivered_elsewhere", extra={"code": fault.code})
                told = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), AGAIN)
