"""HTTPS server of the sandbox's INSi: a mandatory client certificate, one path, plain POSTs."""

from __future__ import annotations

import logging
import ssl
from http.server import BaseHTTPRequestHandler
from typing import Any

from cryptography import x509

from gateway.sandbox.faults import AT_GREETING, Channel, DropConnectionError, Faults
from gateway.sandbox.insi.service import Answer, InsiService
from gateway.sandbox.pki import Pki
from gateway.sandbox.tls_server import TlsServer

MAX_BODY = 64 * 1024
_IDLE_SECONDS = 30.0
_log = logging.getLogger(__name__)


def _context(pki: Pki) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pki.server.cert_path, pki.server.key_path)
    context.load_verify_locations(pki.ca_path)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "insi-sandbox"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    server: InsiServer

    def do_POST(self) -> None:
        """Answer one question."""
        body = self._body()
        if body is None:
            self._send(Answer(400, "text/plain; charset=UTF-8", b""))
        elif self.server.faults.take(Channel.INSI, AT_GREETING) is not None:
            self._send(Answer(503, "text/plain; charset=UTF-8", b"service occupe\n"))
        else:
            self._ask(body)

    def _ask(self, body: bytes) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        der = self.connection.getpeercert(binary_form=True)
        assert der is not None  # CERT_REQUIRED
        try:
            peer = x509.load_der_x509_certificate(der)
            self._send(self.server.service.answer(self.path, self.headers.get("Content-Type", ""), body, peer))
        except DropConnectionError:
            self.close_connection = True
            self.server.abort(self.connection)
        except Exception:  # noqa: BLE001 a defect of the sandbox must not kill its server
            _log.exception("sandbox.insi.failed")
            self._send(Answer(500, "text/plain; charset=UTF-8", b"erreur interne du bac a sable\n"))

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            return None
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else None

    def _send(self, answer: Answer) -> None:
        if answer.status >= 400:
            self.close_connection = True
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")  # else the client sends its next question into a closing one
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the parameter's inherited name
        """To the log, without the standard error of http.server."""
        _log.debug("sandbox.insi.http %s", format % args)


class InsiServer(TlsServer):
    """The service's one address."""

    def __init__(self, host: str, port: int, service: InsiService, faults: Faults, pki: Pki) -> None:
        self.service = service
        super().__init__((host, port), _Handler, Channel.INSI, _context(pki), faults)
