"""Around every call of the API: one log line without identity, a bounded body, no stack trace for anybody."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from gateway.web.api import problems
from gateway.web.api.limits import SMALL, announced, bounded, too_large

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.clock import Clock

_LOG = logging.getLogger("gateway.web")
CARRYING = frozenset(
    (
        "/documents",
        "/check",
        "/render",
        "/receipts",
        "/journal/find",
        "/obligations/reconcile",
        "/dmp/test",
        "/dmp/search",
        "/dmp/sets",
        "/dmp/retrieve",
    )
)
"""Operations whose body holds a document; the others take orders of a few lines."""


class Watch:
    """ASGI middleware of the API. `max_bytes` bounds a document."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, clock: Clock) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and note how it went: method, route, status, token; never an address as it was typed."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        started, status = self._clock.elapsed(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._serve(scope, receive, noting)
        except Exception as fault:
            _LOG.error("request_crashed", extra={"error": type(fault).__name__, **_where(fault)})
            if status:
                raise
            await problems.crashed()(scope, receive, noting)
        finally:
            self._note(scope, status, self._clock.elapsed() - started)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._max_bytes if _path(scope) in CARRYING else min(SMALL, self._max_bytes)
        if announced(scope["headers"]) > limit:
            refused = too_large(limit)
            answer = problems.problem(refused.status_code, refused.code, refused.message, refused.advice)
            await answer(scope, receive, send)
            return
        await self._app(scope, bounded(receive, limit), send)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        fields: dict[str, Any] = {
            "method": scope["method"],
            "route": getattr(scope.get("route"), "path", "-"),
            "status": status,
            "token": scope["state"].get("token", "-"),
            "seconds": round(seconds, 3),
        }
        _LOG.info("request", extra=fields)


def _path(scope: Scope) -> str:
    """The path below the place where the API is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _where(fault: Exception) -> dict[str, Any]:
    """The line of ours that failed, without a word of what it held."""
    trace = fault.__traceback__
    place = ""
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if name.startswith("gateway."):
            place = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return {"place": place}
