"""What a DMP answer means for the delivery (spec dmp §3.5; SOAP 1.2 part 1 §5.4.6; RFC 9110 §15)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.channels.dmp.answers import Existence, Fault, RegistryError
from gateway.channels.outcome import Outcome, Verdict, of_http_status
from gateway.channels.scrub import scrub
from gateway.channels.tls import tls_fault
from gateway.package.types import DmpContext, DmpIdentity

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,60}")
DUPLICATE = "XDSDuplicateUniqueIdInRegistry"
_RETRYABLE_ENDINGS = ("Busy", "OutOfResources", "NotAvailable")
# WS-Security fault codes (WSS SOAP Message Security 1.1 §12): the VIHF or a certificate is at fault, not the document.
_SECURITY = frozenset(
    {
        "UnsupportedSecurityToken",
        "UnsupportedAlgorithm",
        "InvalidSecurity",
        "InvalidSecurityToken",
        "FailedAuthentication",
        "FailedCheck",
        "SecurityTokenUnavailable",
        "MessageExpired",
    }
)
_SECURITY_WORDS = ("vihf", "certificat", "assertion")
_LOST_BEHIND_PROXY = frozenset({502, 504})


def known_words(context: DmpIdentity) -> tuple[str, ...]:
    """What must never come back in a stored text."""
    return (context.ins, context.author_id, *context.author_name.split())


def accepted(context: DmpContext, host: str, reason: str = "DMP-SUCCESS") -> Outcome:
    """The set is in the registry; the reference is its unique id."""
    return Outcome(Verdict.ACCEPTED, reason, reference=context.submission_set_id, host=host)


def from_fault(fault: Fault, context: DmpIdentity, host: str) -> Outcome:
    """A SOAP fault: nothing of the request was taken."""
    text = scrub(f"{fault.code} {fault.subcode} {fault.reason}", *known_words(context))
    if fault.subcode in _SECURITY or any(word in fault.reason.lower() for word in _SECURITY_WORDS):
        return Outcome(Verdict.CONFIGURATION, "DMP-VIHF", text, host=host)
    if fault.code == "Receiver":  # "could succeed at a later time" says the standard
        return Outcome(Verdict.TRANSIENT, "DMP-FAULT-RECEIVER", text, host=host)
    return Outcome(Verdict.PERMANENT, "DMP-FAULT", text, host=host)


def from_errors(errors: Sequence[RegistryError], context: DmpIdentity, host: str) -> Outcome:
    """A registry failure; the gravest error decides, and the text names every code."""
    if not errors:
        return Outcome(Verdict.PERMANENT, "DMP-FAILURE", host=host)
    text = scrub(" | ".join(error.text for error in errors), *known_words(context))
    if isinstance(context, DmpContext) and any(is_own_duplicate(error, context) for error in errors):
        return Outcome(Verdict.IN_DOUBT, f"DMP-{DUPLICATE}", text, reference=context.submission_set_id, host=host)
    graver = next((error for error in errors if not error.code.endswith(_RETRYABLE_ENDINGS)), None)
    if graver is not None:
        return Outcome(Verdict.PERMANENT, _reason(graver.code), text, host=host)
    return Outcome(Verdict.TRANSIENT, _reason(errors[0].code), text, host=host)


def _reason(code: str) -> str:
    """A registry's code as a reason; what has not the form of one (words, a name, a line) is not taken for one."""
    return f"DMP-{code if _CODE.fullmatch(code) else 'FAILURE'}"


def is_own_duplicate(error: RegistryError, context: DmpContext) -> bool:
    """Whether the registry says that it holds this very submission set.

    The set's id is ours and random: only an earlier attempt can have brought it there. The same code about the
    document means another set holds it, and proves nothing about this one.
    """
    about_document = "DocumentEntry" in error.location or context.document_id in f"{error.context} {error.location}"
    return error.code == DUPLICATE and not about_document


def from_existence(answer: Existence, context: DmpIdentity, host: str) -> Outcome | None:
    """None when the DMP can be fed; otherwise why it cannot."""
    words = known_words(context)
    if answer.error is not None:
        return Outcome(Verdict.CONFIGURATION, "DMP-TD02-ERROR", scrub(answer.error, *words), host=host)
    if not answer.found:
        return Outcome(Verdict.IMPOSSIBLE, "DMP-NO-DMP", host=host)
    if not answer.active:
        return Outcome(Verdict.IMPOSSIBLE, "DMP-CLOSED", host=host)
    if answer.authorisation != "VALIDE":
        # The list of values was not obtained: only its name tells an opposition from a missing authorisation.
        said = answer.authorisation or ""
        forbidden = any(word in said.lower() for word in ("oppos", "interdi"))
        reason = "DMP-OPPOSITION" if forbidden else "DMP-NOT-AUTHORISED"
        return Outcome(Verdict.IMPOSSIBLE, reason, scrub(said, *words), host=host)
    return None


def from_status(status: int, retry_after: float | None, host: str, *, fed: bool) -> Outcome:
    """An HTTP status without a SOAP answer. `fed`: the document was in the request."""
    text = f"HTTP {status}"
    if status in _LOST_BEHIND_PROXY and fed:
        # A proxy says that it got no answer: the DMP may have taken the document.
        return Outcome(Verdict.IN_DOUBT, f"DMP-HTTP-{status}", text, host=host)
    verdict = of_http_status(status)
    later = retry_after if verdict is Verdict.TRANSIENT else None
    return Outcome(verdict, f"DMP-HTTP-{status}", text, retry_after=later, host=host)


def unreadable(fault: Exception, host: str, *, fed: bool) -> Outcome:
    """An answer that cannot be read. `fed`: what was asked may have been done."""
    verdict = Verdict.IN_DOUBT if fed else Verdict.TRANSIENT
    return Outcome(verdict, "DMP-UNREADABLE", scrub(str(fault)), host=host)


def from_exception(fault: Exception, host: str, *, sent: bool) -> Outcome:
    """A transport failure. `sent`: the request had begun to leave and held the document."""
    tls = tls_fault(fault)
    if tls is not None and tls[0] is Verdict.CONFIGURATION:
        return Outcome(Verdict.CONFIGURATION, f"DMP-{tls[1]}", scrub(str(fault)), host=host)
    timeout = "Timeout" in type(fault).__name__
    if sent:
        reason = "DMP-DOUBT-TIMEOUT" if timeout else "DMP-DOUBT-LOST"
        return Outcome(Verdict.IN_DOUBT, reason, scrub(str(fault)), host=host)
    return Outcome(Verdict.TRANSIENT, "DMP-TIMEOUT" if timeout else "DMP-CONNECT", scrub(str(fault)), host=host)
