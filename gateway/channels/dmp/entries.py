"""What a registry says of documents, sets and links: `query:AdhocQueryResponse` read into typed entries.

Nothing in an answer is trusted: what has not the shape that ebRIM 3.0 and ITI TF-3 §4.2 give it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gateway.channels.dmp.answers import AnswerError, RegistryResponse, read_status
from gateway.package import ebxml
from gateway.package.query import QUERY, RIM
from gateway.package.xml import Element

_NS = {"rim": RIM, "query": QUERY}
_RIM = f"{{{RIM}}}"
_MAX_DIGITS = 15
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Coded:
    """A code, its coding scheme and its words."""

    code: str
    scheme: str
    display: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A document that the registry holds. From an `ObjectRef` only `entry_uuid` is known, the rest is None or empty.

    `hash` is the SHA-1 in lower-case hexadecimal, `size` in bytes; times are HL7 times in UTC as they were written;
    `author` is an XCN, `institution` an XON. `lid` is stable through the versions of the metadata, `entry_uuid` is not.
    The patient's traits in the metadata are never read (RG_0320); `source` is the element itself, for TD3.3. Through
    the FHIR door `resource` is the DocumentReference in its place, and `url` where its content is.
    """

    entry_uuid: str
    unique_id: str | None = None
    status: str | None = None
    hash: str | None = None
    size: int | None = None
    lid: str | None = None
    version: str | None = None
    repository_id: str | None = None
    mime_type: str | None = None
    title: str | None = None
    creation_time: str | None = None
    service_start: str | None = None
    service_stop: str | None = None
    author: str | None = None
    institution: str | None = None
    class_code: Coded | None = None
    type_code: Coded | None = None
    format_code: Coded | None = None
    confidentiality: tuple[Coded, ...] = ()
    patient_id: str | None = None
    url: str | None = None
    source: Element | None = field(default=None, repr=False, compare=False)
    resource: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def labels(self) -> frozenset[str]:
        """Codes of its confidentiality."""
        return frozenset(one.code for one in self.confidentiality)


@dataclass(frozen=True, slots=True)
class SetEntry:
    """A submission set; from an `ObjectRef` only `entry_uuid`."""

    entry_uuid: str
    unique_id: str | None = None
    source_id: str | None = None
    status: str | None = None
    title: str | None = None
    submission_time: str | None = None
    content_type: Coded | None = None
    author: str | None = None
    institution: str | None = None


@dataclass(frozen=True, slots=True)
class LinkEntry:
    """An association; from an `ObjectRef` only `uuid`."""

    uuid: str
    type: str | None = None
    source: str | None = None
    target: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The items of an answer. `complete`: success without error or warning, so nothing was left out."""

    response: RegistryResponse
    complete: bool
    items: tuple[Element, ...]

    def entries(self) -> tuple[Entry, ...]:
        """As documents. Raises AnswerError."""
        return self._read(f"{_RIM}ExtrinsicObject", _entry, Entry)

    def sets(self) -> tuple[SetEntry, ...]:
        """As submission sets. Raises AnswerError."""
        return self._read(f"{_RIM}RegistryPackage", _set, SetEntry)

    def links(self) -> tuple[LinkEntry, ...]:
        """As associations. Raises AnswerError."""
        return self._read(f"{_RIM}Association", _link, LinkEntry)

    def _read(self, tag: str, read: Callable[[Element], Item], reference: Callable[[str], Item]) -> tuple[Item, ...]:
        found: dict[str, Item] = {}
        for item in self.items:
            identifier = item.get("id", "")
            if not identifier or item.tag not in {tag, f"{_RIM}ObjectRef"}:
                raise AnswerError("another object than what was asked for")
            found.setdefault(identifier, reference(identifier) if item.tag == f"{_RIM}ObjectRef" else read(item))
        return tuple(found.values())


def read_found(payload: Element) -> Found:
    """A `query:AdhocQueryResponse`. Raises AnswerError on anything else."""
    if payload.tag != f"{{{QUERY}}}AdhocQueryResponse":
        raise AnswerError("query:AdhocQueryResponse expected")
    response = read_status(payload)
    listed = payload.findall("rim:RegistryObjectList", _NS)
    if len(listed) > 1:
        raise AnswerError("several rim:RegistryObjectList")
    if response.status == "Success" and not listed:
        raise AnswerError("no rim:RegistryObjectList")
    items = tuple(item for item in (listed[0] if listed else ()) if isinstance(item.tag, str))
    warned = any(str(item.tag).endswith("}RegistryError") for item in payload.iter())
    return Found(response, response.status == "Success" and not warned, items)


def _entry(item: Element) -> Entry:
    unique_id = _identifier(item, ebxml.ENTRY_UNIQUE_ID)
    if unique_id is None:
        raise AnswerError("a document entry without uniqueId")
    digest = _slot(item, "hash")
    person, institution = _author(item, ebxml.ENTRY_AUTHOR)
    return Entry(
        entry_uuid=item.get("id", ""),
        unique_id=unique_id,
        status=item.get("status"),
        hash=digest.lower() if digest else None,
        size=_size(_slot(item, "size")),
        lid=item.get("lid"),
        version=_version(item),
        repository_id=_slot(item, "repositoryUniqueId"),
        mime_type=item.get("mimeType"),
        title=_name(item),
        creation_time=_slot(item, "creationTime"),
        service_start=_slot(item, "serviceStartTime"),
        service_stop=_slot(item, "serviceStopTime"),
        author=person,
        institution=institution,
        class_code=_code(item, ebxml.ENTRY_CLASS),
        type_code=_code(item, ebxml.ENTRY_TYPE),
        format_code=_code(item, ebxml.ENTRY_FORMAT),
        confidentiality=tuple(_codes(item, ebxml.ENTRY_CONFIDENTIALITY)),
        patient_id=_identifier(item, ebxml.ENTRY_PATIENT_ID),
        source=item,
    )


def _set(item: Element) -> SetEntry:
    unique_id = _identifier(item, ebxml.SET_UNIQUE_ID)
    if unique_id is None:
        raise AnswerError("a submission set without uniqueId")
    person, institution = _author(item, ebxml.SET_AUTHOR)
    return SetEntry(
        entry_uuid=item.get("id", ""),
        unique_id=unique_id,
        source_id=_identifier(item, ebxml.SET_SOURCE_ID),
        status=item.get("status"),
        title=_name(item),
        submission_time=_slot(item, "submissionTime"),
        content_type=_code(item, ebxml.SET_CONTENT_TYPE),
        author=person,
        institution=institution,
    )


def _link(item: Element) -> LinkEntry:
    kind, source, target = (item.get(name) for name in ("associationType", "sourceObject", "targetObject"))
    if not (kind and source and target):
        raise AnswerError("an association without type, source or target")
    return LinkEntry(item.get("id", ""), kind, source, target, item.get("status"))


def _slot(item: Element, name: str) -> str | None:
    value = item.findtext(f"rim:Slot[@name='{name}']/rim:ValueList/rim:Value", namespaces=_NS)
    return value.strip() or None if value else None


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise AnswerError("a size that is no number")
    return int(text)


def _version(item: Element) -> str | None:
    found = item.find("rim:VersionInfo", _NS)
    return None if found is None else found.get("versionName")


def _name(item: Element) -> str | None:
    found = item.find("rim:Name/rim:LocalizedString", _NS)
    return None if found is None else found.get("value")


def _identifier(item: Element, scheme: str) -> str | None:
    found = item.find(f"rim:ExternalIdentifier[@identificationScheme='{scheme}']", _NS)
    return None if found is None else found.get("value", "")


def _codes(item: Element, scheme: str) -> Iterator[Coded]:
    for one in item.iterfind(f"rim:Classification[@classificationScheme='{scheme}']", _NS):
        yield Coded(one.get("nodeRepresentation", ""), _slot(one, "codingScheme") or "", _name(one) or "")


def _code(item: Element, scheme: str) -> Coded | None:
    return next(_codes(item, scheme), None)


def _author(item: Element, scheme: str) -> tuple[str | None, str | None]:
    """Person and institution of the first author."""
    found = item.find(f"rim:Classification[@classificationScheme='{scheme}']", _NS)
    return (None, None) if found is None else (_slot(found, "authorPerson"), _slot(found, "authorInstitution"))
