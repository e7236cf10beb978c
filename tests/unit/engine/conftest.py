from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import FrozenClock
from gateway.store.outbox import Outbox
from tests.unit.store import kit
from tests.unit.store.engines import engine, postgres, pytest_generate_tests, schemas

__all__ = ["engine", "postgres", "pytest_generate_tests", "schemas"]


@pytest.fixture
def clock() -> FrozenClock:
    return kit.clock()


@pytest.fixture
def store(tmp_path: Path, clock: FrozenClock) -> Iterator[Outbox]:
    opened = kit.open_store(tmp_path, clock)
    yield opened
    opened.close()
