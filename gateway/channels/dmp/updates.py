"""TD3.3: masking, visibility, archiving and deletion of a document that we fed (spec dmp §1.5, §1.6).

The entry is asked for just before (TD3.1b): what it is by now decides whether anything is left to do, so a change may
be repeated without harm, and an answer that got lost is settled by the same question.
"""

from __future__ import annotations

from gateway.channels.dmp import answers, changing, classify, rights
from gateway.channels.dmp.changing import State
from gateway.channels.dmp.entries import Entry
from gateway.channels.dmp.link import DmpLink, Envelope, Ready
from gateway.channels.dmp.reader import DmpReader, Listing
from gateway.channels.outcome import BeforeCommit, Outcome, Verdict
from gateway.package import metadata_update, mtom, soap
from gateway.package.metadata_update import LABELS, NEW_STATUS
from gateway.package.types import DmpUpdateContext, Package
from gateway.package.xml import Element


class Updates:
    """Makes the changes of one account over its link."""

    def __init__(self, link: DmpLink) -> None:
        self._link = link
        self._reader = DmpReader(link)
        self._host = link.host

    async def send(self, package: Package, before_commit: BeforeCommit) -> Outcome:
        """Ask what the document is by now, then change it. ACCEPTED also when nothing was left to change."""
        context = _context(package)
        if not rights.allowed(context.mode, context.change):
            return Outcome(Verdict.PERMANENT, rights.REFUSED, host=self._host)
        state = await self._state(context)
        body = state if isinstance(state, Outcome) else self._plan(package, context, state)
        ready = self._link.ready()
        if isinstance(body, Outcome):
            return body
        return ready if isinstance(ready, Outcome) else await self._post(body, context, ready, before_commit)

    def _plan(self, package: Package, context: DmpUpdateContext, state: State) -> bytes | Outcome:
        """The request that is left to make, or why there is none."""
        ended = changing.settled(state, context, self._host)
        ended = ended or changing.refused(state, context, self._link.settings, self._host)
        if ended is not None:
            return ended
        try:
            return _compose(package, context, state)
        except ValueError as fault:
            return Outcome(Verdict.PERMANENT, "DMP-UPD-UNREADABLE", text=str(fault), host=self._host)

    async def _post(self, body: bytes, context: DmpUpdateContext, ready: Ready, before_commit: BeforeCommit) -> Outcome:
        head = self._link.envelope("registry", context, ready.keys)
        request = mtom.soap_body(_envelope(head, body), soap.UPDATE)
        answer = await self._link.feed(ready, head, request, before_commit)
        if isinstance(answer, Outcome):
            return answer
        payload = self._link.payload(answer, head, context, fed=True)
        return payload if isinstance(payload, Outcome) else self._read(payload, context)

    async def resolve(self, package: Package) -> Outcome:
        """Was it changed? See `changing.resolved`; with `in_doubt = "human"` the doubt stays."""
        context = _context(package)
        if self._link.settings.in_doubt == "human":
            return Outcome(Verdict.IN_DOUBT, "DMP-NEEDS-HUMAN", reference=context.submission_set_id, host=self._host)
        return changing.resolved(await self._state(context), context, self._host)

    # ------------------------------------------------------------------------------------------------ the state

    async def _state(self, context: DmpUpdateContext) -> State | Outcome:
        found = await self._reader.documents(context, [context.document_id])
        if isinstance(found, Outcome):
            return found
        unclear = changing.unclear(found, context, self._host)
        if unclear is not None:
            return unclear
        if not found.items:
            return State(None)
        if context.mode == "direct":
            entry = changing.current(found)
            return State(entry, entry.status)
        return await self._by_references(context, found)

    async def _by_references(self, context: DmpUpdateContext, found: Listing[Entry]) -> State | Outcome:
        """References tell no status: the one is looked for whose documents have this entry among them."""
        held = {one.entry_uuid: one for one in found.items}
        for status in metadata_update.STATUSES:
            listed = await self._reader.references(context, status)
            if isinstance(listed, Outcome):
                return listed
            for one in listed.items:
                if one.entry_uuid in held:
                    return State(one, status)
        return Outcome(Verdict.PERMANENT, "DMP-UPD-STATUS", host=self._host)

    # ------------------------------------------------------------------------------------------------ the answer

    def _read(self, payload: Element, context: DmpUpdateContext) -> Outcome:
        try:
            response = answers.read_registry(payload)
        except answers.AnswerError as fault:
            return classify.unreadable(fault, self._link.host, fed=True)
        if response.status == "Success":
            visible = context.change in LABELS
            return Outcome(
                Verdict.ACCEPTED,
                "DMP-UPD-SUCCESS",
                reference=context.new_entry if visible else context.submission_set_id,
                host=self._host,
            )
        return classify.from_errors(response.errors, context, self._link.host)


def _compose(package: Package, context: DmpUpdateContext, state: State) -> bytes:
    entry = state.entry
    assert entry is not None  # `_refused` saw to it
    if context.change in NEW_STATUS:
        assert state.status is not None
        return metadata_update.compose_status(package, entry=entry.entry_uuid, status=state.status)
    if entry.source is None:
        raise ValueError("the registry gave a reference only")
    return metadata_update.compose_visibility(package, entry.source, version=entry.version or "1")


def _envelope(head: Envelope, body: bytes) -> bytes:
    return soap.envelope(soap.UPDATE, to=head.to, message_id=head.message_id, assertion=head.assertion, body=body)


def _context(package: Package) -> DmpUpdateContext:
    if not isinstance(package.context, DmpUpdateContext):
        raise TypeError("not a change of a DMP document")
    return package.context
