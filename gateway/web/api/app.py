"""The API as one ASGI application, mounted at `/v1`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.middleware import Middleware
from starlette.routing import Mount

from gateway.web.api import contract, deliveries, dmp, documents, identity, journal, practice, problems, service
from gateway.web.api.access import Desk
from gateway.web.api.limits import RateLimit
from gateway.web.api.replay import Replays
from gateway.web.api.watch import Watch
from gateway.web.tokens import TokenFile

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from gateway.api import Gateway


def create_api(gateway: Gateway) -> FastAPI:
    """The API over an open gateway, which stays the caller's to close. Raises ConfigError on a preview gateway."""
    settings = gateway.settings
    api = _routed([Middleware(Watch, max_bytes=settings.web.max_bytes, clock=gateway.clock)])
    rate = RateLimit(settings.web.requests_per_minute, gateway.clock)
    api.state.desk = Desk(gateway, TokenFile(settings.tokens_file), rate, Replays())
    problems.register(api)
    api.add_api_route("/openapi.json", lambda: JSONResponse(contract.openapi(api)), include_in_schema=False)
    return api


def mount(gateway: Gateway) -> Mount:
    """The API where it belongs in an application: everything below `/v1`, whatever stands there."""
    made = Mount(contract.PREFIX, create_api(gateway), name="api")
    # Starlette's own pattern does not match an address with an encoded line feed, which would be answered as a page.
    made.path_regex = re.compile(made.path_regex.pattern, re.DOTALL)
    return made


def described() -> dict[str, Any]:
    """The contract, as docs/openapi.json holds it and `/v1/openapi.json` serves it."""
    return contract.openapi(_routed([]))


def _routed(middleware: list[Middleware]) -> FastAPI:
    api = FastAPI(
        title="kine-gateway",
        middleware=middleware,
        # The viewers of FastAPI come from a CDN: nothing here does.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_name,
    )
    for part in (service, documents, deliveries, journal, practice, identity, dmp):
        api.include_router(part.router)
    return api


def _name(route: APIRoute) -> str:
    """Operation ids are the functions' names: generated clients call them that."""
    return route.name
