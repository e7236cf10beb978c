"""The worker: claims what is due, lane by lane, and flies it (DESIGN §4 rules 3 to 6).

A lane is one channel of one account. Lanes share nothing but the store, so a slow or dead host holds up nobody else;
hosts have a breaker and a limit, and one claim stands for each delivery actually under way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import platform
from gateway.channels import trace
from gateway.channels.outcome import Verdict
from gateway.engine import receipts, recover, retry
from gateway.engine.announce import Announcer
from gateway.engine.clockwatch import ClockWatch
from gateway.engine.desk import Desk
from gateway.engine.events import Subscriber, log_event
from gateway.engine.flight import Crew, Flight
from gateway.engine.lanes import Lane, lanes_of
from gateway.engine.mailwatch import MailRoom
from gateway.engine.sessions import SessionWatch
from gateway.errors import StoreError
from gateway.skew import Skew
from gateway.store.base import Claim, Wanted
from gateway.store.states import Transport

if TYPE_CHECKING:
    from gateway.channels.outcome import Channel
    from gateway.clock import Clock, Randomness
    from gateway.settings import Settings
    from gateway.store.base import Store

_LOG = logging.getLogger("gateway.engine")
GRACE = 30.0
"""Seconds that a stop waits for what is being transmitted; then it becomes `in_doubt`."""

ChannelFactory = Callable[[str, str], "Channel"]


class Worker:
    """Delivers what is due for some accounts. One worker for each account at a time, on one machine."""

    def __init__(
        self,
        store: Store,
        channels: ChannelFactory,
        *,
        clock: Clock,
        randomness: Randomness,
        settings: Settings,
        worker_id: str | None = None,
        accounts: Sequence[str] | None = None,
        subscribers: Sequence[Subscriber] = (log_event,),
    ) -> None:
        """`channels(account, channel)` opens a way out, once; it may raise ConfigError. `accounts` None: all."""
        self.id = worker_id or f"worker-{randomness.uuid().hex[:12]}"
        self._store = store
        self._channels = channels
        self._clock = clock
        self._settings = settings
        self._publisher = Announcer(subscribers, clock)
        desk = Desk(store, clock)
        self._crew = Crew(store, desk, randomness, settings.retry, self._transmitted, self._clock_off)
        self._lanes = lanes_of(settings, clock, accounts)
        self._mail = MailRoom(lambda _: None)
        self._sessions = SessionWatch(store, settings, None, clock)
        self._clocks = ClockWatch(store, Skew(clock), settings.clock, clock)
        self._owned: set[str] = set()
        self._wake, self._hurried = asyncio.Event(), asyncio.Event()
        self._probing: asyncio.Task[None] | None = None
        self._recovered_at = float("-inf")
        self._jumps = recover.Jumps(clock)

    def read_mail(self, mail: MailRoom) -> None:
        """Read the accounts' mailboxes too, from the next run on."""
        self._mail = mail

    def watch_sessions(self, sessions: SessionWatch) -> None:
        """Look out for sessions that deliveries wait for, from the next run on."""
        self._sessions = sessions

    def watch_clock(self, clocks: ClockWatch) -> None:
        """Keep an eye on this machine's clock with these measurements, from the next run on."""
        self._clocks = clocks

    def wake(self) -> None:
        """Something may be due: look now. From another thread, use `call_soon_threadsafe`."""
        self._wake.set()

    def hurry(self) -> None:
        """Stop without waiting for what is being transmitted: it becomes `in_doubt`. As `wake` from another thread."""
        self._hurried.set()

    @property
    def mail_looked(self) -> bool:
        """Whether every mailbox was looked at since the start."""
        return self._mail.looked

    async def aclose(self) -> None:
        """Close the channels."""
        for lane in self._lanes:
            if lane.way is not None:
                await lane.way.aclose()
                lane.way = None

    async def deliver_due(self) -> int:
        """Try everything that is due at this moment, once, and return how many attempts were made.

        Raises StoreError (LCK-001) when other workers hold every account.
        """
        with self._roles():
            made, claimed, flying = 0, 0, True
            now = await asyncio.to_thread(self._store.now)
            await self._open_sessions()
            reading = asyncio.create_task(self._mail.poll(self._owned))
            try:
                # A lane that was full while it was swept may be free by now: only a sweep of empty lanes ends this.
                while flying or claimed:
                    flying = bool(self._tasks())
                    await self._look_at_clock()
                    claimed = await self._sweep(now)
                    made += claimed
                    if tasks := self._tasks():
                        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    elif pause := await self._short_of_tokens(now):
                        await asyncio.sleep(pause)
                        flying = True
                await reading
                for account in sorted(self._owned):
                    await self._tell_overdue(account)
            finally:
                reading.cancel()
                await self._land()
            return made

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set, then finish, within GRACE or until `hurry`, what is being transmitted.

        Raises StoreError (LCK-001) when other workers hold every account.
        """
        with self._roles():
            self._resume()
            stopping = asyncio.create_task(stop.wait())
            try:
                async with self._mail.watching(self._owned):
                    while not stop.is_set():
                        await self._step(stopping)
            finally:
                stopping.cancel()
                if self._probing is not None:
                    self._probing.cancel()
                await self._land()
                await asyncio.to_thread(self._store.checkpoint)

    async def _step(self, stopping: asyncio.Task[bool]) -> None:
        self._wake.clear()
        try:
            await self._recover_now_and_then()
            self._probe_sessions()
            await self._look_at_clock()
            await self._sweep(None)
            pause = await self._pause()
            await asyncio.to_thread(self._publisher.store_back, self._store)
        except StoreError as fault:  # a full disk, a busy database: wait and try again, nothing is lost
            self._publisher.store_gone(fault)
            pause = self._settings.sidecar.scan_every
        waking = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({stopping, waking, *self._tasks()}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()

    async def _pause(self) -> float:
        """Seconds until something is due, at most the scan interval: other processes submit too."""
        longest = self._settings.sidecar.scan_every
        due = await asyncio.to_thread(self._store.next_due, sorted(self._owned))
        if due is None:
            return longest
        wait = (due - await asyncio.to_thread(self._store.now)).total_seconds()
        if wait > 0:
            return min(longest, wait)
        # Already due and yet not claimed: its lane is full, its host down or out of tokens. A landing, the next token
        # or the interval ends that.
        return min((longest, *self._tokens_due()))

    def _tokens_due(self) -> list[float]:
        """Seconds until each host that only lacks a token has one."""
        places = self._settings.sidecar.workers
        waits = (lane.short(places) for lane in self._lanes if lane.account in self._owned)
        return [wait for wait in waits if wait > 0]

    async def _short_of_tokens(self, now: datetime) -> float:
        """Seconds until the next token of a lane on which something is due; 0 when nothing waits for one."""
        places, waits = self._settings.sidecar.workers, []
        for lane in self._lanes:
            wait = lane.short(places) if lane.account in self._owned else 0.0
            if wait > 0:
                due = await asyncio.to_thread(self._store.next_due, [lane.account], lane.channel)
                waits += [wait] if due is not None and due <= now else []
        return min(waits, default=0.0)

    # ------------------------------------------------------------------------------------------- claiming

    async def _sweep(self, before: datetime | None) -> int:
        """Claim for every lane as much as it has room for, and send it on its way."""
        claimed = 0
        for lane in self._lanes:
            if lane.account in self._owned:
                claimed += await self._fill(lane, before)
        return claimed

    async def _fill(self, lane: Lane, before: datetime | None) -> int:
        room = lane.room(self._settings.sidecar.workers)
        if room <= 0:
            return 0
        wanted = Wanted(self.id, self._settings.retry.lease, room, lane.account, lane.channel, before)
        claims = await asyncio.to_thread(self._claim, wanted)
        for claim in claims:
            lane.claimed()
            self._launch(lane, claim)
        return len(claims)

    def _claim(self, wanted: Wanted) -> list[Claim]:
        due = self._store.next_due([wanted.account] if wanted.account else [], wanted.channel)
        if due is None or due > (wanted.before or self._store.now()):
            return []  # a read costs no lock; most looks find nothing
        claims = self._store.claim(wanted)
        if len(claims) < wanted.limit:
            rest = Wanted(
                wanted.worker, wanted.lease, wanted.limit - len(claims), wanted.account, wanted.channel, wanted.before
            )
            claims += self._store.claim_doubtful(rest)
        return claims

    def _launch(self, lane: Lane, claim: Claim) -> None:
        self._publisher.attempt(
            "claimed", claim, state="sending" if claim.kind == "send" else "in_doubt", host=lane.host
        )
        flight = Flight(claim, self._crew, lane.policy, lambda: self._way(lane), lane.patience)
        task = asyncio.create_task(self._fly(lane, flight))
        lane.flights[task] = flight
        task.add_done_callback(lambda done: _landed(lane, done))

    def _way(self, lane: Lane) -> Channel:
        if lane.way is None:
            lane.way = self._channels(lane.account, lane.channel)
        return lane.way

    # -------------------------------------------------------------------------------------------- landing

    async def _fly(self, lane: Lane, flight: Flight) -> None:
        started = self._clock.elapsed()
        with trace.about(flight.claim.delivery_id):
            result, taken = await flight.run()
        if flight.outcome is not None and lane.breaker.note(not _host_failed(flight.outcome.verdict, result.reason)):
            self._publisher.lane(lane, "breaker_opened" if lane.breaker.open else "breaker_closed", result.reason)
        self._publisher.attempt(
            result.event if taken else "late_result",
            flight.claim,
            state=result.state,
            reason=result.reason,
            host=result.host or lane.host,
            due_in=result.due_in,
            elapsed=self._clock.elapsed() - started,
        )
        if taken and result.pause:
            self._publisher.lane(lane, "paused", result.reason)
        if taken and self._sessions.is_news(lane.account, lane.channel, result.state):
            self._publisher.lane(lane, "session_wanted", result.reason)

    async def _land(self) -> None:
        """Give back what has not left yet, wait for what has."""
        for lane in self._lanes:
            for flight in lane.flights.values():
                if not flight.transmitting:
                    flight.stop()
        await self._finish()
        for lane in self._lanes:
            for flight in lane.flights.values():
                flight.stop()
        if tasks := self._tasks():
            await asyncio.wait(tasks)

    async def _finish(self) -> None:
        """Until everything under way is done, at most for GRACE, and only until somebody hurries."""
        hurried, ends = asyncio.create_task(self._hurried.wait()), asyncio.get_running_loop().time() + GRACE
        while (tasks := self._tasks()) and not hurried.done():
            left = ends - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await asyncio.wait({hurried, *tasks}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()

    def _tasks(self) -> set[asyncio.Task[None]]:
        return {task for lane in self._lanes for task in lane.flights}

    # ---------------------------------------------------------------------------------------------- roles

    @contextmanager
    def _roles(self) -> Iterator[None]:
        """Hold the worker role of every account that is free. Raises StoreError (LCK-001) when none is."""
        with ExitStack() as locks:
            refused: StoreError | None = None
            for account in dict.fromkeys(lane.account for lane in self._lanes):
                try:
                    lock = self._store.lock_path(account)
                    if lock is not None:
                        locks.enter_context(platform.exclusive_lock(Path(lock)))
                    self._owned.add(account)
                except StoreError as fault:
                    refused = fault
            if refused is not None and not self._owned:
                raise refused
            try:
                for account in self._owned:
                    self._tell_recovered(recover.take_over(self._store, account, self._settings.retry.delays[0]))
                yield
            finally:
                self._owned.clear()

    async def _recover_now_and_then(self) -> None:
        """Expired leases: a safety net below the worker role, and the answer to a clock that jumped."""
        now = self._clock.elapsed()
        if now - self._recovered_at >= self._settings.retry.lease / 3:
            self._recovered_at = now
            jump = self._jumps.seen(await asyncio.to_thread(self._store.now))
            if jump:
                _LOG.warning("clock_jumped", extra={"seconds": round(jump)})
            if jump > 0:
                return  # every lease seems over; those of our own flights are renewed before the next look
            for account in sorted(self._owned):
                self._tell_recovered(await asyncio.to_thread(self._recover, account, jump < 0))
                await self._tell_overdue(account)

    async def _tell_overdue(self, account: str) -> None:
        """Receipts whose time is over are told once; nothing is sent again for want of one."""
        if not self._mail.current(account):
            return  # the machine was off or asleep: what came meanwhile is still to be read
        for event in await asyncio.to_thread(receipts.overdue, self._store, account, self._clock.now()):
            self._publisher.publish(event)

    def _recover(self, account: str, went_back: bool) -> list[str]:
        settle = self._settings.retry.delays[0]
        return self._store.recover(account=account, settle=settle, went_back=went_back)

    def _resume(self) -> None:
        for account, channel in recover.resume_misconfigured(self._store, sorted(self._owned)):
            self._publisher.channel("resumed", account, channel)

    def _clock_off(self, host: str) -> bool:
        return self._clocks.off(host)

    async def _look_at_clock(self) -> None:
        """Before anything is claimed: the DMP takes nothing from a machine whose clock is wrong."""
        lanes = [lane for lane in self._lanes if lane.account in self._owned]
        for event, lane in await asyncio.to_thread(self._clocks.look, lanes):
            self._publisher.lane(lane, event, retry.WRONG_CLOCK)

    def _probe_sessions(self) -> None:
        """In a task of its own: a token program may take its time, and holds up no delivery."""
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._open_sessions())

    async def _open_sessions(self) -> None:
        try:
            opened = await self._sessions.opened(frozenset(self._owned))
        except StoreError as fault:  # asked again at the next step
            self._publisher.store_gone(fault)
            return
        for account, channel in opened:
            self._publisher.channel("session_open", account, channel)
            self._wake.set()

    # --------------------------------------------------------------------------------------------- events

    def _tell_recovered(self, ids: list[str]) -> None:
        for delivery in ids:
            self._publisher.row("recovered", self._store.delivery(delivery).row)

    def _transmitted(self, claim: Claim) -> None:
        self._publisher.attempt("transmit", claim, state=Transport.TRANSMITTING)


def _landed(lane: Lane, task: asyncio.Task[None]) -> None:
    lane.flights.pop(task, None)
    fault = None if task.cancelled() else task.exception()
    if fault is not None:  # our own fault: the delivery keeps its lease until recovery takes it back
        _LOG.error("flight_fault", extra={"account": lane.account, "error": type(fault).__name__})


def _host_failed(verdict: Verdict, reason: str) -> bool:
    return verdict in {Verdict.TRANSIENT, Verdict.IN_DOUBT} and retry.host_fault(reason)
