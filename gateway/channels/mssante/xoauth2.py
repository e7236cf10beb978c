"""SASL XOAUTH2 for SMTP: an access token instead of a password, after TLS only (ECO.1.2.1, RFC 4954)."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiosmtplib

from gateway.channels.mssante import bearer
from gateway.channels.mssante.smtp_errors import AuthRefusedError, NoXoauth2Error

_LINE = 512
"""Longest command line, CRLF included (RFC 5321 §4.5.3.1.4); a longer initial response waits for its own turn."""


@dataclass(frozen=True, slots=True)
class Login:
    """Whose box is opened, and who gives the token: fresh at each call, kept nowhere."""

    user: str
    token: Callable[[], Awaitable[str]]


async def login(client: aiosmtplib.SMTP, who: Login) -> None:
    """Open the box. The caller has checked that the connection is encrypted.

    Raises NoXoauth2Error, AuthRefusedError, what aiosmtplib raises, and what `who.token` raises.
    """
    if "xoauth2" not in client.server_auth_methods:
        raise NoXoauth2Error("XOAUTH2 not offered")
    encoded = base64.b64encode(bearer.response(who.user, await who.token()))
    status = ""
    response = await _begin(client, encoded)
    if response.code == 334:  # a refusal explains itself first, and wants an empty answer
        status = _status(response.message)
        response = await client.execute_command(b"")
    if response.code == 421:
        raise aiosmtplib.SMTPResponseException(response.code, response.message)
    if response.code != 235:
        raise AuthRefusedError(response.code, response.message, status)


async def _begin(client: aiosmtplib.SMTP, encoded: bytes) -> aiosmtplib.SMTPResponse:
    if len(b"AUTH XOAUTH2 \r\n") + len(encoded) <= _LINE:
        return await client.execute_command(b"AUTH", b"XOAUTH2", encoded)
    response = await client.execute_command(b"AUTH", b"XOAUTH2")
    return await client.execute_command(encoded) if response.code == 334 else response


def _status(challenge: str) -> str:
    """`status` of the refusal's JSON; empty when there is none to read."""
    try:
        return bearer.refused_status(base64.b64decode(challenge, validate=True))
    except ValueError:  # not base64, or not ASCII
        return ""
