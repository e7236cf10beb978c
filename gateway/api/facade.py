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

from gateway.api.auditing import Auditing
from gateway.clock import Clock, Randomness
from gateway.errors import InputError
from gateway.findings import has_errors
from gateway.records.level1 import AnySubmission, parse_any
from gateway.settings import Settings, load
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
    from gateway.api.browse import Browse
    from gateway.api.dmp import DmpOffice
    from gateway.api.evidence import Evidence
    from gateway.api.ins import InsOffice
    from gateway.api.journal import Journal
    from gateway.api.linked import Linked, Linking
    from gateway.api.mail import Mail
    from gateway.api.obligations import Obligations
    from gateway.api.receipts import Receipts
    from gateway.api.sessions import Sessions
    from gateway.api.traces import Traces
    from gateway.api.withdrawals import WithdrawalView
    from gateway.audit.report import Report as Verification
    from gateway.channels.tokens import TokenSource
    from gateway.engine.events import Subscriber
    from gateway.store.base import Action, Destination, Pause


class Gateway(Auditing):
    """The gateway: opened once, used by many callers, closed at the end (or as a context manager)."""

    @classmethod
    def open(
        cls,
        config: Path | str | Settings | None = None,
        *,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
        tokens: TokenSource | None = None,
    ) -> Self:
        """The gateway of a configuration (a file, loaded settings, or the file that the environment names).

        `tokens` gives the access tokens of accounts with `auth = "xoauth2"` (account id -> token), in place of their
        `token_command`; it raises `SessionNeeded` when only a person can renew the session.

        Raises ConfigError, StoreError.
        """
        settings = config if isinstance(config, Settings) else load(Path(config) if config else None)
        gateway = cls(settings, clock=clock, randomness=randomness, tokens=tokens)
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

    def warm(self) -> None:
        """Compile required kits now: the first document need not wait some seconds. Raises ConfigError."""
        if self.world.kits is not None:
            self.world.kits.warm()

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

    @cached_property
    def ins(self) -> InsOffice:
        """The INS: check, search, verify, Datamatrix, what a wrong one stopped."""
        from gateway.api.ins import InsOffice

        return InsOffice(self)

    @cached_property
    def browse(self) -> Browse:
        """Deliveries page by page, and the trace that reading leaves."""
        from gateway.api.browse import Browse

        return Browse(self)

    @cached_property
    def mail(self) -> Mail:
        """The accounts' own mailboxes: take in what is new, see whether they can be read."""
        from gateway.api.mail import Mail

        return Mail(self)

    @cached_property
    def traces(self) -> Traces:
        """What was said with the servers, in codes."""
        from gateway.api.traces import Traces

        return Traces(self)

    @cached_property
    def sessions(self) -> Sessions:
        """Who may send unattended, and the word that a person has logged in again."""
        from gateway.api.sessions import Sessions

        return Sessions(self)

    def dmp(self, account: str) -> DmpOffice:
        """What one account may ask of the DMP, and change in it. Raises ConfigError (CFG-012, CFG-013)."""
        from gateway.api.dmp import DmpOffice

        return DmpOffice(self, account)

    @cached_property
    def evidence(self) -> Evidence:
        """Exact frames of a test on a synthetic patient, for homologation."""
        from gateway.api.evidence import Evidence

        return Evidence(self, lambda settings: Gateway(settings, clock=self.clock, randomness=self.randomness))

    @cached_property
    def obligations(self) -> Obligations:
        """What was due for each episode, to whom, and what proves it."""
        from gateway.api.obligations import Obligations

        return Obligations(self)

    @cached_property
    def receipts(self) -> Receipts:
        """What came back: mails to take in, what they ask for, and the holds that they put."""
        from gateway.api.receipts import Receipts

        return Receipts(self)

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
        return history(self.store.delivery(delivery_id), self.store.received(delivery_id))

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

    @cached_property
    def linked(self) -> Linked:
        """Another way for a document, its withdrawal, its handing over on paper."""
        from gateway.api.linked import Linked

        return Linked(self)

    def readdress(self, delivery_id: str, *, to: str, by: str, reason: str, name: str | None = None) -> Linking:
        """`linked.readdress`: the same document to another box of the same doctor."""
        return self.linked.readdress(delivery_id, to=to, by=by, reason=reason, name=name)

    def withdraw(self, document_id: str, *, reason: str, by: str, note: str) -> WithdrawalView:
        """`linked.withdraw`: take a document back, all its versions, from everywhere."""
        return self.linked.withdraw(document_id, reason=reason, by=by, note=note)

    def confirm_sent(self, delivery_id: str, *, by: str, reason: str) -> DeliveryView:
        """A named person found out that what is in doubt did arrive."""
        return self._act(delivery_id, "confirm_sent", by, reason)

    def pause(self, account: str, channel: str = "*", *, by: str, reason: str) -> None:
        """Send nothing more on a channel of an account (`*`: on none) until resumed. `reason` is one word."""
        self.store.pause(account, channel, by=by, reason=reason)

    def resume(self, account: str, channel: str = "*", *, by: str) -> bool:
        """End a pause, whoever set it; False when there was none."""
        ended = self.store.resume(account, channel, by=by)
        self.wake()
        return ended

    def pauses(self) -> list[Pause]:
        """What is paused, why, by whom and since when."""
        return self.store.pauses()

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
        upkeep = asyncio.create_task(self._upkeep().run())
        upkeep.add_done_callback(lambda _: stop.set())
        times = asyncio.create_task(self.clocks.ask_time_servers())
        try:
            with self.hearing():
                await worker.run(stop)
        finally:
            self._running = None
            upkeep.cancel()
            times.cancel()
            await worker.aclose()
        if upkeep.done() and not upkeep.cancelled():
            upkeep.result()  # it ends by itself only when a newer release has the store: raises STO-004

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with every DeliveryEvent of the workers that this gateway runs."""
        self._subscribers.append(subscriber)

    # -------------------------------------------------------------------------------------------- journal

    @cached_property
    def journal(self) -> Journal:
        """The journal: verify, export, prove, disclose, find."""
        from gateway.api.journal import Journal

        return Journal(self)

    def verify_journal(self, *, public_key: Path | None = None, checkpoint: Path | None = None) -> Verification:
        """`journal.verify`."""
        return self.journal.verify(public_key=public_key, checkpoint=checkpoint)

    def export_journal(self) -> Iterator[str]:
        """`journal.export`."""
        return self.journal.export()

    def account_states(self) -> list[AccountState]:
        """For each account, what waits, since when, and which channels are paused."""
        return account_states(self.settings, self.store.counts(), self.store.pauses())
