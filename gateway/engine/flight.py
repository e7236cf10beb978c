"""One claimed delivery on its way: the lease kept alive, the channel called once, the outcome recorded.

Nothing here knows the queue: `Flight` takes a claim and ends with a recorded result, whatever happens in between.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, RetryError, retry_if_exception, stop_after_delay, wait_exponential

from gateway.channels.outcome import Outcome, Verdict
from gateway.engine import retry
from gateway.errors import ConfigError, LeaseLostError, StoreError
from gateway.package.types import Package, Part, context_from_json
from gateway.store.base import Claim, Result
from gateway.store.database import NEWER
from gateway.store.outbox import RESTORED
from gateway.store.settling import COPIED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.channels.outcome import Channel
    from gateway.clock import Randomness
    from gateway.engine.desk import Desk
    from gateway.settings import RetrySettings
    from gateway.store.base import Store

_LOG = logging.getLogger("gateway.engine")
NO_COPY = "MSS-DOUBT-NO-COPY"
"""Reason of a doubt about a mail whose self-copy was refused: that none is found says nothing at all."""
FAULT = "ENG-FAULT"
"""Reason of an attempt that our own code spoilt."""
STOPPED = "ENG-STOPPED"
"""Reason of an attempt that a stop interrupted."""
LEASE_LOST = "ENG-LEASE"
"""Reason of an attempt whose lease ran out before a byte left."""
_REFUSALS = frozenset({Verdict.PERMANENT, Verdict.CONFIGURATION})


@dataclass(frozen=True, slots=True)
class Crew:
    """What every flight of a worker shares. `transmitted` is told when bytes are about to leave; `clock_off` says
    whether our clock is surely too far from that of a host.
    """

    store: Store
    desk: Desk
    randomness: Randomness
    settings: RetrySettings
    transmitted: Callable[[Claim], None]
    clock_off: Callable[[str], bool] = lambda _: False


def package_of(claim: Claim) -> Package:
    """The frozen package of a claim."""
    parts = tuple(Part(blob.name, blob.media_type, blob.data) for blob in claim.parts)
    return Package(parts, context_from_json(claim.context))


class Flight:
    """An attempt under way."""

    def __init__(
        self, claim: Claim, crew: Crew, policy: retry.Policy, channel: Callable[[], Channel], patience: float = 0.0
    ) -> None:
        """`channel` opens the way out; a ConfigError from it pauses the lane. `patience`: seconds from when the content
        left until the policy `look` sends again what was not found.
        """
        self.claim = claim
        self.transmitting = False
        self.outcome: Outcome | None = None
        self._crew = crew
        self._channel = channel
        self._policy = policy
        self._patience = patience
        self._sending: asyncio.Future[Outcome] | None = None
        self._stopped = False

    async def run(self) -> tuple[Result, bool]:
        """Send or resolve, then record. Returns the result and whether the store took it."""
        renewal = asyncio.create_task(self._keep_lease())
        try:
            result = await self._result()
        finally:
            renewal.cancel()
        return result, await self._record(result)

    def stop(self) -> None:
        """Interrupt the attempt: given back when no byte left, in doubt otherwise."""
        self._stopped = True
        if self._sending is not None:
            self._sending.cancel()

    async def _result(self) -> Result:
        progress = self.claim.progress
        if self.claim.kind == "resolve" and self._policy == "resend":
            return retry.resend(progress)
        try:
            self.outcome = await self._fly()
        except LeaseLostError:
            return retry.given_back(progress, LEASE_LOST)
        if self.outcome.reason == STOPPED and not self.transmitting and self.claim.kind == "send":
            return retry.given_back(progress, STOPPED)
        if self.claim.kind == "resolve" and self._policy == "look" and retry.absent(self.outcome):
            waited = await asyncio.to_thread(self._waited)
            if waited is not None and waited >= self._patience:
                return retry.resend(progress)
        case = retry.Case(
            self.claim.kind, self.claim.attempt, progress, self._policy, receipt=self.claim.channel == "mssante"
        )
        if self.outcome.verdict in _REFUSALS and self.outcome.host and self._crew.clock_off(self.outcome.host):
            return retry.wrong_clock(self.outcome, case, self._crew.settings)
        return retry.judge(self.outcome, case, self._crew.settings, self._crew.randomness.uniform())

    def _waited(self) -> float | None:
        """Seconds since content last left, by the store's own times; None when that is not known (a restored backup) or
        when no copy was ever asked to come: then nothing is sent again by itself.
        """
        detail = self._crew.store.delivery(self.claim.delivery_id)
        left = [attempt.transmitting_at for attempt in detail.attempts if attempt.transmitting_at is not None]
        if not left or detail.row.reason in {RESTORED, COPIED, NO_COPY}:
            return None
        return (detail.attempts[-1].started_at - max(left)).total_seconds()

    async def _fly(self) -> Outcome:
        if self._stopped:
            return Outcome(Verdict.IN_DOUBT, STOPPED)
        try:
            self._sending = asyncio.ensure_future(self._call())
            return await self._sending
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():  # we are cancelled, not only the sending
                raise
            return Outcome(Verdict.IN_DOUBT, STOPPED)
        except LeaseLostError:
            raise
        except ConfigError as fault:
            return Outcome(Verdict.CONFIGURATION, fault.code)
        except Exception as fault:  # noqa: BLE001 (a channel's fault must not stop the other deliveries)
            # The type only: a message may quote what it choked on, and that is health data.
            _LOG.error("channel_fault", extra={"delivery": self.claim.delivery_id, "error": type(fault).__name__})
            doubtful = self.transmitting or self.claim.kind == "resolve"
            return Outcome(Verdict.IN_DOUBT if doubtful else Verdict.TRANSIENT, FAULT)

    def _call(self) -> Awaitable[Outcome]:
        if self.claim.kind == "resolve":
            if self._policy in {"human", "none"}:
                return _undecided()
            return self._channel().resolve(package_of(self.claim))
        return self._channel().send(package_of(self.claim), self._before_commit)

    async def _before_commit(self) -> None:
        await self._crew.desk.leave(self.claim)
        self.transmitting = True
        self._crew.transmitted(self.claim)

    async def _keep_lease(self) -> None:
        lease = self._crew.settings.lease
        while True:
            await asyncio.sleep(lease / 3)
            try:
                self.claim = await asyncio.to_thread(self._crew.store.renew, self.claim, lease)
            except LeaseLostError:
                if not self.transmitting:
                    self.stop()
                return  # once bytes left, the answer is worth having even so
            except StoreError as fault:
                _LOG.warning("lease_not_renewed", extra={"delivery": self.claim.delivery_id, "code": fault.code})

    async def _record(self, result: Result) -> bool:
        """Insist for the length of a lease (a full disk, a busy database), then leave it to recovery: the delivery
        stays `transmitting` and becomes `in_doubt`, never forgotten. A newer release's store is left to it at once.
        """
        attempts = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_delay(self._crew.settings.lease),
            wait=wait_exponential(multiplier=0.05, max=5),
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await self._crew.desk.end(self.claim, result)
        except (RetryError, StoreError):
            _LOG.error("result_not_recorded", extra={"delivery": self.claim.delivery_id, "reason": result.reason})
        return False


def _may_pass(fault: BaseException) -> bool:
    return isinstance(fault, StoreError) and fault.code != NEWER


async def _undecided() -> Outcome:
    """Nobody may be asked: the doubt stays, for a person or a receipt to settle."""
    return Outcome(Verdict.IN_DOUBT, "ENG-UNDECIDED")
