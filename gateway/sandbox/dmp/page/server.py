"""The server of the page: plain HTTP, on the loopback only, GET and HEAD only.

A page of another site cannot read it through a name that points here (DNS rebinding): the Host header must
be the loopback's.
"""

from __future__ import annotations

import logging
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from gateway.sandbox.dmp.page import traffic, views
from gateway.sandbox.dmp.page.html import HOME, h, page, style
from gateway.sandbox.dmp.store import DmpStore

LOOPBACK = "127.0.0.1"
_HOSTS = {"localhost", LOOPBACK}
_HTML = "text/html; charset=utf-8"
_PDF = "application/pdf"
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A browser's own PDF viewer brings its style and its parts: only framing is forbidden there.
_PDF_POLICY = "frame-ancestors 'none'"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, media type, body; `location` for a redirection."""

    status: int
    content_type: str
    body: bytes
    location: str = ""


def answer(store: DmpStore, target: str) -> Reply:
    """The page of a request target."""
    path = urlsplit(target).path
    if path in {"/", HOME.rstrip("/")}:
        return Reply(302, _HTML, b"", HOME)
    if path == f"{HOME}style.css":
        return Reply(200, "text/css; charset=utf-8", style())
    steps = [unquote(step) for step in path.removeprefix(HOME).split("/")]
    found = _PAGES.get(_shape(steps)) if path.startswith(HOME) else None
    body = found[1](store, steps) if found is not None else None
    return Reply(200, found[0], body) if found is not None and body is not None else _missing()


def _shape(steps: list[str]) -> tuple[str, ...]:
    """The fixed steps of a path, `*` for those that name something."""
    fixed = {0, 2} if steps[0] == "document" else {0}
    return tuple(step if place in fixed else "*" for place, step in enumerate(steps))


def _number(step: str) -> int:
    """The number of an exchange, 0 (which no exchange has) for anything else."""
    return int(step) if step.isascii() and step.isdigit() and len(step) < 18 else 0


_View = Callable[[DmpStore, list[str]], bytes | None]
_PAGES: dict[tuple[str, ...], tuple[str, _View]] = {
    ("",): (_HTML, lambda store, _: views.patients(store)),
    ("patient", "*", "*"): (_HTML, lambda store, steps: views.patient(store, steps[1], steps[2])),
    ("document", "*"): (_HTML, lambda store, steps: views.document(store, steps[1])),
    ("document", "*", "contenu"): (_HTML, lambda store, steps: views.content(store, steps[1])),
    ("document", "*", "xml"): (_HTML, lambda store, steps: views.source(store, steps[1])),
    ("document", "*", "pdf"): (_PDF, lambda store, steps: views.pdf(store, steps[1])),
    ("lot", "*"): (_HTML, lambda store, steps: views.submission(store, steps[1])),
    ("echanges",): (_HTML, lambda store, _: traffic.exchanges(store)),
    ("echanges", "*"): (_HTML, lambda store, steps: traffic.exchanges(store, steps[1])),
    ("echange", "*"): (_HTML, lambda store, steps: traffic.exchange(store, _number(steps[1]))),
}


def _missing() -> Reply:
    return Reply(404, _HTML, page("Page introuvable", h("p", "Rien à cette adresse.")))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "si-dmp-sandbox"
    timeout = 60.0
    server: PageServer

    def do_GET(self) -> None:
        """Show a page."""
        self._send(self._reply())

    def do_HEAD(self) -> None:
        """The same without its body."""
        self._send(self._reply())

    def _reply(self) -> Reply:
        name = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        if name not in _HOSTS:
            return Reply(403, "text/plain; charset=utf-8", b"adresse refusee : ouvrir http://localhost\n")
        try:
            return answer(self.server.store, self.path)
        except Exception:  # noqa: BLE001 a defect of a page must not kill its server
            _log.exception("sandbox.page.failed")
            return Reply(500, _HTML, page("Erreur", h("p", "Cette page n'a pas pu être faite.")))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        policy = _PDF_POLICY if reply.content_type == _PDF else _POLICY
        for name, value in (
            ("Content-Type", reply.content_type),
            ("Content-Length", str(len(reply.body))),
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
            ("Location", reply.location),
        ):
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the parameter's inherited name
        """Nothing: paths name patients and documents."""


class PageServer(ThreadingHTTPServer):
    """Serves the pages of one store until it is stopped."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, store: DmpStore) -> None:
        self.store = store
        self._thread: threading.Thread | None = None
        super().__init__((LOOPBACK, port), _Handler)

    def server_bind(self) -> None:
        """Bind without the reverse name look-up of HTTPServer, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        return f"http://localhost:{self.server_address[1]}{HOME}"

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="sandbox-page", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting; what is being answered ends by itself."""
        self.shutdown()
        self.server_close()
        if self._thread is not None:
            self._thread.join(5)
