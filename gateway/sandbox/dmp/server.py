"""HTTPS server of the DMP: TLS 1.2 with a mandatory client certificate, keep-alive, chunked requests.

The suites are those of PDT-INF-579v4 (spec dmp §1.1), so a client that cannot speak them fails here as it
would there.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
from http.server import BaseHTTPRequestHandler
from typing import Any

from cryptography import x509

from gateway.sandbox.dmp.fhir.service import ROOT as FHIR_ROOT
from gateway.sandbox.dmp.fhir.service import FhirService
from gateway.sandbox.dmp.service import DmpService, HttpAnswer, HttpRequest
from gateway.sandbox.faults import AT_GREETING, Channel, DropConnectionError, Faults
from gateway.sandbox.pki import Pki
from gateway.sandbox.tls_server import TlsServer

MAX_BODY = 64 * 1024 * 1024
_IDLE_SECONDS = 60.0
_SUITES = "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-SHA384"
_log = logging.getLogger(__name__)


def server_context(pki: Pki) -> ssl.SSLContext:
    """TLS 1.2 only, the DMP's suites, a client certificate chained to the sandbox CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES)
    context.load_cert_chain(pki.server.cert_path, pki.server.key_path)
    context.load_verify_locations(pki.ca_path)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class _BadRequestError(Exception):
    """The request cannot be read; `status` is the HTTP answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "si-dmp-sandbox"
    timeout = _IDLE_SECONDS
    # Nagle and small writes would add 40 ms to each answer.
    disable_nagle_algorithm = True
    server: DmpServer

    def do_GET(self) -> None:
        """Only the FHIR door is asked so."""
        self._answer()

    def do_PATCH(self) -> None:
        """See do_GET."""
        self._answer()

    def do_PUT(self) -> None:
        """See do_GET."""
        self._answer()

    def do_DELETE(self) -> None:
        """See do_GET."""
        self._answer()

    def do_POST(self) -> None:
        """Answer one SOAP request, or one of the FHIR door."""
        self._answer()

    def _answer(self) -> None:
        if self.server.faults.take(Channel.DMP, AT_GREETING) is not None:
            with contextlib.suppress(_BadRequestError):
                self._body()  # unread bytes would reset the connection before the client reads the answer
            self._send(HttpAnswer(503, "text/plain; charset=UTF-8", b"service occupe\n", 1))
            return
        try:
            request = self._request()
            if request.path.startswith((f"{FHIR_ROOT}/", f"{FHIR_ROOT}?")) or request.path == FHIR_ROOT:
                self._send(self.server.fhir.answer(self.command, request))
            elif self.command == "POST":
                self._send(self.server.service.answer(request))
            else:
                self._send(HttpAnswer(405, "text/plain; charset=UTF-8", b"POST attendu\n"))
        except _BadRequestError as fault:
            self._send(HttpAnswer(fault.status, "text/plain; charset=UTF-8", b""))
        except DropConnectionError:
            self.close_connection = True
            self.server.abort(self.connection)
        except Exception:  # noqa: BLE001 a defect of the sandbox must not kill its server
            _log.exception("sandbox.dmp.failed")
            self._send(HttpAnswer(500, "text/plain; charset=UTF-8", b"erreur interne du bac a sable\n"))

    def _request(self) -> HttpRequest:
        connection = self.connection
        assert isinstance(connection, ssl.SSLSocket)
        der = connection.getpeercert(binary_form=True)
        assert der is not None  # CERT_REQUIRED
        content_type = self.headers.get("Content-Type", "")
        headers = tuple((name, str(value)) for name, value in self.headers.items())
        return HttpRequest(self.path, content_type, self._body(), x509.load_der_x509_certificate(der), headers)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        length = self.headers.get("Content-Length", "0" if self.command in {"GET", "DELETE"} else "")
        if not length.isdigit():
            raise _BadRequestError(411)
        if int(length) > MAX_BODY:
            raise _BadRequestError(413)
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise _BadRequestError(400)
        return body

    def _chunks(self) -> bytes:
        """A chunked body (RFC 9112 §7.1); trailers are read and ignored."""
        body = bytearray()
        while size := self._chunk_size():
            body += self.rfile.read(size)
            self.rfile.readline(8)
            if len(body) > MAX_BODY:
                raise _BadRequestError(413)
        while self.rfile.readline(8192).strip():
            pass
        return bytes(body)

    def _chunk_size(self) -> int:
        try:
            return int(self.rfile.readline(64).split(b";")[0], 16)
        except ValueError as fault:
            raise _BadRequestError(400) from fault

    def _send(self, answer: HttpAnswer) -> None:
        if answer.status >= 400:
            # The body may not have been read: the connection cannot carry another request.
            self.close_connection = True
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.retry_after:
            self.send_header("Retry-After", str(answer.retry_after))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the parameter's inherited name
        """To the log, without the standard error of http.server."""
        _log.debug("sandbox.dmp.http %s", format % args)


class DmpServer(TlsServer):
    """The DMP's services, by SOAP and by the FHIR door."""

    def __init__(self, host: str, port: int, service: DmpService, fhir: FhirService, faults: Faults, pki: Pki) -> None:
        self.service = service
        self.fhir = fhir
        super().__init__((host, port), _Handler, Channel.DMP, server_context(pki), faults)
