"""SASL XOAUTH2 as SMTP and IMAP both speak it: what is sent, and what a refusal says (RFC 7628 §3.2.2)."""

from __future__ import annotations

import json

TOKEN_REFUSED = frozenset({"401", "invalid_token"})
"""What the refusal's JSON says when a new token may pass (the number is the older form)."""


def response(user: str, token: str) -> bytes:
    """The initial response."""
    return f"user={user}\x01auth=Bearer {token}\x01\x01".encode()


def refused_status(challenge: bytes) -> str:
    """`status` of the refusal's JSON, in lower case; empty when there is none to read."""
    try:
        value = json.loads(challenge)
    except (ValueError, RecursionError):
        return ""
    status = value.get("status", "") if isinstance(value, dict) else ""
    return str(status).lower()[:40]
