"""The frozen package of a change in the DMP, and the request made of it when the registry was asked (spec dmp §1.6)."""

from __future__ import annotations

from copy import deepcopy
from typing import get_args

import pytest
from lxml import etree

from gateway.package import dmp, ebxml, metadata_update
from gateway.package.metadata_update import APPROVED, ARCHIVED, DELETED, DEPRECATED, compose_status, compose_visibility
from gateway.package.types import (
    Change,
    DmpContext,
    DmpUpdateContext,
    Package,
    context_from_json,
    context_to_json,
)
from gateway.package.xml import Element, parse
from tests.unit.package.samples import CDA, NOW, account, dmp_settings, document, ids, signing_keys

RIM = {"rim": ebxml.RIM, "lcm": ebxml.LCM}
FEED = dmp.dmp_package(document(), CDA, account=account(dmp=dmp_settings()), keys=signing_keys(), now=NOW, ids=ids())
assert isinstance(FEED.context, DmpContext)
FED: DmpContext = FEED.context
CHANGES: tuple[Change, ...] = get_args(Change)
NEW_UUID = "urn:uuid:11111111-2222-4333-8444-555555555555"


def update(change: Change) -> Package:
    return metadata_update.update_package(FEED, change, now=NOW, ids=ids("update"))


def context(package: Package) -> DmpUpdateContext:
    assert isinstance(package.context, DmpUpdateContext)
    return package.context


def held(*labels: str, lid: str | None = FED.document_entry) -> Element:
    """The entry of the feed as a registry gives it back."""
    [entry, _] = parse(FEED.part("metadata").data).findall(".//rim:ExtrinsicObject", RIM)
    if lid is not None:
        entry.set("lid", lid)
    version = etree.Element(f"{{{ebxml.RIM}}}VersionInfo", versionName="3")
    name = entry.find("rim:Name", RIM)
    assert name is not None
    name.addnext(version)
    [base] = entry.findall(f"rim:Classification[@classificationScheme='{ebxml.ENTRY_CONFIDENTIALITY}']", RIM)
    for label in labels:
        more = deepcopy(base)
        more.set("nodeRepresentation", label)
        base.addnext(more)
    return entry


def labels(request: bytes) -> set[str]:
    entry = parse(request).find(".//rim:ExtrinsicObject", RIM)
    assert entry is not None
    path = f"rim:Classification[@classificationScheme='{ebxml.ENTRY_CONFIDENTIALITY}']"
    return {one.get("nodeRepresentation", "") for one in entry.findall(path, RIM)}


def slots(element: Element) -> dict[str, str]:
    return {str(one.get("name")): "".join(one.itertext()) for one in element.findall("rim:Slot", RIM)}


@pytest.mark.parametrize("change", CHANGES)
def test_same_arguments_same_bytes_and_nothing_of_the_feed_is_used_again(change: Change) -> None:
    one, two = update(change), update(change)
    assert one == two
    ours = context(one)
    assert ours.submission_set_id != FED.submission_set_id
    assert (ours.document_id, ours.known_entry, ours.change) == (FED.document_id, FED.document_entry, change)
    assert (ours.ins, ours.mode, ours.name_id) == (FED.ins, FED.mode, FED.name_id)
    ids_of = {str(one.get("id")) for one in parse(one.part("update").data).iter() if one.get("id")}
    assert not ids_of & {str(one.get("id")) for one in parse(FEED.part("metadata").data).iter() if one.get("id")}
    assert context_from_json(context_to_json(ours)) == ours


def test_the_set_is_the_author_s_for_the_same_patient() -> None:
    frame = parse(update("delete").part("update").data)
    [package] = frame.findall(".//rim:RegistryPackage", RIM)
    [fed] = parse(FEED.part("metadata").data).findall(".//rim:RegistryPackage", RIM)
    for scheme in (ebxml.SET_PATIENT_ID, ebxml.SET_SOURCE_ID):
        path = f"rim:ExternalIdentifier[@identificationScheme='{scheme}']/@value"
        assert package.xpath(path, namespaces=RIM) == fed.xpath(path, namespaces=RIM)
    author = f"rim:Classification[@classificationScheme='{ebxml.SET_AUTHOR}']"
    assert slots(package.find(author, RIM)) == slots(fed.find(author, RIM))  # type: ignore[arg-type]
    assert slots(package)["submissionTime"] == "20261122150000"


@pytest.mark.parametrize(
    ("change", "status", "new"),
    [
        ("archive", APPROVED, ARCHIVED),
        ("unarchive", ARCHIVED, APPROVED),
        ("delete", APPROVED, DELETED),
        ("delete", DEPRECATED, DELETED),
        ("delete", ARCHIVED, DELETED),
    ],
)
def test_a_change_of_status(change: Change, status: str, new: str) -> None:
    package = update(change)
    root = parse(compose_status(package, entry=NEW_UUID, status=status))
    assert root.tag == f"{{{ebxml.LCM}}}SubmitObjectsRequest"
    [link] = root.findall(".//rim:Association", RIM)
    [lot] = root.findall(".//rim:RegistryPackage", RIM)
    assert link.get("associationType") == "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
    assert link.get("objectType") == "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Association"
    assert (link.get("sourceObject"), link.get("targetObject")) == (lot.get("id"), NEW_UUID)
    assert slots(link) == {"OriginalStatus": status, "NewStatus": new}
    assert root.findall(".//rim:ExtrinsicObject", RIM) == []


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ("mask", (), {"N", "MASQUE_PS"}),
        ("unmask", ("MASQUE_PS",), {"N"}),
        ("hide", (), {"N", "INVISIBLE_PATIENT"}),
        ("show", ("INVISIBLE_PATIENT",), {"N"}),
        ("hide_legal", ("INVISIBLE_PATIENT",), {"N", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"}),
        ("show_legal", ("INVISIBLE_REPRESENTANTS_LEGAUX", "MASQUE_PS"), {"N", "MASQUE_PS"}),
    ],
)
def test_a_change_of_visibility(change: Change, before: tuple[str, ...], after: set[str]) -> None:
    package, current = update(change), held(*before)
    request = compose_visibility(package, current, version="3")
    assert labels(request) == after
    root = parse(request)
    [entry], [link], [lot] = (
        root.findall(f".//rim:{name}", RIM) for name in ("ExtrinsicObject", "Association", "RegistryPackage")
    )
    assert (entry.get("id"), entry.get("lid")) == (context(package).new_entry, FED.document_entry)
    assert link.get("associationType") == "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
    assert (link.get("sourceObject"), link.get("targetObject")) == (lot.get("id"), entry.get("id"))
    assert slots(link) == {"SubmissionSetStatus": "Original", "PreviousVersion": "3"}
    assert {one.get("classifiedObject") for one in entry.findall("rim:Classification", RIM)} == {entry.get("id")}
    assert {one.get("registryObject") for one in entry.findall("rim:ExternalIdentifier", RIM)} == {entry.get("id")}
    identifiers = [str(one.get("id")) for one in root.iter() if one.get("id")]
    assert len(set(identifiers)) == len(identifiers)
    assert slots(entry) == slots(current)


def test_what_was_composed_twice_is_the_same() -> None:
    package = update("mask")
    assert compose_visibility(package, held(), version="3") == compose_visibility(package, held(), version="3")


def test_an_added_label_stands_where_ebrim_wants_it() -> None:
    entry = held()
    for one in entry.findall("rim:Classification", RIM):
        entry.remove(one)
    root = parse(compose_visibility(update("mask"), entry, version="1"))
    [written] = root.findall(".//rim:ExtrinsicObject", RIM)
    tags = [etree.QName(one).localname for one in written]
    order = ["Slot", "Name", "Description", "VersionInfo", "Classification", "ExternalIdentifier"]
    assert tags == sorted(tags, key=order.index)


def test_an_entry_without_lid_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="lid"):
        compose_visibility(update("mask"), held(lid=None), version="1")


def test_only_a_feed_can_be_changed() -> None:
    with pytest.raises(TypeError):
        metadata_update.update_package(update("mask"), "unmask", now=NOW, ids=ids())


@pytest.mark.parametrize(
    ("change", "status", "codes", "done"),
    [
        ("delete", DELETED, set(), True),
        ("delete", APPROVED, set(), False),
        ("archive", ARCHIVED, set(), True),
        ("unarchive", APPROVED, set(), True),
        ("mask", APPROVED, {"N", "MASQUE_PS"}, True),
        ("mask", APPROVED, {"N"}, False),
        ("unmask", APPROVED, {"N"}, True),
        ("hide", APPROVED, {"INVISIBLE_REPRESENTANTS_LEGAUX"}, False),
        ("show_legal", APPROVED, {"INVISIBLE_PATIENT"}, True),
    ],
)
def test_when_nothing_is_left_to_do(change: Change, status: str, codes: set[str], done: bool) -> None:
    assert metadata_update.done(change, status, frozenset(codes)) is done
