"""A process that a newer release has left behind writes nothing more, and says why it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from gateway.engine.upkeep import Upkeep
from gateway.errors import StoreError
from gateway.settings import JournalSettings
from gateway.store.outbox import Outbox
from gateway.store.sqlite import SqliteDatabase
from tests.unit.store import kit


@pytest.fixture
def migrated(store: Outbox) -> Iterator[Callable[[], None]]:
    """What another process of a newer release does; undone at the end, since the schema is used again."""
    if isinstance(store.core.db, SqliteDatabase):
        present = store.core.db._version()
        yield lambda: (kit.sql(store, "PRAGMA user_version = 9999"), None)[1]
        kit.sql(store, f"PRAGMA user_version = {present}")
    else:
        yield lambda: (kit.sql(store, "INSERT INTO schema_version VALUES (9999)"), None)[1]
        kit.sql(store, "DELETE FROM schema_version WHERE number = 9999")


OPERATIONS: dict[str, Callable[[Outbox], object]] = {
    "accept": lambda store: store.accept(kit.request("b")),
    "claim": lambda store: store.claim(kit.wanted()),
    "read": lambda store: store.counts(),
    "checkpoint": lambda store: store.checkpoint(),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_it_does_nothing_more(store: Outbox, migrated: Callable[[], None], name: str) -> None:
    store.accept(kit.request("a"))
    rows = kit.sql(store, "SELECT count(*) FROM journal")
    migrated()
    with pytest.raises(StoreError) as caught:
        OPERATIONS[name](store)
    assert caught.value.code == "STO-004"
    assert kit.sql(store, "SELECT count(*) FROM journal") == rows


async def test_who_only_waits_learns_it_too(store: Outbox, migrated: Callable[[], None]) -> None:
    folder = store.core.folder.path
    upkeep = Upkeep(store, JournalSettings(checkpoint_dir=folder, key_file=folder), store.core.clock)
    upkeep.tick()
    migrated()
    with pytest.raises(StoreError) as caught:
        await asyncio.wait_for(upkeep.run(), 30)
    assert caught.value.code == "STO-004"
