"""Asks a time-stamping authority (RFC 3161 over HTTP, §3.4) to stamp bytes. It receives their hash only."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from gateway.errors import ConfigError, GatewayError

if TYPE_CHECKING:
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
    from rfc3161_client import TimestampRequestBuilder, decode_timestamp_response

    request = TimestampRequestBuilder().data(data).build()
    try:
        with httpx2.Client(
            verify=_context(settings), timeout=settings.timeout, follow_redirects=False, trust_env=False
        ) as client:
            answer = client.post(settings.url, content=request.as_bytes(), headers={"Content-Type": _QUERY})
    except httpx2.HTTPError as fault:
        raise TimestampError("TSA-001", "Le service d'horodatage ne répond pas.", "Nouvel essai plus tard.") from fault
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if answer.status_code != 200 or kind != _REPLY or len(answer.content) > _MAX_REPLY:
        raise TimestampError("TSA-002", f"Le service d'horodatage refuse (HTTP {answer.status_code}).", "")
    try:
        response = decode_timestamp_response(answer.content)
        info = response.tst_info
        ours = info.nonce == request.nonce and info.message_imprint.message == request.message_imprint.message
    except ValueError as fault:
        raise TimestampError("TSA-002", "Réponse illisible du service d'horodatage.", "") from fault
    if response.status != 0 or not ours:
        raise TimestampError("TSA-002", "Le service d'horodatage n'a pas horodaté ce point de contrôle.", "")
    return answer.content


def _context(settings: TimestampSettings) -> ssl.SSLContext | bool:
    if settings.ca_file is None:
        return False  # plain http, as the settings demand: the stamp itself is signed
    try:
        return ssl.create_default_context(cafile=str(settings.ca_file))
    except OSError as fault:
        advice = "Vérifier journal.timestamp.ca_file."
        raise ConfigError("TSA-003", f"Certificats illisibles : {settings.ca_file}.", advice) from fault
