"""The DMP without its network: bytes of a request and a client certificate in, bytes of an answer out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography import x509

from gateway.clock import Clock, Randomness
from gateway.sandbox.certificates import is_client_certificate, person_of, structure_of
from gateway.sandbox.dmp.mtom import MtomError, media_type, read_request, write_package
from gateway.sandbox.dmp.records import NewExchange
from gateway.sandbox.dmp.retrieve import Retrieve
from gateway.sandbox.dmp.soap import Request, SoapFault, read_envelope, write_envelope, write_fault
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.dmp.stored_query import StoredQuery
from gateway.sandbox.dmp.strikes import PlainAnswerError, run
from gateway.sandbox.dmp.submit import Submit, SubmitPolicy
from gateway.sandbox.dmp.td02 import ExistenceTest
from gateway.sandbox.dmp.transactions import Answer, Call, Transaction
from gateway.sandbox.dmp.update import Update
from gateway.sandbox.dmp.vihf import VihfPolicy, check_vihf
from gateway.sandbox.dmp.vihf_content import Vihf
from gateway.sandbox.dmp.xades import SignaturePolicy
from gateway.sandbox.faults import DropConnectionError, Faults

ROOT = "/si-dmp-server/v2/services/"
PATHS = ("patients", "registry", "repository")
_TEXT = "text/plain; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A POST as received. `peer`: the client certificate of the TLS connection."""

    path: str
    content_type: str
    body: bytes
    peer: x509.Certificate
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, media type and body of the answer. `retry_after`: seconds, 0 when it is not said."""

    status: int
    content_type: str
    body: bytes
    retry_after: int = 0


@dataclass(frozen=True, slots=True)
class DmpOptions:
    """Settings of the DMP.

    `unknown_patient`: whether an INS that was never configured has a DMP (`exists` or `absent`).
    `legacy`: accept SHA-1 (VIHF and XAdES) and XAdES 1.1.1; `modern`: accept SHA-256 and XAdES 1.3.2.
    `mtom_answers`: answer everything in multipart, as some servers do even for faults; ITI-43 always is.
    `most_leaves`: whole entries that one query may return before XDSTooManyResults, 0 for any number.
    """

    unknown_patient: str = "exists"
    legacy: bool = True
    modern: bool = True
    mtom_answers: bool = False
    most_leaves: int = 0


@dataclass(slots=True)
class _Track:
    """What is learnt of a request on its road, for the log of exchanges."""

    transaction: str = ""
    action: str = ""
    message_id: str = ""
    patient: str = ""
    multipart: bool = False
    subjects: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    fault: bool = False

    @property
    def outcome(self) -> str:
        """How the exchange ended."""
        if self.fault:
            return "fault"
        return "refused" if self.codes else "accepted"


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
            StoredQuery(store, options.unknown_patient, options.most_leaves),
            Retrieve(store, randomness, options.unknown_patient),
            Update(store, randomness, options.unknown_patient),
        )
        self._transactions = {(item.path, item.action): item for item in transactions}

    def answer(self, http: HttpRequest) -> HttpAnswer:
        """The answer to one request, remembered with it. Raises DropConnectionError when a fault says so."""
        track = _Track(multipart=self._options.mtom_answers)
        try:
            answer = self._answer(http, track)
        except DropConnectionError:
            self._remember(http, track, None)
            raise
        self._remember(http, track, answer)
        return answer

    def _answer(self, http: HttpRequest, track: _Track) -> HttpAnswer:
        if http.path.removeprefix(ROOT) not in PATHS or not http.path.startswith(ROOT):
            track.fault = True
            return HttpAnswer(404, _TEXT, b"service inconnu\n")
        self._expect(http, track)
        try:
            return self._write(self._handled(http, track), track)
        except MtomError as fault:
            return self._fault(SoapFault(f"MTOM : {fault}"), track)
        except SoapFault as fault:
            return self._fault(fault, track)
        except PlainAnswerError as plain:
            track.fault = True
            return HttpAnswer(plain.status, _plain_type(plain), plain.body, plain.retry_after)

    def _expect(self, http: HttpRequest, track: _Track) -> None:
        """Which transaction this looks like: how a fault is answered must be known before the envelope is read."""
        action = media_type(http.content_type)[1].get("action", "")
        for (path, known), item in self._transactions.items():
            if path == http.path.removeprefix(ROOT) and (known == action or (not action and _names(http, known))):
                track.transaction, track.action = item.name, item.action
                track.multipart = track.multipart or item.multipart

    def _handled(self, http: HttpRequest, track: _Track) -> Answer:
        mtom = read_request(http.content_type, http.body)
        request = read_envelope(mtom.root, mtom.action)
        track.message_id, track.action = request.message_id, request.action
        transaction = self._transaction(http.path, request)
        track.transaction = transaction.name
        track.multipart = self._options.mtom_answers or transaction.multipart
        vihf = self._authenticated(request, http.peer)
        track.patient = vihf.patient.id
        call = Call(request, mtom, vihf, hashlib.sha256(http.body).hexdigest())
        answer = run(transaction, call, self._faults)
        track.codes, track.subjects = answer.codes, answer.subjects
        return answer

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

    def _write(self, answer: Answer, track: _Track) -> HttpAnswer:
        body = write_envelope(answer.action, self._message_id(), track.message_id, answer.fill)
        if not track.multipart:
            return HttpAnswer(200, _soap_type(answer.action), body)
        kind, package = write_package(self._boundary(), answer.action, body, answer.attachments)
        return HttpAnswer(200, kind, package)

    def _fault(self, fault: SoapFault, track: _Track) -> HttpAnswer:
        track.fault, track.codes = True, (fault.subcode or fault.code,)
        body = write_fault(fault, self._message_id(), track.message_id)
        if not track.multipart:
            return HttpAnswer(fault.status, _soap_type(""), body)
        kind, package = write_package(self._boundary(), "", body, {})
        return HttpAnswer(fault.status, kind, package)

    def _message_id(self) -> str:
        return f"urn:uuid:{self._randomness.uuid()}"

    def _boundary(self) -> str:
        return f"uuid:{self._randomness.uuid()}"

    def _remember(self, http: HttpRequest, track: _Track, answer: HttpAnswer | None) -> None:
        headers = http.headers or (("Content-Type", http.content_type),)
        self._store.exchanges.add(
            NewExchange(
                track.transaction,
                http.path,
                track.action,
                http.peer.subject.rfc4514_string(),
                track.message_id,
                track.patient,
                track.subjects,
                "lost" if answer is None else track.outcome,
                track.codes,
                0 if answer is None else answer.status,
                headers,
                http.body,
                () if answer is None else (("Content-Type", answer.content_type),),
                b"" if answer is None else answer.body,
            )
        )


def _soap_type(action: str) -> str:
    return "application/soap+xml; charset=UTF-8" + (f'; action="{action}"' if action else "")


def _plain_type(plain: PlainAnswerError) -> str:
    if plain.status == 200:
        return "application/soap+xml; charset=UTF-8"
    return "text/html; charset=UTF-8" if plain.body.startswith(b"<") else _TEXT


def _names(http: HttpRequest, action: str) -> bool:
    """Whether the first bytes name the action: a plain SOAP request need not say it in its media type."""
    return f">{action}<".encode() in http.body[:65536]
