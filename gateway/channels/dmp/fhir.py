"""The DMP's FHIR door as a channel (experimental): ITI-65 or ITI-105 as frozen, conditional PATCH, the same evidence.

There is no operational FHIR door of the DMP today (spec dmp §4): this follows PDSm 3.1.1 and the ANS draft for the DMP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.channels.dmp import changing, classify, fhir_answers, fhir_classify, registry, rights
from gateway.channels.dmp.answers import AnswerError
from gateway.channels.dmp.changing import State
from gateway.channels.dmp.existence import Remembered
from gateway.channels.dmp.fhir_link import FhirLink
from gateway.channels.dmp.fhir_reader import FhirReader
from gateway.channels.outcome import BeforeCommit, Outcome, Verdict
from gateway.package import pdsm, pdsm_update
from gateway.package.mtom import HttpBody
from gateway.package.pdsm_people import data
from gateway.package.types import DmpContext, DmpUpdateContext, Package, feed_context

if TYPE_CHECKING:
    from gateway.channels.dmp.http import HttpAnswer

_CREATED = (200, 201)


class FhirDoor:
    """Feeds and changes the DMP of one account over its link. Answers as `Channel` does."""

    def __init__(self, link: FhirLink) -> None:
        self._link = link
        self._host = link.host
        self._reader = FhirReader(link)
        self._existence = Remembered(self._reader.test, link.clock.elapsed)
        self._human = link.settings.in_doubt == "human"

    async def send(self, package: Package, before_commit: BeforeCommit) -> Outcome:
        """Try once: existence, then the frozen request. Raises only what `before_commit` raises."""
        if isinstance(package.context, DmpUpdateContext):
            return await self._change(package.context, before_commit)
        context = feed_context(package)
        refused = await self._existence.known(context)
        if refused is not None:
            return refused
        outcome = await self._feed(package, context, before_commit)
        if outcome.verdict is Verdict.PERMANENT:
            self._existence.forget(context)
        return outcome

    async def resolve(self, package: Package) -> Outcome:
        """Was it accepted? By policy: search by masterIdentifier and hash, the same request again, or a person."""
        context = package.context
        if isinstance(context, DmpUpdateContext):
            return await self._resolve_change(context)
        feed = feed_context(package)
        if self._human:
            return Outcome(Verdict.IN_DOUBT, "DMP-NEEDS-HUMAN", reference=feed.submission_set_id, host=self._host)
        if self._link.settings.in_doubt == "resend":
            outcome = await self._feed(package, feed)
            return outcome if outcome.verdict is Verdict.ACCEPTED else registry.still_in_doubt(outcome)
        found = await self._reader.documents(feed, [feed.document_id])
        if isinstance(found, Outcome):
            return registry.still_in_doubt(found)
        content = pdsm.document_of(package)
        return registry.evidence(found.items, feed, content, self._host, complete=found.complete)

    async def aclose(self) -> None:
        """Close connections."""
        await self._link.aclose()

    # ------------------------------------------------------------------------------------------------- feeding

    async def _feed(self, package: Package, context: DmpContext, before_commit: BeforeCommit | None = None) -> Outcome:
        kind = "" if context.door == "iti65" else "DocumentReference"
        answer = await self._link.post(kind, package.part("request").data, before_commit)
        outcome = answer if isinstance(answer, Outcome) else self._read(answer, context)
        own = outcome.reason == fhir_classify.DUPLICATE
        if own and self._link.settings.in_doubt == "resend":  # our identifiers are random: nobody else used them
            return classify.accepted(context, self._host, "DMP-ALREADY-THERE")
        return outcome

    def _read(self, answer: HttpAnswer, context: DmpContext) -> Outcome:
        refused = fhir_classify.refusal(answer, context, self._host, "feed")
        if refused is not None:
            return refused
        try:
            where = self._created(answer) if context.door == "iti105" else self._made(answer, context)
        except AnswerError as fault:
            return classify.unreadable(fault, self._host, fed=True)
        if isinstance(where, Outcome):
            return where
        reference = where or context.submission_set_id
        return Outcome(Verdict.ACCEPTED, "DMP-SUCCESS", reference=reference, host=self._host)

    def _created(self, answer: HttpAnswer) -> str:
        """ITI-105: the resource as the server made it. Raises AnswerError."""
        if answer.status not in _CREATED:
            raise AnswerError("201 Created expected")
        if not answer.data:
            return ""
        found = fhir_answers.read(answer.data, "DocumentReference")
        return f"DocumentReference/{found.get('id', '')}"

    def _made(self, answer: HttpAnswer, context: DmpContext) -> str | Outcome:
        """ITI-65: every entry was done, or the worst of what was not. Raises AnswerError."""
        told = list(fhir_answers.outcomes(fhir_answers.read(answer.data, "Bundle")))
        if len(told) < 3 + bool(context.replaces_document):
            raise AnswerError("an entry of the request has no answer")
        for status, issues, _ in told:
            if not 200 <= status < 300:
                return fhir_classify.of(status, issues, context, self._host, "feed")
        return next((place for _, _, place in told if place.startswith("DocumentReference/")), "")

    # ------------------------------------------------------------------------------------------------ changing

    async def _change(self, context: DmpUpdateContext, before_commit: BeforeCommit) -> Outcome:
        if not rights.allowed(context.mode, context.change):
            return Outcome(Verdict.PERMANENT, rights.REFUSED, host=self._host)
        state = await self._state(context)
        if isinstance(state, Outcome):
            return state
        ended = changing.settled(state, context, self._host)
        ended = ended or changing.refused(state, context, self._link.settings, self._host)
        if ended is not None:
            return ended
        assert state.entry is not None  # `refused` saw to it
        try:
            wanted = pdsm_update.operations(context.change, state.entry.resource or {})
        except ValueError as fault:
            return Outcome(Verdict.PERMANENT, "DMP-UPD-UNREADABLE", str(fault), host=self._host)
        named = {"identifier": f"{data().uri_identifiers}|urn:oid:{context.document_id}"}
        body = HttpBody(pdsm_update.MEDIA_TYPE, (pdsm_update.body(wanted),))
        answer = await self._link.patch("DocumentReference", named, body, before_commit)
        return answer if isinstance(answer, Outcome) else self._changed(answer, context)

    def _changed(self, answer: HttpAnswer, context: DmpUpdateContext) -> Outcome:
        refused = fhir_classify.refusal(answer, context, self._host, "change")
        if refused is not None:
            return refused
        reference = context.known_entry
        if answer.data:  # the body may be left out (Prefer: return=minimal); what is there must be the document
            try:
                reference = fhir_answers.entry(fhir_answers.read(answer.data, "DocumentReference")).entry_uuid
            except AnswerError as fault:
                return classify.unreadable(fault, self._host, fed=True)
        return Outcome(Verdict.ACCEPTED, "DMP-UPD-SUCCESS", reference=reference, host=self._host)

    async def _resolve_change(self, context: DmpUpdateContext) -> Outcome:
        if self._human:
            return Outcome(Verdict.IN_DOUBT, "DMP-NEEDS-HUMAN", reference=context.known_entry, host=self._host)
        return changing.resolved(await self._state(context), context, self._host)

    async def _state(self, context: DmpUpdateContext) -> State | Outcome:
        found = await self._reader.documents(context, [context.document_id])
        if isinstance(found, Outcome):
            return found
        unclear = changing.unclear(found, context, self._host)
        if unclear is not None:
            return unclear
        if not found.items:
            return State(None)
        entry = changing.current(found)
        return State(entry, entry.status)
