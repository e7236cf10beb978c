"""What a stored query proves about a document that may have been fed (spec dmp §1.6, §1.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.channels.dmp import classify
from gateway.channels.dmp.entries import Entry, Found
from gateway.channels.dmp.retrieval import same_bytes
from gateway.channels.outcome import Outcome, Verdict
from gateway.package.query import APPROVED
from gateway.package.types import DmpContext, DmpIdentity

REFUSED = "DMP-QUERY-REFUSED"


def refusal(found: Found, identity: DmpIdentity, host: str) -> Outcome | None:
    """None when the registry answered the query; otherwise why it did not."""
    if found.response.status == "Success":
        return None
    outcome = classify.from_errors(found.response.errors, identity, host)
    if outcome.verdict is Verdict.TRANSIENT:
        return outcome
    # The codes of a refused feed would mislead here: it is the question that was refused, not the document.
    return Outcome(Verdict.PERMANENT, REFUSED, outcome.text, host=host)


def about_query(outcome: Outcome) -> Outcome:
    """A refusal named as that of a query: the advice for a refused feed would mislead, and a service that refuses
    questions may well take documents, so it is no reason to pause the channel.
    """
    ours = outcome.reason in _OURS or outcome.reason.startswith("DMP-TLS")
    answered = outcome.verdict in {Verdict.PERMANENT, Verdict.CONFIGURATION} and not ours
    return replace(outcome, verdict=Verdict.PERMANENT, reason=REFUSED) if answered else outcome


_OURS = frozenset({"DMP-KEYS", "DMP-CERT-EXPIRED"})
"""Faults of our own certificates: nobody was asked anything."""


def still_in_doubt(outcome: Outcome) -> Outcome:
    """The doubt stays. A fault of our own certificates or TLS is said as such: the engine pauses the channel."""
    return outcome if outcome.verdict is Verdict.CONFIGURATION else replace(outcome, verdict=Verdict.IN_DOUBT)


def evidence(
    entries: Sequence[Entry], context: DmpContext, content: bytes, host: str, *, complete: bool = True
) -> Outcome:
    """Whether the document of `context`, whose bytes are `content`, is in the DMP.

    There, with our bytes as far as the answer tells: ACCEPTED with its entryUUID, also when it was replaced or
    archived since. There with other bytes: PERMANENT, for a person to look at. Not there: TRANSIENT, and it may be
    sent again. An answer that proves nothing: IN_DOUBT.
    """
    if not entries:
        if not complete:
            return Outcome(Verdict.IN_DOUBT, "DMP-UNREADABLE", "réponse incomplète", host=host)
        return Outcome(Verdict.TRANSIENT, "DMP-NOT-THERE", host=host)
    if any(entry.unique_id not in {None, context.document_id} for entry in entries):
        return Outcome(Verdict.IN_DOUBT, "DMP-UNREADABLE", "autre document que celui demandé", host=host)
    other = next((entry for entry in entries if not same_bytes(entry, content)), None)
    if other is not None:
        return Outcome(Verdict.PERMANENT, "DMP-OTHER-HASH", reference=other.entry_uuid, host=host)
    current = [entry for entry in entries if entry.status in {None, APPROVED}]
    reason = "DMP-FOUND" if current else "DMP-FOUND-CHANGED"
    return Outcome(Verdict.ACCEPTED, reason, reference=(current or entries)[0].entry_uuid, host=host)
