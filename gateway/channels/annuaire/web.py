"""HTTPS to the directory's services: bounded answers, short retries, no redirection, typed errors with advice."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gateway.channels import tls
from gateway.channels.annuaire.model import AnnuaireError, AnnuaireUnavailableError
from gateway.channels.scrub import scrub
from gateway.settings import TlsSettings
from gateway.skew import Skew

if TYPE_CHECKING:
    import httpx2

MAX_ANSWER = 10_000_000
"""Bytes of one page of results; 50 professionals with their places weigh about 500 kB."""
MAX_DOWNLOAD = 300_000_000
"""Bytes of the daily file, fifteen times what it weighs zipped today."""
ATTEMPTS = 3
_PAUSE = 0.5  # seconds after the first attempt, twice that after the second
_LONGEST_PAUSE = 5.0  # seconds: somebody waits at the screen
_CHECK = "Vérifier l'adresse (annuaire.api.url, avec /v2) et la question posée."
_BUSY = frozenset({429, 500, 502, 503, 504})


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """The authority of the file alone, or the system's where none is named. Raises ConfigError TLS-001."""
    if ca_file is not None:
        return tls.client_context(TlsSettings(ca_file=ca_file))
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def read_key(path: Path) -> str:
    """The API key: one line of printable ASCII. Raises AnnuaireError ANN-101."""
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        key = ""
    if not key or not key.isprintable() or " " in key:
        advice = "Y écrire, sur une ligne, la clé obtenue sur portal.api.esante.gouv.fr (API Annuaire Santé)."
        raise AnnuaireError("ANN-101", f"Pas de clé de l'Annuaire Santé dans {path}.", advice)
    return key


class Site:
    """One service of the directory. `sleep` is called between attempts, `slot` is entered around each call."""

    def __init__(
        self,
        context: ssl.SSLContext,
        timeout: float,
        headers: Mapping[str, str],
        *,
        sleep: Callable[[float], None],
        slot: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
        skew: Skew | None = None,
    ) -> None:
        import httpx2

        self._sleep = sleep
        self._slot = slot
        self._skew = skew
        self._client = httpx2.Client(
            verify=context,
            timeout=httpx2.Timeout(timeout),
            follow_redirects=False,  # the key must not follow one to another host
            trust_env=False,
            headers={"User-Agent": "kine-gateway", **headers},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get_json(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        """The JSON value that a GET answers. Raises AnnuaireError (ANN-102 to ANN-106)."""
        return self._insist(lambda: self._one_json(url, params))

    def _insist(self, work: Callable[[], Any]) -> Any:
        """Three attempts where the service is only busy; tenacity keeps the count."""
        from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

        def pause(state: RetryCallState) -> float:
            fault = state.outcome.exception() if state.outcome else None
            asked = getattr(fault, "retry_after", None)
            return min(asked, _LONGEST_PAUSE) if asked is not None else _PAUSE * state.attempt_number

        retrying = Retrying(
            retry=retry_if_exception_type(AnnuaireUnavailableError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=pause,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(work)

    def _one_json(self, url: str, params: Mapping[str, str] | None) -> Any:
        with self.get(url, params, accept="application/fhir+json") as response:
            data = _bounded(response, MAX_ANSWER)
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as fault:
            raise _unreadable() from fault

    @contextlib.contextmanager
    def get(
        self, url: str, params: Mapping[str, str] | None = None, *, accept: str = "*/*"
    ) -> Iterator[httpx2.Response]:
        """A GET answered by 200, body unread. Raises AnnuaireError for any other answer and for network faults."""
        import httpx2

        try:
            with (
                self._slot(),
                self._timed(url) as dated,
                self._client.stream("GET", url, params=params, headers={"Accept": accept}) as response,
            ):
                dated(response.headers.get("date"))
                if response.status_code != 200:
                    raise refusal(response.status_code, _bounded(response, MAX_ANSWER), response.headers)
                yield response
        except httpx2.InvalidURL as fault:
            raise _unreadable() from fault
        except httpx2.HTTPError as fault:
            raise _network(fault) from fault

    @contextlib.contextmanager
    def _timed(self, url: str) -> Iterator[Callable[[str | None], None]]:
        """What takes the Date header of the answer to a request that leaves now."""
        skew, host = self._skew, urlsplit(url).hostname or ""
        if skew is None:
            yield lambda _: None
            return
        started = skew.started()
        yield lambda date: skew.dated(host, date, started)


def _bounded(response: httpx2.Response, limit: int) -> bytes:
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > limit:
            raise _unreadable()
    return bytes(data)


def _unreadable() -> AnnuaireError:
    advice = "Vérifier l'adresse de l'annuaire dans la configuration ; sinon employer la liste importée."
    return AnnuaireError("ANN-105", "L'Annuaire Santé a répondu autre chose que ce qui est attendu.", advice)


def _network(fault: Exception) -> AnnuaireError:
    if (found := tls.tls_fault(fault)) is not None and found[1].startswith("TLS"):
        advice = "Vérifier l'autorité (ca_file) et le nom du serveur ; ne pas passer outre."
        return AnnuaireError("ANN-106", "L'identité du serveur de l'annuaire n'est pas vérifiable.", advice)
    advice = "Vérifier la connexion, puis réessayer ; la liste importée, s'il y en a une, sert en attendant."
    return AnnuaireUnavailableError("ANN-104", "L'Annuaire Santé ne répond pas.", advice)


class BusyError(AnnuaireUnavailableError):
    """The service asks to come back; `retry_after` in seconds when it said."""

    retry_after: float | None = None


def refusal(status: int, body: bytes, headers: Mapping[str, str]) -> AnnuaireError:
    """The error that an HTTP status and its OperationOutcome stand for."""
    said = _said(body)
    if status in {401, 403}:
        advice = "Vérifier la clé (key_file) et son abonnement sur portal.api.esante.gouv.fr."
        return AnnuaireError("ANN-102", f"L'Annuaire Santé refuse la clé (HTTP {status}).", advice)
    if status in _BUSY:
        busy = BusyError("ANN-104", f"L'Annuaire Santé est occupé ou en panne (HTTP {status}).{said}", "Réessayer.")
        seconds = headers.get("retry-after", "").strip()
        busy.retry_after = float(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 6 else None
        return busy
    return AnnuaireError("ANN-103", f"L'Annuaire Santé refuse la question (HTTP {status}).{said}", _CHECK)


def _said(body: bytes) -> str:
    """The diagnostics of an OperationOutcome (FHIR R4), scrubbed, after a blank; empty when there is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    issues = value.get("issue") if isinstance(value, dict) else None
    texts = [i.get("diagnostics") for i in issues if isinstance(i, dict)] if isinstance(issues, list) else []
    return next((" " + scrub(text) for text in texts if isinstance(text, str) and text), "")
