"""Calendar months, and dates that cannot be."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator

from gateway.findings import Finding, error, warning
from gateway.records.clinical import TreatmentSummary
from gateway.records.level1 import AnySubmission, PdfDocument

_OLDEST_DOCUMENT = dt.date(2000, 1, 1)
"""No document of this kind was made electronically before: an older date is a typing error."""
_OLD_DAYS = 366


def add_months(day: dt.date, months: int) -> dt.date:
    """The same day `months` later, or the last day of that month: 31 January + 1 = 28 February."""
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return day.replace(year=year, month=month, day=min(day.day, calendar.monthrange(year, month)[1]))


def check_dates(submission: AnySubmission, today: dt.date) -> list[Finding]:
    """Dates that contradict the calendar or each other. Errors where a document would say something false."""
    return [*_document_day(submission, today), *_birth(submission, today), *_span(submission), *_future(submission)]


def _day(submission: AnySubmission) -> dt.date:
    return submission.document.date.date()


def _document_day(submission: AnySubmission, today: dt.date) -> Iterator[Finding]:
    # One day of grace: the author's zone may be a day ahead of the machine's.
    if _day(submission) > today + dt.timedelta(days=1):
        yield error("DAT-001", "/document/date", "Document daté du futur.", "Corriger la date du document.")
    elif _day(submission) < _OLDEST_DOCUMENT:
        yield error("DAT-002", "/document/date", "Document daté d'avant 2000.", "Corriger la date du document.")
    elif (today - _day(submission)).days > _OLD_DAYS:
        advice = "Vérifier la date ; le document partira avec cette date."
        yield warning("DAT-003", "/document/date", "Document daté de plus d'un an.", advice)


def _birth(submission: AnySubmission, today: dt.date) -> Iterator[Finding]:
    born = submission.patient.birth_date
    if born is None:
        return
    path, advice = "/patient/birth_date", "Corriger la date de naissance."
    if born > today:
        yield error("DAT-004", path, "Naissance dans le futur.", advice)
    elif born > _day(submission):
        yield error("DAT-005", path, "Le document est daté d'avant la naissance du patient.", advice)


def _span(submission: AnySubmission) -> Iterator[Finding]:
    document = submission.document
    if submission.access is not None and submission.access.episode.start > _day(submission):
        advice = "Corriger le début de l'épisode ou la date du document."
        yield warning("DAT-006", "/access/episode/start", "L'épisode commence après le document.", advice)
    if not isinstance(document, TreatmentSummary):
        return
    if document.period.end < document.period.start:
        advice = "Corriger le début ou la fin de la période."
        yield error("DAT-007", "/document/period", "La période finit avant de commencer.", advice)
    elif document.period.end > _day(submission):
        advice = "Corriger la fin de la période ou la date du document."
        yield warning("DAT-008", "/document/period/end", "La période finit après la date du document.", advice)
    if document.initial_date is not None and document.initial_date > document.date:
        advice = "Corriger la date des mesures initiales."
        yield error("DAT-009", "/document/initial_date", "Mesures initiales datées d'après le document.", advice)
    yield from _sessions_in_period(document)


def _sessions_in_period(document: TreatmentSummary) -> Iterator[Finding]:
    for place, session in enumerate(document.sessions):
        if not document.period.start <= session.date <= document.period.end:
            advice = "Corriger la date de la séance ou la période."
            yield warning("DAT-010", f"/document/sessions/{place}/date", "Séance hors de la période décrite.", advice)


def _future(submission: AnySubmission) -> Iterator[Finding]:
    """What has happened cannot be dated after the document that tells it."""
    document, day = submission.document, _day(submission)
    told: list[tuple[str, dt.date | None]] = []
    if not isinstance(document, PdfDocument):
        told += [(f"/document/problems/{place}/onset", one.onset) for place, one in enumerate(document.problems)]
        told += [(f"/document/adverse_events/{place}/date", e.date) for place, e in enumerate(document.adverse_events)]
    for place, recipient in enumerate(submission.recipients):
        if recipient.opposition is not None:
            told.append((f"/recipients/{place}/opposition/date", recipient.opposition.date))
    for path, when in told:
        if when is not None and when > day + dt.timedelta(days=1):
            yield warning("DAT-011", path, "Fait daté d'après le document.", "Corriger la date.")
