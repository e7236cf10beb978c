"""Taking over what the pure road prepared: what the library, the folder and the web all call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gateway import terminology
from gateway.engine import facts, plan, stored
from gateway.errors import ConflictError
from gateway.records.clinical import PrescriptionChange
from gateway.records.history import EpisodeHistory, PastEpisode, SentDocument
from gateway.records.submission import canonical
from gateway.store.base import AcceptRequest, Blob
from gateway.store.succession import MOVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.pipeline import Prepared
    from gateway.records.access import Episode
    from gateway.records.level1 import AnySubmission, Level1Metadata
    from gateway.records.submission import Submission
    from gateway.store.base import Accepted, Store

    _Old = Submission | Level1Metadata

_TRIES = 5
"""A delivery moves a few times in its life: that many in a row means something else is wrong."""
MEDIA_TYPES = {
    "cda": "application/xml",
    "fhir": "application/fhir+json",
    "pdf": "application/pdf",
    "xdm": "application/zip",
}


def accept(store: Store, prepared: Prepared) -> Accepted:
    """Commit a prepared document with its deliveries. Raises ConflictError, StoreError (see Store.accept)."""
    return store.accept(request(prepared))


def insist(store: Store, prepare: Callable[[], Prepared]) -> Accepted:
    """Prepare and accept; a correction is prepared again when a delivery of the earlier version moved in between.

    Raises like `prepare` and `accept`.
    """
    for _ in range(_TRIES - 1):
        try:
            return accept(store, prepare())
        except ConflictError as fault:
            if fault.code != MOVED:
                raise
    return accept(store, prepare())


def known(store: Store, submission: AnySubmission) -> Accepted | None:
    """What an earlier `accept` of the same key and content gave. Raises ConflictError for another content."""
    return store.known(submission.account, submission.key, stored.content_hash(submission))


def previous(store: Store, submission: AnySubmission, document_id: str) -> AnySubmission:
    """A submission that corrects "the previous one", with the document that this means.

    `document_id` is what the same file name stood for last. When that is this very submission, committed before a
    crash, it corrects what it corrected then: the same file is never taken twice.
    """
    row = store.document(document_id)
    again = submission.model_copy(update={"replaces": row.replaces})
    if row.replaces is not None and stored.content_hash(again) == row.content_sha256:
        return again
    return submission.model_copy(update={"replaces": document_id})


def request(prepared: Prepared) -> AcceptRequest:
    """A prepared document as the store takes it. Pure."""
    submission, header = prepared.submission, prepared.document.header
    priority = plan.priority(submission)
    return AcceptRequest(
        account=submission.account,
        key=submission.key,
        content_sha256=stored.content_hash(submission),
        patient=stored.patient_key(submission.patient),
        kind=header.kind,
        document_type=header.type.code,
        document_date=header.effective_time.date(),
        submission=canonical(submission),
        renderings=tuple(
            Blob(name, MEDIA_TYPES.get(name.partition("-")[0], "application/octet-stream"), data)
            for name, data in prepared.renderings.items()
        ),
        deliveries=tuple(plan.delivery(planned, priority) for planned in prepared.deliveries),
        findings=tuple(dict.fromkeys(finding.code for finding in prepared.findings)),
        mapping_pack=terminology.load().version,
        replaces=prepared.replaces,
        supersedes=prepared.supersedes,
        unique_id=header.id,
        guard=stored.guard(submission, prepared.hold),
        facts=facts.of(submission, prepared.findings),
    )


def history(store: Store, submission: AnySubmission) -> EpisodeHistory | None:
    """What the store knows of this patient's episodes, from documents accepted before this one.

    None when it knows nothing. Erased and withdrawn documents count no more.
    """
    if submission.access is None:
        return None
    earlier = store.documents(submission.account, stored.patient_key(submission.patient))
    found = [
        (row, old, old.access.episode)
        for row in earlier
        if row.withdrawn is None and (old := stored.submission(store, row)) is not None and old.access is not None
    ]
    if not found:
        return None
    episode = submission.access.episode.id
    same = [(row, old, its) for row, old, its in found if its.id == episode]
    return EpisodeHistory(
        sessions_done=max((_sessions(old, its) for _, old, its in same), default=0),
        documents=tuple(SentDocument(kind=_kind(old), date=row.document_date) for row, old, _ in same),
        plan_changed=any(_adapted(old) for _, old, _ in same),
        previous_episodes=tuple(_past((old, its) for _, old, its in found if its.id != episode)),
    )


def _sessions(old: _Old, episode: Episode) -> int:
    # The number that the author declares: the list of sessions beside it may be left out.
    done = getattr(old.document, "sessions_done", None) or 0
    return episode.sessions_already_done + int(done)


def _adapted(old: _Old) -> bool:
    change = getattr(old.document, "change", None)
    return change is not None and change is not PrescriptionChange.RENEWAL


def _kind(old: _Old) -> Literal["assessment", "treatment_summary", "letter"]:
    """The rules tell the two main documents from all the letters, whatever letter it is."""
    kind = old.document.kind
    return kind if kind in {"assessment", "treatment_summary"} else "letter"


def _past(found: Iterable[tuple[_Old, Episode]]) -> list[PastEpisode]:
    episodes = {episode.id: (old, episode) for old, episode in found}
    return [PastEpisode(id=key, start=its.start, region=_region(old)) for key, (old, its) in episodes.items()]


def _region(old: _Old) -> str | None:
    site = getattr(old.document, "body_site", None)
    return site.label if site else None
