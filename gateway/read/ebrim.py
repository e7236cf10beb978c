"""METADATA.XML (ebRIM 3.0) -> what XDS says of a lot and of its documents. UUIDs: IHE ITI TF-3 §4.2.5."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.document.model import Code, Id
from gateway.read.xml import Element, attribute, child, children, local

_AUTHORS = frozenset({"urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d", "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"})
_CLASS = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
_CONFIDENTIALITY = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
_FORMAT = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
_FACILITY = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
_PRACTICE = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
_TYPE = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
_PATIENT = frozenset({"urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427", "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"})
_UNIQUE = frozenset({"urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab", "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"})
_SOURCE = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
_CX = re.compile(r"([^^]*)\^\^\^&([^&^]*)&ISO(?:\^[A-Z]*)?")
_ESCAPES = {"\\S\\": "^", "\\T\\": "&", "\\F\\": "|", "\\R\\": "~", "\\E\\": "\\"}
_ESCAPED = re.compile(r"\\[STFRE]\\")


@dataclass(frozen=True, slots=True)
class DocumentMetadata:
    """A DocumentEntry. What is not said is empty or None; `hash` is SHA-1 hex, `size` bytes, times are UTC."""

    id: str
    uri: str
    hash: str
    size: int | None
    mime_type: str
    title: str
    unique_id: str
    type: Code | None
    class_code: Code | None
    format_code: Code | None
    facility_type: Code | None
    practice_setting: Code | None
    confidentiality: tuple[Code, ...]
    creation_time: datetime | None
    service_start: datetime | None
    service_stop: datetime | None
    language: str
    patient_id: Id | None
    source_patient_id: Id | None
    author: str
    institution: str


@dataclass(frozen=True, slots=True)
class SubmissionMetadata:
    """The lot: a SubmissionSet, its documents, and what each one replaces."""

    unique_id: str
    source_id: str
    submission_time: datetime | None
    title: str
    patient_id: Id | None
    author: str
    documents: tuple[DocumentMetadata, ...]
    replaces: tuple[str, ...]


def submission(root: Element) -> SubmissionMetadata:
    """The lot of a SubmitObjectsRequest. What is not there stays empty."""
    package = next((one for one in root.iter("{*}RegistryPackage")), None)
    entries = tuple(_document(one) for one in root.iter("{*}ExtrinsicObject"))
    links = root.iter("{*}Association")
    replaced = (one for one in links if attribute(one, "associationType").endswith(":RPLC"))
    return SubmissionMetadata(
        unique_id=_identifier(package, _UNIQUE),
        source_id=_identifier(package, frozenset({_SOURCE})),
        submission_time=_time(_slot(package, "submissionTime")),
        title=_name(package),
        patient_id=cx(_identifier(package, _PATIENT)),
        author=_author(package)[0],
        documents=entries,
        replaces=tuple(attribute(one, "targetObject") for one in replaced),
    )


def _document(entry: Element) -> DocumentMetadata:
    size = _slot(entry, "size")
    person, institution = _author(entry)
    return DocumentMetadata(
        id=attribute(entry, "id"),
        uri=_slot(entry, "URI"),
        hash=_slot(entry, "hash"),
        size=int(size) if size.isascii() and size.isdigit() and len(size) < 12 else None,
        mime_type=attribute(entry, "mimeType"),
        title=_name(entry),
        unique_id=_identifier(entry, _UNIQUE),
        type=_coded(entry, _TYPE),
        class_code=_coded(entry, _CLASS),
        format_code=_coded(entry, _FORMAT),
        facility_type=_coded(entry, _FACILITY),
        practice_setting=_coded(entry, _PRACTICE),
        confidentiality=tuple(_classified(entry, _CONFIDENTIALITY)),
        creation_time=_time(_slot(entry, "creationTime")),
        service_start=_time(_slot(entry, "serviceStartTime")),
        service_stop=_time(_slot(entry, "serviceStopTime")),
        language=_slot(entry, "languageCode"),
        patient_id=cx(_identifier(entry, _PATIENT)),
        source_patient_id=cx(_slot(entry, "sourcePatientId")),
        author=person,
        institution=institution,
    )


def cx(value: str) -> Id | None:
    """A patient identifier `id^^^&oid&ISO^kind`."""
    found = _CX.fullmatch(value)
    return Id(found[2], _unescaped(found[1])) if found is not None else None


def _unescaped(words: str) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], words)


def _slots(parent: Element | None, name: str) -> Iterator[str]:
    for slot in children(parent, "Slot"):
        if attribute(slot, "name") == name:
            for value in slot.iter("{*}Value"):
                yield str(value.text or "").strip()


def _slot(parent: Element | None, name: str) -> str:
    return next(_slots(parent, name), "")


def _name(parent: Element | None) -> str:
    return attribute(child(parent, "Name", "LocalizedString"), "value")


def _identifier(parent: Element | None, schemes: frozenset[str]) -> str:
    for one in children(parent, "ExternalIdentifier"):
        if attribute(one, "identificationScheme") in schemes:
            return attribute(one, "value")
    return ""


def _classified(parent: Element, scheme: str) -> Iterator[Code]:
    for one in children(parent, "Classification"):
        if attribute(one, "classificationScheme") == scheme:
            yield Code(attribute(one, "nodeRepresentation"), _slot(one, "codingScheme"), _name(one))


def _coded(parent: Element, scheme: str) -> Code | None:
    return next(_classified(parent, scheme), None)


def _author(parent: Element | None) -> tuple[str, str]:
    """Person and institution of the first author, in words."""
    for one in () if parent is None else parent:
        if local(one) == "Classification" and attribute(one, "classificationScheme") in _AUTHORS:
            person = [_unescaped(part) for part in _slot(one, "authorPerson").split("^")]
            named = " ".join(part for part in (*person[2:3], *person[1:2]) if part)
            return named, _unescaped(_slot(one, "authorInstitution").split("^")[0])
    return "", ""


def _time(value: str) -> datetime | None:
    """An XDS time: UTC, to whatever precision it was written."""
    if not (value.isascii() and value.isdigit() and 4 <= len(value) <= 14 and len(value) % 2 == 0):
        return None
    try:
        # `%Y` stands for four digits, every other part for two.
        return datetime.strptime(value, "%Y%m%d%H%M%S"[: len(value) - 2]).replace(tzinfo=UTC)
    except ValueError:
        return None
