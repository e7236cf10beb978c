"""Reading a DMP by the FHIR door: the patient, ITI-67, ITI-66 and ITI-68, told in the same terms as by SOAP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.channels.dmp import classify, fhir_answers, fhir_classify, rights
from gateway.channels.dmp.answers import AnswerError
from gateway.channels.dmp.fhir_link import FHIR, FhirLink
from gateway.channels.dmp.reader import Listing, of_another
from gateway.channels.dmp.registry import about_query
from gateway.channels.dmp.retrieval import OTHER_CONTENT, Absent, Retrieval, Retrieved, same_bytes
from gateway.channels.outcome import Outcome, Verdict
from gateway.package.metadata_update import APPROVED, ARCHIVED, DELETED, DEPRECATED
from gateway.package.pdsm_people import data

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.channels.dmp.entries import Entry, LinkEntry, SetEntry
    from gateway.channels.dmp.http import HttpAnswer
    from gateway.package.query import Criteria
    from gateway.package.types import DmpIdentity

_WORDS = {APPROVED: "current", ARCHIVED: "current", DEPRECATED: "superseded", DELETED: "entered-in-error"}
_ALL = "current,superseded,entered-in-error"
MISSING = frozenset({"links"})
"""Questions that have no equivalent by this door: MHD tells relations in the documents themselves."""
_NO_SUCH_SERVICE = frozenset({400, 404, 405, 501})


class FhirReader:
    """Asks over a link; keeps nothing between two calls. Failures are Outcomes, never ACCEPTED."""

    def __init__(self, link: FhirLink) -> None:
        self._link = link
        self._host = link.host

    async def test(self, identity: DmpIdentity) -> Outcome | None:
        """Whether this patient's DMP may be fed (draft, TD02: a search for the patient); None: it may.

        A server without that search says nothing against it: the feed's own answer will tell.
        """
        answer = await self._link.search("Patient", {"identifier": _ins(identity)})
        if isinstance(answer, Outcome):
            return answer
        if answer.status in _NO_SUCH_SERVICE:
            return None
        refused = fhir_classify.refusal(answer, identity, self._host, "ask")
        if refused is not None:
            forbidden = refused.reason == "DMP-FHIR-FORBIDDEN"
            return (
                Outcome(Verdict.IMPOSSIBLE, "DMP-OPPOSITION", refused.text, host=self._host) if forbidden else refused
            )
        try:
            found = fhir_answers.searchset(answer.data, "Patient").resources
        except AnswerError as fault:
            return classify.unreadable(fault, self._host, fed=False)
        if not found:
            return Outcome(Verdict.IMPOSSIBLE, "DMP-NO-DMP", host=self._host)
        return None if found[0].get("active") is True else Outcome(Verdict.IMPOSSIBLE, "DMP-CLOSED", host=self._host)

    async def find(self, identity: DmpIdentity, criteria: Criteria) -> Listing[Entry] | Outcome:
        """ITI-67 by patient, status and what else is asked; an archived document is current and marked."""
        words = sorted({_WORDS[one] for one in criteria.statuses if one in _WORDS})
        asked = {"patient.identifier": _ins(identity), "status": ",".join(words)}
        both = {APPROVED, ARCHIVED} <= set(criteria.statuses)
        if "current" in words and not both and len(words) == 1:
            asked["isArchived"] = str(ARCHIVED in criteria.statuses).lower()
        for name, codes in (("type", criteria.type_codes), ("category", criteria.class_codes)):
            if codes:
                asked[name] = ",".join(f"{_system(scheme)}|{code}" for code, scheme in codes)
        found = await self._documents(identity, {**asked, **_created(criteria.created_from, "ge")})
        if isinstance(found, Outcome):
            return found
        kept = tuple(one for one in found.items if one.status in criteria.statuses and _before(one, criteria))
        return Listing(kept, found.complete)

    async def documents(self, identity: DmpIdentity, unique_ids: Sequence[str]) -> Listing[Entry] | Outcome:
        """ITI-67 by uniqueId (TD3.1b), whatever the status."""
        items: list[Entry] = []
        complete = True
        for start in range(0, len(unique_ids), 20):
            names = [f"{data().uri_identifiers}|urn:oid:{one}" for one in unique_ids[start : start + 20]]
            asked = {"patient.identifier": _ins(identity), "status": _ALL, "identifier": ",".join(names)}
            found = await self._documents(identity, asked)
            if isinstance(found, Outcome):
                return found
            items += found.items
            complete = complete and found.complete
        return Listing(tuple(items), complete)

    async def _documents(self, identity: DmpIdentity, asked: dict[str, str]) -> Listing[Entry] | Outcome:
        found = await self._search(identity, "DocumentReference", asked)
        if isinstance(found, Outcome):
            return found
        try:
            entries = tuple(fhir_answers.entry(one) for one in found.resources)
        except AnswerError as fault:
            return classify.unreadable(fault, self._host, fed=False)
        if any(of_another(one, identity) for one in entries):
            return Outcome(Verdict.PERMANENT, "DMP-OTHER-PATIENT", host=self._host)
        return Listing(entries, found.complete)

    async def sets(self, identity: DmpIdentity) -> Listing[SetEntry] | Outcome:
        """ITI-66: the submission sets of the patient."""
        asked = {"patient.identifier": _ins(identity), "status": "current", "code": "submissionset"}
        found = await self._search(identity, "List", asked)
        if isinstance(found, Outcome):
            return found
        try:
            return Listing(tuple(fhir_answers.set_entry(one) for one in found.resources), found.complete)
        except AnswerError as fault:
            return classify.unreadable(fault, self._host, fed=False)

    async def links(self, identity: DmpIdentity, uuids: Sequence[str]) -> Listing[LinkEntry] | Outcome:
        """No such question by this door: PERMANENT, and nothing is asked."""
        del identity, uuids
        return Outcome(Verdict.PERMANENT, "DMP-FHIR-DOOR", host=self._host)

    async def retrieve(self, identity: DmpIdentity, entries: Sequence[Entry]) -> Retrieval | Outcome:
        """ITI-68, one by one, each held against the hash and size of its entry; direct mode only."""
        if not rights.allowed(identity.mode, "retrieve"):
            return Outcome(Verdict.PERMANENT, rights.REFUSED, host=self._host)
        found = Retrieval()
        for one in entries:
            part = await self._content(one, identity)
            if isinstance(part, Outcome):
                return part
            found += part
        return found

    async def _content(self, entry: Entry, identity: DmpIdentity) -> Retrieval | Outcome:
        name, most = entry.unique_id or "", self._link.settings.max_document_bytes
        try:
            url = self._link.address(entry.url)
        except AnswerError as fault:
            return Retrieval(absent=(Absent(name, "DMP-FHIR-ADDRESS", str(fault)),))
        answer = await self._link.get(url, accept=entry.mime_type or "*/*", most=most)
        if isinstance(answer, Outcome):
            return answer
        refused = fhir_classify.refusal(answer, identity, self._host, "ask")
        if refused is not None:
            gone = refused.verdict is Verdict.PERMANENT
            return Retrieval(absent=(Absent(name, refused.reason, refused.text),)) if gone else refused
        return self._verified(entry, answer, most)

    def _verified(self, entry: Entry, answer: HttpAnswer, most: int) -> Retrieval:
        name, content = entry.unique_id or "", answer.data
        if len(content) > most:
            return Retrieval(absent=(Absent(name, "DMP-FHIR-TOO-BIG"),))
        if answer.content_type.startswith(FHIR) or not same_bytes(entry, content):
            return Retrieval(absent=(Absent(name, OTHER_CONTENT),))
        known = entry.hash is not None or entry.size is not None
        kind = answer.content_type.partition(";")[0].strip()
        return Retrieval(documents=(Retrieved(name, kind, content, known),))

    async def _search(self, identity: DmpIdentity, kind: str, asked: dict[str, str]) -> fhir_answers.Found | Outcome:
        answer = await self._link.search(kind, asked)
        if isinstance(answer, Outcome):
            return answer
        refused = fhir_classify.refusal(answer, identity, self._host, "ask")
        if refused is not None:
            return about_query(refused)
        try:
            return fhir_answers.searchset(answer.data, kind)
        except AnswerError as fault:
            return classify.unreadable(fault, self._host, fed=False)


def _ins(identity: DmpIdentity) -> str:
    return f"urn:oid:{identity.ins_oid}|{identity.ins}"


def _system(oid: str) -> str:
    from gateway import terminology

    return data().systems.get(oid) or terminology.load().system_uri(oid)


def _created(moment: datetime | None, prefix: str) -> dict[str, str]:
    return {} if moment is None else {"date": f"{prefix}{moment.isoformat(timespec='seconds')}"}


def _before(entry: Entry, criteria: Criteria) -> bool:
    """Parameters of one name stand for one value each here: the end of a period is looked at on this side."""
    from gateway.package import hl7

    end = criteria.created_before
    return end is None or entry.creation_time is None or entry.creation_time < hl7.utc(end)
