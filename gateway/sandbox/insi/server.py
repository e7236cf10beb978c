"""HTTPS server of the sandbox's INSi: a mandatory client certificate, one path, plain POSTs."""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography import x509

from gateway.sandbox.faults import AT_CONNECTION, AT_GREETING, Channel, Faults
from gateway.sandbox.insi.service import Answer, DropConnectionError, InsiService
from gateway.sandbox.pki import Pki

MAX_BODY = 64 * 1024
_HANDSHAKE_SECONDS = 10.0
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


class InsiServer(ThreadingHTTPServer):
    """Accepts connections; the TLS handshake of each runs in its own thread."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, service: InsiService, faults: Faults, pki: Pki) -> None:
        self.service = service
        self.faults = faults
        self._tls = _context(pki)
        self._open: set[socket.socket] = set()
        self._thread: threading.Thread | None = None
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without the reverse name look-up of HTTPServer, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="sandbox-insi", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting and drop the open connections."""
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            self.abort(connection)
        if self._thread is not None:
            self._thread.join(5)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Handshake, then the requests of one connection."""
        if self.faults.take(Channel.INSI, AT_CONNECTION) is not None:
            self.abort(request)
            return
        request.settimeout(_HANDSHAKE_SECONDS)
        try:
            secured = self._tls.wrap_socket(request, server_side=True)
        except OSError as fault:  # ssl.SSLError is one
            _log.info("sandbox.insi.tls_refused reason=%s", getattr(fault, "reason", type(fault).__name__))
            self.shutdown_request(request)
            return
        self._open.add(secured)
        try:
            super().process_request_thread(secured, client_address)
        finally:
            self._open.discard(secured)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 inherited
        """A client that goes away is not worth a traceback on standard error."""
        _log.debug("sandbox.insi.connection_lost", exc_info=True)

    @staticmethod
    def abort(connection: socket.socket) -> None:
        """Close without a word: no TLS close_notify, no HTTP answer."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            connection.close()
