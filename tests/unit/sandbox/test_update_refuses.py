"""The table of broken ITI-57 requests: each has one defect, is refused with its code, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from lxml import etree

from . import builders as b
from .builders import RIM, Built
from .conftest import Dmp, outcome, reasons
from .defects import FAILED, INVALID, REGISTRY, TOKEN, attribute, code, find, remove, repeat, slot, value, words
from .operations import CHANGE, STATUS, fed, leaf_of, send, status_change, visibility_change
from .test_stored_query import tampered, vihf_value, vihf_without, wrong_version

E = etree._Element
UPDATE, OPERATION, VERSION = "XDSMetadataUpdateError", "XDSMetadataUpdateOperationError", "XDSMetadataVersionError"
UNMODIFIABLE, UNRESOLVED = "UnmodifiableMetadataError", "UnresolvedReferenceException"
OTHER_PATIENT = "XDSPatientIdDoesNotMatch"
OTHER_INS = "279115121518926"
DOC, SET = "//rim:ExtrinsicObject", "//rim:RegistryPackage"
LINK, MEMBER = f"//rim:Association[@associationType='{CHANGE}']", "//rim:Association"
OTHER_CX = f"{OTHER_INS}^^^&{b.INS_OID}&ISO^NH"
MASKS = code(DOC, b.CONFIDENTIALITY)
NOWHERE = "urn:uuid:00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Broken:
    """A request with one defect: `kind` says which operation it spoils, `stage` and `edit` how."""

    name: str
    expected: str
    kind: str
    edit: Callable[[E], Any] | None = None
    stage: str = "payload"
    changes: dict[str, Any] = field(default_factory=dict)


def status(name: str, expected: str, edit: Callable[[E], Any], **more: Any) -> Broken:
    return Broken(f"status: {name}", expected, "status", edit, **more)


def seen(name: str, expected: str, edit: Callable[[E], Any] | None, **more: Any) -> Broken:
    return Broken(f"visibility: {name}", expected, "visibility", edit, **more)


def operation(kind: str) -> Callable[[E], None]:
    """One more association that no update knows."""

    def act(root: E) -> None:
        [listed] = root
        b.associate(listed, kind, "SubmissionSet01", NOWHERE)

    return act


def twice(root: E) -> None:
    """The copy gets an id of its own: that it has none would be another defect."""
    repeat(LINK)(root)
    find(root, f"{LINK}[2]").set("id", f"urn:uuid:{uuid4()}")


def no_operation(root: E) -> None:
    for item in root.iter(f"{{{RIM}}}Association"):
        item.getparent().remove(item)  # type: ignore[union-attr]


def name_of(entry: str, text: str) -> Callable[[E], None]:
    return attribute(f"{entry}/rim:Name/rim:LocalizedString", "value", text)


def more_code(root: E) -> None:
    b.classify(find(root, DOC), b.EVENT, "QZQP003", "1.2.250.1.213.2.5", "Acte")


def same_uuid(root: E) -> None:
    """The entry keeps the entryUUID of the version it follows (here also its logical id)."""
    entry = find(root, DOC)
    for item in root.iter():
        for name, text in item.attrib.items():
            if text == "Document01":
                item.set(name, str(entry.get("lid")))


def identifier(scheme: str) -> str:
    return f"{DOC}/rim:ExternalIdentifier[@identificationScheme='urn:uuid:{scheme}']"


PATIENT_ID, UNIQUE_ID = "58a6f841-87b3-4a3e-92fd-a8ffeff98427", "2e82c1f6-a085-4c72-9da3-8640a32e42ab"
PREVIOUS, ORIGINAL = value(MEMBER, "PreviousVersion"), value(MEMBER, "SubmissionSetStatus")
BROKEN = [
    status("target that is not there", UNRESOLVED, attribute(LINK, "targetObject", NOWHERE)),
    status("target that is no UUID", UNRESOLVED, attribute(LINK, "targetObject", "Document01")),
    status("source is not the set", REGISTRY, attribute(LINK, "sourceObject", "Document01")),
    status("another kind of object", REGISTRY, attribute(LINK, "objectType", f"{b.HAS_MEMBER}")),
    status("no OriginalStatus", REGISTRY, remove(slot(LINK, "OriginalStatus"))),
    status("no NewStatus", REGISTRY, remove(slot(LINK, "NewStatus"))),
    status("NewStatus empty", REGISTRY, remove(value(LINK, "NewStatus"))),
    status("NewStatus twice", REGISTRY, repeat(value(LINK, "NewStatus"))),
    status("NewStatus without its URN", REGISTRY, words(value(LINK, "NewStatus"), "Archived")),
    status(
        "Archived in the namespace of ebRIM",
        REGISTRY,
        words(value(LINK, "NewStatus"), "urn:oasis:names:tc:ebxml-regrep:StatusType:Archived"),
    ),
    status("Deleted in capitals", REGISTRY, words(value(LINK, "NewStatus"), STATUS["Deleted"].upper())),
    status("OriginalStatus is not the current one", UPDATE, words(value(LINK, "OriginalStatus"), STATUS["Archived"])),
    status("to the status it has", UPDATE, words(value(LINK, "NewStatus"), STATUS["Approved"])),
    status("the same document twice", UPDATE, twice),
    status("an operation that does not exist", OPERATION, operation("urn:ihe:iti:2010:AssociationType:Delete")),
    status("a replacement among updates", OPERATION, operation(b.RPLC)),
    status("a signature among updates", OPERATION, operation(b.SIGNS)),
    status("a member that is not in the request", UNRESOLVED, operation(b.HAS_MEMBER)),
    status("nothing to do", UPDATE, no_operation),
    status("no set", REGISTRY, remove(SET)),
    status("two sets", REGISTRY, repeat(SET)),
    status("a set without uniqueId", REGISTRY, remove(f"{SET}/rim:ExternalIdentifier[3]")),
    status("a set without time", REGISTRY, remove(slot(SET, "submissionTime"))),
    status("a set without author", REGISTRY, remove(f"{SET}/rim:Classification[1]")),
    status("a set of another patient", FAILED, lambda root: None, changes={"vihf_ins": OTHER_INS}),
    status("a document of another patient", OTHER_PATIENT, lambda root: None, changes={"ins": OTHER_INS}),
    status("an association without id", REGISTRY, lambda root: find(root, LINK).attrib.pop("id") and None),
    status("another element", "XDSRegistryError", lambda root: etree.fromstring("<x xmlns='urn:y'/>")),
    status("no list of objects", "XDSRegistryError", remove("//rim:RegistryObjectList")),
    status("VIHF without structure", TOKEN, vihf_without("Identifiant_Structure"), stage="vihf"),
    status("VIHF of another patient", FAILED, vihf_value("resource-id", OTHER_CX), stage="vihf"),
    status("VIHF changed after signing", FAILED, tampered, stage="vihf_signed"),
    status("two assertions", INVALID, repeat("//saml:Assertion"), stage="envelope"),
    status("SOAP 1.1", "env:VersionMismatch", wrong_version, stage="envelope"),
    seen("no lid", UPDATE, lambda root: find(root, DOC).attrib.pop("lid") and None),
    seen("lid that is no UUID", UPDATE, attribute(DOC, "lid", "Document01")),
    seen("lid of nothing", UNRESOLVED, attribute(DOC, "lid", NOWHERE)),
    seen("no HasMember", REGISTRY, remove(MEMBER)),
    seen("HasMember from elsewhere", REGISTRY, attribute(MEMBER, "sourceObject", "Document01")),
    seen("HasMember by reference", REGISTRY, words(ORIGINAL, "Reference")),
    seen("no PreviousVersion", VERSION, remove(slot(MEMBER, "PreviousVersion"))),
    seen("PreviousVersion of the future", VERSION, words(PREVIOUS, "2")),
    seen("PreviousVersion zero", VERSION, words(PREVIOUS, "0")),
    seen("PreviousVersion that is no number", VERSION, words(PREVIOUS, "un")),
    seen("the entryUUID of the former version", UPDATE, same_uuid),
    seen("another title", UNMODIFIABLE, name_of(DOC, "Autre")),
    seen("another MIME type", UNMODIFIABLE, attribute(DOC, "mimeType", "application/xslt+xml")),
    seen("another creation time", UNMODIFIABLE, words(value(DOC, "creationTime"), "20200101000000")),
    seen("another hash", UNMODIFIABLE, words(value(DOC, "hash"), "0" * 40)),
    seen("another size", UNMODIFIABLE, words(value(DOC, "size"), "1")),
    seen("another repository", UNMODIFIABLE, words(value(DOC, "repositoryUniqueId"), "1.2.3")),
    seen("another uniqueId", UNMODIFIABLE, attribute(identifier(UNIQUE_ID), "value", "2.25.9")),
    seen(
        "another patient",
        UNMODIFIABLE,
        attribute(identifier(PATIENT_ID), "value", OTHER_CX),
    ),
    seen("another type", UNMODIFIABLE, attribute(code(DOC, b.TYPE), "nodeRepresentation", "11506-3")),
    seen("one code more", UNMODIFIABLE, more_code),
    seen("another status", UNMODIFIABLE, attribute(DOC, "status", STATUS["Archived"])),
    seen(
        "another base confidentiality", UNMODIFIABLE, attribute(code(DOC, b.CONFIDENTIALITY), "nodeRepresentation", "R")
    ),
    seen(
        "a mask that does not exist",
        REGISTRY,
        attribute(f"{MASKS}[2]", "nodeRepresentation", "INVISIBLE_REP_LEGAUX"),
    ),
    seen("a mask twice", REGISTRY, repeat(f"{MASKS}[2]")),
    seen("a mask without its scheme", REGISTRY, remove(f"{MASKS}[2]/rim:Slot")),
]


def spoiled(dmp: Dmp, case: Broken, unique_id: str) -> Built:
    changes = dict(case.changes)
    edits: dict[str, Callable[[Any], Any]] = {case.stage: case.edit} if case.edit is not None else {}
    other = changes.pop("vihf_ins", "")
    if other:
        edits["vihf"] = vihf_value("resource-id", f"{other}^^^&{b.INS_OID}&ISO^NH")
    asking = dmp.draft(mode="DIRECTE", edits=edits, **changes)
    if case.kind == "status":
        return status_change(asking, dmp.store.by_unique_id(unique_id)[0].entry_uuid)
    return visibility_change(asking, leaf_of(dmp, unique_id), ["MASQUE_PS"])


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_one_defect_one_answer_and_nothing_changes(dmp: Dmp, case: Broken) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    before = dmp.store.documents(signatures=True, versions=True)
    built = spoiled(dmp, case, draft.document_id)
    answer = send(dmp, built)
    found = outcome(answer)
    assert (found[-1] if found[0] == "Fault" else "".join(found)) == case.expected, reasons(answer)
    assert reasons(answer)
    assert dmp.store.documents(signatures=True, versions=True) == before
    assert len(dmp.store.submissions()) == 1


def test_the_table_is_long_enough_and_names_each_defect_once() -> None:
    names = [case.name for case in BROKEN]
    assert len(names) == len(set(names))
    assert len(names) >= 25


def test_the_signature_of_a_set_is_not_updated(dmp: Dmp) -> None:
    fed(dmp, mode="DIRECTE")
    signature = dmp.store.documents(signatures=True)[1]
    built = status_change(dmp.draft(mode="DIRECTE"), signature.entry_uuid, new="Deleted")
    assert outcome(send(dmp, built)) == (OPERATION,)


def test_a_former_version_is_not_the_one_to_update(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    old = dmp.store.by_unique_id(draft.document_id)[0].entry_uuid
    built = visibility_change(dmp.draft(mode="DIRECTE"), leaf_of(dmp, draft.document_id), ["MASQUE_PS"])
    assert outcome(send(dmp, built)) == ("Success",)
    late = status_change(dmp.draft(mode="DIRECTE"), old, old="Deprecated", new="Deleted")
    assert outcome(send(dmp, late)) == (VERSION,)


def test_a_deleted_document_keeps_its_visibility(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    leaf = leaf_of(dmp, draft.document_id)
    target = dmp.store.by_unique_id(draft.document_id)[0].entry_uuid
    assert outcome(send(dmp, status_change(dmp.draft(mode="DIRECTE"), target, new="Deleted"))) == ("Success",)
    leaf.set("status", STATUS["Deleted"])
    assert outcome(send(dmp, visibility_change(dmp.draft(mode="DIRECTE"), leaf, ["MASQUE_PS"]))) == (UPDATE,)


def test_it_is_a_matter_of_the_registry(dmp: Dmp) -> None:
    draft, _ = fed(dmp, mode="DIRECTE")
    target = dmp.store.by_unique_id(draft.document_id)[0].entry_uuid
    built = status_change(dmp.draft(mode="DIRECTE"), target)
    elsewhere = Built(f"{b.ROOT}repository", built.content_type, built.body, b"", b"", built.assertion, b"")
    assert outcome(send(dmp, elsewhere))[-1] == "wsa:ActionNotSupported"
