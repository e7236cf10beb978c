"""The header: CI-SIS structuration minimale, in the order of the schema (spec cda §2-3)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree

from gateway.document.model import ClinicalDocument, DocumentRef, Header, Id, PostalAddress
from gateway.render.cda import render
from tests.unit.render_cda import samples

NS = {"c": "urn:hl7-org:v3", "x": "http://www.w3.org/2001/XMLSchema-instance"}


def rendered(header: Header = samples.HEADER) -> etree._Element:
    return etree.fromstring(render(ClinicalDocument(header, samples.full().sections), samples.TERMS))


def values(root: etree._Element, path: str) -> list[str]:
    found = root.xpath(path, namespaces=NS)
    assert isinstance(found, list)
    return [str(item) for item in found]


@pytest.fixture(scope="module")
def root() -> etree._Element:
    return rendered()


def test_children_stand_in_the_order_of_the_schema(root: etree._Element) -> None:
    assert [etree.QName(item).localname for item in root] == [
        "realmCode", "typeId", "templateId", "templateId", "templateId", "id", "code", "title", "effectiveTime",
        "confidentialityCode", "languageCode", "setId", "versionNumber", "recordTarget", "author", "custodian",
        "informationRecipient", "legalAuthenticator", "participant", "documentationOf", "componentOf", "component",
    ]  # fmt: skip


def test_identity_of_the_document(root: etree._Element) -> None:
    assert values(root, "c:templateId/@root") == [
        "2.16.840.1.113883.2.8.2.1",
        "1.2.250.1.213.1.1.1.1",
        samples.HEADER.template_id,
    ]
    assert values(root, "c:id/@root") == [samples.HEADER.id]
    assert values(root, "c:id/@extension") == []  # the DMP knows the OID form only
    assert values(root, "c:code/@code | c:code/@displayName | c:code/@codeSystem") == [
        "47420-5",
        "CR de bilan fonctionnel",
        samples.LOINC,
    ]
    assert values(root, "c:setId/@root") == [samples.HEADER.set_id]
    assert values(root, "c:versionNumber/@value") == ["1"]
    assert values(root, "c:languageCode/@code") == ["fr-FR"]


def test_every_time_of_the_header_carries_its_zone(root: etree._Element) -> None:
    assert values(root, "c:effectiveTime/@value") == ["20260105143000+0100"]
    assert values(root, "c:author/c:time/@value | c:legalAuthenticator/c:time/@value") == ["20260105143000+0100"] * 2
    assert values(root, "c:documentationOf//c:low/@value") == ["20251006093000+0200"]
    assert values(root, "c:documentationOf//c:high/@value") == ["20260105143000+0100"]
    assert values(root, "c:componentOf//c:low/@value") == ["20251006093000+0200"]


def test_the_ins_comes_before_local_identifiers(root: etree._Element) -> None:
    ids = "c:recordTarget/c:patientRole/c:id"
    assert values(root, f"{ids}/@root") == ["1.2.250.1.213.1.4.10", "1.2.3.4.567.8.9.10"]
    assert values(root, f"{ids}/@extension") == ["279035121518989", "IPP-0001"]


def test_names_of_the_patient(root: etree._Element) -> None:
    name = root.find(".//c:patient/c:name", NS)
    assert name is not None
    assert [(etree.QName(i).localname, i.get("qualifier"), i.text) for i in name] == [
        ("family", "BR", "PAT-TROIS"),
        ("given", None, "DOMINIQUE MARIE-LOUISE"),
        ("given", "BR", "DOMINIQUE"),
        ("family", "CL", "PAT-TROIS"),
        ("given", "CL", "DOMINIQUE"),
    ]
    assert values(root, "//c:birthTime/@value") == ["19790328"]
    assert values(root, "//c:birthplace//c:county/text()") == ["51215"]
    assert values(root, "//c:administrativeGenderCode/@code") == ["F"]


def test_without_ins_only_local_identifiers_are_there() -> None:
    patient = replace(samples.PATIENT, ins=None)
    assert values(rendered(replace(samples.HEADER, patient=patient)), "//c:patientRole/c:id/@extension") == ["IPP-0001"]


def test_without_any_identifier_the_document_names_its_patient_itself() -> None:
    patient = replace(samples.PATIENT, ins=None, local_ids=())
    root = rendered(replace(samples.HEADER, patient=patient))
    assert values(root, "//c:patientRole/c:id/@root") == [samples.HEADER.set_id]
    assert values(root, "//c:patientRole/c:id/@extension") == ["patient"]


def test_people_carry_identifier_profession_name_and_structure(root: etree._Element) -> None:
    for path in (
        "c:author/c:assignedAuthor",
        "c:legalAuthenticator/c:assignedEntity",
        "//c:performer/c:assignedEntity",
    ):
        assert values(root, f"{path}/c:id/@extension") == ["899700001011"]
        assert values(root, f"{path}/c:code/@code") == ["G15_70"]
        assert values(root, f"{path}/c:assignedPerson/c:name/c:family/text()") == ["KINETEST"]
        assert values(root, f"{path}/c:representedOrganization/c:id/@extension") == ["499700001234567"]
    assert values(root, "c:custodian//c:id/@root") == ["1.2.250.1.71.4.2.2"]
    assert values(root, "c:legalAuthenticator/c:signatureCode/@code") == ["S"]


def test_an_author_without_structure_gets_the_custodian() -> None:
    author = replace(samples.AUTHOR, structure=None)
    root = rendered(replace(samples.HEADER, author=author))
    assert values(root, "//c:representedOrganization/c:id/@extension") == ["499700001234567"] * 3


def test_what_xds_derives_from_the_header(root: etree._Element) -> None:
    """Spec mssante §2.3: practice setting, facility type, one performer, encounter code."""
    assert values(root, "c:documentationOf//c:standardIndustryClassCode/@code") == ["AMBULATOIRE"]
    assert len(values(root, "c:documentationOf/c:serviceEvent/c:performer/@typeCode")) == 1
    assert values(root, "c:componentOf//c:healthCareFacility/c:code/@code") == ["SA07"]
    assert values(root, "c:componentOf/c:encompassingEncounter/c:code/@code") == ["SEANCE"]
    assert values(root, "c:documentationOf/c:serviceEvent/c:id/@extension") == ["BDK-01"]


def test_addressees_and_the_medecin_traitant(root: etree._Element) -> None:
    assert values(root, "c:informationRecipient/c:intendedRecipient/c:id/@extension") == ["899700002019"]
    assert values(root, "c:informationRecipient//c:telecom/@value") == ["mailto:bernard@medecin.mssante.example"]
    assert values(root, "c:participant/@typeCode") == ["INF"]
    assert values(root, "c:participant/c:functionCode/@code") == ["PCP"]
    assert values(root, "c:participant/c:time/@x:type") == ["IVL_TS"]
    assert values(root, "c:participant//c:name/c:suffix/text()") == ["DR"]


def test_several_addressees_are_all_there_and_no_medecin_traitant_means_no_participant() -> None:
    other = replace(samples.DOCTOR, id=Id("1.2.250.1.71.4.2.1", "899700003017"))
    addressees = (*samples.HEADER.addressees, replace(samples.HEADER.addressees[0], professional=other))
    root = rendered(replace(samples.HEADER, addressees=addressees, medecin_traitant=None))
    assert values(root, "//c:intendedRecipient/c:id/@extension") == ["899700002019", "899700003017"]
    assert root.find("c:participant", NS) is None


def test_an_addressee_without_rpps_carries_no_identifier() -> None:
    nurse = replace(samples.DOCTOR, id=Id("1.2.250.1.99999", "autre"), rpps="")
    addressee = replace(samples.HEADER.addressees[0], professional=nurse)
    root = rendered(replace(samples.HEADER, addressees=(addressee,)))
    assert values(root, "//c:intendedRecipient/c:id/@root") == []
    assert values(root, "//c:intendedRecipient//c:family/text()") == ["MEDTEST"]


@pytest.mark.parametrize(
    ("lines", "parts"),
    [
        (("1 rue A",), [("streetName", "1 rue A"), ("postalCode", "22000"), ("city", "B & <C>")]),
        (("Bât. 2", "1 rue A"), [("streetAddressLine", t) for t in ("Bât. 2", "1 rue A", "22000 B & <C>")]),
    ],
)
def test_an_address_never_mixes_its_two_forms(lines: tuple[str, ...], parts: list[tuple[str, str]]) -> None:
    patient = replace(samples.PATIENT, address=PostalAddress(lines, "22000", "B & <C>"))
    addr = rendered(replace(samples.HEADER, patient=patient)).find(".//c:patientRole/c:addr", NS)
    assert addr is not None
    assert [(etree.QName(item).localname, item.text) for item in addr] == parts


def test_a_corrected_version_names_the_one_it_replaces() -> None:
    header = replace(samples.HEADER, version=2, replaces=DocumentRef("2.25.3", 1))
    made = rendered(header)
    names = [etree.QName(item).localname for item in made]
    assert names.index("documentationOf") + 1 == names.index("relatedDocument") == names.index("componentOf") - 1
    parent = "c:relatedDocument[@typeCode='RPLC']/c:parentDocument"
    assert values(made, f"{parent}/c:id/@root | {parent}/c:versionNumber/@value") == ["2.25.3", "1"]
    assert values(made, "c:versionNumber/@value") == ["2"]
