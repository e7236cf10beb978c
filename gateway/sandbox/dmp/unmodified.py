"""What a new metadata version may not change: everything but the visibility (TD3.3a, TD3.3b; spec dmp §1.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.sandbox import ebrim
from gateway.sandbox.dmp.entries import REPOSITORY_ID, read_back, status_of
from gateway.sandbox.dmp.records import DmpDocument
from gateway.sandbox.ebrim import RegistryObject
from gateway.sandbox.values import facts

_NAMES = {
    ebrim.CLASS_CODE: "classCode",
    ebrim.TYPE_CODE: "typeCode",
    ebrim.FORMAT_CODE: "formatCode",
    ebrim.FACILITY: "healthcareFacilityTypeCode",
    ebrim.PRACTICE: "practiceSettingCode",
    ebrim.EVENT_CODE: "eventCodeList",
    ebrim.ENTRY_UNIQUE: "uniqueId",
    ebrim.ENTRY_PATIENT: "patientId",
}
# Known to the registry and the repository only: a client that sends back what it read sends them too.
_GIVEN = {"hash", "size", "repositoryUniqueId", "URI"}


def visibility(codes: Sequence[str]) -> frozenset[str]:
    """The visibility codes among some confidentiality codes."""
    return frozenset(codes) & frozenset(facts()["mask_codes"])


def differences(document: DmpDocument, entry: RegistryObject) -> Iterator[str]:
    """Names of the attributes that the entry states otherwise than the document's latest version."""
    held = read_back(document)
    for name, same in (
        ("mimeType", held.mime_type == entry.mime_type),
        ("objectType", held.element.get("objectType") == entry.element.get("objectType")),
        ("title", held.title == entry.title),
        ("comments", held.comments == entry.comments),
        ("author", held.authors == entry.authors),
        ("availabilityStatus", entry.element.get("status", status_of(document)) == status_of(document)),
        ("confidentialityCode", _base(held) == _base(entry)),
    ):
        if not same:
            yield name
    yield from _slots(document, held, entry)
    yield from _codes(held, entry)
    for scheme in sorted(held.identifiers.keys() | entry.identifiers.keys()):
        if held.identifiers.get(scheme) != entry.identifiers.get(scheme):
            yield _NAMES.get(scheme, scheme)


def _slots(document: DmpDocument, held: RegistryObject, entry: RegistryObject) -> Iterator[str]:
    for name in sorted((held.slots.keys() | entry.slots.keys()) - _GIVEN):
        if held.slots.get(name) != entry.slots.get(name):
            yield name
    known = {"size": str(document.size), "repositoryUniqueId": REPOSITORY_ID}
    for name, value in known.items():
        if entry.slot(name) not in {"", value}:
            yield name
    if entry.slot("hash").lower() not in {"", document.hash}:
        yield "hash"


def _codes(held: RegistryObject, entry: RegistryObject) -> Iterator[str]:
    for scheme in sorted((held.codes.keys() | entry.codes.keys()) - {ebrim.CONFIDENTIALITY}):
        pairs = [[(code.code, code.scheme) for code in one.codes.get(scheme, [])] for one in (held, entry)]
        if pairs[0] != pairs[1]:
            yield _NAMES.get(scheme, scheme)


def _base(entry: RegistryObject) -> list[str]:
    """Confidentiality codes that say nothing of visibility: the CDA's N, R or V."""
    scheme = facts()["mask_scheme"]
    return [code.code for code in entry.codes.get(ebrim.CONFIDENTIALITY, []) if code.scheme != scheme]
