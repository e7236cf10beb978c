"""The DMP as the library offers it: test, search, retrieve; change what was fed.

Every question leaves two accesses in the journal, before and after the call (who, which operation, with what outcome;
no trait). What changes something is a delivery like any other: same outbox, same journal, same retries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from gateway.api.dmp_results import DmpDocument, DmpFiles, DmpListing, DmpTest, Refusal, document, file
from gateway.channels.outcome import Outcome
from gateway.errors import ConfigError, InputError, NotFoundError
from gateway.findings import error
from gateway.records.level1 import AnySubmission, parse_any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.api.machinery import Machinery
    from gateway.channels.dmp.doors import Questions
    from gateway.channels.dmp.entries import Entry
    from gateway.channels.dmp.reader import Listing
    from gateway.channels.dmp.rights import Reading
    from gateway.engine.changes import Proposal
    from gateway.package.query import Criteria
    from gateway.package.types import Change, DmpIdentity
    from gateway.records.level1 import Level1Metadata
    from gateway.settings import AccountSettings, DmpSettings
    from gateway.views import DeliveryView

Answer = TypeVar("Answer", DmpTest, DmpListing, DmpFiles)
Who = bytes | AnySubmission | str
"""Whose DMP: a submission (patient and author are read from it), or one of our documents by its id or uniqueId."""


class DmpOffice:
    """One account's DMP access. Reached as `gateway.dmp(account)`.

    Failures of the service are results, not exceptions. Every method raises InputError with findings when the patient's
    INS may not leave, or when the account's authentication mode forbids the operation (DMP-RIGHTS): nothing is asked
    then. Its `a...` twins are for asyncio programs.
    """

    def __init__(self, gateway: Machinery, account: str) -> None:
        """Raises ConfigError: CFG-012 no such account, CFG-013 it has no DMP access."""
        self._gateway = gateway
        self._account = _account(gateway, account)
        assert self._account.dmp is not None
        self._settings: DmpSettings = self._account.dmp

    # ---------------------------------------------------------------------------------------------- questions

    def test(self, who: Who, *, by: str) -> DmpTest:
        """TD0.2: whether the patient has a DMP that this author may feed."""
        return asyncio.run(self.atest(who, by=by))

    async def atest(self, who: Who, *, by: str) -> DmpTest:
        """See `test`."""

        async def ask(identity: DmpIdentity, door: Questions) -> DmpTest:
            outcome = await door.test(identity)
            return DmpTest(outcome is None, None if outcome is None else Refusal.of(outcome))

        return await self._asked("test", who, by, ask)

    def find(self, who: Who, *, by: str, criteria: Criteria | None = None) -> DmpListing:
        """TD3.1a: the patient's documents, signatures of sets left out. In indirect mode references to all, only."""
        return asyncio.run(self.afind(who, by=by, criteria=criteria))

    async def afind(self, who: Who, *, by: str, criteria: Criteria | None = None) -> DmpListing:
        """See `find`."""
        from gateway.package.query import Criteria

        wanted = criteria or Criteria()
        return await self._listed(who, by, lambda door, identity: door.find(identity, wanted))

    def describe(self, who: Who, unique_ids: Sequence[str], *, by: str) -> DmpListing:
        """TD3.1b: what the registry says of these documents."""
        return asyncio.run(self.adescribe(who, unique_ids, by=by))

    async def adescribe(self, who: Who, unique_ids: Sequence[str], *, by: str) -> DmpListing:
        """See `describe`."""
        return await self._listed(who, by, lambda door, identity: door.documents(identity, unique_ids))

    def sets(self, who: Who, *, by: str) -> DmpListing:
        """FindSubmissionSets: the sets that were accepted for the patient."""
        return asyncio.run(self.asets(who, by=by))

    async def asets(self, who: Who, *, by: str) -> DmpListing:
        """See `sets`."""

        async def ask(identity: DmpIdentity, door: Questions) -> DmpListing:
            found = await door.sets(identity)
            return (
                _refused(found) if isinstance(found, Outcome) else DmpListing(sets=found.items, complete=found.complete)
            )

        return await self._asked("sets", who, by, ask)

    def links(self, who: Who, uuids: Sequence[str], *, by: str) -> DmpListing:
        """GetAssociations: what is linked to these entries or sets."""
        return asyncio.run(self.alinks(who, uuids, by=by))

    async def alinks(self, who: Who, uuids: Sequence[str], *, by: str) -> DmpListing:
        """See `links`."""

        async def ask(identity: DmpIdentity, door: Questions) -> DmpListing:
            found = await door.links(identity, uuids)
            return (
                _refused(found)
                if isinstance(found, Outcome)
                else DmpListing(links=found.items, complete=found.complete)
            )

        return await self._asked("links", who, by, ask)

    def retrieve(self, who: Who, unique_ids: Sequence[str], *, by: str) -> DmpFiles:
        """TD3.2: the documents themselves, held against the registry's hash and size. Direct mode only."""
        return asyncio.run(self.aretrieve(who, unique_ids, by=by))

    async def aretrieve(self, who: Who, unique_ids: Sequence[str], *, by: str) -> DmpFiles:
        """See `retrieve`."""
        from gateway.channels.dmp.retrieval import Absent

        async def ask(identity: DmpIdentity, door: Questions) -> DmpFiles:
            found = await door.documents(identity, unique_ids)
            if isinstance(found, Outcome):
                return DmpFiles(refusal=Refusal.of(found))
            entries = _latest(found)
            missing = tuple(Absent(one, "DMP-UPD-NOT-FOUND") for one in unique_ids if one not in entries)
            came = await door.retrieve(identity, list(entries.values()))
            if isinstance(came, Outcome):
                return DmpFiles(refusal=Refusal.of(came))
            files = tuple(file(one, self._document(entries[one.unique_id])) for one in came.documents)
            return DmpFiles(files, (*came.absent, *missing))

        return await self._asked("retrieve", who, by, ask)

    # ------------------------------------------------------------------------------------------------ changes

    def propose(self, document: str, change: Change) -> Proposal:
        """What a change would do, before anything is done. `document`: our id or the uniqueId. Raises NotFoundError."""
        from gateway.engine import changes

        return changes.propose(self._gateway.store, self._gateway.settings, self._account.id, document, change)

    def change(self, document: str, change: Change, *, by: str, reason: str) -> DeliveryView:
        """TD3.3: plan a change of a document that we fed, as a delivery. Raises InputError with the findings."""
        from gateway.engine import changes
        from gateway.views import delivery_view

        gateway, proposal = self._gateway, self.propose(document, change)
        delivery = changes.order(
            gateway.store,
            gateway.settings,
            proposal,
            by=by,
            reason=reason,
            clock=gateway.clock,
            ids=gateway.randomness,
        )
        gateway.wake()
        return delivery_view(gateway.store.delivery(delivery).row)

    def mask(self, document: str, *, by: str, reason: str) -> DeliveryView:
        """Mask to professionals."""
        return self.change(document, "mask", by=by, reason=reason)

    def unmask(self, document: str, *, by: str, reason: str) -> DeliveryView:
        """Show to professionals again."""
        return self.change(document, "unmask", by=by, reason=reason)

    def hide(self, document: str, *, by: str, reason: str, from_representatives: bool = False) -> DeliveryView:
        """Hide from the patient, or from legal representatives."""
        return self.change(document, "hide_legal" if from_representatives else "hide", by=by, reason=reason)

    def show(self, document: str, *, by: str, reason: str, to_representatives: bool = False) -> DeliveryView:
        """Show to the patient, or to legal representatives."""
        return self.change(document, "show_legal" if to_representatives else "show", by=by, reason=reason)

    def archive(self, document: str, *, by: str, reason: str) -> DeliveryView:
        """Put aside: no longer found among current documents."""
        return self.change(document, "archive", by=by, reason=reason)

    def unarchive(self, document: str, *, by: str, reason: str) -> DeliveryView:
        """Bring back from the archive."""
        return self.change(document, "unarchive", by=by, reason=reason)

    def delete(self, document: str, *, by: str, reason: str) -> DeliveryView:
        """Delete for good. `withdraw` also tells whoever received it by mail."""
        return self.change(document, "delete", by=by, reason=reason)

    # ----------------------------------------------------------------------------------------------- machinery

    async def _listed(
        self, who: Who, by: str, ask: Callable[[Questions, DmpIdentity], Awaitable[Listing[Entry] | Outcome]]
    ) -> DmpListing:
        async def listed(identity: DmpIdentity, door: Questions) -> DmpListing:
            found = await ask(door, identity)
            if isinstance(found, Outcome):
                return _refused(found)
            shown = [one for one in found.items if not _signature(one)]
            documents = await asyncio.to_thread(lambda: tuple(self._document(one) for one in shown))
            return DmpListing(documents, complete=found.complete)

        return await self._asked("find", who, by, listed)

    async def _asked(
        self, kind: Reading, who: Who, by: str, ask: Callable[[DmpIdentity, Questions], Awaitable[Answer]]
    ) -> Answer:
        """Check the right, journal the question, ask, journal the answer."""
        from gateway.engine.changes import not_allowed
        from gateway.engine.stored import patient_key
        from gateway.store.dmp_acts import DmpAccess

        forbidden = not_allowed(self._account, kind)
        if forbidden is not None:
            raise InputError([forbidden], "Opération refusée.")
        submission, ours = await asyncio.to_thread(self._submission, who)
        identity = await asyncio.to_thread(self._identity, submission)
        patient = patient_key(submission.patient)
        store, account = self._gateway.store, self._account.id
        async with self._door(kind) as door:
            await asyncio.to_thread(
                store.note_dmp, DmpAccess(account, by, kind, "asked", document=ours, host=door.host), patient
            )
            answer = await ask(identity, door)
            verdict, reason, size = _told(answer)
            access = DmpAccess(account, by, kind, verdict, reason, size, ours, door.host)
            await asyncio.to_thread(store.note_dmp, access, patient)
        return answer

    @asynccontextmanager
    async def _door(self, kind: Reading) -> AsyncIterator[Questions]:
        """The account's door. Raises InputError (DMP-FHIR-DOOR) when it has no such question."""
        from gateway.channels.dmp.doors import questions
        from gateway.pipeline import SOFTWARE

        gateway = self._gateway
        door = questions(
            self._settings,
            device=self._account.oid_root,
            clock=gateway.clock,
            ids=gateway.randomness,
            software=SOFTWARE,
            recorder=gateway.recorder,
        )
        if kind in door.missing:
            advice = 'Passer par la porte SOAP : door = "soap" dans [account.dmp].'
            message = "La porte FHIR n'a pas cette question."
            raise InputError([error("DMP-FHIR-DOOR", "/door", message, advice)], "Opération refusée.")
        try:
            yield door
        finally:
            await door.aclose()

    def _submission(self, who: Who) -> tuple[AnySubmission | Level1Metadata, str | None]:
        """The records that say who the patient and the author are, and our document where it is one."""
        from gateway.engine import stored

        if isinstance(who, str):
            row = self._gateway.store.named(self._account.id, who.removeprefix("urn:oid:"))
            known = stored.submission(self._gateway.store, row)
            if known is None:
                raise NotFoundError("DOC-410", f"Le contenu du document {row.id} a été effacé.")
            return known, row.id
        parsed, findings = parse_any(who)
        if parsed is None:
            raise InputError(findings)
        if parsed.account != self._account.id:
            from gateway import rules

            raise InputError([rules.other_account()])
        return parsed, None

    def _identity(self, submission: AnySubmission | Level1Metadata) -> DmpIdentity:
        from gateway.document.build import header_of
        from gateway.errors import PackageError
        from gateway.package.dmp import identity_of
        from gateway.pipeline import SOFTWARE

        header = header_of(submission, self._account, self._gateway.world.terminology, SOFTWARE)
        try:
            return identity_of(header, self._account)
        except PackageError as fault:
            raise InputError([error(fault.code, "/patient", fault.message, fault.advice)]) from fault

    def _document(self, entry: Entry) -> DmpDocument:
        return document(entry, self._ours(entry.unique_id))

    def _ours(self, unique_id: str | None) -> str | None:
        if unique_id is None:
            return None
        try:
            return self._gateway.store.named(self._account.id, unique_id).id
        except NotFoundError:
            return None


def _account(gateway: Machinery, account: str) -> AccountSettings:
    found = gateway.settings.find_account(account)
    if found is None:
        raise ConfigError("CFG-012", f"Le compte {account} n'est plus dans la configuration.")
    if found.dmp is None:
        raise ConfigError("CFG-013", f"Le compte {account} n'a plus de canal dmp configuré.")
    return found


def _refused(outcome: Outcome) -> DmpListing:
    return DmpListing(complete=False, refusal=Refusal.of(outcome))


def _signature(entry: Entry) -> bool:
    """The signature of a submission set is an entry too, and no document of a patient (spec dmp §2.2)."""
    from gateway.package.xds import signature_codes

    return entry.class_code is not None and entry.class_code.code == signature_codes()["class"].code


def _latest(found: Listing[Entry]) -> dict[str, Entry]:
    """One entry for each document: the approved version of its metadata, else the last one told."""
    from gateway.package.query import APPROVED

    latest: dict[str, Entry] = {}
    for entry in found.items:
        known = latest.get(entry.unique_id or "")
        if entry.unique_id and (known is None or known.status != APPROVED):
            latest[entry.unique_id] = entry
    return latest


def _told(answer: DmpTest | DmpListing | DmpFiles) -> tuple[str, str | None, int | None]:
    """What the journal keeps of an answer: verdict, reason, how many documents were seen."""
    if answer.refusal is not None:
        return "refused", answer.refusal.reason, None
    if isinstance(answer, DmpListing):
        return "answered", None, len(answer.documents) + len(answer.sets) + len(answer.links)
    return "answered", None, len(answer.files) if isinstance(answer, DmpFiles) else None
