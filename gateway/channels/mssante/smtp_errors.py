"""What can go wrong with an operator and has no name in aiosmtplib."""

from __future__ import annotations

import aiosmtplib

from gateway.channels.mssante.bearer import TOKEN_REFUSED


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
        return self.status in TOKEN_REFUSED if self.status else self.code == 535
