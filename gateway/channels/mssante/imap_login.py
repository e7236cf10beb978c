"""Logging in to the mailbox, always under TLS: by the client certificate, a session's token, or a password."""

from __future__ import annotations

import imaplib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.channels import tokens
from gateway.channels.mssante import bearer
from gateway.channels.mssante.mailbox_faults import MailboxError, login_refused, misconfigured
from gateway.channels.mssante.wire import quoted
from gateway.channels.outcome import Verdict
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.channels.mssante.wire import Wire
    from gateway.channels.tokens import TokenSource
    from gateway.settings import ImapSettings


@dataclass(frozen=True, slots=True)
class Identity:
    """Who logs in, and with what."""

    settings: ImapSettings
    address: str
    account: str
    token: TokenSource | None

    @property
    def user(self) -> str:
        """Name of the box."""
        return self.settings.user or self.address


def log_in(box: Wire, who: Identity) -> None:
    """Log in, and learn what the server offers from now on. Raises MailboxError and what a connection raises."""
    if box.state == "AUTH":
        return  # PREAUTH: the certificate was enough
    try:
        _METHODS[who.settings.auth](box, who)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as fault:
        raise login_refused(fault, token=False) from fault
    box.learn()


def _by_certificate(box: Wire, who: Identity) -> None:
    """SASL EXTERNAL (RFC 4422 Appendix A) where it is offered. An empty name means: the one in the certificate.

    Elsewhere servers take the name from the certificate and yet want a PLAIN exchange, whose password they ignore.
    """
    if "AUTH=EXTERNAL" in box.capabilities:
        name = (who.settings.user or "").encode()
        box.authenticate("EXTERNAL", lambda _: name)
    else:
        _plain(box, who.user, "")


def _by_password(box: Wire, who: Identity) -> None:
    assert who.settings.password_file is not None  # the settings check it
    _plain(box, who.user, _read_secret(who.settings.password_file))


def _by_token(box: Wire, who: Identity) -> None:
    """XOAUTH2: the token is asked for now and kept nowhere (ECO.1.2.5)."""
    if "AUTH=XOAUTH2" not in box.capabilities:
        raise misconfigured("IMAP-NO-XOAUTH2")
    answers, challenges = iter([bearer.response(who.user, _token(who))]), []

    def answer(challenge: bytes) -> bytes:
        challenges.append(challenge)
        return next(answers, b"")  # a refusal explains itself first, and wants an empty answer

    try:
        box.authenticate("XOAUTH2", answer)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as fault:
        # Refused before it was asked for, the token is not at fault. No cause: its text might hold the token.
        raise login_refused(fault, token=bool(challenges) and _token_at_fault(challenges[-1])) from None


def _token(who: Identity) -> str:
    if who.token is None:
        fault = tokens.no_source(who.account)
        raise misconfigured("IMAP-TOKEN-SOURCE", fault.message) from fault
    try:
        return tokens.fetch(who.token, who.account)
    except tokens.SessionNeeded as fault:
        raise MailboxError(Verdict.SESSION, "IMAP-SESSION", fault.message) from None
    except tokens.TokenUnavailableError as fault:
        raise MailboxError(Verdict.TRANSIENT, "IMAP-TOKEN", fault.message) from None
    except ConfigError as fault:
        raise misconfigured("IMAP-TOKEN-SOURCE", fault.message) from None


def _token_at_fault(challenge: bytes) -> bool:
    """Whether another session may pass: the refusal's JSON says so (RFC 7628 §3.2.2), or says nothing."""
    status = bearer.refused_status(challenge)
    return not status or status in bearer.TOKEN_REFUSED


def _plain(box: Wire, user: str, password: str) -> None:
    if "AUTH=PLAIN" in box.capabilities:
        secret = f"\x00{user}\x00{password}".encode()
        box.authenticate("PLAIN", lambda _: secret)
    elif "LOGINDISABLED" in box.capabilities:
        raise misconfigured("IMAP-NO-METHOD")
    else:
        box.login(quoted(user), password)


def _read_secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").splitlines()[0]
    except (OSError, ValueError, IndexError) as fault:
        raise misconfigured("IMAP-PASSWORD-FILE", f"Fichier de mot de passe illisible : {path}.") from fault


_METHODS = {"certificate": _by_certificate, "password": _by_password, "xoauth2": _by_token}
