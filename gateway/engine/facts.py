"""What is frozen of a submission for indicators and obligations: codes, numbers and dates, never a word of its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import rules, terminology
from gateway.engine import stored
from gateway.records.clinical import Assessment, PrescriberInformation, ReorientationLetter, TreatmentSummary
from gateway.records.submission import Submission
from gateway.store.facts import Adverse, CareFacts, NewFacts, Referral
from gateway.store.journal import code

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from gateway.findings import Finding
    from gateway.records.access import Proof
    from gateway.records.level1 import AnySubmission, Level1Metadata
    from gateway.store.base import Store


def of(submission: AnySubmission | Level1Metadata, findings: Iterable[Finding] = ()) -> NewFacts:
    """The facts of a submission; `findings` decide which access mode its document was allowed to claim."""
    access, document = submission.access, submission.document
    values: dict[str, Any] = {"kind": document.kind, "day": document.date.date()}
    if access is not None:
        values |= {
            "mode": access.mode.value,
            "department": access.department,
            "practitioner_status": access.practitioner_status.value,
            "prior_diagnosis": access.prior_diagnosis,
            **_proof(access.proof),
            "protocol": None if access.protocol is None else code(access.protocol),
            "episode_start": access.episode.start,
            "sessions_before": access.episode.sessions_already_done,
        }
    values["claimed"] = rules.claimed_mode(submission, findings)
    values |= _clinical(submission) if isinstance(submission, Submission) else {"structured": False}
    episode = None if access is None else access.episode.id
    return NewFacts(episode, submission.author.rpps, CareFacts(**values))


def _proof(given: Proof | None) -> dict[str, Any]:
    if given is None:
        return {}
    return {"proof": given.type.value, "proof_date": given.date, "proof_sha256": given.sha256}


def _clinical(submission: Submission) -> dict[str, Any]:
    document = submission.document
    site = document.body_site
    coded = (problem.code for problem in document.problems if problem.code is not None)
    region = None if site is None else terminology.load().site(site.label).cda
    values: dict[str, Any] = {
        "motives": tuple(f"{one.system}:{one.code}" for one in coded),
        "region": None if region is None else region.code,
        "side": None if site is None or site.side is None else site.side.value,
        "sessions_planned": document.plan.sessions_planned if document.plan else None,
        "referral": _referral(document),
        "adverse": tuple(
            Adverse(one.date, _listed("adverse_event", one.kind), one.severity, one.reported_ars)
            for one in document.adverse_events
        ),
    }
    if isinstance(document, Assessment | ReorientationLetter) and document.red_flags is not None:
        values["red_flags"] = len(document.red_flags.present)
    if isinstance(document, PrescriberInformation):
        values |= {"change": document.change.value, "sessions_done": document.sessions_so_far}
    return values | (_summary(document) if isinstance(document, TreatmentSummary) else {})


def _summary(document: TreatmentSummary) -> dict[str, Any]:
    return {
        "sessions_done": document.sessions_done,
        "sessions": tuple(one.date for one in sorted(document.sessions, key=lambda one: (one.date, one.n))),
        "period_start": document.period.start,
        "period_end": document.period.end,
        "outcome": document.outcome.value,
        "end_reason": document.end_reason.value,
    }


def _referral(document: Any) -> Referral | None:
    found = document.reorientation
    return None if found is None else Referral(found.date, _listed("reorientation_to", found.to), found.urgency)


def _listed(list_name: str, value: str) -> str | None:
    """A value that is a code of our own lists; free words could name somebody and are left out."""
    return value if terminology.load().is_listed(list_name, value) else None


def complete(store: Store) -> int:
    """Freeze the facts of documents that an earlier release took over. Returns how many.

    What those documents were allowed to claim is read from the codes of the findings kept with them.
    """
    done = 0
    for document_id in store.without_facts():
        row = store.document(document_id)
        submission = stored.submission(store, row)
        if submission is None:
            continue
        store.freeze(document_id, stored.patient_key(submission.patient), of(submission, _kept(row.findings)))
        done += 1
    return done


def _kept(codes: Iterable[str]) -> list[Finding]:
    from gateway.findings import Finding, Severity

    return [Finding(one, Severity.WARNING, "", "", "") for one in codes]
