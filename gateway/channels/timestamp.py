"""Asks a time-stamping authority (RFC 3161 over HTTP, §3.4) to stamp bytes. It receives their hash only."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from gateway.errors import ConfigError, GatewayError

if TYPE_CHECKING:
    import httpx2
    from rfc3161_client import TimeStampRequest

    from gateway.settings import TimestampSettings

_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"
_MAX_REPLY = 1_000_000


class TimestampError(GatewayError):
    """The authority did not stamp: unreachable, or it refused."""


def stamp(settings: TimestampSettings, data: bytes) -> bytes:
    """The authority's response (DER) for `data`, its nonce and digest checked.

    Raises TimestampError (TSA-001 unreachable, TSA-002 refused or not about these bytes), ConfigError (TSA-003).
    """
    import httpx2
    from rfc3161_client import TimestampRequestBuilder

    request = TimestampRequestBuilder().data(data).build()
    try:
        with httpx2.Client(
            verify=_context(settings), timeout=settings.timeout, follow_redirects=False, trust_env=False
        ) as client:
            status, kind, reply = _posted(client, settings.url, request.as_bytes())
    except httpx2.HTTPError as fault:
        raise TimestampError("TSA-001", "Le service d'horodatage ne répond pas.", "Nouvel essai plus tard.") from fault
    if status != 200 or kind != _REPLY or len(reply) > _MAX_REPLY:
        raise TimestampError("TSA-002", f"Le service d'horodatage refuse (HTTP {status}).", "")
    check(reply, request)
    return reply


def check(reply: bytes, request: TimeStampRequest) -> None:
    """Hold an authority's answer (DER) against the question. Raises TimestampError (TSA-002). No signature."""
    from rfc3161_client import decode_timestamp_response

    try:
        response = decode_timestamp_response(reply)
        info = response.tst_info
        ours = info.nonce == request.nonce and info.message_imprint.message == request.message_imprint.message
    except ValueError as fault:
        raise TimestampError("TSA-002", "Réponse illisible du service d'horodatage.", "") from fault
    if response.status != 0 or not ours:
        raise TimestampError("TSA-002", "Le service d'horodatage n'a pas horodaté ce point de contrôle.", "")


def _posted(client: httpx2.Client, url: str, query: bytes) -> tuple[int, str, bytes]:
    """Status, media type and body of the answer, of which no more is read than it may have."""
    with client.stream("POST", url, content=query, headers={"Content-Type": _QUERY}) as answer:
        kind, data = answer.headers.get("content-type", "").partition(";")[0].strip().lower(), bytearray()
        for chunk in answer.iter_raw():
            data += chunk
            if len(data) > _MAX_REPLY:
                break
        return answer.status_code, kind, bytes(data)


def _context(settings: TimestampSettings) -> ssl.SSLContext | bool:
    if settings.ca_file is None:
        return False  # plain http, as the settings demand: the stamp itself is signed
    try:
        return ssl.create_default_context(cafile=str(settings.ca_file))
    except OSError as fault:
        advice = "Vérifier journal.timestamp.ca_file."
        raise ConfigError("TSA-003", f"Certificats illisibles : {settings.ca_file}.", advice) from fault
