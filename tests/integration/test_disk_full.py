"""The disk is really full (a small file system of its own): nothing is lost, and everything goes on by itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.api import Gateway
from gateway.clock import SystemClock
from gateway.errors import StoreError
from gateway.store.outbox import Outbox
from tests.integration.full_store import LONG, accept_many, bench, until
from tests.integration.practice import CASES, Practice, case, open_practice
from tests.integration.smalldisk import SmallDisk, mounted
from tests.unit.engine.test_worker import Script
from tests.unit.store import kit

pytestmark = pytest.mark.needs("tmpfs")
FULL = {"STO-005", "STO-007"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mounted(tmp_path / "disk", "8m") as made:
        yield made


def opened(folder: Path, **changes: object) -> Outbox:
    return kit.open_store(folder, SystemClock(), **changes)  # type: ignore[arg-type]


def sound(store: Outbox) -> bool:
    return kit.sql(store, "PRAGMA integrity_check") == [("ok",)]


def test_what_cannot_be_stored_is_not_accepted(disk: SmallDisk) -> None:
    store = opened(disk.root)
    first = store.accept(kit.request("a"))
    disk.fill()
    with pytest.raises(StoreError) as raised:
        accept_many(store)
    assert raised.value.code in FULL
    assert raised.value.advice
    accepted = len({row.document_id for row in store.deliveries()})
    disk.free()
    store.accept(kit.request("again"))
    assert len({row.document_id for row in store.deliveries()}) == accepted + 1
    assert store.document(first.document_id).id == first.document_id
    assert sound(store)
    store.close()


async def test_an_answer_that_cannot_be_written_down_is_kept_until_it_can(disk: SmallDisk) -> None:
    store, script, told = opened(disk.root), Script(), []

    async def full_by_now() -> None:
        disk.fill()

    script.during = full_by_now
    store.accept(kit.request("a", kit.mail()))
    worker, stop = bench(store, disk.root, script, told), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: len(script.sent) == 1)
    await asyncio.sleep(0.5)  # it is being tried again and again
    assert [row.state for row in store.deliveries()] == ["transmitting"]
    disk.free()
    await until(lambda: [row.state for row in store.deliveries()] == ["sent"])
    stop.set()
    await running
    assert len(script.sent) == 1
    assert sound(store)
    store.close()


async def test_an_answer_that_stays_unwritten_becomes_a_doubt_and_no_second_mail(disk: SmallDisk) -> None:
    store, script, told = opened(disk.root), Script(), []

    async def full_by_now() -> None:
        disk.fill()

    script.during = full_by_now
    store.accept(kit.request("a", kit.mail()))
    worker, stop = bench(store, disk.root, script, told, lease=1.0), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: "store_unavailable" in told and not worker._tasks())
    assert [row.state for row in store.deliveries()] == ["transmitting"]
    disk.free()
    await until(lambda: [row.state for row in store.deliveries()] == ["in_doubt"])
    await until(lambda: "store_back" in told)
    stop.set()
    await running
    assert (len(script.sent), told.count("store_unavailable"), told.count("store_back")) == (1, 1, 1)
    assert sound(store)
    store.close()


def test_a_checkpoint_that_finds_no_room_is_written_later(tmp_path: Path, disk: SmallDisk) -> None:
    places = {"checkpoint_dir": disk.root / "checkpoints", "key_file": tmp_path / "journal.pem"}
    store = opened(tmp_path, journal={**places, "every_records": 2})
    before = len(list((disk.root / "checkpoints").glob("checkpoint-*")))
    disk.fill()
    for name in "abc":
        store.accept(kit.request(name))  # the database has room: the documents are safe
    store.checkpoint()
    assert len(list((disk.root / "checkpoints").glob("checkpoint-*"))) == before
    assert not list((disk.root / "checkpoints").glob(".*.tmp"))
    disk.free()
    store.checkpoint()
    assert len(list((disk.root / "checkpoints").glob("checkpoint-*"))) == before + 1
    store.close()


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[tuple[Practice, SmallDisk]]:
    """A practice all of whose own files are on a small disk; the sandbox stands elsewhere."""
    with mounted(tmp_path / "practice", "48m") as disk:
        made = open_practice(disk.root, certificates=certificates)
        yield made, disk
        made.box.close()


def test_the_sidecar_outlives_a_full_disk(practice: tuple[Practice, SmallDisk]) -> None:
    """Files stay in `new/`, status files keep their last word; with room again all of it is delivered, once."""
    made, disk = practice
    Gateway.open(made.config).close()  # it has run before: keys and store are there
    values = [case(path.stem) for path in sorted(CASES.glob("*.json"))[:2]]
    drops = [(made.outbox(value["account"]), value["key"]) for value in values]
    for value, (place, name) in zip(values, drops, strict=True):
        made.drop(value, name, place.name)
    disk.fill()
    seen: list[bool] = []

    def freed_after_a_while() -> None:
        time.sleep(3)
        seen.append(disk.full and all((place / "new" / f"{name}.json").exists() for place, name in drops))
        disk.free()

    freeing = threading.Thread(target=freed_after_a_while)
    freeing.start()
    made.run(lambda sidecar, _: not freeing.is_alive() and sidecar.idle, seconds=LONG)
    assert seen == [True]
    for place, name in drops:
        assert list((place / "new").iterdir()) == []
        assert list((place / "rejected").iterdir()) == []
        assert made.status(place.name, name)["done"]
    with Gateway.open(made.config) as gateway:
        assert gateway.verify_journal().ok
        assert len({row.document_id for row in gateway.store.deliveries()}) == 2
