"""Sessions of an episode, whatever its documents tell: no day is counted twice, none is lost between two periods."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.episodes import CareDocument, Episode
from gateway.audit.ledger import Paper
from gateway.audit.period import Period, parse
from gateway.store.facts import CareFacts, EpisodeFacts

DAYS = st.dates(date(2025, 11, 1), date(2027, 2, 1))
KINDS = st.sampled_from(["assessment", "treatment_summary", "prescriber_information", "reorientation_letter"])


@st.composite
def documents(draw: st.DrawFn) -> CareDocument:
    listed = tuple(sorted(draw(st.lists(DAYS, max_size=9))))
    done = draw(st.one_of(st.none(), st.just(len(listed)), st.integers(0, 12)))
    care = CareFacts(
        draw(KINDS), draw(DAYS), sessions=listed, sessions_done=done, sessions_before=draw(st.integers(0, 3))
    )
    facts = EpisodeFacts("d", "a", "p", "e", "x", care, datetime(2026, 1, 1, tzinfo=UTC), False, False, None, "h")
    return CareDocument(Paper("d", "a", "p", care.day, "h"), facts)


EPISODES = st.lists(documents(), min_size=1, max_size=4).map(lambda several: Episode("a", "p", tuple(several)))


@given(EPISODES)
def test_months_add_up_to_the_year(episode: Episode) -> None:
    year = parse("2026")
    assert sum(episode.done_in(parse(month)) for month in year.months()) == episode.done_in(year)
    assert sum(episode.done_in(quarter) for quarter in year.quarters()) == episode.done_in(year)


@given(EPISODES, DAYS, st.integers(0, 60))
def test_sessions_only_grow(episode: Episode, day: date, more: int) -> None:
    assert 0 <= episode.done_by(day) <= episode.done_by(day + timedelta(days=more))


@given(EPISODES)
def test_in_the_end_the_most_that_any_document_tells(episode: Episode) -> None:
    """An independent count: the days listed, or what a document declares in all where that is more."""
    end = date(2028, 1, 1)
    listed: dict[date, int] = {}
    for one in episode.documents:
        for day in set(one.care.sessions):
            listed[day] = max(listed.get(day, 0), one.care.sessions.count(day))
    most = sum(listed.values())
    for one in episode.documents:
        after = sum(number for day, number in listed.items() if day > one.as_of)
        most = max(most, one.sessions_so_far + after)
    assert episode.done_by(end) == most


@given(documents())
def test_the_same_report_twice_changes_nothing(one: CareDocument) -> None:
    period = Period("all", date(2020, 1, 1), date(2030, 1, 1))
    again = replace(one, paper=replace(one.paper, id="e"))
    assert Episode("a", "p", (one, again)).done_in(period) == Episode("a", "p", (one,)).done_in(period)
