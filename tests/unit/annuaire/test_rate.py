"""Seventeen calls in a second and not one more, whoever calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.annuaire.rate import RateLimit, limit_for


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def arrivals(latencies: Sequence[tuple[float, float]]) -> list[float]:
    """When calls reach the server, for the time there and the time back of each."""
    clock = Time()
    limit = RateLimit(17, elapsed=lambda: clock.now, sleep=clock.sleep)
    reached = []
    for there, back in latencies:
        with limit.call():
            clock.now += there
            reached.append(clock.now)
            clock.now += back
    return reached


@given(st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)), max_size=120))
def test_the_server_never_sees_more_than_the_limit_in_any_second(latencies: list[tuple[float, float]]) -> None:
    reached = arrivals(latencies)
    for first, eighteenth in zip(reached, reached[17:], strict=False):
        assert eighteenth - first >= 1.0 - 1e-9


def test_a_slow_first_call_does_not_crowd_the_others() -> None:
    """The handshake delays the first call only: counted from when calls leave, the eighteenth would come too soon."""
    reached = arrivals([(0.3, 0.0)] + [(0.001, 0.0)] * 20)
    assert reached[17] - reached[0] >= 1.0


def test_below_the_limit_nothing_waits() -> None:
    clock = Time()
    limit = RateLimit(17, elapsed=lambda: clock.now, sleep=clock.sleep)
    waited = []
    for _ in range(18):
        with limit.call() as seconds:
            waited.append(seconds)
    assert waited == [0.0] * 17 + [1.0]


def test_a_failed_call_counts_too() -> None:
    clock = Time()
    limit = RateLimit(1, elapsed=lambda: clock.now, sleep=clock.sleep)
    with pytest.raises(ValueError, match="x"), limit.call():
        raise ValueError("x")
    with limit.call() as seconds:
        assert seconds == 1.0


def test_threads_share_it() -> None:
    limit = RateLimit(5)
    at: list[float] = []

    def call() -> None:
        with limit.call():
            at.append(time.monotonic())

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    at.sort()
    assert at[5] - at[0] >= 1.0


def test_one_key_has_one_limit() -> None:
    assert limit_for("a", 17) is limit_for("a", 17)
    assert limit_for("a", 17) is not limit_for("b", 17)
