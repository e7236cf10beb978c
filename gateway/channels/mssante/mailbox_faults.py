"""What goes wrong with a mailbox, in the classes of a sending: ours to mend, a session to renew, or time mends it."""

from __future__ import annotations

import imaplib
import ssl

from gateway.channels.mssante.wire import InjectedError, NoStartTlsError, TooMuchError
from gateway.channels.outcome import Verdict
from gateway.channels.tls import tls_fault
from gateway.errors import ConfigError

_LATER = ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]", "[OVERQUOTA]")
"""RFC 5530: the server itself says that another time it may work."""


class MailboxError(Exception):
    """The mailbox could not be read. `reason` is a stable code (`IMAP-TLS-VERIFY`); no server's text is kept, since
    it may quote a mail.
    """

    def __init__(self, verdict: Verdict, reason: str, message: str = "") -> None:
        super().__init__(reason)
        self.verdict = verdict
        self.reason = reason
        self.message = message
        """French, for a person; empty when the reason says all."""


def misconfigured(reason: str, message: str = "") -> MailboxError:
    """A person has to change something before it can work."""
    return MailboxError(Verdict.CONFIGURATION, reason, message)


def login_refused(fault: imaplib.IMAP4.error, *, token: bool) -> MailboxError:
    """The server did not let us in: for now, or until a person acts (a fresh token, another certificate)."""
    text = str(fault).upper()
    if any(code in text for code in _LATER):
        return MailboxError(Verdict.TRANSIENT, "IMAP-BUSY")
    if token:
        return MailboxError(Verdict.SESSION, "IMAP-SESSION")
    return misconfigured("IMAP-LOGIN")


def classified(fault: Exception) -> MailboxError:
    """The class of whatever a connection raised."""
    if isinstance(fault, MailboxError):
        return fault
    if isinstance(fault, ConfigError):
        return misconfigured("IMAP-TLS-FILES", fault.message)
    if isinstance(fault, NoStartTlsError):
        return misconfigured("IMAP-NO-STARTTLS")
    if isinstance(fault, InjectedError):
        return misconfigured("IMAP-INJECTED")
    tls = tls_fault(fault) if isinstance(fault, (OSError, ssl.SSLError)) else None
    if tls is not None:
        return MailboxError(tls[0], f"IMAP-{tls[1]}")
    return MailboxError(Verdict.TRANSIENT, _hazard(fault))


def _hazard(fault: Exception) -> str:
    if isinstance(fault, TooMuchError):
        return "IMAP-TOO-MUCH"
    if isinstance(fault, TimeoutError):
        return "IMAP-TIMEOUT"
    if isinstance(fault, OSError):
        return "IMAP-CONNECT"
    if isinstance(fault, imaplib.IMAP4.abort):
        return "IMAP-LOST"
    return "IMAP-PROTOCOL"
