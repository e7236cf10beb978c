from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import pytest
from lxml import etree

from gateway.document.model import Code
from gateway.errors import PackageError
from gateway.package import dmp, ebxml, xds
from tests.unit.package.samples import (
    CDA,
    DOCUMENT_ID,
    NOW,
    PATIENT,
    account,
    document,
    ids,
    signing_keys,
    without_ins,
)

NS = {"rim": ebxml.RIM, "lcm": ebxml.LCM}
UUID_URN = r"^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


def archive_metadata(**changes: object) -> etree._Element:
    submission = xds.archive_submission(
        document(**changes), CDA, uri="DOC0001.XML", source_id="1.2.250.1.999.1", now=NOW, ids=ids()
    )
    return etree.fromstring(ebxml.serialise(ebxml.submit_request(submission)))


def dmp_metadata(**changes: object) -> etree._Element:
    package = dmp.dmp_package(document(**changes), CDA, account=account(), keys=signing_keys(), now=NOW, ids=ids())
    return etree.fromstring(package.part("metadata").data)


def entry(root: etree._Element, place: int = 0) -> etree._Element:
    found = root.findall(".//rim:ExtrinsicObject", NS)[place]
    assert isinstance(found, etree._Element)
    return found


def slots(element: etree._Element) -> dict[str, list[str]]:
    found = element.findall("rim:Slot", NS)
    return {s.get("name", ""): [v.text or "" for v in s.iterfind("rim:ValueList/rim:Value", NS)] for s in found}


def codes(element: etree._Element, scheme: str) -> list[tuple[str, str, str]]:
    found = element.findall(f"rim:Classification[@classificationScheme='{scheme}']", NS)
    return [
        (
            c.get("nodeRepresentation", ""),
            slots(c)["codingScheme"][0],
            c.find("rim:Name/rim:LocalizedString", NS).get("value"),  # type: ignore[union-attr]
        )
        for c in found
    ]


def test_archive_entry_slots() -> None:
    found = slots(entry(archive_metadata()))
    assert found.pop("sourcePatientInfo")[0] == "PID-5|LE GOFF-ESSAI^MAELYS^ANNE^^^^L"
    assert found == {
        "URI": ["DOC0001.XML"],
        "hash": [hashlib.sha1(CDA).hexdigest()],
        "size": [str(len(CDA))],
        "creationTime": ["20261121233000"],
        "languageCode": ["fr-FR"],
        "legalAuthenticator": ["899700001011^TESTOU^Gwenaël^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"],
        "serviceStartTime": ["20261121231500"],
        "serviceStopTime": ["20261121233000"],
        "sourcePatientId": ["IPP-1^^^&1.2.250.1.999.1.1&ISO^PI"],
    }


def test_archive_entry_codes() -> None:
    found = entry(archive_metadata(visibility=(Code("MASQUE_PS", "1.2.250.1.213.1.1.4.13", "Masqué"),)))
    assert codes(found, ebxml.ENTRY_CLASS) == [("10", "1.2.250.1.213.1.1.4.1", "Compte rendu")]
    assert codes(found, ebxml.ENTRY_CONFIDENTIALITY) == [
        ("N", "2.16.840.1.113883.5.25", "Normal"),
        ("MASQUE_PS", "1.2.250.1.213.1.1.4.13", "Masqué"),
    ]
    assert codes(found, ebxml.ENTRY_FACILITY)[0][:2] == ("SA07", "1.2.250.1.71.4.2.4")
    assert codes(found, ebxml.ENTRY_PRACTICE)[0][:2] == ("AMBULATOIRE", "1.2.250.1.213.1.1.4.9")
    assert codes(found, ebxml.ENTRY_TYPE)[0][:2] == ("47420-5", "2.16.840.1.113883.6.1")
    assert codes(found, ebxml.ENTRY_FORMAT)[0][:2] == (
        "urn:asipSante:modelesHorsProfils:2011",
        "1.2.250.1.213.1.1.4.2.282",
    )


def test_set_attributes() -> None:
    root = archive_metadata()
    lot = root.find(".//rim:RegistryPackage", NS)
    assert lot is not None
    assert slots(lot) == {"submissionTime": ["20261122150000"]}
    assert codes(lot, ebxml.SET_CONTENT_TYPE) == [("07", "1.2.250.1.213.2.2", "Consultations soins externes")]
    identifiers = {e.get("identificationScheme"): e.get("value", "") for e in lot.findall("rim:ExternalIdentifier", NS)}
    assert identifiers[ebxml.SET_PATIENT_ID] == "201032227890155^^^&1.2.250.1.213.1.4.10&ISO^NH"
    assert identifiers[ebxml.SET_SOURCE_ID] == "1.2.250.1.999.1"
    assert identifiers[ebxml.SET_UNIQUE_ID].startswith("2.25.")
    author = lot.find(f"rim:Classification[@classificationScheme='{ebxml.SET_AUTHOR}']", NS)
    assert author is not None
    assert author.get("nodeRepresentation") == ""
    assert slots(author) == {
        "authorPerson": ["899700001011^TESTOU^Gwenaël^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"],
        "authorInstitution": ["Cabinet d'Épreuve \\T\\ Fils^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^499700001011001"],
        "authorSpecialty": ["G15_70^Masseur-Kinésithérapeute^1.2.250.1.213.1.1.4.5"],
    }


@pytest.mark.parametrize("root", [archive_metadata(), dmp_metadata()])
def test_rules_of_ebrim(root: etree._Element) -> None:
    """What the public generators get wrong (spec mssante §2.5) holds here."""
    lots = root.findall(".//rim:RegistryPackage", NS)
    entries = root.findall(".//rim:ExtrinsicObject", NS)
    assert len(lots) == 1
    marks = [c for c in root.iter(f"{{{ebxml.RIM}}}Classification") if c.get("classificationNode")]
    assert [(m.get("classificationNode"), m.get("classifiedObject")) for m in marks] == [
        (ebxml.SET_NODE, lots[0].get("id"))
    ]
    everything = [e.get("id") for e in root.iter() if e.get("id")]
    assert Counter(everything).most_common(1)[0][1] == 1
    for owner in (*lots, *entries):
        assert all(c.get("classifiedObject") == owner.get("id") for c in owner.findall("rim:Classification", NS))
        assert all(e.get("registryObject") == owner.get("id") for e in owner.findall("rim:ExternalIdentifier", NS))
    names = [e.tag for e in root.iter()]
    assert all(name.startswith(("{" + ebxml.RIM, "{" + ebxml.LCM)) for name in names)
    assert root.prefix == "lcm"
    for text in root.iter(f"{{{ebxml.RIM}}}LocalizedString"):
        assert text.get("charset") == "UTF8"
        assert text.get("{http://www.w3.org/XML/1998/namespace}lang") == "FR"


def test_has_member_links_the_set_to_each_entry() -> None:
    root = dmp_metadata()
    lot, entries = root.find(".//rim:RegistryPackage", NS), root.findall(".//rim:ExtrinsicObject", NS)
    assert lot is not None
    links = [
        (a.get("associationType", "").rpartition(":")[2], a.get("sourceObject"), a.get("targetObject"))
        for a in root.findall(".//rim:Association", NS)
    ]
    assert links == [
        ("HasMember", lot.get("id"), entries[0].get("id")),
        ("HasMember", lot.get("id"), entries[1].get("id")),
        ("signs", entries[1].get("id"), lot.get("id")),
    ]
    members = root.findall(".//rim:Association", NS)[:2]
    assert all(slots(m) == {"SubmissionSetStatus": ["Original"]} for m in members)


def test_dmp_entry_leaves_hash_and_size_to_the_repository() -> None:
    assert not {"hash", "size", "URI"} & set(slots(entry(dmp_metadata())))


def test_signature_entry() -> None:
    found = entry(dmp_metadata(), 1)
    assert slots(found)["languageCode"] == ["art"]
    assert slots(found)["creationTime"] == ["20261122150000"]
    assert slots(found)["sourcePatientId"] == ["201032227890155^^^&1.2.250.1.213.1.4.10&ISO^NH"]
    assert codes(found, ebxml.ENTRY_CLASS) == [("urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1", "URN", "Digital Signature")]
    assert codes(found, ebxml.ENTRY_TYPE) == [("E1762", "ASTM", "Full Document")]
    assert codes(found, ebxml.ENTRY_FORMAT)[0][:2] == ("http://www.w3.org/2000/09/xmldsig#", "URN")
    assert codes(found, ebxml.ENTRY_EVENT) == [("1.2.840.10065.1.12.1.14", "1.2.840.10065.1.12", "Source")]
    assert [c[0] for c in codes(found, ebxml.ENTRY_CONFIDENTIALITY)] == ["N", "MASQUE_PS", "INVISIBLE_PATIENT"]
    assert found.find("rim:Name/rim:LocalizedString", NS).get("value") == "Source"  # type: ignore[union-attr]


def test_unique_id_is_the_document_s() -> None:
    for root in (archive_metadata(), dmp_metadata()):
        found = {
            e.get("identificationScheme"): e.get("value") for e in entry(root).findall("rim:ExternalIdentifier", NS)
        }
        assert found[ebxml.ENTRY_UNIQUE_ID] == DOCUMENT_ID


def test_without_ins_the_local_identifier_stands() -> None:
    root = archive_metadata(patient=without_ins().header.patient)
    values = {e.get("value") for e in root.iter(f"{{{ebxml.RIM}}}ExternalIdentifier")}
    assert "IPP-1^^^&1.2.250.1.999.1.1&ISO^PI" in values
    assert not any("1.2.250.1.213.1.4" in str(value) for value in values)


def test_without_any_identifier_nothing_is_packaged() -> None:
    with pytest.raises(PackageError) as refused:
        archive_metadata(patient=replace(PATIENT, ins=None, local_ids=()))
    assert refused.value.code == "PKG-002"


def test_xml_hostile_names_come_back_intact() -> None:
    hostile = replace(PATIENT, birth_family="<A&B>\"'", used_family="]]>")
    found = slots(entry(archive_metadata(patient=hostile)))["sourcePatientInfo"]
    assert found[0].startswith("PID-5|<A\\T\\B>\"'^")
    assert found[1].startswith("PID-5|]]>^")
