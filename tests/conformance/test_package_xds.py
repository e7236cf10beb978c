"""Every XDS attribute recomputed from the rendered CDA, by a reader that shares no code with the packages.

For each fixture: METADATA.XML of the archive and the DMP's SubmitObjectsRequest against the CDA (spec mssante
§2.3, spec dmp §3.2), the mail's headers and names against both, and the archive read by two unzippers.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import io
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import cache
from pathlib import Path

import pytest

from gateway import terminology
from gateway.document.build import DocumentIds, build
from gateway.document.model import ClinicalDocument
from gateway.package import dmp, mail, xdm
from gateway.package.types import Package
from gateway.records import submission
from gateway.render.cda import render
from gateway.settings import AccountSettings
from tests.unit.package.samples import ids, signing_keys

CASES = sorted((Path(__file__).resolve().parents[2] / "fixtures" / "cases").glob("*.json"))
NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
OWN_OID = "1.2.250.1.999.1"
C = "{urn:hl7-org:v3}"
R = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
INS_ROOTS = {f"1.2.250.1.213.1.4.{n}" for n in (2, 8, 9, 10, 11)}

# Copied from the public identifier list (IHE ITI TF-3 table 4.2.5.2-1), not from the code under test.
SCHEMES = {
    "41a5887f-8865-4c09-adf7-e362475b143a": "classCode",
    "f4f85eac-e6cb-4883-b524-f2705394840f": "confidentialityCode",
    "2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4": "eventCodeList",
    "a09d5840-386c-46f2-b5ad-9c3699a4309d": "formatCode",
    "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1": "healthcareFacilityTypeCode",
    "cccf5598-8b07-4b77-a05e-ae952c785ead": "practiceSettingCode",
    "f0306f51-975f-434e-a61c-c59651d33983": "typeCode",
    "aa543740-bdda-424e-8c96-df4873be8500": "contentTypeCode",
    "93606bcf-9494-43ec-9b4e-a7748d1a838d": "author",
    "a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d": "author",
    "58a6f841-87b3-4a3e-92fd-a8ffeff98427": "patientId",
    "6b5aea1a-874d-4603-a4bc-96a0a7b38446": "patientId",
    "2e82c1f6-a085-4c72-9da3-8640a32e42ab": "uniqueId",
    "96fdda7c-d067-4183-912e-bf5ee74998a8": "uniqueId",
    "554ac39e-e3fe-47fe-b233-965d2a147832": "sourceId",
}


@dataclass
class Case:
    """One fixture on its way: the document, its CDA, and everything packaged from it."""

    document: ClinicalDocument
    cda: bytes
    archive: bytes
    mails: dict[str, Package]
    dmp: Package | None


@cache
def prepared(path: Path) -> Case:
    parsed, findings = submission.parse(path.read_bytes())
    assert parsed is not None, findings
    account = AccountSettings(
        id=parsed.account,
        rpps=parsed.author.rpps,
        mailbox="cabinet@kine.mssante.example",
        display_name="Cabinet",
        oid_root=OWN_OID,
        nil="DEV0001",
    )
    terms = terminology.load()
    made = build(parsed, account, terms, ids=DocumentIds("2.25.11", "2.25.12"), software="kine-gateway 0.1.0")
    cda = render(made, terms)
    archive = xdm.archive(made, cda, account=account, now=NOW, ids=ids("archive"))
    boxes = [a for a in made.header.addressees if any(t.mssante for t in a.professional.telecoms)]
    mails = {
        a.role: mail.mail_package(
            made, recipient=a, account=account, cda=cda, pdf=b"%PDF-", xdm=archive, now=NOW, ids=ids(a.role)
        )
        for a in boxes
    }
    fed = None
    if made.header.patient.ins is not None:
        fed = dmp.dmp_package(made, cda, account=account, keys=signing_keys(), now=NOW, ids=ids("dmp"))
    return Case(made, cda, archive, mails, fed)


@pytest.fixture(params=CASES, ids=lambda path: path.stem)
def case(request: pytest.FixtureRequest) -> Case:
    return prepared(request.param)


# ------------------------------------------------------------------------- what the CDA says (own reader)


def unescaped(text: str) -> str:
    signs = {"S": "^", "T": "&", "F": "|", "R": "~", "E": "\\"}
    return re.sub(r"\\([STFRE])\\", lambda m: signs[m[1]], text)


def utc(value: str) -> str:
    """`yyyyMMddHHmmss+zzzz` in UTC."""
    return datetime.strptime(value, "%Y%m%d%H%M%S%z").astimezone(UTC).strftime("%Y%m%d%H%M%S")


def get(root: ET.Element, path: str, attribute: str) -> str | None:
    found = root.find("/".join(f"{C}{step}" for step in path.split("/")))
    return found.get(attribute) if found is not None else None


def coded(element: ET.Element | None) -> tuple[str, str, str]:
    assert element is not None
    return element.attrib["code"], element.attrib["codeSystem"], element.attrib["displayName"]


def at(root: ET.Element, path: str) -> ET.Element:
    found = root.find("/".join(f"{C}{step}" for step in path.split("/")))
    assert found is not None, path
    return found


def cx(element: ET.Element) -> str:
    kind = "NH" if element.attrib["root"] in INS_ROOTS else "PI"
    return f"{element.attrib['extension']}^^^&{element.attrib['root']}&ISO^{kind}"


def person(entity: ET.Element) -> list[str]:
    """XCN components, unescaped."""
    known = at(entity, "id")
    name = at(entity, "assignedPerson/name")
    family, given = at(name, "family").text or "", at(name, "given").text or ""
    return [known.attrib["extension"], family, given, *[""] * 5, f"&{known.attrib['root']}&ISO", "D", "", "", "IDNPS"]


def structure(organisation: ET.Element) -> list[str]:
    known = at(organisation, "id")
    return [
        at(organisation, "name").text or "",
        *[""] * 4,
        f"&{known.attrib['root']}&ISO",
        "IDNST",
        "",
        "",
        known.attrib["extension"],
    ]


def expected_slots(cda: ET.Element) -> dict[str, list[str]]:
    role = at(cda, "recordTarget/patientRole")
    known = role.findall(f"{C}id")
    local = [e for e in known if e.attrib["root"] not in INS_ROOTS] or known
    event = at(cda, "documentationOf/serviceEvent/effectiveTime")
    slots = {
        "creationTime": [utc(at(cda, "effectiveTime").attrib["value"])],
        "languageCode": [at(cda, "languageCode").attrib["code"]],
        "serviceStartTime": [utc(at(event, "low").attrib["value"])],
        "sourcePatientId": [cx(local[0])],
    }
    stop = get(event, "high", "value")
    if stop:
        slots["serviceStopTime"] = [utc(stop)]
    return slots


def expected_info(cda: ET.Element) -> list[list[str]]:
    """Fields of sourcePatientInfo, split and unescaped."""
    patient = at(cda, "recordTarget/patientRole/patient")
    name = at(patient, "name")
    family = {e.get("qualifier"): e.text for e in name.findall(f"{C}family")}
    given = {e.get("qualifier"): e.text for e in name.findall(f"{C}given")}
    first, every = given.get("BR") or "", given.get(None) or ""
    rest = every.removeprefix(first).strip()
    found = [["PID-5", family.get("BR") or "", first, rest, "", "", "", "L"]]
    if "CL" in family or "CL" in given:
        found.append(["PID-5", family.get("CL") or "", given.get("CL") or "", "", "", "", "", "D"])
    found.append(["PID-7", at(patient, "birthTime").attrib["value"]])
    found.append(["PID-8", at(patient, "administrativeGenderCode").attrib["code"]])
    place = patient.find(f"{C}birthplace/{C}place/{C}addr/{C}county")
    if place is not None and place.text:
        found.append(["PID-11", *[""] * 6, "BDL", "", place.text])
    return found


def expected_codes(cda: ET.Element) -> dict[str, list[tuple[str, str, str]]]:
    performer = "documentationOf/serviceEvent/performer/assignedEntity/representedOrganization"
    return {
        "typeCode": [coded(at(cda, "code"))],
        "practiceSettingCode": [coded(at(cda, f"{performer}/standardIndustryClassCode"))],
        "healthcareFacilityTypeCode": [
            coded(at(cda, "componentOf/encompassingEncounter/location/healthCareFacility/code"))
        ],
    }


# -------------------------------------------------------------------------- what the metadata say (own reader)


def slots_of(element: ET.Element) -> dict[str, list[str]]:
    return {s.attrib["name"]: [v.text or "" for v in s.iter(f"{R}Value")] for s in element.findall(f"{R}Slot")}


def label(element: ET.Element) -> str:
    return element.find(f"{R}Name/{R}LocalizedString").attrib["value"]  # type: ignore[union-attr]


def codes_of(element: ET.Element) -> dict[str, list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = {}
    for item in element.findall(f"{R}Classification"):
        name = SCHEMES[item.attrib["classificationScheme"].removeprefix("urn:uuid:")]
        if name != "author":
            row = (item.attrib["nodeRepresentation"], slots_of(item)["codingScheme"][0], label(item))
            found.setdefault(name, []).append(row)
    return found


def authors_of(element: ET.Element) -> list[dict[str, list[str]]]:
    return [
        slots_of(item)
        for item in element.findall(f"{R}Classification")
        if SCHEMES[item.attrib["classificationScheme"].removeprefix("urn:uuid:")] == "author"
    ]


def identifiers_of(element: ET.Element) -> dict[str, str]:
    return {
        SCHEMES[e.attrib["identificationScheme"].removeprefix("urn:uuid:")]: e.attrib["value"]
        for e in element.findall(f"{R}ExternalIdentifier")
    }


def split(value: str) -> list[str]:
    return [unescaped(part) for part in value.split("^")]


def metadata(case: Case) -> Iterator[tuple[str, ET.Element]]:
    with zipfile.ZipFile(io.BytesIO(case.archive)) as archive:
        yield "xdm", ET.fromstring(archive.read("IHE_XDM/SUBSET01/METADATA.XML"))
    if case.dmp is not None:
        yield "dmp", ET.fromstring(case.dmp.part("metadata").data)


# ------------------------------------------------------------------------------------------------------ tests


def test_there_are_fixtures() -> None:
    assert len(CASES) >= 10
    assert any(prepared(path).dmp is not None for path in CASES)
    assert any(prepared(path).dmp is None for path in CASES)


def test_document_entry(case: Case) -> None:
    cda = ET.fromstring(case.cda)
    for where, root in metadata(case):
        entry = root.findall(f".//{R}ExtrinsicObject")[0]
        slots = slots_of(entry)
        wanted = expected_slots(cda)
        assert {k: slots.get(k) for k in (*wanted, "serviceStopTime")} == {"serviceStopTime": None, **wanted}, where
        info = [[f, *split(v)] for f, _, v in (x.partition("|") for x in slots["sourcePatientInfo"])]
        assert info == expected_info(cda), where
        assert split(slots["legalAuthenticator"][0]) == person(at(cda, "legalAuthenticator/assignedEntity")), where
        assert label(entry) == at(cda, "title").text, where
        assert entry.attrib["mimeType"] == "text/xml"


def test_codes(case: Case) -> None:
    cda = ET.fromstring(case.cda)
    for where, root in metadata(case):
        found = codes_of(root.findall(f".//{R}ExtrinsicObject")[0])
        for name, value in expected_codes(cda).items():
            assert found[name] == value, (where, name)
        first = found["confidentialityCode"][0]
        assert first[:2] == coded(at(cda, "confidentialityCode"))[:2], where
        assert {c for c, _, _ in found["confidentialityCode"][1:]} == {c.code for c in case.document.header.visibility}
        events = cda.findall(f"{C}documentationOf/{C}serviceEvent/{C}code")
        assert found.get("eventCodeList", []) == [coded(e) for e in events if e.get("nullFlavor") is None], where
        # JDV_J06 by ASS_X04 (spec dmp §3.4): 34133-9 is a synthesis, the others reports.
        group = "11" if found["typeCode"][0][0] == "34133-9" else "10"
        assert found["classCode"][0][:2] == (group, "1.2.250.1.213.1.1.4.1"), where
        assert found["formatCode"][0][1] == "1.2.250.1.213.1.1.4.2.282", where


def test_authors(case: Case) -> None:
    cda = ET.fromstring(case.cda)
    author = at(cda, "author/assignedAuthor")
    code = coded(at(author, "code"))
    for where, root in metadata(case):
        entry, lot = root.findall(f".//{R}ExtrinsicObject")[0], root.findall(f".//{R}RegistryPackage")[0]
        for owner in (entry, lot):
            (slots,) = authors_of(owner)
            assert split(slots["authorPerson"][0]) == person(author), where
            assert split(slots["authorInstitution"][0]) == structure(at(author, "representedOrganization")), where
            assert split(slots["authorSpecialty"][0]) == [code[0], code[2], code[1]], where
            assert "authorRole" not in slots


def test_identifiers(case: Case) -> None:
    cda = ET.fromstring(case.cda)
    known = cda.findall(f"{C}recordTarget/{C}patientRole/{C}id")
    ins = [e for e in known if e.attrib["root"] in INS_ROOTS]
    for where, root in metadata(case):
        entry, lot = root.findall(f".//{R}ExtrinsicObject")[0], root.findall(f".//{R}RegistryPackage")[0]
        of_entry, of_set = identifiers_of(entry), identifiers_of(lot)
        assert of_entry["uniqueId"] == at(cda, "id").attrib["root"], where
        assert of_entry["patientId"] == of_set["patientId"] == cx((ins or known)[0]), where
        assert of_set["sourceId"] == OWN_OID, where
        assert re.fullmatch(r"2\.25\.(0|[1-9][0-9]{0,38})", of_set["uniqueId"]), where
        assert slots_of(lot)["submissionTime"] == ["20261122233000"], where
        assert codes_of(lot)["contentTypeCode"] == [("07", "1.2.250.1.213.2.2", "Consultations soins externes")]


def test_hash_and_size_are_those_of_the_file(case: Case) -> None:
    with zipfile.ZipFile(io.BytesIO(case.archive)) as archive:
        data = archive.read("IHE_XDM/SUBSET01/DOC0001.XML")
        slots = slots_of(ET.fromstring(archive.read("IHE_XDM/SUBSET01/METADATA.XML")).find(f".//{R}ExtrinsicObject"))  # type: ignore[arg-type]
    assert data == case.cda
    assert slots["hash"] == [hashlib.sha1(data).hexdigest()]
    assert slots["size"] == [str(len(data))]
    assert slots["URI"] == ["DOC0001.XML"]


def test_archive_is_read_by_another_program(case: Case, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(case.archive)) as archive:
        assert archive.testzip() is None
    if shutil.which("unzip") is None:
        return  # the standard library has read it; Info-ZIP is a second opinion where it is installed
    path = tmp_path / "IHE_XDM.ZIP"
    path.write_bytes(case.archive)
    run = subprocess.run(["unzip", "-tq", str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_mail_agrees_with_the_document(case: Case) -> None:
    cda = ET.fromstring(case.cda)
    code = coded(at(cda, "code"))
    name = at(cda, "recordTarget/patientRole/patient/name")
    family = name.find(f"{C}family[@qualifier='BR']").text or ""  # type: ignore[union-attr]
    given = name.find(f"{C}given[@qualifier='BR']").text or ""  # type: ignore[union-attr]
    born = at(cda, "recordTarget/patientRole/patient/birthTime").attrib["value"]
    act = at(cda, "documentationOf/serviceEvent/effectiveTime/low").attrib["value"][:8]
    ins = any(e.attrib["root"] in INS_ROOTS for e in cda.findall(f"{C}recordTarget/{C}patientRole/{C}id"))
    for frozen in case.mails.values():
        message = email.message_from_bytes(frozen.part("message").data, policy=email.policy.SMTP)
        assert isinstance(message, EmailMessage)
        assert message["X-MSS-CODECDA"] == code[0]
        assert message["X-MSS-INS"] == ("O" if ins else "N")
        subject = str(message["Subject"])
        assert subject.startswith("XDM/1.0/DDM+")
        assert subject.endswith(f" {family} {given} {born[6:8]}/{born[4:6]}/{born[:4]}")
        files = {p.get_filename(): p.get_content() for p in message.iter_attachments()}
        assert set(files) == {"IHE_XDM.ZIP", f"{act}_{code[2][:40]}_{family}_{given}.pdf"}
        assert files["IHE_XDM.ZIP"] == case.archive


def test_dmp_context_agrees_with_its_parts(case: Case) -> None:
    if case.dmp is None:
        assert case.document.header.patient.ins is None
        return
    root = ET.fromstring(case.dmp.part("metadata").data)
    context = case.dmp.context
    entries = root.findall(f".//{R}ExtrinsicObject")
    lot = root.findall(f".//{R}RegistryPackage")[0]
    assert context.submission_set_id == identifiers_of(lot)["uniqueId"]  # type: ignore[union-attr]
    assert context.document_entry == entries[0].attrib["id"]  # type: ignore[union-attr]
    assert context.signature_entry == entries[1].attrib["id"]  # type: ignore[union-attr]
    patients = {identifiers_of(e)["patientId"] for e in (*entries, lot)}
    assert patients == {f"{context.ins}^^^&{context.ins_oid}&ISO^NH"}  # type: ignore[union-attr]
    digested = re.findall(rb'URI="urn:oid:([0-9.]+)"', case.dmp.part("signature").data)
    assert [d.decode() for d in digested] == [identifiers_of(lot)["uniqueId"], identifiers_of(entries[0])["uniqueId"]]
