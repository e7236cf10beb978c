"""What a stored query found, and what that proves about a document that may have been fed (spec dmp §1.6, §1.7)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from gateway.channels.dmp import classify
from gateway.channels.dmp.answers import AnswerError, RegistryResponse, read_status
from gateway.channels.outcome import Outcome, Verdict
from gateway.package.ebxml import ENTRY_UNIQUE_ID
from gateway.package.query import APPROVED, QUERY, RIM
from gateway.package.types import DmpContext
from gateway.package.xml import Element

REFUSED = "DMP-QUERY-REFUSED"
_NS = {"rim": RIM, "query": QUERY}
_UNIQUE_ID = f"rim:ExternalIdentifier[@identificationScheme='{ENTRY_UNIQUE_ID}']"


@dataclass(frozen=True, slots=True)
class Entry:
    """A document that the registry holds. From an `ObjectRef` only `entry_uuid` is known, the rest is None.

    `hash` is the SHA-1 in lower-case hexadecimal, `size` in bytes as the registry wrote it.
    """

    entry_uuid: str
    unique_id: str | None = None
    status: str | None = None
    hash: str | None = None
    size: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of a stored query. `complete`: success without error or warning, so nothing was left out."""

    response: RegistryResponse
    complete: bool
    entries: tuple[Entry, ...]


def read_answer(payload: Element) -> Answer:
    """A `query:AdhocQueryResponse`. Raises AnswerError on anything else."""
    if payload.tag != f"{{{QUERY}}}AdhocQueryResponse":
        raise AnswerError("query:AdhocQueryResponse expected")
    response = read_status(payload)
    listed = payload.findall("rim:RegistryObjectList", _NS)
    if len(listed) > 1:
        raise AnswerError("several rim:RegistryObjectList")
    if response.status == "Success" and not listed:
        raise AnswerError("no rim:RegistryObjectList")
    entries = tuple(_entry(item) for item in (listed[0] if listed else ()) if isinstance(item.tag, str))
    warned = any(str(item.tag).endswith("}RegistryError") for item in payload.iter())
    return Answer(response, response.status == "Success" and not warned, entries)


def _entry(item: Element) -> Entry:
    entry_uuid = item.get("id", "")
    if item.tag == f"{{{RIM}}}ObjectRef" and entry_uuid:
        return Entry(entry_uuid)
    identifier = item.find(_UNIQUE_ID, _NS)
    if item.tag != f"{{{RIM}}}ExtrinsicObject" or not entry_uuid or identifier is None:
        raise AnswerError("a document entry or a reference to one expected")
    digest = _slot(item, "hash")
    return Entry(
        entry_uuid,
        identifier.get("value", ""),
        item.get("status"),
        digest.lower() if digest else None,
        _slot(item, "size"),
    )


def _slot(item: Element, name: str) -> str | None:
    value = item.findtext(f"rim:Slot[@name='{name}']/rim:ValueList/rim:Value", namespaces=_NS)
    return value.strip() or None if value else None


def refusal(answer: Answer, context: DmpContext, host: str) -> Outcome | None:
    """None when the registry answered the query; otherwise why it did not."""
    if answer.response.status == "Success":
        return None
    outcome = classify.from_errors(answer.response.errors, context, host)
    if outcome.verdict is Verdict.TRANSIENT:
        return outcome
    # The codes of a refused feed would mislead here: it is the question that was refused, not the document.
    return Outcome(Verdict.PERMANENT, REFUSED, outcome.text, host=host)


def evidence(answer: Answer, context: DmpContext, content: bytes, host: str) -> Outcome:
    """Whether the document of `context`, whose bytes are `content`, is in the DMP.

    There, with our bytes as far as the answer tells: ACCEPTED with its entryUUID, also when it was replaced or
    archived since. There with other bytes: PERMANENT, for a person to look at. Not there: TRANSIENT, and it may be
    sent again. An answer that proves nothing: IN_DOUBT.
    """
    if not answer.entries:
        if not answer.complete:
            return Outcome(Verdict.IN_DOUBT, "DMP-UNREADABLE", "réponse incomplète", host=host)
        return Outcome(Verdict.TRANSIENT, "DMP-NOT-THERE", host=host)
    if any(entry.unique_id not in {None, context.document_id} for entry in answer.entries):
        return Outcome(Verdict.IN_DOUBT, "DMP-UNREADABLE", "autre document que celui demandé", host=host)
    other = next((entry for entry in answer.entries if not _same(entry, content)), None)
    if other is not None:
        return Outcome(Verdict.PERMANENT, "DMP-OTHER-HASH", reference=other.entry_uuid, host=host)
    current = [entry for entry in answer.entries if entry.status in {None, APPROVED}]
    reason = "DMP-FOUND" if current else "DMP-FOUND-CHANGED"
    return Outcome(Verdict.ACCEPTED, reason, reference=(current or answer.entries)[0].entry_uuid, host=host)


def _same(entry: Entry, content: bytes) -> bool:
    """Nothing of what the entry tells speaks against these bytes. XDS fixes SHA-1 (ITI TF-3 §4.2.3.2.10)."""
    own = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return entry.hash in {None, own} and entry.size in {None, str(len(content))}
