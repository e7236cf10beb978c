"""What can go wrong with an operator and has no name in aiosmtplib."""

from __future__ import annotations

import aiosmtplib

_TOKEN_REFUSED = frozenset({"401", "invalid_token"})
"""What the refusal's JSON says when a new token may pass (RFC 7628 §3.2.2; the number is the older form)."""


class InjectedError(aiosmtplib.SMTPException):
    """Bytes in clear came behind the answer to STARTTLS: somebody wants them taken for the secure talk."""


class NoXoauth2Error(aiosmtplib.SMTPException):
    """The server offers no XOAUTH2 after TLS."""


class AuthRefusedError(aiosmtplib.SMTPResponseException):
    """The token was refused: code and text of the last reply, `status` of the JSON that came before it."""

    def __init__(self, code: int, message: str, status: str) -> None:
        super().__init__(code, message)
        self.status = status

    @property
    def token_at_fault(self) -> bool:
        """Whether another token, or another session, may pass: neither the account's rights nor the request itself."""
        return self.status in _TOKEN_REFUSED if self.status else self.code == 535
