"""One account's line to the FHIR door: the same mutual TLS as SOAP, no assertion (the drafts fix none; spec dmp §4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from gateway.channels.dmp import classify
from gateway.channels.dmp.answers import AnswerError
from gateway.channels.dmp.http import Asked, Exchange, HttpAnswer, HttpClient
from gateway.channels.outcome import Outcome, Verdict
from gateway.channels.tls import client_context
from gateway.channels.trace import CANCELLED, Tracer
from gateway.errors import ConfigError
from gateway.package.mtom import HttpBody

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.channels.outcome import BeforeCommit
    from gateway.channels.recording import Recorder
    from gateway.clock import Clock
    from gateway.settings import DmpSettings

FHIR = "application/fhir+json"
FORM = "application/x-www-form-urlencoded"
_CLIMBS = re.compile(r"\.\.|%2e|\\|[\x00-\x20\x7f]", re.IGNORECASE)
"""What leaves the base again, once somebody has undone its disguise."""
MAX_SEARCH = 32 * 1024 * 1024
"""Largest answer to a search that is read, in bytes."""


class FhirLink:
    """Opens TLS once, keeps connections, and knows what came back or did not."""

    def __init__(
        self, settings: DmpSettings, *, clock: Clock, tracer: Tracer | None = None, recorder: Recorder | None = None
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.base = (settings.fhir_url or "").rstrip("/")
        self.host = urlsplit(self.base).hostname or self.base
        self._tracer = tracer or Tracer(clock=clock)
        self._recorder = recorder
        self._http: HttpClient | None = None

    def load(self, http: HttpClient) -> None:
        """Use this client in place of the files of the settings."""
        self._http = http

    def ready(self) -> HttpClient | Outcome:
        """The client, or why there is none: CONFIGURATION."""
        if not self.base:
            return Outcome(Verdict.CONFIGURATION, "DMP-FHIR-NO-URL", host=self.host)
        if self._http is None:
            if not self.settings.tls.with_certificate:
                return Outcome(Verdict.CONFIGURATION, "DMP-TLS-CLIENT", host=self.host)
            try:
                context = client_context(self.settings.tls, now=self.clock.now())
            except ConfigError as fault:
                return Outcome(Verdict.CONFIGURATION, "DMP-TLS-FILES", fault.message, host=self.host)
            self._http = HttpClient(context, self.settings.timeout, self._recorder, self.clock)
        return self._http

    async def aclose(self) -> None:
        """Close connections."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def search(self, kind: str, parameters: Mapping[str, str]) -> HttpAnswer | Outcome:
        """POST [base]/<kind>/_search: an INS belongs in no address, where servers and proxies would log it."""
        body = HttpBody(FORM, (urlencode(parameters).encode("ascii"),))
        asked = Asked("POST", f"{self.base}/{kind}/_search", body, FHIR, MAX_SEARCH)
        return await self._send(asked, f"SEARCH {kind}", Exchange())

    async def get(self, url: str, *, accept: str, most: int) -> HttpAnswer | Outcome:
        """GET an address below the base: another one is never asked (AnswerError says so)."""
        return await self._send(Asked("GET", url, None, accept, most), "GET Binary", Exchange())

    async def post(self, kind: str, body: bytes, before_commit: BeforeCommit | None = None) -> HttpAnswer | Outcome:
        """POST a resource: to the base for a Bundle, else to its type. A lost answer is a doubt.

        Raises what `before_commit` raises, with nothing sent.
        """
        url = f"{self.base}/{kind}" if kind else self.base
        asked = Asked("POST", url, HttpBody(FHIR, (body,)), FHIR)
        return await self._send(asked, f"POST {kind or 'Bundle'}", Exchange(before_commit), fed=True)

    async def patch(
        self, kind: str, parameters: Mapping[str, str], body: HttpBody, before_commit: BeforeCommit
    ) -> HttpAnswer | Outcome:
        """Conditional PATCH. A lost answer is a doubt. Raises what `before_commit` raises, with nothing sent."""
        url = f"{self.base}/{kind}?{urlencode(parameters)}"
        return await self._send(Asked("PATCH", url, body, FHIR), f"PATCH {kind}", Exchange(before_commit), fed=True)

    async def _send(self, asked: Asked, words: str, exchange: Exchange, *, fed: bool = False) -> HttpAnswer | Outcome:
        http = self.ready()
        if isinstance(http, Outcome):
            return http
        with self._tracer.action("feed" if fed else "ask") as steps:
            started, reply = steps.started(), CANCELLED
            try:
                answer = await self._try(http, asked, exchange, fed=fed)
                reply = f"HTTP {answer.status}" if isinstance(answer, HttpAnswer) else answer.reason
                if isinstance(answer, HttpAnswer):
                    self._tracer.dated(answer.date, started, self.host)
            finally:
                steps.note(words, reply, started)
        return answer

    async def _try(self, http: HttpClient, asked: Asked, exchange: Exchange, *, fed: bool) -> HttpAnswer | Outcome:
        import httpx2

        try:
            return await http.send(asked, exchange)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as fault:
            return classify.from_exception(fault, self.host, sent=exchange.sent and fed)

    def address(self, url: str | None) -> str:
        """The absolute address of a content: below the base or relative to it. Raises AnswerError on any other."""
        if not url:
            raise AnswerError("no address for the content")
        whole = url if "://" in url else f"{self.base}/{url.lstrip('/')}"
        try:
            ours, parts = urlsplit(self.base), urlsplit(whole)
        except ValueError:  # brackets that hold no address
            raise AnswerError("an address that is none") from None
        same = (parts.scheme, parts.netloc) == (ours.scheme, ours.netloc) and parts.path.startswith(f"{ours.path}/")
        if not same or _CLIMBS.search(whole):
            raise AnswerError("a content at another address than the door's")
        return whole
