"""Logging in and out, and the choice of language: what needs no session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.errors import GatewayError
from gateway.store.browsing_types import Consulted
from gateway.web.pages import rendering
from gateway.web.pages.desk import LANGUAGE_COOKIE, advice_of, language_of, message_of, read_form, same_origin
from gateway.web.pages.view import View
from gateway.web.pages.words import LANGUAGES

if TYPE_CHECKING:
    from gateway.web.pages.desk import Desk

YEAR = 365 * 86400


def local(path: str) -> str:
    """An address of this site to go back to; the first page for anything else (open redirects: CWE-601)."""
    fine = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if fine else "/"


async def form(desk: Desk, request: Request) -> Response:
    """The log-in form."""
    if await run_in_threadpool(desk.session, request) is not None:
        return RedirectResponse(local(request.query_params.get("next", "/")), 303)
    return _form(request, request.query_params.get("next", "/"))


def _form(request: Request, back: str, *, wrong: bool = False) -> Response:
    view = View("login.html", {"next": local(back), "wrong": wrong})
    return HTMLResponse(rendering.page(request, language_of(request), None, view), 401 if wrong else 200)


async def enter(desk: Desk, request: Request) -> Response:
    """Log in with a token."""
    filled = await read_form(request)
    words = language_of(request)
    if not same_origin(request, desk.settings.web.base_url):
        return rendering.fault(request, words, None, words("fault.foreign"), status=403)
    try:
        return await run_in_threadpool(_enter, desk, request, filled)
    except GatewayError as fault:
        return rendering.fault(request, words, None, message_of(fault), fault.code, advice_of(fault), 503)


def _enter(desk: Desk, request: Request, filled: dict[str, str]) -> Response:
    begun = desk.sessions.begin(filled.get("token", ""))
    if begun is None:
        return _form(request, filled.get("next", "/"), wrong=True)
    name, session = begun
    token = session.token
    desk.gateway.browse.note(Consulted("logged_in", by=token.name, kind=token.role.value, account=token.account))
    answer = RedirectResponse(local(filled.get("next", "/")), 303)
    answer.set_cookie(desk.cookie, name, httponly=True, samesite="strict", secure=desk.secure, path="/")
    return answer


async def leave(desk: Desk, request: Request) -> Response:
    """Log out. A forged form of another site carries no cookie (SameSite=Strict) and ends nothing."""
    await read_form(request)
    if same_origin(request, desk.settings.web.base_url):
        desk.sessions.end(request.cookies.get(desk.cookie, ""))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(desk.cookie, httponly=True, samesite="strict", secure=desk.secure, path="/")
    return answer


async def language(desk: Desk, request: Request) -> Response:
    """Choose the language."""
    answer = RedirectResponse(local(request.query_params.get("next", "/")), 303)
    wanted = request.path_params["language"]
    if wanted in LANGUAGES:
        answer.set_cookie(
            LANGUAGE_COOKIE, wanted, max_age=YEAR, httponly=True, samesite="strict", secure=desk.secure, path="/"
        )
    return answer


ROUTES: tuple[tuple[str, list[str], Callable[[Desk, Request], Awaitable[Response]]], ...] = (
    ("/login", ["GET"], form),
    ("/login", ["POST"], enter),
    ("/logout", ["POST"], leave),
    ("/language/{language}", ["GET"], language),
)
