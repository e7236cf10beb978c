"""Changes that come close together share a transaction; a lone one waits for nobody; one that fails fails alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from gateway.clock import FrozenClock
from gateway.engine.desk import MOST, Desk, Together
from gateway.errors import LeaseLostError, StoreError
from gateway.store.outbox import Outbox
from gateway.store.states import Transport
from tests.unit.store import kit
from tests.unit.store.conftest import clock, store

__all__ = ["clock", "store"]


class Counter:
    """Counts the transactions, and keeps the first one open until told."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.go = threading.Event()

    def one(self, item: int) -> int:
        assert self.go.wait(10)
        self.batches.append(1)
        if item < 0:
            raise ValueError(item)
        return item * 2

    def many(self, items: Sequence[int]) -> Sequence[int | Exception]:
        assert self.go.wait(10)
        if min(items) == -1:
            raise ValueError("one of them spoils it")
        if min(items) == -2:
            raise StoreError("STO-007", "full")
        self.batches.append(len(items))
        return [item * 2 for item in items]


async def made(counter: Counter, *items: int) -> list[int | BaseException]:
    together: Together[int, int] = Together(counter.one, counter.many)
    first = asyncio.create_task(together.make(1))
    await asyncio.sleep(0.05)  # its transaction has begun
    others = [asyncio.create_task(together.make(item)) for item in items]
    await asyncio.sleep(0)
    counter.go.set()
    return await asyncio.gather(first, *others, return_exceptions=True)


def test_who_comes_meanwhile_shares_the_next_transaction() -> None:
    counter = Counter()
    assert asyncio.run(made(counter, *range(2, 12))) == [2 * number for number in range(1, 12)]
    assert counter.batches == [1, 10]


def test_a_transaction_has_a_bound() -> None:
    counter = Counter()
    asyncio.run(made(counter, *range(2, MOST + 7)))
    assert counter.batches == [1, MOST, 5]


def test_one_that_spoils_a_batch_fails_alone() -> None:
    counter = Counter()
    told = asyncio.run(made(counter, 2, -1, 3))
    assert [type(one).__name__ for one in told] == ["int", "int", "ValueError", "int"]
    assert counter.batches == [1] * 4


def test_a_store_that_cannot_serve_is_told_to_each() -> None:
    told = asyncio.run(made(Counter(), 2, -2))
    assert [type(one).__name__ for one in told] == ["int", "StoreError", "StoreError"]


def test_a_cancelled_wait_leaves_the_others_alone() -> None:
    async def cancelled() -> list[object]:
        counter = Counter()
        together: Together[int, int] = Together(counter.one, counter.many)
        tasks = [asyncio.create_task(together.make(number)) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        counter.go.set()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    told = asyncio.run(cancelled())
    assert [type(one).__name__ for one in told] == ["int", "CancelledError", "int"]


def test_nothing_leaves_once_the_lease_is_over(store: Outbox, clock: FrozenClock) -> None:
    """Not even where the time went by after the shared transaction: the delivery is marked, and the bytes stay here."""
    store.accept(kit.request("a", kit.mail()))
    [claim] = store.claim(kit.wanted(lease=60))
    mark = store.mark_transmitting

    def slow(one: object) -> None:
        mark(one)  # type: ignore[arg-type]
        clock.advance(61)

    store.mark_transmitting = slow  # type: ignore[method-assign]
    with pytest.raises(LeaseLostError, match="LEA-001"):
        asyncio.run(Desk(store, clock).leave(claim))
    assert store.delivery(claim.delivery_id).row.state == Transport.TRANSMITTING
