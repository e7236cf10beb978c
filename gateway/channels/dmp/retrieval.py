"""What ITI-43 brought back, held against what was asked for and what the registry says of it (ITI TF-2 §3.43.4.2)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from gateway.channels.dmp.answers import RS, AnswerError, RegistryError, RegistryResponse, read_status
from gateway.channels.dmp.entries import Entry
from gateway.package import xds
from gateway.package.mtom import IHE, XOP
from gateway.package.xml import Element

_NS = {"ihe": IHE, "rs": RS, "xop": XOP}
OTHER_CONTENT = "DMP-OTHER-HASH"
"""The bytes are not those of which the registry gives hash or size."""
NOT_GIVEN = "DMP-NOT-GIVEN"
"""The repository left the document out without saying why."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A document. `checked`: hash or size of the metadata were known, and are those of these bytes."""

    unique_id: str
    mime_type: str
    content: bytes = field(repr=False)
    checked: bool = False


@dataclass(frozen=True, slots=True)
class Absent:
    """A document that was asked for and did not come, with the repository's code and text."""

    unique_id: str
    code: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What came and what did not."""

    documents: tuple[Retrieved, ...] = ()
    absent: tuple[Absent, ...] = ()

    def __add__(self, other: Retrieval) -> Retrieval:
        return Retrieval(self.documents + other.documents, self.absent + other.absent)


@dataclass(frozen=True, slots=True)
class RetrieveAnswer:
    """A `ihe:RetrieveDocumentSetResponse`."""

    response: RegistryResponse
    documents: tuple[Retrieved, ...]


def read_retrieval(payload: Element, parts: Mapping[str, bytes], asked: Sequence[str]) -> RetrieveAnswer:
    """Read an answer whose attachments are `parts`. Raises AnswerError: not such an answer, a document that was not
    asked for or came twice, an attachment that is not there.
    """
    if payload.tag != f"{{{IHE}}}RetrieveDocumentSetResponse":
        raise AnswerError("ihe:RetrieveDocumentSetResponse expected")
    status = payload.find("rs:RegistryResponse", _NS)
    if status is None:
        raise AnswerError("rs:RegistryResponse expected")
    documents = tuple(_document(one, parts) for one in payload.iterfind("ihe:DocumentResponse", _NS))
    names = [one.unique_id for one in documents]
    if len(set(names)) != len(names) or set(names) - set(asked):
        raise AnswerError("a document that was not asked for, or twice the same")
    return RetrieveAnswer(read_status(status), documents)


def _document(item: Element, parts: Mapping[str, bytes]) -> Retrieved:
    unique_id = (item.findtext("ihe:DocumentUniqueId", namespaces=_NS) or "").strip()
    holder = item.find("ihe:Document", _NS)
    if not unique_id or holder is None:
        raise AnswerError("a document without uniqueId or content")
    mime_type = (item.findtext("ihe:mimeType", namespaces=_NS) or "").strip()
    return Retrieved(unique_id, mime_type, _content(holder, parts))


def _content(holder: Element, parts: Mapping[str, bytes]) -> bytes:
    include = holder.find("xop:Include", _NS)
    if include is not None:
        href = include.get("href", "")
        found = parts.get(unquote(href.removeprefix("cid:"))) if href.startswith("cid:") else None
        if found is None:
            raise AnswerError("an attachment that is not there")
        return found
    try:  # small documents may stand in the envelope itself
        return base64.b64decode("".join((holder.text or "").split()), validate=True)
    except binascii.Error as fault:
        raise AnswerError("a content that is not base64") from fault


def verified(answer: RetrieveAnswer, asked: Sequence[Entry]) -> Retrieval:
    """The documents whose bytes are those of the metadata; the others, and those that did not come, as absent."""
    came = {one.unique_id: one for one in answer.documents}
    documents: list[Retrieved] = []
    absent: list[Absent] = []
    for entry in asked:
        name = entry.unique_id or ""
        found = came.get(name)
        if found is None:
            absent.append(_absent(name, answer.response.errors))
        elif not same_bytes(entry, found.content):
            absent.append(Absent(name, OTHER_CONTENT))
        else:
            known = entry.hash is not None or entry.size is not None
            documents.append(Retrieved(name, found.mime_type, found.content, known))
    return Retrieval(tuple(documents), tuple(absent))


def _absent(unique_id: str, errors: Sequence[RegistryError]) -> Absent:
    """With the error that names the document, else with one that names none."""
    own = [one for one in errors if unique_id in f"{one.context} {one.location}"]
    found = next(iter(own or errors), None)
    return Absent(unique_id, NOT_GIVEN) if found is None else Absent(unique_id, f"DMP-{found.code}", found.context)


def same_bytes(entry: Entry, content: bytes) -> bool:
    """Nothing of what the entry tells speaks against these bytes. XDS fixes SHA-1 (ITI TF-3 §4.2.3.2.10)."""
    return entry.hash in {None, xds.sha1_hex(content)} and entry.size in {None, len(content)}
