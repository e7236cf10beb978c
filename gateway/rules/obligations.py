"""For each episode: what was due, to whom, by when, and what proves it (spec kine §1 rows 11 to 15, 20, 23, 24). Pure.

Five answers. `met` says how: by an electronic proof, by a named person, or by the operator's word alone where no
receipt can come. `due` is not late yet, `late` is; `impossible` has its reason; `not_due` says why. What a person
did (hand, post, SIP) is never an electronic proof (DESIGN §4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from gateway.rules import duties, evidence
from gateway.rules.calendar import add_months
from gateway.rules.duties import Duties, Duty
from gateway.rules.evidence import Evidence
from gateway.store.facts import EpisodeFacts
from gateway.store.rows import DeliveryRow

State = Literal["due", "late", "met", "impossible", "not_due"]
ABSENT, NO_DELIVERY, NO_MODE, NO_DUTY, NO_CASE = (
    "OBL-NO-DOCUMENT",
    "OBL-NO-DELIVERY",
    "OBL-NO-MODE",
    "OBL-NO-DUTY",
    "OBL-R4321-2",
)
UNDECLARED = "OBL-UNDECLARED"
_WORSE = "aggravation"


@dataclass(frozen=True, slots=True)
class Obligation:
    """One document due to one reader. `document_id` None: the document itself is missing.

    `reason` is a code: of the impossibility, of what is wrong, or of why nothing is due. `due_by` None: no day is
    set. `near` is a document of the same episode, to find it by. `open`: something is left to do.
    """

    account: str
    patient: str
    episode: str | None
    mode: str | None
    document: str
    document_id: str | None
    near: str
    to: str
    state: State
    due_by: datetime | None
    source: str
    reason: str | None = None
    evidence: Evidence | None = None
    delivery_id: str | None = None
    open: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What stays the same while the state changes: account, episode, document and reader."""
        return self.account, self.episode or self.near, self.document_id or self.document, self.to


@dataclass(frozen=True, slots=True)
class Setting:
    """When it is, the length of an episode in months, and the table of duties."""

    now: datetime
    months: int
    table: Duties


def setting(now: datetime, months: int) -> Setting:
    """A setting with the shipped table. `now` is aware."""
    return Setting(now, months, duties.load())


def assess(
    facts: Iterable[EpisodeFacts], deliveries: Mapping[str, Sequence[DeliveryRow]], at: Setting
) -> list[Obligation]:
    """Every obligation of these documents, episode by episode. `deliveries` are those of each document, by its id."""
    episodes: dict[tuple[str, str], list[EpisodeFacts]] = {}
    for one in facts:
        if one.counts:
            episodes.setdefault((one.account, one.episode or one.document_id), []).append(one)
    found: list[Obligation] = []
    for documents in episodes.values():
        documents.sort(key=lambda one: (one.care.day, one.accepted_at, one.document_id))
        found += _episode(documents, deliveries, at)
    return found


def _episode(
    documents: Sequence[EpisodeFacts], deliveries: Mapping[str, Sequence[DeliveryRow]], at: Setting
) -> Iterator[Obligation]:
    for one in documents:
        yield from _document(one, documents, deliveries.get(one.document_id, ()), at)
        yield from _events(one, at)
    yield from _absent(documents, at)


def _document(
    one: EpisodeFacts, episode: Sequence[EpisodeFacts], rows: Sequence[DeliveryRow], at: Setting
) -> Iterator[Obligation]:
    duty = at.table.of(one.care.mode, one.care.kind)
    if duty is None or one.care.mode is None:
        yield _not_due(one, NO_MODE if one.care.mode is None else NO_DUTY)
        return
    if duty.condition == "r4321_2" and not case_of_r4321_2(one, episode, at.table):
        yield replace(_not_due(one, NO_CASE), to=duty.to[0], source=duty.source)
        return
    due_by = one.accepted_at + timedelta(hours=at.table.delays.transmit_hours)
    for to in duty.to:
        yield _judged(_blank(one, to, duty.source, due_by), evidence.to_reader(rows, to), at)


def case_of_r4321_2(one: EpisodeFacts, episode: Sequence[EpisodeFacts], table: Duties) -> bool:
    """Whether a summary on prescription must be sent: ten sessions, a changed treatment, a complication."""
    care = one.care
    changed = any(
        other.care.kind == "prescriber_information" and other.care.change != "renouvellement" for other in episode
    )
    complication = bool(care.adverse) or care.outcome == _WORSE
    return (not care.intermediate and care.sessions_so_far >= table.r4321_2.sessions) or changed or complication


def _blank(one: EpisodeFacts, to: str, source: str, due_by: datetime | None) -> Obligation:
    return Obligation(
        one.account,
        one.patient,
        one.episode,
        one.care.mode,
        one.care.kind,
        one.document_id,
        one.document_id,
        to,
        "due",
        due_by,
        source,
    )


def _not_due(one: EpisodeFacts, reason: str) -> Obligation:
    return replace(_blank(one, "", "", None), state="not_due", reason=reason)


def _judged(blank: Obligation, found: evidence.Found | None, at: Setting) -> Obligation:
    """What the delivery to that reader says, against the day by which it was due."""
    if found is None:
        return _pending(replace(blank, reason=NO_DELIVERY), at)
    blank = replace(blank, delivery_id=found.delivery_id, reason=found.reason)
    if found.evidence is not None:
        return replace(blank, state="met", evidence=found.evidence, reason=None)
    if found.impossible:
        return replace(blank, state="impossible", open=(found.reason or "") not in at.table.excused.reasons)
    waits = found.until is not None and blank.due_by is not None and found.until > blank.due_by
    return _pending(replace(blank, due_by=found.until) if waits else blank, at)


def _pending(one: Obligation, at: Setting) -> Obligation:
    late = one.due_by is not None and at.now > one.due_by
    return replace(one, state="late" if late else "due", open=True)


def _absent(documents: Sequence[EpisodeFacts], at: Setting) -> Iterator[Obligation]:
    """The documents that the episode should have and has not, one line for each reader."""
    last, first = documents[-1], documents[0]
    for duty in at.table.expected(last.care.mode):
        if any(_is(one, duty) for one in documents):
            continue
        due_by = _expected_by(first, duty, at)
        for to in duty.to:
            blank = _blank(last, to, duty.source, due_by)
            yield _pending(replace(blank, document=duty.document, document_id=None, reason=ABSENT), at)


def _is(one: EpisodeFacts, duty: Duty) -> bool:
    return one.care.kind == duty.document and not one.care.intermediate


def _expected_by(first: EpisodeFacts, duty: Duty, at: Setting) -> datetime:
    start = first.care.episode_start or first.care.day
    if duty.document == "assessment":
        return _end_of(start + timedelta(days=at.table.delays.assessment_days))
    return _end_of(add_months(start, at.months))


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def _events(one: EpisodeFacts, at: Setting) -> Iterator[Obligation]:
    """Undesirable events are declared; that they were is the author's own word (row 15)."""
    duty = at.table.of(one.care.mode, "adverse_event")
    for event in one.care.adverse if duty is not None else ():
        assert duty is not None
        blank = replace(_blank(one, duty.to[0], duty.source, None), document="adverse_event")
        if event.reported:
            yield replace(blank, state="met", evidence=Evidence("person", "declared", None, None))
        else:
            yield replace(blank, reason=UNDECLARED, open=True)
