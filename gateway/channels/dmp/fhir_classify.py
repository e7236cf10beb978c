"""Outcome of what a server of the FHIR door answers: status first, then FHIR's issue codes (http.html, issue-type).

409 duplicate is a doubt, for evidence to settle; 412 and 422 stop with the server's own words; 429 and 5xx are tried
again; a service that is not there or refuses the certificate is ours to mend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gateway.channels.dmp import classify
from gateway.channels.dmp.fhir_answers import Issue, issues
from gateway.channels.dmp.http import HttpAnswer
from gateway.channels.outcome import Outcome, Verdict
from gateway.channels.scrub import scrub
from gateway.package.types import DmpIdentity

Kind = Literal["feed", "change", "ask"]
DUPLICATE = "DMP-FHIR-DUPLICATE"
_PASSING = frozenset({"transient", "throttled", "lock-error", "no-store", "timeout", "incomplete"})
_ACCESS = frozenset({"security", "login", "expired", "unknown"})
_REASONS = {
    "duplicate": DUPLICATE,
    "forbidden": "DMP-FHIR-FORBIDDEN",
    "conflict": "DMP-FHIR-CONFLICT",
    "multiple-matches": "DMP-FHIR-MULTIPLE",
    "not-supported": "DMP-FHIR-NOT-SUPPORTED",
    "not-found": "DMP-FHIR-NOT-FOUND",
}
_BY_STATUS = {403: "forbidden", 405: "not-supported", 409: "conflict", 412: "multiple-matches"}


def refusal(answer: HttpAnswer, identity: DmpIdentity, host: str, kind: Kind) -> Outcome | None:
    """None for a success; otherwise what the status and the OperationOutcome mean."""
    if 200 <= answer.status < 300:
        return None
    return of(answer.status, issues(answer.data), identity, host, kind, answer.retry_after)


def of(
    status: int,
    found: Sequence[Issue],
    identity: DmpIdentity,
    host: str,
    kind: Kind,
    retry_after: float | None = None,
) -> Outcome:
    """The outcome of a status with its issues; without any, what the status alone says (as by the other door)."""
    plain = classify.from_status(status, retry_after, host, fed=kind != "ask")
    text = scrub(" | ".join(filter(None, (one.text for one in found))), *classify.known_words(identity))
    said = f"HTTP {status} {text}".strip()
    codes = [one.code for one in found]
    if plain.verdict in {Verdict.TRANSIENT, Verdict.IN_DOUBT} or not found:
        return Outcome(plain.verdict, plain.reason, said, retry_after=retry_after, host=host)
    if set(codes) & _PASSING:
        return Outcome(Verdict.TRANSIENT, "DMP-FHIR-TRANSIENT", said, retry_after=retry_after, host=host)
    if status == 401 or (status == 403 and set(codes) & _ACCESS) or 300 <= status < 400:
        return Outcome(Verdict.CONFIGURATION, f"DMP-HTTP-{status}", said, host=host)
    code = next((one for one in codes if one in _REASONS), _BY_STATUS.get(status, ""))
    reason = _REASONS.get(code, "DMP-FHIR-REFUSED")
    doubtful = reason == DUPLICATE and kind == "feed"
    return Outcome(Verdict.IN_DOUBT if doubtful else Verdict.PERMANENT, reason, said, host=host)
