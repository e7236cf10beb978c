"""Reader of a CDA R2 header, written for cross-checking: it knows nothing of how the gateway writes one.

Rules of the header: CI-SIS "structuration minimale" (spec cda §2-3).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from gateway.sandbox.xml import Element, XmlError, parse, text

HL7 = "urn:hl7-org:v3"
NS = {"h": HL7}
INS_ROOTS = tuple(f"1.2.250.1.213.1.4.{last}" for last in (8, 9, 10, 11))


@dataclass(frozen=True, slots=True)
class CdaCode:
    """A coded element: code, codeSystem, displayName."""

    code: str
    system: str
    display: str


@dataclass(frozen=True, slots=True)
class CdaPerson:
    """An author or legal authenticator: first id, name, profession, role, organisation id."""

    id_root: str
    id_extension: str
    family: str
    given: str
    specialty: CdaCode | None
    role: str
    organisation_root: str
    organisation_id: str
    organisation_name: str


@dataclass(frozen=True, slots=True)
class CdaPatient:
    """Patient ids (root, extension) and the five traits that identify with the birth place."""

    ids: tuple[tuple[str, str], ...]
    birth_family: str
    birth_given: str
    first_given: str
    sex: str
    birth_date: str
    birth_place: str

    @property
    def ins(self) -> tuple[tuple[str, str], ...]:
        """The ids whose root is one of the four INS roots."""
        return tuple(item for item in self.ids if item[0] in INS_ROOTS)

    @property
    def has_traits(self) -> bool:
        """Whether the four traits that a qualified INS needs are all there (ECO.2.4.2)."""
        return all((self.birth_family, self.first_given, self.sex, self.birth_date))


@dataclass(frozen=True, slots=True)
class CdaHeader:
    """What the header says. `services` are (low, high) of each serviceEvent, the main act first."""

    id_root: str
    id_extension: str
    code: CdaCode
    title: str
    effective_time: str
    confidentiality: str
    language: str
    set_id: str
    version: str
    patient: CdaPatient
    authors: tuple[CdaPerson, ...]
    legal_authenticator: CdaPerson
    services: tuple[tuple[str, str], ...]
    practice_setting: CdaCode
    facility: CdaCode
    replaced: tuple[str, ...]
    body: str
    pdf: bytes

    @property
    def unique_id(self) -> str:
        """`root` or `root^extension`, as XDS writes it."""
        return f"{self.id_root}^{self.id_extension}" if self.id_extension else self.id_root


def read_header(data: bytes) -> CdaHeader:
    """Read the header of a CDA document; raises XmlError when the bytes are not one."""
    root = parse(data)
    if root.tag != f"{{{HL7}}}ClinicalDocument":
        raise XmlError("l'élément racine n'est pas ClinicalDocument")
    return CdaHeader(
        id_root=_at(root, "h:id", "root"),
        id_extension=_at(root, "h:id", "extension"),
        code=_code(root.find("h:code", NS)),
        title=text(root.find("h:title", NS)),
        effective_time=_at(root, "h:effectiveTime", "value"),
        confidentiality=_at(root, "h:confidentialityCode", "code"),
        language=_at(root, "h:languageCode", "code"),
        set_id=_at(root, "h:setId", "root") + _at(root, "h:setId", "extension"),
        version=_at(root, "h:versionNumber", "value"),
        patient=_patient(root),
        authors=tuple(_author(item) for item in root.findall("h:author", NS)),
        legal_authenticator=_entity(root.find("h:legalAuthenticator/h:assignedEntity", NS), ""),
        services=tuple(_service(item) for item in root.findall("h:documentationOf/h:serviceEvent", NS)),
        practice_setting=_code(root.find(_PRACTICE, NS)),
        facility=_code(root.find("h:componentOf/h:encompassingEncounter/h:location/h:healthCareFacility/h:code", NS)),
        replaced=_replaced(root),
        body=_body(root),
        pdf=_pdf(root),
    )


_PRACTICE = (
    "h:documentationOf/h:serviceEvent/h:performer/h:assignedEntity"
    "/h:representedOrganization/h:standardIndustryClassCode"
)


def _at(parent: Element | None, path: str, attribute: str) -> str:
    found = parent.find(path, NS) if parent is not None else None
    return found.get(attribute, "") if found is not None else ""


def _code(element: Element | None) -> CdaCode:
    if element is None:
        return CdaCode("", "", "")
    return CdaCode(element.get("code", ""), element.get("codeSystem", ""), element.get("displayName", ""))


def _author(author: Element) -> CdaPerson:
    return _entity(author.find("h:assignedAuthor", NS), _at(author, "h:functionCode", "displayName"))


def _entity(entity: Element | None, role: str) -> CdaPerson:
    if entity is None:
        return CdaPerson("", "", "", "", None, "", "", "", "")
    code = entity.find("h:code", NS)
    name = entity.find("h:assignedPerson/h:name", NS)
    organisation = entity.find("h:representedOrganization", NS)
    return CdaPerson(
        _at(entity, "h:id", "root"),
        _at(entity, "h:id", "extension"),
        text(name.find("h:family", NS)) if name is not None else "",
        text(name.find("h:given", NS)) if name is not None else "",
        _code(code) if code is not None else None,
        role,
        _at(organisation, "h:id", "root"),
        _at(organisation, "h:id", "extension"),
        text(organisation.find("h:name", NS)) if organisation is not None else "",
    )


def _patient(root: Element) -> CdaPatient:
    role = root.find("h:recordTarget/h:patientRole", NS)
    if role is None:
        raise XmlError("recordTarget/patientRole absent")
    ids = tuple((item.get("root", ""), item.get("extension", "")) for item in role.findall("h:id", NS))
    name = "h:patient/h:name/"
    return CdaPatient(
        ids,
        text(role.find(f"{name}h:family[@qualifier='BR']", NS)),
        next((text(item) for item in role.findall(f"{name}h:given", NS) if not item.get("qualifier")), ""),
        text(role.find(f"{name}h:given[@qualifier='BR']", NS)),
        _at(role, "h:patient/h:administrativeGenderCode", "code"),
        _at(role, "h:patient/h:birthTime", "value"),
        text(role.find("h:patient/h:birthplace/h:place/h:addr/h:county", NS)),
    )


def _service(event: Element) -> tuple[str, str]:
    return _at(event, "h:effectiveTime/h:low", "value"), _at(event, "h:effectiveTime/h:high", "value")


def _replaced(root: Element) -> tuple[str, ...]:
    found = root.findall("h:relatedDocument[@typeCode='RPLC']/h:parentDocument/h:id", NS)
    return tuple("^".join(filter(None, (item.get("root"), item.get("extension")))) for item in found)


def _body(root: Element) -> str:
    """`pdf` for a level-1 body, `structured` for level 3, empty when there is none."""
    if root.find("h:component/h:nonXMLBody", NS) is not None:
        return "pdf"
    return "structured" if root.find("h:component/h:structuredBody", NS) is not None else ""


def _pdf(root: Element) -> bytes:
    found = text(root.find("h:component/h:nonXMLBody/h:text", NS))
    try:
        return base64.b64decode("".join(found.split()), validate=True)
    except ValueError as fault:
        raise XmlError("corps nonXMLBody : base64 illisible") from fault
