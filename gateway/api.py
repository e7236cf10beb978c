"""Gateway: the library face. Thin: it opens things, calls the pure road and the engine, and words nothing.

Every method is synchronous and safe to call from threads; the `a...` twins are for asyncio programs. What is
submitted is committed before `submit` returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from gateway.clock import Clock, Randomness, SystemClock, SystemRandomness
from gateway.errors import ConfigError, InputError
from gateway.findings import has_errors
from gateway.records.level1 import AnySubmission, parse_any
from gateway.settings import AccountSettings, FhirSettings, RulesSettings, Settings, load, preview_account
from gateway.views import (
    AccountState,
    DeliveryHistory,
    DeliveryView,
    DocumentView,
    Rendered,
    Report,
    Submitted,
    account_states,
    delivery_view,
    document_view,
    history,
    plan_line,
)

if TYPE_CHECKING:
    from gateway.audit.report import Report as Verification
    from gateway.channels.outcome import Channel
    from gateway.engine.background import Background
    from gateway.engine.events import DeliveryEvent, Subscriber
    from gateway.engine.worker import Worker
    from gateway.pipeline import Prepared, World
    from gateway.store.base import Action, Destination, Store


class Gateway:
    """The gateway: opened once, used by many callers, closed at the end (or as a context manager)."""

    def __init__(
        self, settings: Settings | None, *, clock: Clock | None = None, randomness: Randomness | None = None
    ) -> None:
        self._settings = settings
        self.clock: Clock = clock or SystemClock()
        self.randomness: Randomness = randomness or SystemRandomness()
        self._subscribers: list[Subscriber] = []
        self._running: tuple[asyncio.AbstractEventLoop, Worker] | None = None

    @classmethod
    def open(
        cls,
        config: Path | str | Settings | None = None,
        *,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
    ) -> Self:
        """The gateway of a configuration (a file, loaded settings, or the file that the environment names).

        Raises ConfigError, StoreError.
        """
        settings = config if isinstance(config, Settings) else load(Path(config) if config else None)
        gateway = cls(settings, clock=clock, randomness=randomness)
        _ = gateway.store
        return gateway

    @classmethod
    def preview(cls, *, clock: Clock | None = None, randomness: Randomness | None = None) -> Self:
        """A gateway without configuration, store and keys: it checks and renders, and can send nothing."""
        return cls(None, clock=clock, randomness=randomness)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Sign a last checkpoint of the journal and let go of the store."""
        if "store" in self.__dict__:
            self.store.close()
            del self.__dict__["store"]
        if "world" in self.__dict__ and self.world.kits is not None:
            self.world.kits.close()
            del self.__dict__["world"]

    def warm(self) -> None:
        """Compile required kits now: the first document need not wait some seconds. Raises ConfigError."""
        if self.world.kits is not None:
            self.world.kits.warm()

    @property
    def settings(self) -> Settings:
        """The configuration. Raises ConfigError on a preview gateway."""
        if self._settings is None:
            raise ConfigError("CFG-011", "Cette opération demande une configuration.", "Donner --config FICHIER.")
        return self._settings

    # ------------------------------------------------------------------------------------------ documents

    def check(self, submission: bytes | AnySubmission, *, account: str | None = None) -> Report:
        """Every finding on a submission and where it would go. Sends and stores nothing, never raises on input.

        `account` says whose folder the input came from: a submission for another account is refused.
        """
        from gateway import pipeline, rules, succession

        parsed, findings = parse_any(submission)
        if parsed is None:
            return Report(tuple(findings))
        settings = self._account(parsed)
        if settings is None:
            return Report(tuple(rules.check_account(parsed, self.settings)))
        if account not in {None, parsed.account}:
            return Report((rules.other_account(),))
        known = self._background(parsed)
        if has_errors(known.findings):
            return Report(known.findings)
        findings, routes = pipeline.examine(
            parsed,
            settings,
            self.world,
            now=self.clock.now(),
            ids=self.randomness,
            history=known.history,
            lineage=known.lineage,
        )
        whole = succession.widened(parsed, known.lineage)
        return Report((*known.findings, *findings), tuple(plan_line(whole, route) for route in routes))

    def render(self, submission: bytes | AnySubmission) -> Rendered:
        """The documents and messages of a submission as files, without key and without sending.

        What would be signed is marked as an unsigned preview. Nothing is rendered when a finding stops it.
        """
        from gateway.package.dmp import request_preview

        parsed, _ = parse_any(submission)
        report = self.check(submission)
        if parsed is None or not report.ok:
            return Rendered({}, report)
        prepared = self._prepare(parsed, signed=False)
        names = {"cda": "document.cda.xml", "fhir": "document.fhir.json", "pdf": "document.pdf", "xdm": "IHE_XDM.ZIP"}
        files = {names[kind]: data for kind, data in prepared.renderings.items()}
        for planned in prepared.deliveries:
            if planned.package is not None and planned.route.channel == "mssante":
                files[f"{planned.route.role}.eml"] = planned.package.part("message").data
            elif planned.package is not None:
                files["dmp-request.bin"] = request_preview(planned.package)
        return Rendered(files, report)

    def submit(self, submission: bytes | AnySubmission) -> Submitted:
        """Check, render, sign, commit. On return the document can no longer be lost.

        Idempotent by the submission's key, or its content. Raises InputError with the findings, ConflictError for
        a known key with another content, StoreError, ConfigError. A submission that `replaces` a document stops what
        of it never left, and follows it where it did.
        """
        from gateway.engine import accept

        parsed, findings = parse_any(submission)
        if parsed is None:
            raise InputError(findings)
        if self._account(parsed) is None:
            raise InputError(self.check(parsed).findings)
        known = accept.known(self.store, parsed)
        if known is not None:
            return Submitted(known.document_id, known.delivery_ids, created=False)
        accepted = accept.insist(self.store, lambda: self._prepare(parsed, signed=True))
        self.wake()
        return Submitted(accepted.document_id, accepted.delivery_ids, accepted.created)

    def status(self, document_id: str) -> DocumentView:
        """Where a document stands, destination by destination. Raises NotFoundError."""
        from gateway.store.base import Filter

        row = self.store.document(document_id)
        return document_view(row, self.store.deliveries(Filter(document_id=document_id)))

    def rendering(self, document_id: str, name: str) -> bytes:
        """What was committed for a document: `cda`, `fhir`, `pdf`, `xdm` or `submission`. Raises NotFoundError."""
        return self.store.rendering(document_id, name).data

    # ----------------------------------------------------------------------------------------- deliveries

    def deliveries(
        self,
        *,
        account: str | None = None,
        states: Sequence[str] = (),
        destination: str | None = None,
        document_id: str | None = None,
        limit: int = 1000,
    ) -> list[DeliveryView]:
        """Deliveries, newest first, filtered."""
        from gateway.store.base import Filter
        from gateway.store.states import Transport

        wanted = Filter(
            account=account,
            states=tuple(Transport(state) for state in states),
            destination=cast("Destination | None", destination),
            document_id=document_id,
            limit=limit,
        )
        return [delivery_view(row) for row in self.store.deliveries(wanted)]

    def delivery(self, delivery_id: str) -> DeliveryHistory:
        """One delivery with its attempts and what people decided. Raises NotFoundError."""
        return history(self.store.delivery(delivery_id))

    def retry(self, delivery_id: str, *, by: str, reason: str) -> DeliveryView:
        """Try again now. Raises StateError where the state does not allow it."""
        return self._act(delivery_id, "retry", by, reason)

    def hold(self, delivery_id: str, *, by: str, reason: str) -> DeliveryView:
        """Keep it back until released."""
        return self._act(delivery_id, "hold", by, reason)

    def release(self, delivery_id: str, *, by: str, reason: str) -> DeliveryView:
        """Let a held delivery go."""
        return self._act(delivery_id, "release", by, reason)

    def cancel(self, delivery_id: str, *, by: str, reason: str) -> DeliveryView:
        """Give it up for good."""
        return self._act(delivery_id, "cancel", by, reason)

    def handed(self, delivery_id: str, *, by: str, reason: str, means: str, at: datetime | None = None) -> DeliveryView:
        """A named person delivered it by other means (hand, post, SIP), at `at` or now.

        It counts as done by that person, never as electronically proven.
        """
        return self._act(delivery_id, "handed", by, reason, means, at)

    def _act(
        self,
        delivery_id: str,
        action: Action,
        by: str,
        reason: str,
        means: str | None = None,
        at: datetime | None = None,
    ) -> DeliveryView:
        view = delivery_view(self.store.act(delivery_id, action, by=by, reason=reason, means=means, at=at))
        self.wake()
        return view

    # -------------------------------------------------------------------------------------------- sending

    def deliver_due(self) -> int:
        """Try every delivery that is due, once, and return how many were tried."""
        return asyncio.run(self.adeliver_due())

    async def adeliver_due(self) -> int:
        """`deliver_due` for asyncio programs."""
        worker = self._worker()
        try:
            return await worker.deliver_due()
        finally:
            await worker.aclose()

    def run(self) -> None:
        """Deliver until interrupted (Ctrl-C)."""
        asyncio.run(self.arun(asyncio.Event()))

    async def arun(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set: claims what is due, sends, records, recovers what a crash left."""
        worker = self._worker()
        self._running = (asyncio.get_running_loop(), worker)
        try:
            await worker.run(stop)
        finally:
            self._running = None
            await worker.aclose()

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with every DeliveryEvent of the workers that this gateway runs."""
        self._subscribers.append(subscriber)

    def wake(self) -> None:
        """Tell a running worker of this process that something is due now. Safe from any thread."""
        if self._running is not None:
            loop, worker = self._running
            loop.call_soon_threadsafe(worker.wake)

    # -------------------------------------------------------------------------------------------- journal

    def verify_journal(self, *, public_key: Path | None = None, checkpoint: Path | None = None) -> Verification:
        """Recompute chain, tree and signatures, and compare every delivery with its last record.

        `public_key` and `checkpoint` are the verifier's own files; the result says what could be excluded.
        """
        from gateway.audit.verify import verify_store

        return verify_store(self.store, public_key=public_key, checkpoint=checkpoint)

    def export_journal(self) -> Iterator[str]:
        """The journal as JSON lines with public key and checkpoints: ids, hashes, codes and times only."""
        from gateway.audit.export import export

        return export(self.store)

    def account_states(self) -> list[AccountState]:
        """For each account, what waits, since when, and which channels are paused."""
        return account_states(self.settings, self.store.counts(), self.store.pauses())

    # ------------------------------------------------------------------------------------------ machinery

    @cached_property
    def store(self) -> Store:
        """The store, opened on first use. Raises StoreError, ConfigError."""
        from gateway import store

        return store.open(self.settings, self.clock, self.randomness)

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

    def _account(self, submission: AnySubmission) -> AccountSettings | None:
        if self._settings is None:
            from gateway.identity.roots import environment_of

            environment = environment_of(submission.patient.ins)
            return preview_account(submission.account, submission.author.rpps, environment)
        return self._settings.find_account(submission.account)

    def _background(self, submission: AnySubmission) -> Background:
        from gateway.engine import background

        return background.gather(None if self._settings is None else self.store, submission)

    def _prepare(self, submission: AnySubmission, *, signed: bool) -> Prepared:
        from gateway import pipeline
        from gateway.package.keys import load_signing_keys

        account = self._account(submission)
        assert account is not None
        keys = None
        if signed and account.dmp is not None:
            keys = load_signing_keys(account.dmp.sign_cert_file, account.dmp.sign_key_file)
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
        from gateway.engine.events import log_event
        from gateway.engine.worker import Worker

        return Worker(
            self.store,
            self._channel,
            clock=self.clock,
            randomness=self.randomness,
            settings=self.settings,
            subscribers=(log_event, self._tell),
        )

    def _tell(self, event: DeliveryEvent) -> None:
        for subscriber in self._subscribers:
            subscriber(event)

    def _channel(self, account_id: str, channel: str) -> Channel:
        from gateway.engine.ways import open_way

        return open_way(self.settings, self.world.trust, account_id, channel, clock=self.clock, ids=self.randomness)
