"""What the store knows beside a submission, gathered once: history, earlier versions, and doubts about the patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.engine import accept, lineage, stored
from gateway.findings import Finding, Severity
from gateway.records.level1 import Level1

if TYPE_CHECKING:
    from gateway.document.lineage import Lineage
    from gateway.records.history import EpisodeHistory
    from gateway.records.level1 import AnySubmission
    from gateway.store.base import Store


@dataclass(frozen=True, slots=True)
class Background:
    """`findings` are about the version to replace (an error stops) and about whose PDF it is (a warning holds)."""

    history: EpisodeHistory | None = None
    lineage: Lineage | None = None
    findings: tuple[Finding, ...] = ()


def gather(store: Store | None, submission: AnySubmission) -> Background:
    """Ask the store. Without one (a preview) nothing is known, and a correction is shown as a first version."""
    if store is None:
        return Background(findings=() if submission.replaces is None else (_unseen(),))
    follows, found = lineage.trace(store, submission)
    if isinstance(submission, Level1):
        found += stored.suspicion(store, submission)
    found += stored.stopped(store, submission)
    found += stored.opposed(store, submission)
    return Background(accept.history(store, submission), follows, tuple(found))


def _unseen() -> Finding:
    message, advice = "Document à remplacer non vérifié : aperçu sans base.", "Donner --config FICHIER."
    return Finding("DOC-RPL-UNSEEN", Severity.INFO, "/replaces", message, advice)
