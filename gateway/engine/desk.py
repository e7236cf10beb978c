"""Where flights have their changes made: those that come close together share one transaction, hence one fsync.

A lone change is made at once. Whoever comes while a transaction runs waits for the next one, together with all others
that came meanwhile: nobody waits for a clock, and the busier the worker is the fewer commits each delivery costs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from gateway.errors import LeaseLostError, StoreError

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.store.base import Claim, Result, Store

_LOG = logging.getLogger("gateway.engine")
MOST = 64
"""Changes in one transaction: it holds its journal shard for a few milliseconds."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Together(Generic[Item, Answer]):
    """One queue of changes, and the one transaction at a time that makes them."""

    def __init__(
        self, one: Callable[[Item], Answer], many: Callable[[Sequence[Item]], Sequence[Answer | Exception]]
    ) -> None:
        """`one` makes a lone change; `many` several, all of them or none, with an answer or a fault for each."""
        self._one = one
        self._many = many
        self._waiting: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._running: asyncio.Task[None] | None = None

    async def make(self, item: Item) -> Answer:
        """Make a change, and return once it is durable. Raises what the store says of it."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                answers = await asyncio.to_thread(self._answers, [item for item, _ in batch])
                for (_, future), answer in zip(batch, answers, strict=True):
                    _tell(future, answer)
        finally:
            self._running = None

    def _answers(self, items: Sequence[Item]) -> Sequence[Answer | Exception]:
        if len(items) == 1:
            return [self._alone(items[0])]
        try:
            return self._many(items)
        except StoreError as fault:  # nothing was changed: each of them insists, or gives up
            return [fault] * len(items)
        except Exception as fault:  # noqa: BLE001 (one that spoils the batch must not spoil the others)
            _LOG.error("batch_fault", extra={"error": type(fault).__name__, "size": len(items)})
            return [self._alone(item) for item in items]

    def _alone(self, item: Item) -> Answer | Exception:
        try:
            return self._one(item)
        except Exception as fault:  # noqa: BLE001 (raised again where the change was asked for)
            return fault


def _tell(future: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    if future.done():  # who asked was cancelled meanwhile
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


class Desk:
    """What the flights of a worker ask of the store while they are under way."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._clock = clock
        self._marks: Together[Claim, None] = Together(store.mark_transmitting, store.mark_many)
        self._results: Together[tuple[Claim, Result], bool] = Together(
            lambda ended: store.record(*ended), store.record_many
        )

    async def leave(self, claim: Claim) -> None:
        """Content is about to leave: durable when this returns. Raises LeaseLostError: it must not.

        The lease is looked at once more here: this task may have waited after the transaction that it shared.
        """
        await self._marks.make(claim)
        if self._clock.elapsed() >= claim.deadline:
            raise LeaseLostError("LEA-001", f"Le bail de l'envoi {claim.delivery_id} est échu.")

    async def end(self, claim: Claim, result: Result) -> bool:
        """An attempt has ended. Returns whether the store took the result; raises StoreError."""
        return await self._results.make((claim, result))
