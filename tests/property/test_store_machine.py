"""Both stores driven through thousands of steps beside an independent model (store_people.py and those below it).

`STATE_STEPS=50000` drives each store through as many steps instead of some two thousand.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from gateway.clock import FrozenClock
from gateway.store.outbox import Outbox
from tests.property.store_people import StoreMachine
from tests.unit.store import kit
from tests.unit.store.engines import Schemas, engine, postgres, pytest_generate_tests, schemas

__all__ = ["engine", "postgres", "pytest_generate_tests", "schemas"]
HISTORY, SHORT = 100, 2000
"""Steps of one history, and of all of them together in the short form."""
STEPS = int(os.environ.get("STATE_STEPS", "0")) or SHORT
pytestmark = pytest.mark.timeout(120 + STEPS // 20)
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def machine_on(name: str, schemas: Schemas | None, place: Path) -> Any:
    """The machine on one engine, a new store for each history."""
    folders: list[Path] = []

    def opened(clock: FrozenClock, number: int) -> Outbox:
        if number == 0:
            folders.append(place / str(len(folders)))
        store = kit.open_store(folders[-1], clock, seed=str(number))
        if schemas is None:
            kit.sql(store, "PRAGMA synchronous = OFF")  # no power cut here
        return store

    def release() -> None:
        if schemas is not None:
            schemas.release()

    space = {"open": staticmethod(opened), "release": staticmethod(release), "steps": 0, "met": Counter()}
    return type(f"On{name.title()}", (StoreMachine,), space)


def test_the_store_and_the_model_agree(engine: str, request: Any, tmp_path: Path) -> None:
    found = request.getfixturevalue("schemas") if engine == "postgres" else None
    machine = machine_on(engine, found, tmp_path)
    histories = STEPS * 11 // (10 * HISTORY) + 10  # some are short
    wanted = settings(
        max_examples=histories, stateful_step_count=HISTORY, deadline=None, suppress_health_check=QUIET, database=None
    )
    run_state_machine_as_test(machine, settings=wanted)
    print(f"{machine.steps} steps on {engine}; {dict(sorted(machine.met.items()))}")
    assert machine.steps >= STEPS
