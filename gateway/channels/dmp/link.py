"""One account's line to the DMP: keys, mutual TLS, a fresh VIHF for each request, and what came back or did not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from lxml import etree

from gateway.channels.dmp import answers, classify
from gateway.channels.dmp.http import Exchange, HttpAnswer, HttpClient
from gateway.channels.outcome import BeforeCommit, Outcome, Verdict
from gateway.channels.recording import Recorder
from gateway.channels.tls import client_context
from gateway.channels.trace import CANCELLED, Tracer
from gateway.clock import Clock, Randomness
from gateway.errors import ConfigError
from gateway.package import vihf
from gateway.package.keys import SigningKeys, signing_keys
from gateway.package.mtom import HttpBody
from gateway.package.types import DmpIdentity
from gateway.package.xml import Element
from gateway.settings import DmpSettings


@dataclass(frozen=True, slots=True)
class Ready:
    """What the first use loads: HTTP client and keys."""

    http: HttpClient
    keys: SigningKeys


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a request is addressed with: the service's address, its MessageID, the signed VIHF."""

    to: str
    message_id: str
    assertion: bytes
    now: datetime


Build = Callable[[Envelope], HttpBody]
"""Makes the body of a request around its envelope's fresh parts."""


class DmpLink:
    """Loads keys and TLS once, keeps connections, signs a VIHF for each request (`clock` and `ids`).

    The authentication certificate is that of `settings.tls`, the signature certificate another one (spec dmp §1.1).
    """

    def __init__(
        self,
        settings: DmpSettings,
        *,
        clock: Clock,
        ids: Randomness,
        software: str,
        tracer: Tracer | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.settings = settings
        self._recorder = recorder
        self.tracer = tracer or Tracer(clock=clock)
        self.clock = clock
        self.ids = ids
        self.host = urlsplit(settings.url).hostname or settings.url
        name, _, version = software.partition(" ")
        self._software = vihf.SoftwareIdentity(name, version or "0", settings.homologation)
        self._ready: Ready | None = None

    def load(self, ready: Ready) -> None:
        """Use these keys and this client in place of the files of the settings."""
        self._ready = ready

    def ready(self) -> Ready | Outcome:
        """Keys and client, or why there are none: CONFIGURATION."""
        if self._ready is None:
            made = self._open()
            if isinstance(made, Outcome):
                return made
            self._ready = made
        if not self._ready.keys.valid_at(self.clock.now()):
            return Outcome(Verdict.CONFIGURATION, "DMP-CERT-EXPIRED", host=self.host)
        return self._ready

    def _open(self) -> Ready | Outcome:
        if not self.settings.tls.with_certificate:
            # A server would say so too, but under TLS 1.3 its refusal may be lost with the connection.
            return Outcome(Verdict.CONFIGURATION, "DMP-TLS-CLIENT", host=self.host)
        try:
            keys = signing_keys(self.settings)
            context = client_context(self.settings.tls, now=self.clock.now())
            return Ready(HttpClient(context, self.settings.timeout, self._recorder, self.clock), keys)
        except ConfigError as fault:
            reason = "DMP-KEYS" if fault.code.startswith("SIG") else "DMP-TLS-FILES"
            return Outcome(Verdict.CONFIGURATION, reason, fault.message, host=self.host)

    async def aclose(self) -> None:
        """Close connections."""
        ready, self._ready = self._ready, None
        if ready is not None:
            await ready.http.aclose()

    def envelope(self, service: str, identity: DmpIdentity, keys: SigningKeys) -> Envelope:
        """A fresh MessageID and a fresh VIHF for one request."""
        now, message_id = self.clock.now(), f"urn:uuid:{self.ids.uuid()}"
        element = vihf.assertion(
            identity,
            keys,
            software=self._software,
            options=vihf.Options(
                self.settings.vihf_version, self.settings.authentification_mode, self.settings.vihf_signature
            ),
            now=now,
            ids=self.ids,
        )
        assertion = etree.tostring(element, encoding="unicode").encode()
        return Envelope(f"{self.settings.url.rstrip('/')}/{service}", message_id, assertion, now)

    async def feed(
        self, ready: Ready, envelope: Envelope, body: HttpBody, before_commit: BeforeCommit | None = None
    ) -> HttpAnswer | Outcome:
        """POST what changes something there: a lost answer is a doubt. Raises what `before_commit` raises."""
        return await self._traced(ready, envelope, body, Exchange(before_commit), fed=True)

    async def _traced(
        self,
        ready: Ready,
        envelope: Envelope,
        body: HttpBody,
        exchange: Exchange,
        *,
        fed: bool = False,
        large: int | None = None,
    ) -> HttpAnswer | Outcome:
        with self.tracer.action("feed" if fed else "ask") as steps:
            started, reply = steps.started(), CANCELLED
            try:
                answer = await self._post(ready, envelope, body, exchange, fed=fed, large=large)
                reply = f"HTTP {answer.status}" if isinstance(answer, HttpAnswer) else answer.reason
                if isinstance(answer, HttpAnswer):
                    self.tracer.dated(answer.date, started, self.host)
            finally:
                steps.note(f"POST {envelope.to.rpartition('/')[2]}", reply, started)
        return answer

    async def _post(
        self, ready: Ready, envelope: Envelope, body: HttpBody, exchange: Exchange, *, fed: bool, large: int | None
    ) -> HttpAnswer | Outcome:
        """POST and read the answer; an Outcome says why none came."""
        import httpx2

        try:
            return await ready.http.post(envelope.to, body, exchange, large=large)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as fault:
            return classify.from_exception(fault, self.host, sent=exchange.sent and fed)
        except answers.AnswerError as fault:  # a multipart answer that is none
            return classify.unreadable(fault, self.host, fed=fed)

    async def ask(
        self, service: str, identity: DmpIdentity, build: Build, *, large: int | None = None
    ) -> tuple[Element, HttpAnswer] | Outcome:
        """Post a request that changes nothing and read the payload of the answer; an Outcome says why there is none.

        `large`: the answer may bring documents of so many bytes each in parts of its own.
        """
        ready = self.ready()
        if isinstance(ready, Outcome):
            return ready
        envelope = self.envelope(service, identity, ready.keys)
        answer = await self._traced(ready, envelope, build(envelope), Exchange(), large=large)
        if isinstance(answer, Outcome):
            return answer
        payload = self.payload(answer, envelope, identity, fed=False)
        return payload if isinstance(payload, Outcome) else (payload, answer)

    def payload(self, answer: HttpAnswer, envelope: Envelope, identity: DmpIdentity, *, fed: bool) -> Element | Outcome:
        """The element in the Body of an answer; an Outcome for a fault or for what cannot be read."""
        try:
            payload = answers.read_envelope(answer.content_type, answer.data, envelope.message_id)
        except answers.AnswerError as unreadable:
            if answer.status != 200:
                return classify.from_status(answer.status, answer.retry_after, self.host, fed=fed)
            return classify.unreadable(unreadable, self.host, fed=fed)
        fault = answers.read_fault(payload)
        return payload if fault is None else classify.from_fault(fault, identity, self.host)
