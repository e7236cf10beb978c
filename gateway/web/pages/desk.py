"""The desk: who asks, in which language, for which page; every reading journalled before it is shown.

Handlers are plain functions from an Ask to a View (or a response of their own). They run in threads: the store is not
asynchronous.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse

from gateway import errors, inspection
from gateway.errors import GatewayError, InputError
from gateway.web.jobs import JobBoard
from gateway.web.pages import exports, rendering
from gateway.web.pages.view import FORMS, Ask, View
from gateway.web.pages.words import LANGUAGES, Words
from gateway.web.sessions import Sessions

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.clock import Clock
    from gateway.settings import Settings
    from gateway.web.sessions import Session
    from gateway.web.tokens import TokenFile

Handler = Callable[[Ask], View | Response]
LANGUAGE_COOKIE = "kine_language"
MAX_FORM = 100_000
"""Bytes of a filled-in form; a pasted checkpoint has some hundred."""
STATUSES: tuple[tuple[type[GatewayError], int], ...] = (
    (errors.NotFoundError, 404),
    (errors.StateError, 409),
    (errors.ConflictError, 409),
    (errors.InputError, 422),
    (errors.StoreError, 503),
    (errors.UnavailableError, 503),
)


class Desk:
    """What every page of one application shares."""

    def __init__(self, gateway: Gateway, settings: Settings, tokens: TokenFile, clock: Clock) -> None:
        self.gateway = gateway
        self.settings = settings
        self.clock = clock
        self.sessions = Sessions(tokens, clock)
        self.jobs = JobBoard(clock)
        web = settings.web
        self.secure = web.cert_file is not None or (web.base_url or "").startswith("https:")
        # The prefix makes a browser refuse the cookie from anywhere but this very host (RFC 6265bis §4.1.3).
        self.cookie = "__Host-kine_session" if self.secure else "kine_session"

    def warm(self) -> None:
        """Read tables and compile templates now: the first reader need not wait for them."""
        rendering.warm()
        with suppress(GatewayError):  # whoever opens the page is told
            inspection.inspect_settings(self.settings)

    def close(self) -> None:
        """Stop the jobs."""
        self.jobs.close()

    async def missing(self, request: Request, fault: Exception) -> Response:
        """The page for an address that does not exist, or not for this method."""
        status = fault.status_code if isinstance(fault, HTTPException) else 404
        session = await run_in_threadpool(self.session, request)
        words = language_of(request)
        return rendering.fault(request, words, session, words("fault.missing"), status=status)

    def session(self, request: Request) -> Session | None:
        """Who asks."""
        return self.sessions.find(request.cookies.get(self.cookie))

    def endpoint(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """A handler as Starlette calls it."""

        async def answer(request: Request) -> Response:
            began = time.perf_counter()
            form = await read_form(request) if request.method == "POST" else {}
            response = await run_in_threadpool(self._answer, handler, request, form)
            response.headers["server-timing"] = f"app;dur={1000 * (time.perf_counter() - began):.1f}"
            return response

        return answer

    def _answer(self, handler: Handler, request: Request, form: Mapping[str, str]) -> Response:
        words, session = language_of(request), None
        try:
            session = self.session(request)
            if session is None:
                return to_login(request)
            if request.method == "POST" and not (
                same_origin(request, self.settings.web.base_url)
                and hmac.compare_digest(form.get("csrf", "").encode(), session.csrf.encode())
            ):
                return rendering.fault(request, words, session, words("fault.foreign"), status=403)
            ask = self._ask(request, session, words, form)
            return self._respond(request, ask, handler(ask))
        except GatewayError as fault:
            status = next((status for kind, status in STATUSES if isinstance(fault, kind)), 500)
            return rendering.fault(request, words, session, message_of(fault), fault.code, advice_of(fault), status)

    def _ask(self, request: Request, session: Session, words: Words, form: Mapping[str, str]) -> Ask:
        path = {name: str(value) for name, value in request.path_params.items()}
        wanted = path.pop("form", "html")
        if wanted not in {"html", *FORMS}:
            raise errors.NotFoundError("WEB-404", words("fault.missing"))
        return Ask(
            self.gateway,
            self.settings,
            self.clock,
            self.jobs,
            session,
            words,
            request.query_params,
            path,
            form,
            request.method == "POST",
            wanted,
        )

    def _respond(self, request: Request, ask: Ask, view: View | Response) -> Response:
        if isinstance(view, Response):
            return view
        if view.consulted is not None:  # before anything is shown: what cannot be journalled is not read
            self.gateway.browse.note(view.consulted)
        if ask.wanted == "html":
            return HTMLResponse(rendering.page(request, ask.words, ask.session, view), view.status)
        if view.sheet is None:
            raise errors.NotFoundError("WEB-404", ask.words("fault.missing"))
        return download(ask, view)


def download(ask: Ask, view: View) -> Response:
    """A page as a file, sent while it is read."""
    assert view.sheet is not None
    sheet = view.sheet()
    kind = "text/csv; charset=utf-8" if ask.wanted == "csv" else "application/json"
    lines = exports.as_csv(sheet) if ask.wanted == "csv" else exports.as_json(sheet, ask.clock.now())
    name = f"{sheet.name}-{ask.clock.now():%Y%m%dT%H%M%SZ}.{ask.wanted}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines, media_type=kind, headers=headers)


def message_of(fault: GatewayError) -> str:
    """What went wrong, with every finding of a refused form."""
    if isinstance(fault, InputError) and fault.findings:
        return " ".join(finding.message for finding in fault.findings)
    return fault.message


def advice_of(fault: GatewayError) -> str:
    """What to do about it."""
    if isinstance(fault, InputError):
        return " ".join(finding.advice for finding in fault.findings)
    return fault.advice


def language_of(request: Request) -> Words:
    """The language that the reader chose; French else."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "fr")
    return Words(chosen if chosen in LANGUAGES else "fr")


def same_origin(request: Request, base_url: str | None) -> bool:
    """Whether a form was sent by a page of this site (Fetch Metadata, RFC 6454 Origin)."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("origin")
    hosts = {request.headers.get("host"), urlsplit(base_url or "").netloc}
    return origin is None or urlsplit(origin).netloc in hosts


async def read_form(request: Request) -> dict[str, str]:
    """What was filled in (application/x-www-form-urlencoded). Raises HTTPException 413: too long."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM:
            raise HTTPException(413)
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100))


def to_login(request: Request) -> Response:
    """Send the browser to the log-in page and back afterwards; htmx is told to go there with the whole page."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = "/login" if here == "/" or request.method == "POST" else f"/login?next={quote(here, safe='')}"
    if request.headers.get("hx-request") == "true":
        return PlainTextResponse("", headers={"hx-redirect": "/login"})
    return RedirectResponse(target, 303)
