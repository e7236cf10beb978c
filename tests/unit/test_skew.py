from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import FrozenClock
from gateway.skew import DATE_SPAN, FRESH, Reading, Skew
from tests.unit.store import kit

LIMIT = 60.0


class Servers:
    """Servers whose clocks are so many seconds ahead of true time; ours is `ours` ahead."""

    def __init__(self, ours: float = 0.0) -> None:
        self.true = FrozenClock(kit.START)
        self.clock = FrozenClock(kit.START + timedelta(seconds=ours))
        self.skew = Skew(self.clock)

    def pass_time(self, seconds: float) -> None:
        self.true.advance(seconds)
        self.clock.advance(seconds)

    def jump(self, seconds: float) -> None:
        """Somebody sets our clock."""
        self.clock.at += timedelta(seconds=seconds)

    def answer(self, source: str, ahead: float = 0.0, there: float = 0.1, back: float = 0.1) -> None:
        """A request takes `there` seconds, its answer `back`."""
        started = self.skew.started()
        self.pass_time(there)
        date = format_datetime((self.true.now() + timedelta(seconds=ahead)).replace(microsecond=0), usegmt=True)
        self.pass_time(back)
        self.skew.dated(source, date, started)

    def offset(self) -> float:
        found = self.skew.agreed()
        assert found is not None
        return found.seconds


def test_nothing_is_known_at_first() -> None:
    assert Servers().skew.agreed() is None
    assert Servers().skew.off(LIMIT, "dmp.test") is None


@pytest.mark.parametrize("ours", [0.0, 0.7, -30.0, 3600.0, -86400.0])
def test_the_offset_is_found_through_slow_answers(ours: float) -> None:
    servers = Servers(ours)
    for number in range(20):
        servers.answer("dmp.test", there=0.1 + 0.37 * number, back=5.0 if number % 2 else 0.05)
        servers.pass_time(7.3)
    found = servers.skew.agreed()
    assert found is not None
    assert abs(found.seconds + ours) <= found.error  # the truth lies inside what is claimed
    assert found.error < 1  # and answers that took up to twelve seconds did not widen it


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60), st.floats(0, 3600)), min_size=1, max_size=12),
)
def test_the_truth_is_never_outside(ours: float, answers: list[tuple[float, float, float]]) -> None:
    servers = Servers(ours)
    for there, back, rest in answers:
        servers.answer("dmp.test", there=there, back=back)
        servers.pass_time(rest)
    found = servers.skew.agreed()
    assert found is None or abs(found.seconds + ours) <= found.error + 1e-3
    assert (found is None) == (answers[-1][2] > FRESH)


def test_a_wall_clock_that_jumps_shows_at_once_and_so_does_its_return() -> None:
    servers = Servers()
    servers.answer("dmp.test")
    assert servers.skew.off(LIMIT, "dmp.test") is None
    servers.jump(86400)
    assert servers.offset() == pytest.approx(-86400, abs=DATE_SPAN)
    assert servers.skew.off(LIMIT, "dmp.test") is not None
    servers.jump(-86400 - 3600)
    assert servers.offset() == pytest.approx(3600, abs=DATE_SPAN)
    servers.jump(3600)
    assert servers.skew.off(LIMIT, "dmp.test") is None


def test_one_liar_among_several_misleads_nobody() -> None:
    servers = Servers()
    for name in ("dmp.test", "insi.test", "annuaire.test"):
        servers.answer(name, ahead=90_000 if name == "annuaire.test" else 0)
    assert abs(servers.offset()) < 2
    assert servers.skew.off(LIMIT, "dmp.test") is None
    found = servers.skew.agreed()
    assert found is not None
    assert found.sources == ("dmp.test", "insi.test")


def test_two_that_contradict_each_other_decide_nothing() -> None:
    servers = Servers()
    servers.answer("dmp.test")
    servers.answer("annuaire.test", ahead=3600)
    assert servers.skew.agreed() is None
    assert servers.skew.off(LIMIT, "dmp.test") is None
    assert len(servers.skew.readings()) == 2


def test_one_stranger_alone_stops_no_dmp() -> None:
    servers = Servers()
    servers.answer("annuaire.test", ahead=3600)
    assert servers.skew.off(LIMIT, "dmp.test") is None
    assert servers.skew.off(LIMIT, "annuaire.test") is not None
    servers.answer("insi.test", ahead=3600)
    assert servers.skew.off(LIMIT, "dmp.test") is not None


def test_only_what_is_surely_too_much_counts() -> None:
    servers = Servers(ours=-LIMIT - 0.5)
    servers.answer("dmp.test", there=10, back=10)
    assert servers.skew.off(LIMIT, "dmp.test") is None  # twenty seconds of latency leave room for doubt
    for _ in range(8):
        servers.answer("dmp.test", there=0.02, back=0.02)
        servers.pass_time(0.13)
    assert servers.skew.off(LIMIT - 5, "dmp.test") is not None


def test_a_server_that_is_set_is_believed_anew() -> None:
    servers = Servers()
    servers.answer("dmp.test", ahead=500)
    servers.answer("dmp.test")
    assert abs(servers.offset()) < 2


def test_old_words_count_no_more() -> None:
    servers = Servers()
    servers.answer("dmp.test")
    servers.pass_time(FRESH + 1)
    assert servers.skew.readings() == []


@pytest.mark.parametrize("header", [None, "", "yesterday", "Mon, 99 Feb 2026 10:00:00 GMT", "x" * 10_000, "\x00"])
def test_what_is_no_date_says_nothing(header: str | None) -> None:
    servers = Servers()
    servers.skew.dated("dmp.test", header, servers.skew.started())
    assert servers.skew.readings() == []


def test_what_another_process_measured_is_taken_unless_older() -> None:
    servers = Servers()
    servers.pass_time(100)
    servers.skew = Skew(servers.clock)
    servers.skew.known([Reading("dmp.test", 1.0, 3.0, at=50.0)])
    assert servers.skew.own() == []
    servers.answer("dmp.test")
    before = servers.skew.readings()
    servers.skew.known([Reading("dmp.test", 1.0, 3.0, at=60.0)])
    assert servers.skew.readings() == before
    assert [one.source for one in servers.skew.own()] == ["dmp.test"]


def test_the_time_of_a_database_server_is_measured_as_well() -> None:
    """A record is stamped by the database's clock: its offset is that one's, not this machine's."""
    servers = Servers(ours=5)
    servers.answer("dmp.test")
    found = servers.skew.agreed(servers.true.now() - timedelta(seconds=40))
    assert found is not None
    assert abs(found.seconds - 40) <= DATE_SPAN
