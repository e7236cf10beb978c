"""AsyncGateway: the same operations for asyncio programs; nothing here blocks the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from gateway.api import Gateway

if TYPE_CHECKING:
    from gateway.channels.tokens import TokenSource
    from gateway.clock import Clock, Randomness
    from gateway.records.submission import Submission
    from gateway.settings import Settings
    from gateway.views import DeliveryHistory, DeliveryView, DocumentView, Rendered, Report, Submitted

T = TypeVar("T")


class AsyncGateway:
    """Wraps a `Gateway`: work that computes or touches the disk runs in a thread, sending runs in the loop."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    @classmethod
    async def open(
        cls,
        config: Path | str | Settings | None = None,
        *,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
        tokens: TokenSource | None = None,
    ) -> Self:
        """See `Gateway.open`."""
        return cls(await asyncio.to_thread(Gateway.open, config, clock=clock, randomness=randomness, tokens=tokens))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """See `Gateway.close`."""
        await asyncio.to_thread(self.gateway.close)

    async def check(self, submission: bytes | Submission, *, account: str | None = None) -> Report:
        """See `Gateway.check`."""
        return await _thread(self.gateway.check, submission, account=account)

    async def render(self, submission: bytes | Submission) -> Rendered:
        """See `Gateway.render`."""
        return await _thread(self.gateway.render, submission)

    async def submit(self, submission: bytes | Submission) -> Submitted:
        """See `Gateway.submit`."""
        return await _thread(self.gateway.submit, submission)

    async def status(self, document_id: str) -> DocumentView:
        """See `Gateway.status`."""
        return await _thread(self.gateway.status, document_id)

    async def deliveries(
        self,
        *,
        account: str | None = None,
        states: Sequence[str] = (),
        destination: str | None = None,
        document_id: str | None = None,
        limit: int = 1000,
    ) -> list[DeliveryView]:
        """See `Gateway.deliveries`."""
        return await _thread(
            self.gateway.deliveries,
            account=account,
            states=states,
            destination=destination,
            document_id=document_id,
            limit=limit,
        )

    async def delivery(self, delivery_id: str) -> DeliveryHistory:
        """See `Gateway.delivery`."""
        return await _thread(self.gateway.delivery, delivery_id)

    async def deliver_due(self) -> int:
        """See `Gateway.deliver_due`."""
        return await self.gateway.adeliver_due()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set (see `Gateway.run`)."""
        await self.gateway.arun(stop)


async def _thread(call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    return await asyncio.to_thread(partial(call, *args, **kwargs))
