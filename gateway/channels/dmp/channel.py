"""DMP channel: existence test, then ITI-41 or ITI-57 with a fresh VIHF, over mutual TLS."""

from __future__ import annotations

from gateway.channels.dmp import answers, classify, registry
from gateway.channels.dmp.entries import Entry
from gateway.channels.dmp.existence import ExistenceTest
from gateway.channels.dmp.link import DmpLink, Envelope, Ready
from gateway.channels.dmp.reader import DmpReader
from gateway.channels.dmp.updates import Updates
from gateway.channels.outcome import BeforeCommit, Outcome, Verdict
from gateway.channels.recording import Recorder
from gateway.channels.trace import Tracer
from gateway.clock import Clock, Randomness
from gateway.package import dmp as dmp_package
from gateway.package import mtom
from gateway.package.mtom import HttpBody
from gateway.package.query import APPROVED
from gateway.package.types import DmpContext, DmpUpdateContext, Package, feed_context
from gateway.package.xml import Element
from gateway.settings import DmpSettings

_ARCHIVED = "urn:asip:ci-sis:2010:StatusType:Archived"
_NOT_REPLACEABLE = {_ARCHIVED: "DMP-RPLC-ARCHIVED", "urn:asip:ci-sis:2010:StatusType:Deleted": "DMP-RPLC-NOT-FOUND"}


class DmpChannel:
    """Feeds the DMP for one account, and changes what it fed.

    `device` is the OID of this system as sender of TD0.2 (the account's `oid_root`), `software` its name and
    version. Only the VIHF, the WS-Addressing MessageID and what the registry alone knows (the entryUUID that a document
    has by now) are put in here.
    """

    def __init__(
        self,
        settings: DmpSettings,
        *,
        device: str,
        clock: Clock,
        ids: Randomness,
        software: str = "kine-gateway 0",
        tracer: Tracer | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.link = DmpLink(settings, clock=clock, ids=ids, software=software, tracer=tracer, recorder=recorder)
        self._existence = ExistenceTest(self.link, device)
        self._reader = DmpReader(self.link)
        self._updates = Updates(self.link)
        self._settings = settings
        self._host = self.link.host

    async def send(self, package: Package, before_commit: BeforeCommit) -> Outcome:
        """Try once. Raises only what `before_commit` raises (LeaseLostError), with nothing sent.

        XDSDuplicateUniqueIdInRegistry about our own set is a doubt (`query`, `human`): an attempt of which nothing
        is known here brought it. With `in_doubt = "resend"` it is the evidence that this policy sends again for,
        and so ACCEPTED: the set's id is random and frozen, nobody else can have used it (spec dmp §1.7, engine §3).
        """
        if isinstance(package.context, DmpUpdateContext):
            return await self._updates.send(package, before_commit)
        context = feed_context(package)
        ready = self._prepare(package)
        if isinstance(ready, Outcome):
            return ready
        refused = await self._existence.known(context)
        if refused is not None:
            return refused
        target = await self._target(context)
        if isinstance(target, Outcome):
            return target
        body, head = self._feed(package, context, ready, target)
        outcome = await self._post_feed(ready, body, head, context, before_commit)
        return self._settled(outcome, context)

    async def resolve(self, package: Package) -> Outcome:
        """Was the document accepted? To be called for a delivery that had begun to transmit, and for no other.

        `query`: the registry is asked for the document by its uniqueId (GetDocuments, TD3.1), and only here, after a
        lost answer: EX_3.1-2030 forbids a search after each feed. `registry.evidence` says what its answer proves.
        `resend`: the identical set is posted again: Success means that it was not there and is now, the duplicate
        error about the set means that it was. `human`: the doubt stays. Whatever proves nothing leaves the doubt,
        with its reason. A change of a document is settled by what the document is by now.
        """
        if isinstance(package.context, DmpUpdateContext):
            return await self._updates.resolve(package)
        context = feed_context(package)
        if self._settings.in_doubt == "human":
            return Outcome(Verdict.IN_DOUBT, "DMP-NEEDS-HUMAN", reference=context.submission_set_id, host=self._host)
        ready = self._prepare(package)
        if isinstance(ready, Outcome):
            return registry.still_in_doubt(ready)
        if self._settings.in_doubt == "query":
            return await self._look_for(package, context)
        target = await self._target(context)
        if isinstance(target, Outcome):
            return registry.still_in_doubt(target)
        body, head = self._feed(package, context, ready, target)
        outcome = self._settled(await self._post_feed(ready, body, head, context), context)
        return outcome if outcome.verdict is Verdict.ACCEPTED else registry.still_in_doubt(outcome)

    async def _look_for(self, package: Package, context: DmpContext) -> Outcome:
        found = await self._reader.documents(context, [context.document_id])
        if isinstance(found, Outcome):
            return registry.still_in_doubt(found)
        content = package.part("document").data
        return registry.evidence(found.items, context, content, self._host, complete=found.complete)

    async def find(self, package: Package, unique_id: str) -> tuple[Entry, ...] | Outcome:
        """The entries that the DMP holds under a document's uniqueId, by the identity of `package` (TD3.1b).

        All metadata in direct mode; in indirect mode, which may only look for references, entryUUIDs. An Outcome
        that is never ACCEPTED when the registry could not be asked or refused.
        """
        found = await self._reader.documents(feed_context(package), [unique_id])
        return found if isinstance(found, Outcome) else found.items

    async def _target(self, context: DmpContext) -> str | Outcome | None:
        """The entryUUID that the replaced document has by now (TD2.1b); None: as it was frozen.

        A registry that refuses the question is no reason to keep the correction back: the frozen one goes, and is
        refused in its turn if it is too old.
        """
        if not context.replaces_entry or self._settings.replace_target == "frozen":
            return None
        found = await self._reader.documents(context, [context.replaces_document])
        if isinstance(found, Outcome):
            return None if found.reason == registry.REFUSED else found
        if not found.items:
            return Outcome(Verdict.PERMANENT, "DMP-RPLC-NOT-FOUND", host=self._host)
        known = [one for one in found.items if one.status is not None]
        if not known:  # references: one is the answer, of several the one that we know
            names = [one.entry_uuid for one in found.items]
            return names[0] if context.replaces_entry not in names else None
        current = next((one for one in known if one.status == APPROVED), None)
        if current is not None:
            return current.entry_uuid
        reasons = {_NOT_REPLACEABLE.get(one.status or "", "DMP-RPLC-DEPRECATED") for one in known}
        return Outcome(Verdict.PERMANENT, min(reasons), reference=known[0].entry_uuid, host=self._host)

    def _settled(self, outcome: Outcome, context: DmpContext) -> Outcome:
        """The duplicate of our own set turned into evidence, where the policy says so."""
        own = outcome.verdict is Verdict.IN_DOUBT and outcome.reason == f"DMP-{classify.DUPLICATE}"
        if own and self._settings.in_doubt == "resend":
            return classify.accepted(context, self._host, "DMP-ALREADY-THERE")
        return outcome

    async def aclose(self) -> None:
        """Close connections."""
        await self.link.aclose()

    def _prepare(self, package: Package) -> Ready | Outcome:
        if not dmp_package.is_signed(package):
            return Outcome(Verdict.CONFIGURATION, "DMP-UNSIGNED", host=self._host)
        return self.link.ready()

    def _feed(
        self, package: Package, context: DmpContext, ready: Ready, target: str | None
    ) -> tuple[HttpBody, Envelope]:
        head = self.link.envelope("repository", context, ready.keys)
        body = mtom.feed(package, to=head.to, message_id=head.message_id, assertion=head.assertion, replaced=target)
        return body, head

    async def _post_feed(
        self,
        ready: Ready,
        body: HttpBody,
        head: Envelope,
        context: DmpContext,
        before_commit: BeforeCommit | None = None,
    ) -> Outcome:
        answer = await self.link.feed(ready, head, body, before_commit)
        if isinstance(answer, Outcome):
            return answer
        payload = self.link.payload(answer, head, context, fed=True)
        outcome = payload if isinstance(payload, Outcome) else self._read_feed(payload, context)
        if outcome.verdict is Verdict.PERMANENT:
            self._existence.forget(context)  # closed or opposed since
        return outcome

    def _read_feed(self, payload: Element, context: DmpContext) -> Outcome:
        try:
            response = answers.read_registry(payload)
        except answers.AnswerError as fault:
            return classify.unreadable(fault, self._host, fed=True)
        if response.status == "Success":
            return classify.accepted(context, self._host)
        return classify.from_errors(response.errors, context, self._host)
