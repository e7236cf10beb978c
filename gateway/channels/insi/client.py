"""One call to INSi: request out, answer in, short retries where the service is only away for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from gateway.channels.insi import answers, classify, messages
from gateway.channels.insi.answers import Fault, Reply, UnreadableError
from gateway.channels.insi.classify import Failure
from gateway.channels.insi.messages import CONTENT_TYPE, Search, Software
from gateway.channels.outcome import Verdict
from gateway.channels.tls import client_context
from gateway.channels.trace import Tracer
from gateway.errors import ConfigError

if TYPE_CHECKING:
    import ssl

    import httpx2

    from gateway.clock import Clock, Randomness
    from gateway.settings import InsiSettings

MAX_ANSWER = 256 * 1024
"""Bytes; a reply about one person has a few thousand."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 4.0


def software_of(settings: InsiSettings) -> Software:
    """How the settings present the software to the service."""
    return Software(
        idam=settings.idam,
        name=settings.name,
        version=settings.version,
        instance=settings.instance,
        emitter=settings.emitter,
    )


class InsiClient:
    """Asks the service over mutual TLS with the organisation's certificate. To be closed, or used in a `with`."""

    def __init__(
        self,
        settings: InsiSettings,
        *,
        clock: Clock,
        ids: Randomness,
        sleep: Callable[[float], None] = time.sleep,
        tracer: Tracer | None = None,
    ) -> None:
        """Raises ConfigError (TLS-...) when the certificates cannot be read, TSI-001 without a client certificate."""
        if not settings.tls.with_certificate:
            raise ConfigError(
                "TSI-001",
                "INSi demande un certificat client d'organisation (CN INSI-MANU ou INSI-AUTO).",
                "Donner cert_file et key_file dans [account.insi.tls].",
            )
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._sleep = sleep
        self._tracer = tracer or Tracer(clock=clock)
        self._context: ssl.SSLContext = client_context(settings.tls)
        self._client: httpx2.Client | None = None
        self.calls = 0
        """Requests that were made, those that failed included."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def search(self, search: Search) -> Reply | Failure:
        """Ask about one set of traits. Failures come back as values; a transient one was tried again first."""
        from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential

        last = Retrying(
            retry=retry_if_result(lambda found: isinstance(found, Failure) and found.retryable),
            stop=stop_after_attempt(1 + self._settings.retries),
            wait=wait_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            sleep=self._sleep,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        found: Reply | Failure = last(self._once, search)
        return found

    def _once(self, search: Search) -> Reply | Failure:
        body = messages.search_request(
            search, software_of(self._settings), now=self._clock.now(), ids=self._ids
        )  # every attempt has ids and an instant of its own, as the contexts demand
        try:
            status, data = self._post(body)
        except Exception as fault:  # noqa: BLE001 (httpx2 and ssl raise many kinds; each becomes an outcome)
            return classify.from_exception(fault)
        return _answer(status, data, search)

    def _post(self, body: bytes) -> tuple[int, bytes]:
        self.calls += 1
        with self._tracer.action("ask") as steps:
            started, reply = steps.started(), "LOST"
            try:
                status, data = self._exchange(self._open(), body, started)
                reply = f"HTTP {status}"
            finally:
                steps.note("POST insi", reply, started)
        return status, data

    def _exchange(self, client: httpx2.Client, body: bytes, started: float) -> tuple[int, bytes]:
        with client.stream("POST", self._settings.url, content=body, headers={"Content-Type": CONTENT_TYPE}) as answer:
            self._tracer.dated(answer.headers.get("date"), started)
            data = bytearray()
            for chunk in answer.iter_bytes():
                data += chunk
                if len(data) > MAX_ANSWER:
                    break
            return answer.status_code, bytes(data)

    def _open(self) -> httpx2.Client:
        if self._client is None:
            import httpx2  # heavy, and only a process that asks INSi needs it

            self._client = httpx2.Client(
                verify=self._context,
                timeout=self._settings.timeout,
                follow_redirects=False,  # an identity goes to the configured address or nowhere
                trust_env=False,
                headers={"User-Agent": "kine-gateway"},
            )
        return self._client


def _answer(status: int, data: bytes, search: Search) -> Reply | Failure:
    """The meaning of a status and a body; a SOAP fault comes with 400 or 500 and says more than its status."""
    known = (search.family, *search.given, search.born.isoformat())
    try:
        found = answers.read(data)
    except UnreadableError as fault:
        if status != 200:
            return classify.from_status(status)
        return Failure(Verdict.TRANSIENT, "TSI-UNREADABLE", str(fault))
    if isinstance(found, Fault):
        return classify.from_fault(found, *known)
    return found if status == 200 else classify.from_status(status)
