"""DMP channel: existence test, then ITI-41 with a fresh VIHF, over mutual TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from lxml import etree

from gateway.channels.dmp import answers, classify, registry
from gateway.channels.dmp.http import Exchange, HttpAnswer, HttpClient
from gateway.channels.outcome import BeforeCommit, Outcome, Verdict
from gateway.channels.tls import client_context
from gateway.clock import Clock, Randomness
from gateway.errors import ConfigError
from gateway.package import dmp as dmp_package
from gateway.package import mtom, query, vihf
from gateway.package.keys import SigningKeys, signing_keys
from gateway.package.mtom import HttpBody
from gateway.package.types import DmpContext, Package
from gateway.settings import DmpSettings

EXISTENCE_LASTS = 900.0
"""Seconds during which a positive existence test holds for a patient: a batch asks once."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """What the first use loads: HTTP client and keys."""

    http: HttpClient
    keys: SigningKeys


class DmpChannel:
    """Feeds the DMP for one account.

    `device` is the OID of this system as sender of TD0.2 (the account's `oid_root`), `software` its name and
    version. Only the VIHF and the WS-Addressing MessageID are made here, from `clock` and `ids`.
    """

    def __init__(
        self, settings: DmpSettings, *, device: str, clock: Clock, ids: Randomness, software: str = "kine-gateway 0"
    ) -> None:
        self._settings = settings
        self._device = device
        self._clock = clock
        self._ids = ids
        name, _, version = software.partition(" ")
        self._software = vihf.SoftwareIdentity(name, version or "0", settings.homologation)
        self._ready: _Ready | None = None
        self._known: dict[tuple[str, str], float] = {}
        self._host = urlsplit(settings.url).hostname or settings.url

    async def send(self, package: Package, before_commit: BeforeCommit) -> Outcome:
        """Try once. Raises only what `before_commit` raises (LeaseLostError), with nothing sent.

        XDSDuplicateUniqueIdInRegistry about our own set is a doubt (`query`, `human`): an attempt of which nothing
        is known here brought it. With `in_doubt = "resend"` it is the evidence that this policy sends again for,
        and so ACCEPTED: the set's id is random and frozen, nobody else can have used it (spec dmp §1.7, engine §3).
        """
        context = _context(package)
        ready = self._prepare(package)
        if isinstance(ready, Outcome):
            return ready
        refused = await self._existence(context, ready)
        if refused is not None:
            return refused
        body, message_id = self._feed(package, context, ready.keys)
        await before_commit()
        return self._settled(await self._post_feed(ready, body, message_id, context), context)

    async def resolve(self, package: Package) -> Outcome:
        """Was the document accepted? To be called for a delivery that had begun to transmit, and for no other.

        `query`: the registry is asked for the document by its uniqueId (GetDocuments, TD3.1), and only here, after a
        lost answer: EX_3.1-2030 forbids a search after each feed. `registry.evidence` says what its answer proves.
        `resend`: the identical set is posted again: Success means that it was not there and is now, the duplicate
        error about the set means that it was. `human`: the doubt stays. Whatever proves nothing leaves the doubt,
        with its reason.
        """
        context = _context(package)
        if self._settings.in_doubt == "human":
            return Outcome(Verdict.IN_DOUBT, "DMP-NEEDS-HUMAN", reference=context.submission_set_id, host=self._host)
        ready = self._prepare(package)
        if isinstance(ready, Outcome):
            return _still_in_doubt(ready)
        if self._settings.in_doubt == "query":
            answer = await self._query(ready, context, context.document_id)
            if isinstance(answer, Outcome):
                return _still_in_doubt(answer)
            return registry.evidence(answer, context, package.part("document").data, self._host)
        body, message_id = self._feed(package, context, ready.keys)
        outcome = self._settled(await self._post_feed(ready, body, message_id, context), context)
        return outcome if outcome.verdict is Verdict.ACCEPTED else _still_in_doubt(outcome)

    async def find(self, package: Package, unique_id: str) -> tuple[registry.Entry, ...] | Outcome:
        """The entries that the DMP holds under a document's uniqueId, by the identity of `package` (TD3.1b).

        All metadata in direct mode; in indirect mode, which may only look for references, entryUUIDs. An Outcome
        that is never ACCEPTED when the registry could not be asked or refused.
        """
        context = _context(package)
        ready = self._prepare(package)
        if isinstance(ready, Outcome):
            return ready
        answer = await self._query(ready, context, unique_id)
        return answer if isinstance(answer, Outcome) else answer.entries

    def _settled(self, outcome: Outcome, context: DmpContext) -> Outcome:
        """The duplicate of our own set turned into evidence, where the policy says so."""
        own = outcome.verdict is Verdict.IN_DOUBT and outcome.reason == f"DMP-{classify.DUPLICATE}"
        if own and self._settings.in_doubt == "resend":
            return classify.accepted(context, self._host, "DMP-ALREADY-THERE")
        return outcome

    async def aclose(self) -> None:
        """Close connections."""
        ready, self._ready = self._ready, None
        if ready is not None:
            await ready.http.aclose()

    # ------------------------------------------------------------------------------------------- preparation

    def _prepare(self, package: Package) -> _Ready | Outcome:
        if not dmp_package.is_signed(package):
            return Outcome(Verdict.CONFIGURATION, "DMP-UNSIGNED", host=self._host)
        if self._ready is None:
            if not self._settings.tls.with_certificate:
                # A server would say so too, but under TLS 1.3 its refusal may be lost with the connection.
                return Outcome(Verdict.CONFIGURATION, "DMP-TLS-CLIENT", host=self._host)
            try:
                keys = signing_keys(self._settings)
                context: ssl.SSLContext = client_context(self._settings.tls, now=self._clock.now())
            except ConfigError as fault:
                reason = "DMP-KEYS" if fault.code.startswith("SIG") else "DMP-TLS-FILES"
                return Outcome(Verdict.CONFIGURATION, reason, fault.message, host=self._host)
            self._ready = _Ready(HttpClient(context, self._settings.timeout), keys)
        if not self._ready.keys.valid_at(self._clock.now()):
            return Outcome(Verdict.CONFIGURATION, "DMP-CERT-EXPIRED", host=self._host)
        return self._ready

    def _assertion(self, context: DmpContext, keys: SigningKeys, now: datetime) -> bytes:
        element = vihf.assertion(
            context,
            keys,
            software=self._software,
            vihf_version=self._settings.vihf_version,
            now=now,
            ids=self._ids,
        )
        return etree.tostring(element, encoding="unicode").encode()

    def _feed(self, package: Package, context: DmpContext, keys: SigningKeys) -> tuple[HttpBody, str]:
        message_id = f"urn:uuid:{self._ids.uuid()}"
        assertion = self._assertion(context, keys, self._clock.now())
        return mtom.feed(package, to=self._url("repository"), message_id=message_id, assertion=assertion), message_id

    def _url(self, service: str) -> str:
        return f"{self._settings.url.rstrip('/')}/{service}"

    # ------------------------------------------------------------------------------------------------ TD0.2

    async def _existence(self, context: DmpContext, ready: _Ready) -> Outcome | None:
        """None when this patient's DMP may be fed; the answer holds for EXISTENCE_LASTS seconds."""
        patient = (context.ins, context.ins_oid)
        if self._known.get(patient, 0.0) > self._clock.elapsed():
            return None
        now, message_id = self._clock.now(), f"urn:uuid:{self._ids.uuid()}"
        body = mtom.existence(
            context,
            to=self._url("patients"),
            message_id=message_id,
            assertion=self._assertion(context, ready.keys, now),
            sender=self._device,
            now=now,
            ids=self._ids,
        )
        answer = await self._exchange(ready, "patients", body, fed=False)
        outcome = answer if isinstance(answer, Outcome) else self._read_existence(answer, message_id, context)
        if outcome is None:
            self._known[patient] = self._clock.elapsed() + EXISTENCE_LASTS
        return outcome

    def _read_existence(self, answer: HttpAnswer, message_id: str, context: DmpContext) -> Outcome | None:
        try:
            payload = answers.read_envelope(answer.content_type, answer.data, message_id)
            fault = answers.read_fault(payload)
            if fault is not None:
                return classify.from_fault(fault, context, self._host)
            return classify.from_existence(answers.read_existence(payload), context, self._host)
        except answers.AnswerError as unreadable:
            if answer.status != 200:
                return classify.from_status(answer.status, answer.retry_after, self._host, fed=False)
            return Outcome(Verdict.TRANSIENT, "DMP-UNREADABLE", str(unreadable)[:200], host=self._host)

    # ------------------------------------------------------------------------------------------------ ITI-41

    async def _post_feed(self, ready: _Ready, body: HttpBody, message_id: str, context: DmpContext) -> Outcome:
        answer = await self._exchange(ready, "repository", body, fed=True)
        if isinstance(answer, Outcome):
            return answer
        outcome = self._read_feed(answer, message_id, context)
        if outcome.verdict is Verdict.PERMANENT:
            self._known.pop((context.ins, context.ins_oid), None)  # closed or opposed since: ask again next time
        return outcome

    def _read_feed(self, answer: HttpAnswer, message_id: str, context: DmpContext) -> Outcome:
        try:
            payload = answers.read_envelope(answer.content_type, answer.data, message_id)
            fault = answers.read_fault(payload)
            if fault is not None:
                return classify.from_fault(fault, context, self._host)
            response = answers.read_registry(payload)
        except answers.AnswerError as unreadable:
            if answer.status != 200:
                return classify.from_status(answer.status, answer.retry_after, self._host, fed=True)
            return Outcome(Verdict.IN_DOUBT, "DMP-UNREADABLE", str(unreadable)[:200], host=self._host)
        if response.status == "Success":
            return classify.accepted(context, self._host)
        return classify.from_errors(response.errors, context, self._host)

    # ------------------------------------------------------------------------------------------------ ITI-18

    async def _query(self, ready: _Ready, context: DmpContext, unique_id: str) -> registry.Answer | Outcome:
        """GetDocuments of one document; the Outcome says why there is no answer to it."""
        message_id = f"urn:uuid:{self._ids.uuid()}"
        body = query.request(
            query.get_documents([unique_id], "LeafClass" if context.mode == "direct" else "ObjectRef"),
            to=self._url("registry"),
            message_id=message_id,
            assertion=self._assertion(context, ready.keys, self._clock.now()),
        )
        answer = await self._exchange(ready, "registry", body, fed=False)
        return answer if isinstance(answer, Outcome) else self._read_query(answer, message_id, context)

    def _read_query(self, answer: HttpAnswer, message_id: str, context: DmpContext) -> registry.Answer | Outcome:
        try:
            payload = answers.read_envelope(answer.content_type, answer.data, message_id)
            fault = answers.read_fault(payload)
            if fault is not None:
                return _about_query(classify.from_fault(fault, context, self._host))
            found = registry.read_answer(payload)
        except answers.AnswerError as unreadable:
            if answer.status != 200:
                status = classify.from_status(answer.status, answer.retry_after, self._host, fed=False)
                return _about_query(status)
            return Outcome(Verdict.TRANSIENT, "DMP-UNREADABLE", str(unreadable)[:200], host=self._host)
        return registry.refusal(found, context, self._host) or found

    async def _exchange(self, ready: _Ready, service: str, body: HttpBody, *, fed: bool) -> HttpAnswer | Outcome:
        import httpx2

        exchange = Exchange()
        try:
            return await ready.http.post(self._url(service), body, exchange)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as fault:
            return classify.from_exception(fault, self._host, sent=exchange.sent and fed)


def _context(package: Package) -> DmpContext:
    if not isinstance(package.context, DmpContext):
        raise TypeError("not a DMP package")
    return package.context


def _about_query(outcome: Outcome) -> Outcome:
    """A refusal named as that of a query: the advice for a refused feed would mislead, and a service that refuses
    questions may well take documents, so it is no reason to pause the channel.
    """
    if outcome.verdict in {Verdict.PERMANENT, Verdict.CONFIGURATION}:
        return replace(outcome, verdict=Verdict.PERMANENT, reason=registry.REFUSED)
    return outcome


def _still_in_doubt(outcome: Outcome) -> Outcome:
    """The doubt stays. A fault of our own certificates or TLS is said as such: the engine pauses the channel."""
    if outcome.verdict is Verdict.CONFIGURATION:
        return outcome
    return Outcome(Verdict.IN_DOUBT, outcome.reason, outcome.text, outcome.reference, outcome.retry_after, outcome.host)
