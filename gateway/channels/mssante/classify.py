"""What an SMTP failure means: every row of the table of spec mssante §7-8, and of RFC 5321 §4.2 for the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import aiosmtplib

from gateway.channels.mssante.smtp_errors import AuthRefusedError, InjectedError, NoXoauth2Error
from gateway.channels.outcome import Outcome, Verdict
from gateway.channels.scrub import scrub
from gateway.channels.tls import tls_fault
from gateway.channels.tokens import SessionNeeded, TokenUnavailableError
from gateway.errors import GatewayError

_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_QUEUED = re.compile(r"queued as <?([A-Za-z0-9._-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply: code, enhanced status code (RFC 3463) when there is one, text as the server wrote it."""

    code: int
    text: str

    @property
    def status(self) -> str | None:
        """`5.1.1`, or None."""
        found = _ENHANCED.match(self.text)
        return found[1] if found else None

    @property
    def reason(self) -> str:
        """`MSS-550-5.1.1`, or `MSS-550` without enhanced code."""
        return f"MSS-{self.code}" + (f"-{self.status}" if self.status else "")


# Policy or security status (x.7.y) with one of these is about our certificate or account, not about the message.
_ACCESS_CODES = frozenset({421, 454})
# Authentication wanted, too weak, or refused: no message will pass before a person acts (RFC 4954 §6).
_AUTHENTICATION_CODES = frozenset({530, 534, 535, 538})
_PLAIN_TRANSIENT = frozenset({450, 451, 452})


def verdict_of(reply: Reply) -> Verdict:
    """Class of a refusal. 450, 451 and 452 stay transient even with 4.7.x: that is how greylisting speaks."""
    if (reply.status or "").endswith(".2.2"):
        return Verdict.TRANSIENT  # mailbox full: its owner may empty it (RFC 3463 §3.3), whatever the first digit says
    security = (reply.status or "").split(".")[1:2] == ["7"]
    if reply.code in _AUTHENTICATION_CODES or (reply.code in _ACCESS_CODES and security):
        return Verdict.CONFIGURATION
    if 400 <= reply.code < 500:
        return Verdict.CONFIGURATION if security and reply.code not in _PLAIN_TRANSIENT else Verdict.TRANSIENT
    return Verdict.PERMANENT if 500 <= reply.code < 600 else Verdict.TRANSIENT


def refused(code: int, text: str, host: str, *known: str) -> Outcome:
    """Outcome of a definite refusal; nothing was accepted."""
    reply = Reply(code, text)
    if not 400 <= code < 600:
        return Outcome(Verdict.TRANSIENT, "MSS-PROTOCOL", scrub(text, *known), host=host)
    return Outcome(verdict_of(reply), reply.reason, f"{code} {scrub(text, *known)}".strip(), host=host)


def before_mail(outcome: Outcome) -> Outcome:
    """The same refusal, met before any message was spoken of: it says nothing about this one. A 554 in the greeting, a
    STARTTLS taken back: every message would meet it, so the channel stops and none is given up.
    """
    if outcome.verdict is Verdict.PERMANENT:
        return replace(outcome, verdict=Verdict.CONFIGURATION)
    return outcome


def auth_refused(fault: AuthRefusedError, host: str) -> Outcome:
    """Outcome of a refused XOAUTH2, asked twice where a new token might have passed (RFC 4954 §4.7, RFC 7628 §3.2.2).

    Codes only: a server may quote the token that it refuses.
    """
    reply = Reply(fault.code, str(fault.message))
    text = " ".join(str(part) for part in (fault.code, reply.status, fault.status) if part)
    if fault.code < 500 and fault.code != 432:  # 454 4.7.0: the operator's own check is out of order
        return Outcome(Verdict.TRANSIENT, "MSS-AUTH-LATER", text, host=host)
    if fault.token_at_fault:
        return Outcome(Verdict.SESSION, "MSS-SESSION-REFUSED", text, host=host)
    return Outcome(Verdict.CONFIGURATION, "MSS-AUTH", text, host=host)


def no_token(fault: GatewayError, host: str) -> Outcome:
    """Outcome of a token that was not to be had."""
    if isinstance(fault, SessionNeeded):
        return Outcome(Verdict.SESSION, "MSS-SESSION", host=host)
    if isinstance(fault, TokenUnavailableError):
        return Outcome(Verdict.TRANSIENT, "MSS-TOKEN", fault.message, host=host)
    return Outcome(Verdict.CONFIGURATION, "MSS-TOKEN-SOURCE", fault.message, host=host)


def accepted(text: str, host: str, *known: str) -> Outcome:
    """Outcome of the 250 after the final dot; the reference is the operator's queue id when it gives one."""
    found = _QUEUED.search(text)
    clean = scrub(text, *known)
    return Outcome(Verdict.ACCEPTED, "MSS-250", f"250 {clean}", found[1] if found else clean or None, host=host)


def failed(fault: Exception, host: str, *known: str) -> Outcome:
    """Outcome of an exception raised before any content left: nothing was accepted."""
    if isinstance(fault, AuthRefusedError):
        return auth_refused(fault, host)
    if isinstance(fault, aiosmtplib.SMTPResponseException):
        return refused(fault.code, str(fault.message), host, *known)
    tls = tls_fault(fault)
    if tls is not None:
        verdict, suffix = tls
        return Outcome(verdict, f"MSS-{suffix}", scrub(str(fault), *known), host=host)
    verdict, reason = _network(fault)
    return Outcome(verdict, reason, scrub(str(fault), *known), host=host)


_KINDS: tuple[tuple[type[Exception], Verdict, str], ...] = (
    (TimeoutError, Verdict.TRANSIENT, "MSS-TIMEOUT"),  # aiosmtplib's timeouts are too
    (aiosmtplib.SMTPServerDisconnected, Verdict.TRANSIENT, "MSS-LOST"),
    (OSError, Verdict.TRANSIENT, "MSS-CONNECT"),  # aiosmtplib's SMTPConnectError is one
    (NoXoauth2Error, Verdict.CONFIGURATION, "MSS-NO-XOAUTH2"),
    (InjectedError, Verdict.CONFIGURATION, "MSS-INJECTED"),
)


def _network(fault: Exception) -> tuple[Verdict, str]:
    for kind, verdict, reason in _KINDS:
        if isinstance(fault, kind):
            return verdict, reason
    if isinstance(fault, aiosmtplib.SMTPException) and "STARTTLS" in str(fault):
        return Verdict.CONFIGURATION, "MSS-NO-STARTTLS"
    return Verdict.TRANSIENT, "MSS-PROTOCOL"
