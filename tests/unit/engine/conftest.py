from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import FrozenClock
from gateway.store.outbox import Outbox
from tests.unit.store import kit


@pytest.fixture
def clock() -> FrozenClock:
    return kit.clock()


@pytest.fixture
def store(tmp_path: Path, clock: FrozenClock) -> Iterator[Outbox]:
    opened = kit.open_store(tmp_path, clock)
    yield opened
    opened.close()
