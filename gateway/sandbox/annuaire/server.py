"""HTTPS server of the directory: no client certificate, the paths of the two public services on one port."""

from __future__ import annotations

import logging
import ssl
import time
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gateway.sandbox.annuaire.fhir import outcome
from gateway.sandbox.annuaire.service import KEY, AnnuaireService, Answer, Params, json_answer
from gateway.sandbox.faults import AT_CONNECTION, Channel, Fault, FaultKind, Faults
from gateway.sandbox.pki import Pki
from gateway.sandbox.tls_server import TlsServer

__all__ = ["API", "EXTRACTION", "KEY", "AnnuaireServer"]

API = "/fhir/v2"
EXTRACTION = "/annuaire-sante-webservices/V300/services/extraction/Extraction_Correspondance_MSSante"
_LATER = frozenset(FaultKind) - AT_CONNECTION
_log = logging.getLogger(__name__)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "annuaire-sandbox"
    timeout = 60.0
    disable_nagle_algorithm = True
    server: AnnuaireServer

    def do_GET(self) -> None:
        """Answer one search, one page or the daily file."""
        parts = urlsplit(self.path)
        self._answer(parts.path, parse_qsl(parts.query, keep_blank_values=True))

    def do_POST(self) -> None:
        """`[kind]/_search` with the parameters of a form."""
        length = self.headers.get("Content-Length", "")
        body = self.rfile.read(min(int(length), 65_536)) if length.isdigit() else b""
        self._answer(urlsplit(self.path).path, parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))

    def _answer(self, path: str, params: Params) -> None:
        fault = self.server.faults.take(Channel.ANNUAIRE, _LATER)
        if fault is None or fault.kind is FaultKind.DELAY:
            answer = self._right(path, params)  # counted when it came, however late it is answered
            time.sleep(fault.seconds if fault is not None else 0.0)
            self._send(answer)
        elif fault.kind in {FaultKind.DROP_AFTER_DATA, FaultKind.DROP_BEFORE_STORE}:
            self._cut(self._right(path, params))
        else:
            self._send(_wrong(fault))

    def _right(self, path: str, params: Params) -> Answer:
        service = self.server.service
        if path == EXTRACTION:
            return service.extraction()
        base = f"https://{self.headers.get('Host', 'localhost')}{API}"
        if not path.startswith(f"{API}/"):
            return json_answer(404, outcome("HAPI-0302: Unknown path", "not-found"))
        return service.answer(base, path.removeprefix(f"{API}/"), params, self.headers.get("ESANTE-API-KEY"))

    def _send(self, answer: Answer) -> None:
        self._head(answer)
        self.wfile.write(answer.body)

    def _cut(self, answer: Answer) -> None:
        """Half of the body, then silence."""
        self._head(answer)
        self.wfile.write(answer.body[: len(answer.body) // 2])
        self.wfile.flush()
        self.close_connection = True
        self.server.abort(self.connection)

    def _head(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the parameter's inherited name
        """Nothing on standard error; a search names people, so it is not logged either."""


def _wrong(fault: Fault) -> Answer:
    """`busy`: 503 as from the front door; `reject`: 400; anything else: 500."""
    if fault.kind is FaultKind.BUSY:
        return Answer(503, "text/plain", b"service occupe\n", (("Retry-After", "1"),))
    if fault.kind is FaultKind.REJECT:
        return json_answer(400, outcome("HAPI-0524: refus demande par le bac a sable"))
    return json_answer(500, outcome("HAPI-1163: panne demandee au bac a sable", "exception"))


class AnnuaireServer(TlsServer):
    """Both public services of the directory."""

    def __init__(self, host: str, port: int, service: AnnuaireService, faults: Faults, pki: Pki) -> None:
        self.service = service
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(pki.server.cert_path, pki.server.key_path)
        super().__init__((host, port), _Handler, Channel.ANNUAIRE, context, faults)
