"""Stored documents as a registry gives them back: rim:ExtrinsicObject or rim:ObjectRef (ITI TF-3 §4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import NAMESPACE_URL, uuid5

from lxml import etree

from gateway.sandbox import ebrim
from gateway.sandbox.dmp.records import (
    APPROVED,
    ARCHIVED,
    DELETED,
    DEPRECATED,
    DmpAssociation,
    DmpDocument,
    DmpSubmission,
)
from gateway.sandbox.ebrim import ASSOCIATION_OBJECT, NS, RIM, SET_NODE
from gateway.sandbox.xml import Element, parse

REPOSITORY_ID = "1.2.250.1.213.4.1.1.1.2"
"""repositoryUniqueId of the DMP (spec dmp §1.6)."""
_STATUS = {
    APPROVED: "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved",
    DEPRECATED: "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated",
    ARCHIVED: "urn:asip:ci-sis:2010:StatusType:Archived",
    DELETED: "urn:asip:ci-sis:2010:StatusType:Deleted",
}
STATUS_NAMES = {urn: name for name, urn in _STATUS.items()}
"""From the URN of a status to its short name, the one that the store keeps."""
STATUSES = frozenset(_STATUS.values())
_OWNERS = ("classifiedObject", "registryObject")
# ebRIM's order of the children of an object: slots, name, description, version, then the rest.
_BEFORE_VERSION = {f"{{{RIM}}}{name}" for name in ("Slot", "Name", "Description")}


def status_of(document: DmpDocument) -> str:
    """availabilityStatus as a URN."""
    return _STATUS[document.status]


Held = DmpDocument | DmpSubmission | DmpAssociation
"""What a registry holds and gives back."""


def write_references(parent: Element, found: Sequence[Held]) -> None:
    """One rim:ObjectRef for each object."""
    for item in found:
        etree.SubElement(parent, f"{{{RIM}}}ObjectRef", id=item.entry_uuid)


def write_leaves(parent: Element, found: Sequence[Held]) -> None:
    """Every object whole: rim:ExtrinsicObject, rim:RegistryPackage or rim:Association."""
    for item in found:
        if isinstance(item, DmpDocument):
            parent.append(_document(item))
        elif isinstance(item, DmpSubmission):
            parent.append(_package(item))
        else:
            _write_association(parent, item)


def _document(document: DmpDocument) -> Element:
    """The metadata as submitted, with what only the registry and the repository know."""
    element = _renamed(document.metadata, document.entry_uuid)
    element.set("lid", document.logical_id)
    element.set("status", status_of(document))
    _set_slots(element, document)
    _set_version(element, document.version)
    return element


def _package(submission: DmpSubmission) -> Element:
    """A submission set; its node stands inside, wherever it stood in the request."""
    element = _renamed(submission.metadata, submission.entry_uuid)
    element.set("lid", submission.entry_uuid)
    element.set("status", _STATUS[APPROVED])
    if not any(item.get("classificationNode") == SET_NODE for item in element.findall("rim:Classification", NS)):
        mark = etree.Element(
            f"{{{RIM}}}Classification",
            id=f"urn:uuid:{uuid5(NAMESPACE_URL, submission.entry_uuid)}",  # the same at each answer
            classifiedObject=submission.entry_uuid,
            classificationNode=SET_NODE,
        )
        last = [place for place, child in enumerate(element) if child.tag != f"{{{RIM}}}ExternalIdentifier"]
        element.insert(last[-1] + 1 if last else 0, mark)
    return element


def _write_association(parent: Element, link: DmpAssociation) -> None:
    element = etree.SubElement(
        parent,
        f"{{{RIM}}}Association",
        id=link.entry_uuid,
        lid=link.entry_uuid,
        objectType=ASSOCIATION_OBJECT,
        status=_STATUS[APPROVED],
        associationType=link.type,
        sourceObject=link.source,
        targetObject=link.target,
    )
    for name, values in link.slots:
        slot = etree.SubElement(element, f"{{{RIM}}}Slot", name=name)
        listed = etree.SubElement(slot, f"{{{RIM}}}ValueList")
        for value in values:
            etree.SubElement(listed, f"{{{RIM}}}Value").text = value


def _renamed(metadata: str, entry_uuid: str) -> Element:
    """The element as submitted, its id and what refers to it replaced by the entryUUID."""
    element = parse(metadata.encode())
    submitted = element.get("id", "")
    element.set("id", entry_uuid)
    for item in element.iter():
        for name in _OWNERS:
            if isinstance(item.tag, str) and item.get(name) == submitted:
                item.set(name, entry_uuid)
    return element


def _set_slots(element: Element, document: DmpDocument) -> None:
    known = {"hash": document.hash, "size": str(document.size), "repositoryUniqueId": REPOSITORY_ID}
    for old in element.findall("rim:Slot", NS):
        if old.get("name") in known:
            element.remove(old)
    for name, value in reversed(known.items()):
        slot = etree.Element(f"{{{RIM}}}Slot", name=name)
        element.insert(0, slot)
        etree.SubElement(etree.SubElement(slot, f"{{{RIM}}}ValueList"), f"{{{RIM}}}Value").text = value


def _set_version(element: Element, version: int) -> None:
    for old in element.findall("rim:VersionInfo", NS):
        element.remove(old)
    place = sum(1 for child in element if child.tag in _BEFORE_VERSION)
    element.insert(place, etree.Element(f"{{{RIM}}}VersionInfo", versionName=str(version)))


def read_back(document: DmpDocument) -> ebrim.RegistryObject:
    """The submitted metadata, for filters."""
    return ebrim.read_entry(parse(document.metadata.encode()))


def read_set(submission: DmpSubmission) -> ebrim.RegistryObject:
    """The submitted metadata of a set, for filters."""
    return ebrim.read_package(parse(submission.metadata.encode()))
