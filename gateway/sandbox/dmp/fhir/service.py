"""The FHIR door without its network: a request and a client certificate in, an answer out, over the store of SOAP."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from gateway.clock import Clock, Randomness
from gateway.sandbox.dmp.fhir import capability, strikes
from gateway.sandbox.dmp.fhir.caller import Caller, caller_of
from gateway.sandbox.dmp.fhir.feed import Feed
from gateway.sandbox.dmp.fhir.issues import RefusedError, outcome, refuse
from gateway.sandbox.dmp.fhir.patch import Patch
from gateway.sandbox.dmp.fhir.search import Parameters, Search
from gateway.sandbox.dmp.fhir.values import Json, facts
from gateway.sandbox.dmp.records import DmpDocument, NewExchange
from gateway.sandbox.dmp.rights import sees
from gateway.sandbox.dmp.service import DmpOptions, HttpAnswer, HttpRequest
from gateway.sandbox.dmp.store import DmpStore
from gateway.sandbox.faults import DropConnectionError, Faults

ROOT = "/fhir"
_FHIR = "application/fhir+json"
_JSON_TYPES = frozenset({_FHIR, "application/json"})
_PATCH_TYPE = "application/json-patch+json"
_FORM = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class _Track:
    """What is learnt of a request on its road, for the log of exchanges."""

    transaction: str = ""
    action: str = ""
    patient: str = ""
    subjects: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


class FhirService:
    """Checks in the order of the road: certificate, path and method, media type, JSON, then the transaction.

    Transactions have the DMP's names (`TD2.1`), so that faults and counters are the same by both doors.
    """

    def __init__(
        self, store: DmpStore, faults: Faults, clock: Clock, randomness: Randomness, options: DmpOptions
    ) -> None:
        self._store = store
        self._faults = faults
        self._feed = Feed(store, options.unknown_patient, clock, randomness)
        self._search = Search(store, options.unknown_patient, options.most_leaves)
        self._patch = Patch(store, options.unknown_patient, randomness)

    def answer(self, method: str, http: HttpRequest) -> HttpAnswer:
        """The answer to one request, remembered with it. Raises DropConnectionError when a fault says so."""
        track = _Track(action=f"{method} {http.path.partition('?')[0].removeprefix(ROOT)}"[:80])
        try:
            answer = self._answer(method, http, track)
        except RefusedError as refused:
            track.codes = refused.codes
            answer = _json(
                refused.status, outcome(refused.issues), retry_after=1 if refused.status in {429, 503} else 0
            )
        except DropConnectionError:
            self._remember(http, track, None)
            raise
        self._remember(http, track, answer)
        return answer

    def _answer(self, method: str, http: HttpRequest, track: _Track) -> HttpAnswer:
        caller = caller_of(http.peer)
        path, _, query = http.path.partition("?")
        steps = [unquote(one) for one in path.removeprefix(ROOT).strip("/").split("/") if one]
        base = f"https://{_header(http, 'Host')}{ROOT}"
        go = self._route(method, steps, query, http, caller, base, track)
        return strikes.run(track.transaction, go, self._faults)

    def _route(
        self,
        method: str,
        steps: list[str],
        query: str,
        http: HttpRequest,
        caller: Caller,
        base: str,
        track: _Track,
    ) -> Callable[[], HttpAnswer]:
        """What answers this request; the name of its transaction goes to `track`. Raises RefusedError."""
        form = method == "POST" and steps[1:] == ["_search"]
        kind = steps[0] if steps else ""
        if method == "POST" and not steps:
            track.transaction = "TD2.1"
            return lambda: self._transaction(http, caller, track)
        if method == "POST" and steps == ["DocumentReference"]:
            track.transaction = "TD2.1"
            return lambda: self._simplified(http, caller, base, track)
        if method == "PATCH" and kind == "DocumentReference" and len(steps) <= 2:
            track.transaction = "TD3.3"
            return lambda: self._change(http, steps, query, caller, base, track)
        if (method == "GET" and len(steps) == 1) or form:
            return self._searching(kind, _form(http) if form else _parameters(query), caller, base, track)
        if method == "GET" and len(steps) == 2:
            return self._reading(kind, steps[1], http, caller, base, track)
        if kind in {"", "DocumentReference", "List", "Binary", "Patient", "metadata"}:
            raise refuse(405, "not-supported", "", f"{method} : interaction que ce service n'offre pas")
        raise refuse(404, "not-found", "", "service inconnu")

    def _searching(
        self, kind: str, asked: Parameters, caller: Caller, base: str, track: _Track
    ) -> Callable[[], HttpAnswer]:
        name = "identifier" if kind == "Patient" else "patient.identifier"
        track.patient = asked.get(name, ("",))[0].rpartition("|")[2]
        if kind == "metadata":
            return lambda: _json(200, capability.statement(base))
        if kind == "Patient":
            track.transaction = "TD0.2"
            return lambda: _json(200, self._search.patients(asked, base))
        if kind not in {"DocumentReference", "List"}:
            raise refuse(404, "not-found", "", "service inconnu")
        track.transaction = "TD3.1"
        return lambda: self._found(kind, asked, caller, base, track)

    def _found(self, kind: str, asked: Parameters, caller: Caller, base: str, track: _Track) -> HttpAnswer:
        name, subjects = f"FHIR {kind}", list[str]()
        try:
            if kind == "List":
                found = self._search.sets(asked, caller, base)
            else:
                found, subjects = self._search.documents(asked, caller, base)
        except RefusedError as refused:
            self._store.add_question(name, 0, refused.codes)
            raise
        self._store.add_question(name, found["total"], [])
        track.subjects = tuple(one.removeprefix("urn:oid:") for one in subjects)
        return _json(200, found)

    def _reading(
        self, kind: str, identifier: str, http: HttpRequest, caller: Caller, base: str, track: _Track
    ) -> Callable[[], HttpAnswer]:
        if kind == "DocumentReference":
            track.transaction = "TD3.1"
            return lambda: _json(200, self._search.read(identifier, caller, base))
        if kind == "Binary":
            track.transaction = "TD3.2"
            return lambda: self._content(identifier, http, caller, track)
        raise refuse(404, "not-found", "", "service inconnu")

    def _content(self, identifier: str, http: HttpRequest, caller: Caller, track: _Track) -> HttpAnswer:
        held = self._search.content(identifier, caller)
        track.patient, track.subjects = held.matricule, (held.unique_id,)
        if _FHIR not in _header(http, "Accept"):
            return HttpAnswer(200, held.mime, held.content)
        data = b64encode(held.content).decode("ascii")
        return _json(200, {"resourceType": "Binary", "id": identifier, "contentType": held.mime, "data": data})

    # ------------------------------------------------------------------------------------------------- changes

    def _transaction(self, http: HttpRequest, caller: Caller, track: _Track) -> HttpAnswer:
        bundle = _resource(http, "Bundle")
        locations, subjects = self._feed.transaction(bundle, caller, hashlib.sha256(http.body).hexdigest())
        track.subjects = tuple(subjects)
        entries = [
            {"response": {"status": "201 Created", "location": one} if one else {"status": "200 OK"}}
            for one in locations
        ]
        return _json(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": entries})

    def _simplified(self, http: HttpRequest, caller: Caller, base: str, track: _Track) -> HttpAnswer:
        resource = _resource(http, "DocumentReference")
        uuid = self._feed.simplified(resource, caller, hashlib.sha256(http.body).hexdigest())
        held = self._store.by_entry_uuid(uuid)
        assert held is not None  # just stored
        track.patient, track.subjects = held.matricule, (held.unique_id,)
        return _json(201, self._search.read(uuid.removeprefix("urn:uuid:"), caller, base))

    def _change(
        self, http: HttpRequest, steps: list[str], query: str, caller: Caller, base: str, track: _Track
    ) -> HttpAnswer:
        kind = http.content_type.partition(";")[0].strip().lower()
        if kind not in {_PATCH_TYPE, _FHIR}:
            raise refuse(415, "not-supported", "", f"Content-Type {_PATCH_TYPE} ou {_FHIR} attendu")
        body = _loads(http.body)
        held = self._target(steps, _parameters(query), caller)
        track.patient, track.subjects = held.matricule, (held.unique_id, held.entry_uuid)
        return _json(200, self._patch.change(held, body, fhirpath=kind == _FHIR, caller=caller, base=base))

    def _target(self, steps: list[str], asked: Parameters, caller: Caller) -> DmpDocument:
        """The document that a PATCH is about: by identifier (conditional) or by id. Raises RefusedError."""
        if len(steps) == 2:
            found = [self._store.by_entry_uuid(f"urn:uuid:{steps[1]}")]
        else:
            values = asked.get("identifier", ())
            if set(asked) != {"identifier"} or len(values) != 1 or "," in values[0]:
                raise refuse(412, "multiple-matches", "identifier", "un identifiant et un seul attendu")
            prefix = f"{facts()['uri']}|urn:oid:"
            if not values[0].startswith(prefix):
                raise refuse(404, "not-found", "identifier", f"{prefix}... attendu")
            found = list(self._store.by_unique_id(values[0].removeprefix(prefix)))
        held = found[0] if found else None
        if held is None or held.is_signature or not sees(held, caller):
            raise refuse(404, "not-found", "identifier", "document introuvable")
        if not held.latest:
            raise refuse(409, "conflict", "id", "ancienne version de la fiche : viser la dernière")
        return held

    def _remember(self, http: HttpRequest, track: _Track, answer: HttpAnswer | None) -> None:
        ended = "lost" if answer is None else "refused" if track.codes or answer.status >= 400 else "accepted"
        self._store.exchanges.add(
            NewExchange(
                track.transaction,
                http.path.partition("?")[0],
                track.action,
                http.peer.subject.rfc4514_string(),
                "",
                track.patient,
                track.subjects,
                ended,
                track.codes,
                0 if answer is None else answer.status,
                http.headers or (("Content-Type", http.content_type),),
                http.body,
                () if answer is None else (("Content-Type", answer.content_type),),
                b"" if answer is None else answer.body,
            )
        )


def _header(http: HttpRequest, name: str) -> str:
    return next((value for key, value in http.headers if key.lower() == name.lower()), "")


def _parameters(query: str) -> dict[str, list[str]]:
    return parse_qs(query, keep_blank_values=True, max_num_fields=50)


def _form(http: HttpRequest) -> dict[str, list[str]]:
    if http.content_type.partition(";")[0].strip().lower() != _FORM:
        raise refuse(415, "not-supported", "", f"Content-Type {_FORM} attendu")
    try:
        return _parameters(http.body.decode("utf-8"))
    except ValueError as fault:
        raise refuse(400, "structure", "", "formulaire illisible") from fault


def _loads(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise refuse(400, "structure", "", "JSON illisible") from fault


def _resource(http: HttpRequest, kind: str) -> Json:
    if http.content_type.partition(";")[0].strip().lower() not in _JSON_TYPES:
        raise refuse(415, "not-supported", "", f"Content-Type {_FHIR} attendu")
    loaded = _loads(http.body)
    if not isinstance(loaded, dict) or loaded.get("resourceType") != kind:
        raise refuse(400, "structure", "resourceType", f"ressource {kind} attendue")
    return loaded


def _json(status: int, resource: Json, *, retry_after: int = 0) -> HttpAnswer:
    body = json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()
    return HttpAnswer(status, f"{_FHIR}; charset=UTF-8", body, retry_after)
