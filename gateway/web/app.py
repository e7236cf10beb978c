"""The web application: the audit pages, and the HTTP API under /v1; and the program that serves it.

One place decides what is true of both: which hosts are answered, how large a request may be, which headers go with
every answer (`gateway.web.guard`).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from gateway.web.guard import Guard
from gateway.web.tokens import TokenFile

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.clock import Clock
    from gateway.settings import Settings, WebSettings

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_STATIC = Path(__file__).parent / "static"


def create_app(gateway: Gateway, settings: Settings, *, clock: Clock) -> Starlette:
    """The application over an open gateway, which stays the caller's to close.

    `clock` tells when tokens and sessions end. Long work opens gateways of its own on the same settings.
    """
    from gateway.web.api import app as api
    from gateway.web.pages.desk import Desk
    from gateway.web.pages.routes import routes as page_routes

    pages = Desk(gateway, settings, TokenFile(settings.tokens_file), clock)
    routes: list[BaseRoute] = [Mount("/static", StaticFiles(directory=_STATIC), name="static")]
    routes.append(api.mount(gateway))
    routes += page_routes(pages)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(pages.warm)
        yield
        pages.close()

    web = settings.web
    guard = Middleware(Guard, hosts=hosts(web), max_bytes=web.max_bytes, tls=web.cert_file is not None)
    handlers = {404: pages.missing, 405: pages.missing}
    return Starlette(routes=routes, middleware=[guard], lifespan=lifespan, exception_handlers=handlers)


def hosts(web: WebSettings) -> frozenset[str]:
    """Names that this place answers to. With a certificate and no `base_url`: any, since TLS checks the name."""
    outside = urlsplit(web.base_url).hostname if web.base_url else None
    if outside is None and web.cert_file is not None:
        return frozenset()
    return LOOPBACK | {web.host.lower()} | ({outside} if outside else set())


def serve(gateway: Gateway, settings: Settings, *, clock: Clock) -> None:
    """Serve until interrupted (Ctrl-C, SIGTERM), where [web] says; `settings.web` refuses other addresses without TLS.

    The access log of the server stays off: an address may hold a reference, and the journal tells who read what.
    """
    import uvicorn

    web = settings.web
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    uvicorn.run(
        create_app(gateway, settings, clock=clock),
        host=web.host,
        port=web.port,
        ssl_certfile=web.cert_file,
        ssl_keyfile=web.key_file,
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=True,
        proxy_headers=False,
    )
