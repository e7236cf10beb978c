"""Templates: every text escaped by default, an unknown name is an error, nothing inline (the policy forbids it)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse

from gateway.web.pages.view import View
from gateway.web.pages.words import utc

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request

    from gateway.web.pages.words import Words
    from gateway.web.sessions import Session

_TEMPLATES = Path(__file__).parent / "templates"
MENU = (
    ("overview", "/"),
    ("deliveries", "/deliveries"),
    ("journal", "/journal"),
    ("obligations", "/obligations"),
    ("indicators", "/indicators"),
    ("configuration", "/configuration"),
)


@cache
def environment() -> Environment:
    """The templates, compiled once."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["utc"] = utc
    return made


def warm() -> None:
    """Compile every template."""
    for name in environment().list_templates():
        environment().get_template(name)


def page(request: Request, words: Words, session: Session | None, view: View) -> str:
    """A whole page as HTML."""
    values: dict[str, Any] = {
        "t": words,
        "session": session,
        "csrf": session.csrf if session else "",
        "menu": MENU,
        "here": request.url.path,
        "query": request.url.query,
        "again": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "exported": _export_base(request.url.path) if view.sheet is not None else None,
    }
    return environment().get_template(view.template).render(values | dict(view.values))


def _export_base(path: str) -> str:
    """The address that `.csv` and `.json` are added to."""
    return "/overview" if path == "/" else path


def fault(
    request: Request,
    words: Words,
    session: Session | None,
    message: str,
    code: str = "",
    advice: str = "",
    status: int = 500,
) -> HTMLResponse:
    """A page that says what is not possible, and what to do."""
    view = View("fault.html", {"message": message, "code": code, "advice": advice})
    return HTMLResponse(page(request, words, session, view), status)
