"""What a gateway is made of, opened on first use: store, world, worker, channels; and how a submission is prepared."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from gateway import platform
from gateway.clock import Clock, Randomness, SystemClock, SystemRandomness
from gateway.errors import ConfigError, InputError, StoreError
from gateway.findings import has_errors
from gateway.records.level1 import AnySubmission
from gateway.settings import AccountSettings, FhirSettings, RulesSettings, Settings, preview_account

if TYPE_CHECKING:
    from gateway.api.directory import DirectoryFace
    from gateway.api.homes import Homes
    from gateway.api.keys import Keys
    from gateway.api.oppositions import Oppositions
    from gateway.api.patients import Patients
    from gateway.api.retention import Retention
    from gateway.channels.outcome import Channel
    from gateway.channels.recording import Recorder
    from gateway.channels.tokens import TokenSource
    from gateway.engine.alerts import Alerts
    from gateway.engine.background import Background
    from gateway.engine.events import DeliveryEvent, Subscriber
    from gateway.engine.mailwatch import MailRoom
    from gateway.engine.traces import TraceLog
    from gateway.engine.upkeep import Upkeep
    from gateway.engine.ways import Wiring
    from gateway.engine.worker import Worker
    from gateway.pipeline import Prepared, World
    from gateway.skew import Skew
    from gateway.store.base import Store
    from gateway.store.pg_hints import Hints


class Machinery:
    """The parts behind every face of a gateway. Faces use it; it offers nothing to users."""

    def __init__(
        self,
        settings: Settings | None,
        *,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
        tokens: TokenSource | None = None,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self.clock: Clock = clock or SystemClock()
        self.randomness: Randomness = randomness or SystemRandomness()
        self._subscribers: list[Subscriber] = []
        self._running: tuple[asyncio.AbstractEventLoop, Worker] | None = None
        self.recorder: Recorder | None = None

    def close(self) -> None:
        """Sign a last checkpoint of the journal and let go of the store; what alerts still have to say is said."""
        if "store" in self.__dict__:
            try:
                self._keep_measurements()
                self.store.close()
            finally:  # a store that could not sign is closed all the same, and only once
                del self.__dict__["store"]
        if "directory" in self.__dict__:
            self.directory.close()
            del self.__dict__["directory"]
        if "world" in self.__dict__ and self.world.kits is not None:
            self.world.kits.close()
            del self.__dict__["world"]
        for alerts in self.__dict__.pop("_alerts", ()):
            alerts.close()
        if (hints := self.__dict__.pop("hints", None)) is not None:
            hints.close()

    def _keep_measurements(self) -> None:
        """What this process learnt of the clock serves the next one of this machine."""
        boot, found = platform.boot_id(), self.skew.own()
        if boot and found:
            with suppress(StoreError):
                self.store.note_clock(boot, found)

    @property
    def settings(self) -> Settings:
        """The configuration. Raises ConfigError on a preview gateway."""
        if self._settings is None:
            raise ConfigError("CFG-011", "Cette opération demande une configuration.", "Donner --config FICHIER.")
        return self._settings

    @cached_property
    def store(self) -> Store:
        """The store, opened on first use. Raises StoreError, ConfigError."""
        from gateway import store

        return store.open(self.settings, self.clock, self.randomness, self.skew)

    @cached_property
    def skew(self) -> Skew:
        """How far this machine's clock is from the servers'."""
        from gateway.skew import Skew

        return Skew(self.clock)

    @cached_property
    def world(self) -> World:
        """Terminology, trust space, rules and required kits, loaded once. Raises ConfigError."""
        from gateway import terminology
        from gateway.pipeline import World
        from gateway.rules import trust_space
        from gateway.validate import kits

        settings = self._settings
        return World(
            terminology.load(),
            trust_space.load(settings.trust_space.file) if settings else None,
            settings.rules if settings else RulesSettings(),
            settings.fhir if settings else FhirSettings(),
            kits.required(settings.validation) if settings else None,
            copy=settings is not None and settings.cda.with_pdf,
        )

    @cached_property
    def directory(self) -> DirectoryFace:
        """The Annuaire Santé: find, choose, recheck, refresh, status."""
        from gateway.api.directory import DirectoryFace

        return DirectoryFace(self)

    @cached_property
    def oppositions(self) -> Oppositions:
        """Destinations that patients object to, recorded after the fact."""
        from gateway.api.oppositions import Oppositions

        return Oppositions(self)

    @cached_property
    def homes(self) -> Homes:
        """Whether the store is where it works, or a copy."""
        from gateway.api.homes import Homes

        return Homes(self)

    @cached_property
    def retention(self) -> Retention:
        """Content whose time is over: a look before, and erasing it."""
        from gateway.api.retention import Retention

        return Retention(self)

    @cached_property
    def keys(self) -> Keys:
        """The master keys of the store: list, rotate, retire."""
        from gateway.api.keys import Keys

        return Keys(self)

    @cached_property
    def patients(self) -> Patients:
        """What is held about a patient, a copy of it for him, and its erasure."""
        from gateway.api.patients import Patients

        return Patients(self)

    @cached_property
    def token_source(self) -> TokenSource | None:
        """Who gives access tokens: the calling program, else the accounts' `token_command`."""
        from gateway.channels import tokens

        return tokens.source(self.settings, self._tokens)

    @cached_property
    def trace_log(self) -> TraceLog:
        """Where every exchange with a server is noted."""
        from gateway.engine.traces import TraceLog

        return TraceLog(self.settings.traces_folder, self.settings.traces.keep_days, self.clock)

    @cached_property
    def wiring(self) -> Wiring:
        """What every channel is given."""
        from gateway.engine.ways import Wiring

        found = (self.world.trust, self.token_source, self.trace_log, self.recorder, self.skew)
        return Wiring(self.clock, self.randomness, *found)

    def _account(self, submission: AnySubmission) -> AccountSettings | None:
        if self._settings is None:
            from gateway.identity.roots import environment_of

            environment = environment_of(submission.patient.ins)
            return preview_account(submission.account, submission.author.rpps, environment)
        return self._settings.find_account(submission.account)

    def _background(self, submission: AnySubmission) -> Background:
        from gateway.engine import background

        known = background.gather(None if self._settings is None else self.store, submission)
        if self._settings is None or self._settings.annuaire is None:
            return known
        return replace(known, findings=(*known.findings, *self.directory.advice(submission.recipients)))

    def _prepare(self, submission: AnySubmission, *, signed: bool) -> Prepared:
        from gateway import pipeline
        from gateway.package.keys import signing_keys

        account = self._account(submission)
        assert account is not None
        keys = None
        if signed and account.dmp is not None:
            keys = signing_keys(account.dmp)
        known = self._background(submission)
        if has_errors(known.findings):
            raise InputError(known.findings)
        return pipeline.prepare(
            submission,
            account,
            self.world,
            now=self.clock.now(),
            ids=self.randomness,
            keys=keys,
            history=known.history,
            lineage=known.lineage,
        )

    def _worker(self) -> Worker:
        from gateway.engine.clockwatch import ClockWatch
        from gateway.engine.copies import settle_in
        from gateway.engine.events import log_event
        from gateway.engine.sessions import SessionWatch
        from gateway.engine.worker import Worker

        settle_in(self.store, self._tell_of_store)
        worker = Worker(
            self.store,
            self._channel,
            clock=self.clock,
            randomness=self.randomness,
            settings=self.settings,
            subscribers=(log_event, self._tell),
        )
        worker.watch_clock(ClockWatch(self.store, self.skew, self.settings.clock, self.clock))
        worker.watch_sessions(SessionWatch(self.store, self.settings, self.token_source, self.clock))
        worker.read_mail(self.mail_room())
        return worker

    def _upkeep(self) -> Upkeep:
        """What is done now and then beside delivering."""
        from gateway.engine.copies import CopyWatch
        from gateway.engine.retention import Keeper
        from gateway.engine.upkeep import Upkeep

        settings = self.settings
        keeper = Keeper(self.store, settings.retention, settings.rules, self.clock, self._tell_of_store)
        copies = CopyWatch(self.store, self.clock, self._tell_of_store)
        return Upkeep(self.store, settings.journal, self.clock, chores=(copies.tick, keeper.tick))

    def _tell_of_store(self, event: str) -> None:
        from gateway.engine.events import DeliveryEvent

        self._tell(DeliveryEvent(self.clock.now(), event, "", ""))

    @cached_property
    def _alerts(self) -> tuple[Alerts, ...]:
        from gateway.engine.alerts import Alerts

        return () if self.settings.alerts is None else (Alerts(self.settings.alerts),)

    def mail_room(self) -> MailRoom:
        """New watches over the accounts' mailboxes, not looking yet."""
        from gateway.engine.events import log_event
        from gateway.engine.mailboxes import open_watch
        from gateway.engine.mailwatch import MailRoom

        def tell(event: DeliveryEvent) -> None:
            log_event(event)
            self._tell(event)

        return MailRoom(lambda account: open_watch(self.settings, account, self.store, self.wiring, tell))

    @property
    def mail_looked(self) -> bool:
        """Whether the worker that runs here has looked at every mailbox by now; True when none runs."""
        return self._running is None or self._running[1].mail_looked

    @property
    def working(self) -> bool:
        """Whether a worker runs in this process."""
        return self._running is not None

    @cached_property
    def hints(self) -> Hints | None:
        """What the processes of a store on PostgreSQL tell each other; None on SQLite."""
        from gateway.store import pg_hints

        return None if self._settings is None else pg_hints.of(self._settings)

    def hearing(self) -> AbstractContextManager[None]:
        """Wake the worker of this process when another process tells that something is due."""
        return nullcontext() if self.hints is None else self.hints.listening(self._wake_mine)

    def wake(self) -> None:
        """Tell whoever delivers, here and on other machines, that something is due now. Safe from any thread."""
        self._wake_mine()
        if self.hints is not None:
            self.hints.send()

    def _wake_mine(self) -> None:
        if self._running is not None:
            loop, worker = self._running
            loop.call_soon_threadsafe(worker.wake)

    def hurry(self) -> None:
        """Tell a running worker of this process, once it is to stop, not to wait any longer. Safe from any thread."""
        if self._running is not None:
            loop, worker = self._running
            loop.call_soon_threadsafe(worker.hurry)

    def _tell(self, event: DeliveryEvent) -> None:
        subscribers: tuple[Subscriber, ...] = (*self._subscribers, *self._alerts)
        for subscriber in subscribers:
            subscriber(event)

    def _channel(self, account_id: str, channel: str) -> Channel:
        from gateway.engine.ways import open_way

        return open_way(self.settings, account_id, channel, self.wiring)
