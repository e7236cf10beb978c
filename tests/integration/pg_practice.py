"""A practice whose store is on a real PostgreSQL: `store.url` is the only thing that changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration import database
from tests.integration.practice import Practice, open_practice


@contextmanager
def on_postgres(folder: Path, certificates: Path, url: str) -> Iterator[Practice]:
    """A practice in `folder` with its sandbox, and its store at `url`."""
    made = open_practice(folder, certificates=certificates)
    text = made.config.read_text(encoding="utf-8")
    assert text.count("sqlite:///gateway.sqlite") == 1
    made.config.write_text(text.replace("sqlite:///gateway.sqlite", url), encoding="utf-8")
    try:
        yield made
    finally:
        made.box.close()


@pytest.fixture
def practice(postgres: database.Server, tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    """Import it beside `postgres` (tests/unit/store/engines.py): a schema of its own on the session's server."""
    with on_postgres(tmp_path / "practice", certificates, postgres.fresh()) as made:
        yield made
