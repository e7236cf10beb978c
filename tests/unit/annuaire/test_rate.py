"""Seventeen calls in a second and not one more, whoever calls."""

from __future__ import annotations

import threading
import time

from gateway.channels.annuaire.rate import RateLimit, limit_for


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_never_more_than_the_limit_in_any_second() -> None:
    clock = Time()
    limit = RateLimit(17, elapsed=lambda: clock.now, sleep=clock.sleep)
    at = []
    for number in range(200):
        limit.wait()
        at.append(clock.now)
        clock.now += 0.01 * (number % 7)
    for start in at:
        assert sum(start <= moment < start + 1.0 for moment in at) <= 17


def test_below_the_limit_nothing_waits() -> None:
    clock = Time()
    limit = RateLimit(17, elapsed=lambda: clock.now, sleep=clock.sleep)
    assert [limit.wait() for _ in range(17)] == [0.0] * 17
    assert limit.wait() > 1.0


def test_threads_share_it() -> None:
    limit = RateLimit(5)
    at: list[float] = []

    def call() -> None:
        limit.wait()
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
