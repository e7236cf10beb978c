"""What a rule of access looks at, and the finding that tells something without blaming anybody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.findings import Finding, Severity
from gateway.records.access import Access
from gateway.records.clinical import Clinical, TreatmentSummary
from gateway.records.history import EpisodeHistory
from gateway.records.level1 import AnySubmission, PdfDocument
from gateway.rules.departments import AccessFigures, Departments
from gateway.settings import RulesSettings


@dataclass(frozen=True, slots=True)
class Case:
    """What one rule looks at: the submission, the day of its document, the figures and the past."""

    submission: AnySubmission
    settings: RulesSettings
    departments: Departments
    history: EpisodeHistory

    @property
    def access(self) -> Access:
        """The declared access: nothing is checked where there is none."""
        assert self.submission.access is not None
        return self.submission.access

    @property
    def clinical(self) -> Clinical | None:
        """The document's content; None for a PDF, whose content is in itself."""
        document = self.submission.document
        return None if isinstance(document, PdfDocument) else document

    @property
    def day(self) -> dt.date:
        """Day of the document, in the author's own time zone: rules count calendar days there."""
        return self.submission.document.date.date()

    @property
    def figures(self) -> AccessFigures:
        """Sessions, days and months of config/departments.toml."""
        return self.departments.access

    @property
    def sessions(self) -> int:
        """Sessions done in the episode: the most that the submission or the store knows of."""
        document = self.submission.document
        done = document.sessions_done if isinstance(document, TreatmentSummary) else 0
        return max(self.access.episode.sessions_already_done + done, self.history.sessions_done)


Rule = Callable[[Case], Iterator[Finding]]
"""A rule: findings without their source, which the table adds."""


def info(code: str, path: str, message: str, advice: str) -> Finding:
    """A finding that asks for nothing wrong to be mended."""
    return Finding(code, Severity.INFO, path, message, advice)
