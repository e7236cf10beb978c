"""Reading a DMP: TD3.1 (search) and TD3.2 (retrieve), with the rights of the authentication mode (spec dmp §1.5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from gateway.channels.dmp import classify, registry, rights
from gateway.channels.dmp.answers import AnswerError
from gateway.channels.dmp.entries import Entry, Found, LinkEntry, SetEntry, read_found
from gateway.channels.dmp.link import DmpLink
from gateway.channels.dmp.retrieval import Absent, Retrieval, read_retrieval, verified
from gateway.channels.outcome import Outcome, Verdict
from gateway.channels.scrub import scrub
from gateway.package import query, retrieve
from gateway.package.query import Criteria, ReturnType
from gateway.package.types import DmpIdentity

MAX_ENTRIES = 1000
"""Most documents that one search brings back; whatever is beyond is said to be left out."""
_TOO_MANY = "XDSTooManyResults"
Item = TypeVar("Item", Entry, SetEntry, LinkEntry)


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item]):
    """What a search found. `complete`: nothing was left out."""

    items: tuple[Item, ...]
    complete: bool


class DmpReader:
    """Searches and retrieves over a link; keeps nothing between two calls.

    In indirect mode, which may only look for references, entries carry their entryUUID alone. Every method returns an
    Outcome, never ACCEPTED, when there is no answer or a refusal.
    """

    def __init__(self, link: DmpLink) -> None:
        self._link = link

    async def find(self, identity: DmpIdentity, criteria: Criteria) -> Listing[Entry] | Outcome:
        """FindDocuments (TD3.1a). When the registry finds too many to describe, references first, then by batches."""
        patient, kind = identity.patient_cx, _kind(identity)
        found = await self.query(identity, query.find_documents(patient, kind, criteria))
        if isinstance(found, Outcome):
            return found
        if kind == "LeafClass" and any(one.code == _TOO_MANY for one in found.response.errors):
            references = await self.query(identity, query.find_documents(patient, "ObjectRef", criteria))
            listed = self._listing(references, identity, Found.entries)
            return listed if isinstance(listed, Outcome) else await self._described(identity, listed)
        return self._listing(found, identity, Found.entries)

    async def _described(self, identity: DmpIdentity, listed: Listing[Entry]) -> Listing[Entry] | Outcome:
        names = [one.entry_uuid for one in listed.items]
        found = await self._batched(identity, names, query.get_entries, Found.entries)
        if isinstance(found, Outcome):
            return found
        return Listing(found.items, found.complete and listed.complete)

    async def documents(self, identity: DmpIdentity, unique_ids: Sequence[str]) -> Listing[Entry] | Outcome:
        """GetDocuments by uniqueId (TD3.1b), by batches."""
        return await self._batched(identity, unique_ids, query.get_documents, Found.entries)

    async def sets(self, identity: DmpIdentity) -> Listing[SetEntry] | Outcome:
        """FindSubmissionSets."""
        found = await self.query(identity, query.find_submission_sets(identity.patient_cx, _kind(identity)))
        return self._listing(found, identity, Found.sets)

    async def links(self, identity: DmpIdentity, uuids: Sequence[str]) -> Listing[LinkEntry] | Outcome:
        """GetAssociations of entries or sets, by batches."""
        return await self._batched(identity, uuids, query.get_associations, Found.links)

    async def references(self, identity: DmpIdentity, status: str) -> Listing[Entry] | Outcome:
        """The entryUUIDs of the patient's documents in one status: allowed in both modes."""
        body = query.find_documents(identity.patient_cx, "ObjectRef", Criteria(statuses=(status,)))
        return self._listing(await self.query(identity, body), identity, Found.entries)

    async def retrieve(self, identity: DmpIdentity, entries: Sequence[Entry]) -> Retrieval | Outcome:
        """TD3.2 of documents whose entries were found, by batches; direct mode only.

        A document whose bytes are not those that the registry describes is absent from what comes back.
        """
        if not rights.allowed(identity.mode, "retrieve"):
            return Outcome(Verdict.PERMANENT, rights.REFUSED, host=self._link.host)
        found = Retrieval()
        for start in range(0, len(entries), retrieve.MAX_DOCUMENTS):
            part = await self._retrieve(identity, entries[start : start + retrieve.MAX_DOCUMENTS])
            if isinstance(part, Outcome):
                return part
            found += part
        return found

    async def _retrieve(self, identity: DmpIdentity, entries: Sequence[Entry]) -> Retrieval | Outcome:
        keys = [
            retrieve.DocumentKey(one.unique_id or "", one.repository_id or retrieve.REPOSITORY_ID) for one in entries
        ]
        body = retrieve.retrieve_request(keys)
        answer = await self._link.ask(
            "repository",
            identity,
            lambda head: retrieve.request(body, to=head.to, message_id=head.message_id, assertion=head.assertion),
            large=self._link.settings.max_document_bytes,
        )
        if isinstance(answer, Outcome):
            return answer
        payload, http = answer
        try:
            read = read_retrieval(payload, http.parts, [key.unique_id for key in keys])
        except AnswerError as fault:
            return classify.unreadable(fault, self._link.host, fed=False)
        if read.response.status == "Failure" and not read.documents:
            outcome = classify.from_errors(read.response.errors, identity, self._link.host)
            if outcome.verdict is not Verdict.PERMANENT or len(entries) == 1:
                return outcome
        return self._clean(verified(read, entries), identity)

    def _clean(self, found: Retrieval, identity: DmpIdentity) -> Retrieval:
        words = classify.known_words(identity)
        absent = tuple(Absent(one.unique_id, one.code, scrub(one.text, *words)) for one in found.absent)
        return replace(found, absent=absent)

    async def query(self, identity: DmpIdentity, body: bytes) -> Found | Outcome:
        """Any stored query; the Outcome says why there is no answer that can be read."""
        answer = await self._link.ask(
            "registry",
            identity,
            lambda head: query.request(body, to=head.to, message_id=head.message_id, assertion=head.assertion),
        )
        if isinstance(answer, Outcome):
            return registry.about_query(answer)
        try:
            return read_found(answer[0])
        except AnswerError as fault:
            return classify.unreadable(fault, self._link.host, fed=False)

    async def _batched(
        self,
        identity: DmpIdentity,
        names: Sequence[str],
        build: Callable[[Sequence[str], ReturnType], bytes],
        read: Callable[[Found], tuple[Item, ...]],
    ) -> Listing[Item] | Outcome:
        items: tuple[Item, ...] = ()
        complete = len(names) <= MAX_ENTRIES
        for batch in query.batches(names[:MAX_ENTRIES]):
            found = self._listing(await self.query(identity, build(batch, _kind(identity))), identity, read)
            if isinstance(found, Outcome):
                return found
            items += found.items
            complete = complete and found.complete
        return Listing(items, complete)

    def _listing(
        self, found: Found | Outcome, identity: DmpIdentity, read: Callable[[Found], tuple[Item, ...]]
    ) -> Listing[Item] | Outcome:
        if isinstance(found, Outcome):
            return found
        refused = registry.refusal(found, identity, self._link.host)
        if refused is not None:
            return refused
        try:
            items = read(found)
        except AnswerError as fault:
            return classify.unreadable(fault, self._link.host, fed=False)
        if any(of_another(one, identity) for one in items):
            return Outcome(Verdict.PERMANENT, "DMP-OTHER-PATIENT", host=self._link.host)
        return Listing(items[:MAX_ENTRIES], found.complete and len(items) <= MAX_ENTRIES)


def _kind(identity: DmpIdentity) -> ReturnType:
    return "LeafClass" if identity.mode == "direct" else "ObjectRef"


def of_another(item: Entry | SetEntry | LinkEntry, identity: DmpIdentity) -> bool:
    """Whether an entry says that it is another patient's: such an answer is shown to nobody."""
    if not isinstance(item, Entry) or item.patient_id is None:
        return False
    parts = item.patient_id.split("^")
    authority = parts[3].split("&") if len(parts) > 3 else []
    return parts[0] != identity.ins or (len(authority) > 1 and authority[1] != identity.ins_oid)
