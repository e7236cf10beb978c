"""What goes wrong with a call to INSi, and whether trying again can help (spec dmp §5; RFC 9110 §15)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.channels.insi.answers import Fault
from gateway.channels.outcome import Verdict, of_http_status
from gateway.channels.scrub import scrub
from gateway.channels.tls import tls_fault


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer about the person. `reason` is a stable code, `text` the service's own words, scrubbed."""

    verdict: Verdict
    reason: str
    text: str = ""

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.verdict is Verdict.TRANSIENT


def from_fault(fault: Fault, *known: str) -> Failure:
    """A SOAP fault. `known`: the traits that were sent, taken out of any text that would repeat them.

    Only the codes that were seen are told apart; another one is shown as the service wrote it. The severity is kept
    in the text and decides nothing: the service writes values outside its own schema.
    """
    detail = fault.detail_code.lower()
    label = " ".join(part for part in (fault.subcode, fault.detail_code, fault.severity) if part)
    text = scrub(f"{label} : {fault.text}" if label else fault.text, *known)
    if detail == "desir_550":
        return Failure(Verdict.CONFIGURATION, "TSI-IDAM", text)
    if detail == "desir_560":
        return Failure(Verdict.CONFIGURATION, "TSI-CERT-CN", text)
    if detail == "insi_102" or fault.subcode.lower() == "siram_40":
        return Failure(Verdict.TRANSIENT, "TSI-UNAVAILABLE", text)
    if fault.subcode.lower() == "siram_100":
        return Failure(Verdict.CONFIGURATION, "TSI-REFUSED", text)
    return Failure(Verdict.PERMANENT, "TSI-FAULT", text)


def from_status(status: int) -> Failure:
    """An HTTP status without a SOAP answer."""
    return Failure(of_http_status(status), "TSI-HTTP", f"HTTP {status}")


def from_exception(fault: Exception) -> Failure:
    """A transport failure; asking again is harmless, a search changes nothing."""
    tls = tls_fault(fault)
    if tls is not None and tls[0] is Verdict.CONFIGURATION:
        return Failure(Verdict.CONFIGURATION, f"TSI-{tls[1]}", scrub(str(fault)))
    timeout = "Timeout" in type(fault).__name__
    return Failure(Verdict.TRANSIENT, "TSI-TIMEOUT" if timeout else "TSI-CONNECT", scrub(str(fault)))
