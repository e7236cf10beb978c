"""What stands before every page and every call of the API: which host, how many bytes, which headers.

A page on the web can make a browser on this machine ask 127.0.0.1, under a name of its own (DNS rebinding): a request
for another host than ours is refused. Headers: OWASP Secure Headers; the policy allows this origin's files and nothing
inline (CSP level 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}
"""Headers of every answer; an answer that sets one itself keeps its own."""

TLS_HEADERS = {"strict-transport-security": "max-age=31536000"}


class Guard:
    """ASGI middleware. `hosts`: names that this place answers to, empty: any. `max_bytes`: of a request's body."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str], max_bytes: int, tls: bool) -> None:
        self._app = app
        self._hosts = hosts
        self._max_bytes = max_bytes
        self._headers = HEADERS | (TLS_HEADERS if tls else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with a counted body and complete headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(headers)
        if refusal is not None:
            await refusal(scope, receive, self._complete(send))
            return
        await self._app(scope, self._counted(receive), self._complete(send))

    def _refusal(self, headers: Headers) -> PlainTextResponse | None:
        if self._hosts and host_name(headers.get("host", "")) not in self._hosts:
            return PlainTextResponse("Unknown host.", 421)
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > self._max_bytes:
            return PlainTextResponse("Request too large.", 413)
        return None

    def _counted(self, receive: Receive) -> Receive:
        """A body without a length, or longer than it says, is counted as it comes."""
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                raise HTTPException(413, "Request too large.")
            return message

        return counting

    def _complete(self, send: Send) -> Send:
        async def completing(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        return completing


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case (RFC 9110 §7.2)."""
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    return name.lower()
