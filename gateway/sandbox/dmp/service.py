"""The DMP without its network: bytes of a request and a client certificate in, bytes of an answer out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509

from gateway.clock import Clock, Randomness
from gateway.sandbox.certificates import is_client_certificate, person_of, structure_of
from gateway.sandbox.dmp.mtom import MtomError, read_request
from gateway.sandbox.dmp.soap import Request, SoapFault, read_envelope, write_envelope, write_fault
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.dmp.stored_query import StoredQuery
from gateway.sandbox.dmp.submit import Submit, SubmitPolicy
from gateway.sandbox.dmp.td02 import ExistenceTest
from gateway.sandbox.dmp.transactions import Answer, Call, Transaction
from gateway.sandbox.dmp.vihf import VihfPolicy, check_vihf
from gateway.sandbox.dmp.vihf_content import Vihf
from gateway.sandbox.dmp.xades import SignaturePolicy
from gateway.sandbox.faults import AFTER_DATA, Channel, Fault, FaultKind, Faults
from gateway.sandbox.problems import REPOSITORY, REPOSITORY_BUSY, Problem

ROOT = "/si-dmp-server/v2/services/"
PATHS = ("patients", "registry", "repository")


class DropConnectionError(Exception):
    """An injected fault: the answer must never reach the client."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A POST as received. `peer`: the client certificate of the TLS connection."""

    path: str
    content_type: str
    body: bytes
    peer: x509.Certificate


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, media type and body of the answer."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class DmpOptions:
    """Settings of the DMP.

    `unknown_patient`: whether an INS that was never configured has a DMP (`exists` or `absent`).
    `legacy`: accept SHA-1 (VIHF and XAdES) and XAdES 1.1.1; `modern`: accept SHA-256 and XAdES 1.3.2.
    `mtom_answers`: answer in multipart, as some servers do even for faults.
    """

    unknown_patient: str = "exists"
    legacy: bool = True
    modern: bool = True
    mtom_answers: bool = False


class DmpService:
    """Checks a request in the order of the road: path, MIME, envelope, VIHF, coherence, transaction."""

    def __init__(
        self,
        store: DmpStore,
        authority: x509.Certificate,
        faults: Faults,
        clock: Clock,
        randomness: Randomness,
        options: DmpOptions,
    ) -> None:
        self._store = store
        self._faults = faults
        self._randomness = randomness
        self._options = options
        self._vihf = VihfPolicy(authority, clock.now, legacy=options.legacy)
        names = [name for name in ("legacy", "modern") if getattr(options, name)]
        signature = SignaturePolicy(authority, clock.now, tuple(names))
        transactions: tuple[Transaction, ...] = (
            Submit(store, SubmitPolicy(signature, options.unknown_patient), randomness),
            ExistenceTest(store, clock, randomness, options.unknown_patient),
            StoredQuery(store, options.unknown_patient),
        )
        self._transactions = {(item.path, item.action): item for item in transactions}

    def answer(self, http: HttpRequest) -> HttpAnswer:
        """The answer to one request. Raises DropConnectionError when a fault says so."""
        if http.path.removeprefix(ROOT) not in PATHS or not http.path.startswith(ROOT):
            return HttpAnswer(404, "text/plain; charset=UTF-8", b"service inconnu\n")
        relates_to = ""
        try:
            mtom = read_request(http.content_type, http.body)
            request = read_envelope(mtom.root, mtom.action)
            relates_to = request.message_id
            transaction = self._transaction(http.path, request)
            vihf = self._authenticated(request, http.peer)
            call = Call(request, mtom, vihf, hashlib.sha256(http.body).hexdigest())
            return self._write(self._run(transaction, call), relates_to)
        except MtomError as fault:
            return self._fault(SoapFault(f"MTOM : {fault}"), relates_to)
        except SoapFault as fault:
            return self._fault(fault, relates_to)

    def _transaction(self, path: str, request: Request) -> Transaction:
        found = self._transactions.get((path.removeprefix(ROOT), request.action))
        if found is None:
            raise SoapFault(f"Action inconnue de ce service : {request.action}", "wsa:ActionNotSupported")
        return found

    def _authenticated(self, request: Request, peer: x509.Certificate) -> Vihf:
        """The VIHF holds, serves for the first time, and is of the same structure as the TLS client."""
        if not is_client_certificate(peer):
            raise SoapFault("Certificat TLS : certificat d'authentification attendu", "wsse:FailedAuthentication")
        vihf = check_vihf(request.envelope, request.header, self._vihf)
        if structure_of(peer) != vihf.structure:
            raise SoapFault(
                "La structure du certificat TLS diffère de l'Identifiant_Structure du VIHF",
                "wsse:FailedAuthentication",
            )
        if vihf.direct and person_of(peer) not in {"", vihf.name_id}:
            raise SoapFault("Le porteur du certificat TLS diffère du NameID", "wsse:FailedAuthentication")
        if not self._store.first_time("assertion", vihf.id):
            raise SoapFault("VIHF : assertion déjà utilisée (rejeu)", "wsse:FailedCheck")
        if not self._store.first_time("message", request.message_id):
            raise SoapFault("wsa:MessageID déjà utilisé", "wsa:DuplicateMessageID")
        return vihf

    def _run(self, transaction: Transaction, call: Call) -> Answer:
        """The transaction, or what an injected fault makes of it."""
        fault = self._faults.take(Channel.DMP, AFTER_DATA) if transaction.stores else None
        refusal = _REFUSALS.get(fault.kind) if fault is not None else None
        if refusal is not None:
            return transaction.refuse(call, [refusal])
        return _struck(fault, lambda: transaction.answer(call), lambda: transaction.refuse(call, []))

    def _write(self, answer: Answer, relates_to: str) -> HttpAnswer:
        body = write_envelope(answer.action, self._message_id(), relates_to, answer.fill)
        return self._http(200, answer.action, body)

    def _fault(self, fault: SoapFault, relates_to: str) -> HttpAnswer:
        body = write_fault(fault, self._message_id(), relates_to)
        return self._http(fault.status, "", body)

    def _message_id(self) -> str:
        return f"urn:uuid:{self._randomness.uuid()}"

    def _http(self, status: int, action: str, body: bytes) -> HttpAnswer:
        suffix = f'; action="{action}"' if action else ""
        if not self._options.mtom_answers:
            return HttpAnswer(status, f"application/soap+xml; charset=UTF-8{suffix}", body)
        boundary = f"uuid:{self._randomness.uuid()}"
        head = (
            f'--{boundary}\r\nContent-Type: application/xop+xml; charset=UTF-8; type="application/soap+xml"\r\n'
            "Content-Transfer-Encoding: binary\r\nContent-ID: <root>\r\n\r\n"
        )
        kind = (
            f'multipart/related; type="application/xop+xml"; boundary="{boundary}"; start="<root>"; '
            f'start-info="application/soap+xml"{suffix}'
        )
        return HttpAnswer(status, kind, head.encode() + body + f"\r\n--{boundary}--\r\n".encode())


_REFUSALS = {
    FaultKind.REFUSE: Problem(REPOSITORY_BUSY, "", "Entrepôt momentanément occupé (faute injectée)"),
    FaultKind.REJECT: Problem(REPOSITORY, "", "Refus définitif (faute injectée)"),
}


def _struck(fault: Fault | None, act: Callable[[], Answer], forget: Callable[[], Answer]) -> Answer:
    if fault is None:
        return act()
    if fault.kind is FaultKind.DELAY:
        time.sleep(fault.seconds)
        return act()
    if fault.kind is FaultKind.DROP_BEFORE_STORE:
        forget()  # counted as a physical arrival, nothing kept
    else:
        act()
    raise DropConnectionError(fault.kind)
