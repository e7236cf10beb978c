"""Stored documents as a registry gives them back: rim:ExtrinsicObject or rim:ObjectRef (ITI TF-3 §4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from gateway.sandbox import ebrim
from gateway.sandbox.dmp.store import DmpDocument
from gateway.sandbox.ebrim import NS, RIM
from gateway.sandbox.xml import Element, parse

REPOSITORY_ID = "1.2.250.1.213.4.1.1.1.2"
"""repositoryUniqueId of the DMP (spec dmp §1.6)."""
_STATUS = {
    "Approved": "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved",
    "Deprecated": "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated",
    "Archived": "urn:asip:ci-sis:2010:StatusType:Archived",
    "Deleted": "urn:asip:ci-sis:2010:StatusType:Deleted",
}
STATUSES = frozenset(_STATUS.values())
_OWNERS = ("classifiedObject", "registryObject")
# ebRIM's order of the children of an object: slots, name, description, version, then the rest.
_BEFORE_VERSION = {f"{{{RIM}}}{name}" for name in ("Slot", "Name", "Description")}


def status_of(document: DmpDocument) -> str:
    """availabilityStatus as a URN."""
    return _STATUS[document.status]


def write_references(parent: Element, documents: Sequence[DmpDocument]) -> None:
    """One rim:ObjectRef for each document."""
    for document in documents:
        etree.SubElement(parent, f"{{{RIM}}}ObjectRef", id=document.entry_uuid)


def write_leaves(parent: Element, documents: Sequence[DmpDocument]) -> None:
    """One whole rim:ExtrinsicObject for each document."""
    for document in documents:
        parent.append(_leaf(document))


def _leaf(document: DmpDocument) -> Element:
    """The metadata as submitted, with what only the registry and the repository know."""
    element = parse(document.metadata.encode())
    submitted = element.get("id", "")
    element.set("id", document.entry_uuid)
    element.set("lid", document.logical_id)
    element.set("status", status_of(document))
    for item in element.iter():
        for name in _OWNERS:
            if isinstance(item.tag, str) and item.get(name) == submitted:
                item.set(name, document.entry_uuid)
    _set_slots(element, document)
    _set_version(element, document.version)
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
