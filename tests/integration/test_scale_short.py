"""The benches of scale in their shortest form: several processes on one PostgreSQL, judged by what they leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.audit.verify import verify_store
from gateway.store.base import Filter
from gateway.store.states import Transport
from tests.bench import day, scale
from tests.integration import database
from tests.unit.store.engines import postgres

__all__ = ["postgres"]
pytestmark = [pytest.mark.needs("postgres"), pytest.mark.timeout(180)]


def test_processes_share_the_shards(postgres: database.Server, tmp_path: Path) -> None:
    chosen = scale.settings(tmp_path, postgres.fresh(), shards=4)
    store = scale.opened(chosen)
    accepted = scale.together(scale.accept, chosen, processes=2, number=32, per_commit=16)
    delivered = scale.together(scale.deliver, chosen, processes=2, number=0, per_commit=16)
    assert (accepted.pieces, delivered.pieces) == (64, 64 * scale.PER_DOCUMENT)
    rows = store.deliveries(Filter(limit=1000))
    assert len(rows) == delivered.pieces
    assert {(row.state, row.attempts) for row in rows} == {(Transport.SENT, 1)}
    assert verify_store(store).ok
    store.close()


def test_a_day_in_seconds_loses_and_doubles_nothing(postgres: database.Server) -> None:
    told = day.simulate(postgres, documents=60, seconds=3.0, workers=2)
    assert (told["lost"], told["doubled"], told["journal_verified"]) == (0, 0, True)
    assert set(told["states"]) <= {"sent", "in_doubt"}
    assert [hour["accepted"] for hour in told["hours"]][-1] == 60


def test_the_curve_brings_every_document() -> None:
    assert [day.due_by(share, 1000) for share in (0.0, 1.0)] == [0, 1000]
    assert day.due_by(0.5, 1000) < day.due_by(0.75, 1000)
    assert len(day.CURVE) == 24
