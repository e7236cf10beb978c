"""The billing compared with the documents: which billed sessions in direct access no document speaks of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from gateway.audit import billing
from gateway.audit.billing import Act
from gateway.records.access import DIRECT_MODES
from gateway.rules.calendar import add_months

Gap = Literal["no_document", "no_assessment", "no_report", "not_covered"]


@dataclass(frozen=True, slots=True)
class Known:
    """What one document says of an episode: when it began, which days it speaks of, and whether it ends it.

    `last` is the last day that the document speaks of; `days` the sessions that it lists, empty when it lists none.
    """

    document_id: str
    kind: str
    mode: str | None
    start: date
    last: date
    closing: bool = False
    days: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Missing:
    """Billed lines of one patient's episode that lack a document. `since` and `until` are the first and last day.

    `patient` is whatever the file names him by: faces show it only when they are asked to.
    """

    patient: str
    name: str
    gap: Gap
    since: date
    until: date
    acts: tuple[Act, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """What was compared: billed lines, those in direct access, patients, episodes, and what is missing."""

    lines: int
    direct: int
    unknown_mode: int
    patients: int
    episodes: int
    covered: int


def compare(
    acts: Sequence[Act], known: Mapping[str, Sequence[Known]], *, months: int, today: date
) -> tuple[list[Missing], Totals]:
    """What is billed without document. `known` holds the documents of each patient, by the key of `patient_key`.

    Where the file does not say how the patient came, a line counts as direct access when a document says so for that
    patient; a patient without any document is then counted as unknown, not as missing.
    """
    missing: list[Missing] = []
    episodes = covered = direct = unknown = 0
    count = 0
    for patient, own in billing.patients(acts):
        count += 1
        documents = [one for one in known.get(patient, ()) if one.mode in DIRECT_MODES]
        mine = [one for one in own if one.direct or (one.direct is None and documents)]
        unknown += sum(one.direct is None for one in own) if not documents else 0
        direct += len(mine)
        for lines, papers in _episodes(mine, documents, months):
            episodes += 1
            found = _gaps(patient, lines, papers, months, today)
            covered += not found
            missing += found
    totals = Totals(len(acts), direct, unknown, count, episodes, covered)
    return sorted(missing, key=lambda one: (one.since, one.patient, one.gap)), totals


def _episodes(acts: Sequence[Act], documents: Sequence[Known], months: int) -> Iterable[tuple[list[Act], list[Known]]]:
    """Billed lines by the episode of the store that they fall in; the others by windows of `months`."""
    starts: dict[date, list[Known]] = {}
    for one in documents:
        starts.setdefault(one.start, []).append(one)
    left = list(acts)
    for start, papers in sorted(starts.items(), reverse=True):
        # A closing report may be written after the window: its own days belong to the episode.
        end = max(add_months(start, months), *(one.last for one in papers))
        mine = [one for one in left if start <= one.day <= end]
        left = [one for one in left if one not in mine]
        if mine:
            yield mine, papers
    while left:
        end = add_months(left[0].day, months)
        mine = [one for one in left if one.day <= end]
        left = left[len(mine) :]
        yield mine, []


def _gaps(patient: str, lines: Sequence[Act], papers: Sequence[Known], months: int, today: date) -> list[Missing]:
    def missing(gap: Gap, acts: Sequence[Act]) -> Missing:
        name = next((one.name for one in acts if one.name), "")
        return Missing(patient, name, gap, acts[0].day, acts[-1].day, tuple(acts))

    if not papers:
        return [missing("no_document", lines)]
    found = []
    if not any(one.kind == "assessment" for one in papers):
        found.append(missing("no_assessment", lines))
    reports = [one for one in papers if one.kind == "treatment_summary"]
    over, closed = today > add_months(papers[0].start, months), any(one.closing for one in reports)
    if over and not closed:
        found.append(missing("no_report", lines))
    # Sessions after the last report lack one only once the episode is over, or was closed.
    loose = [one for one in lines if not any(_covers(report, one.day) for report in reports)]
    if closed and loose:
        found.append(missing("not_covered", loose))
    return found


def _covers(report: Known, day: date) -> bool:
    if report.days:
        return day in report.days
    return report.start - timedelta(days=1) < day <= report.last
