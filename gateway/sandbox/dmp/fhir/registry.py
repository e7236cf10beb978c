"""From resources of FHIR to the registry's own terms: the ebRIM objects that the store keeps and SOAP gives back.

Equivalences: MHD and the DMP draft's tables (masterIdentifier = uniqueId, official identifier = entryUUID,
date = creationTime, context.period = service times, List.date = submissionTime).
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from gateway.sandbox import ebrim
from gateway.sandbox.dmp.fhir import people
from gateway.sandbox.dmp.fhir.elements import Reader, dicts, first, uri_value
from gateway.sandbox.dmp.fhir.values import Json, facts
from gateway.sandbox.ebrim import RIM, Code
from gateway.sandbox.xml import Element

_NAMES = {"lcm": ebrim.LCM, "rim": RIM}
_R = f"{{{RIM}}}"


@dataclass(slots=True)
class Described:
    """A DocumentReference as read: its entry in ebRIM, and what the registry needs beside it."""

    reader: Reader
    id: str
    unique_id: str
    patient: tuple[str, str]
    element: Element
    replaces: str = ""
    replaced_id: str = ""

    @property
    def attachment(self) -> Json:
        """Its attachment."""
        value = first(self.reader.get("content", "attachment"))
        return value if isinstance(value, dict) else {}


def document(resource: Json, symbol: str) -> Described:
    """Read a DocumentReference; `symbol` is its name where it brings no entryUUID of its own."""
    reader = Reader(resource)
    identifier = entry_uuid(reader) or symbol
    unique_id = uri_value(resource.get("masterIdentifier"), "urn:oid:")
    if not unique_id:
        reader.fault("required", "masterIdentifier", "OID attendu (urn:ietf:rfc:3986 | urn:oid:...)")
    ins = people.patient_id(reader)
    kind = reader.text("content", "attachment", "contentType")
    element = etree.Element(
        f"{_R}ExtrinsicObject", id=identifier, objectType=ebrim.ENTRY_TYPE, mimeType=kind, nsmap=_NAMES
    )
    _slots(element, reader)
    _name(element, reader.text("content", "attachment", "title"))
    _people(element, reader, identifier)
    _codes(element, reader, identifier)
    cx = f"{people.escape(ins[0])}^^^&{ins[1]}&ISO^NH" if ins[0] else ""
    _identifier(element, identifier, ebrim.ENTRY_PATIENT, "XDSDocumentEntry.patientId", cx)
    _identifier(element, identifier, ebrim.ENTRY_UNIQUE, "XDSDocumentEntry.uniqueId", unique_id)
    found = Described(reader, identifier, unique_id, ins, element)
    _relations(found)
    return found


def entry_uuid(reader: Reader) -> str:
    """The entryUUID that a resource brings (`urn:uuid:...`), empty for none."""
    uuids = [uri_value(one, "urn:uuid:") for one in dicts(reader.resource.get("identifier"))]
    known = [one for one in uuids if one]
    return f"urn:uuid:{known[0].lower()}" if known else ""


def _slots(element: Element, reader: Reader) -> None:
    patient = reader.contained(reader.need("context", "sourcePatientInfo"), "context.sourcePatientInfo", "Patient")
    source, info = people.source_patient(patient)
    legal, _, _ = people.person(reader, reader.need("authenticator"), "authenticator")
    values: dict[str, Sequence[str]] = {
        "creationTime": [reader.time("date")],
        "serviceStartTime": [reader.time("context", "period", "start")],
        "languageCode": [reader.text("content", "attachment", "language")],
        "legalAuthenticator": [legal],
        "sourcePatientId": [source],
        "sourcePatientInfo": info,
    }
    stop = reader.time("context", "period", "end", required=False)
    if stop:
        values["serviceStopTime"] = [stop]
    for name, listed in values.items():
        _slot(element, name, [one for one in listed if one])


def _people(element: Element, reader: Reader, owner: str) -> None:
    authors = list(dicts(reader.resource.get("author")))
    if not authors:
        reader.fault("required", "author", "au moins un auteur attendu")
    for number, author in enumerate(authors):
        person, place, specialty = people.person(reader, author, f"author[{number}]")
        _author(element, owner, ebrim.ENTRY_AUTHOR, number, (person, place, specialty))
    custodian = reader.contained(reader.need("custodian"), "custodian", "Organization")
    people.organization(reader, custodian, "custodian")


def _codes(element: Element, reader: Reader, owner: str) -> None:
    single = {
        ebrim.CLASS_CODE: ("category",),
        ebrim.TYPE_CODE: ("type",),
        ebrim.FORMAT_CODE: ("content", "format"),
        ebrim.FACILITY: ("context", "facilityType"),
        ebrim.PRACTICE: ("context", "practiceSetting"),
    }
    for scheme, path in single.items():
        code = reader.code(*path)
        if code is not None:
            classification(element, owner, scheme, 0, code)
    labels = list(dicts(reader.resource.get("securityLabel")))
    if not labels:
        reader.fault("required", "securityLabel", "niveau de confidentialité attendu (JDV_J08)")
    for number, label in enumerate(labels):
        code = reader.coding(label, f"securityLabel[{number}]")
        if code is not None:
            classification(element, owner, ebrim.CONFIDENTIALITY, number, code)


def _relations(found: Described) -> None:
    relations = list(dicts(found.reader.resource.get("relatesTo")))
    if len(relations) > 1:
        found.reader.fault("invalid", "relatesTo", "une seule relation attendue")
    for one in relations[:1]:
        if one.get("code") != "replaces":
            found.reader.fault("not-supported", "relatesTo.code", "seul « replaces » est accepté")
            return
        target = one.get("target")
        target = target if isinstance(target, dict) else {}
        found.replaces = uri_value(target.get("identifier"), "urn:oid:")
        reference = str(target.get("reference", ""))
        found.replaced_id = reference.rpartition("DocumentReference/")[2] if "DocumentReference/" in reference else ""
        if not (found.replaces or found.replaced_id):
            found.reader.fault("required", "relatesTo.target", "identifiant ou référence du document remplacé attendu")


# ------------------------------------------------------------------------------------------------------- the set


def submission_set(reader: Reader, symbol: str) -> Element:
    """A List (submission set) as rim:RegistryPackage. `symbol`: its name where it brings no entryUUID."""
    identifier = entry_uuid(reader) or symbol
    patient, oid = people.patient_id(reader)
    person = people.person(reader, reader.need("source"), "source")
    uniques = [uri_value(one, "urn:oid:") for one in dicts(reader.resource.get("identifier"))]
    unique = next((one for one in uniques if one), "")
    if not unique:
        reader.fault("required", "identifier", "uniqueId du lot attendu (urn:oid:...)")
    source = uri_value(reader.extension(facts()["source_id"]).get("valueIdentifier"), "urn:oid:")
    if not source:
        reader.fault("required", "extension(ihe-sourceId)", "OID du système émetteur attendu")
    designation = reader.extension(facts()["designation"]).get("valueCodeableConcept")
    code = reader.coding(designation, "extension(ihe-designationType)")
    cx = f"{people.escape(patient)}^^^&{oid}&ISO^NH" if patient else ""
    values = SetValues(identifier, unique, source, reader.time("date"), cx, person, code)
    return package(values, reader.text("title", required=False))


@dataclass(frozen=True, slots=True)
class SetValues:
    """What a submission set says, in XDS terms."""

    id: str
    unique_id: str
    source_id: str
    time: str
    patient: str
    author: tuple[str, str, str]
    content_type: Code | None


def package(values: SetValues, title: str) -> Element:
    """The rim:RegistryPackage of a set."""
    element = etree.Element(f"{_R}RegistryPackage", id=values.id, nsmap=_NAMES)
    _slot(element, "submissionTime", [values.time] if values.time else [])
    _name(element, title or "Lot de soumission")
    _author(element, values.id, ebrim.SET_AUTHOR, 0, values.author)
    if values.content_type is not None:
        classification(element, values.id, ebrim.SET_CONTENT_TYPE, 0, values.content_type)
    for scheme, name, value in (
        (ebrim.SET_UNIQUE, "uniqueId", values.unique_id),
        (ebrim.SET_SOURCE, "sourceId", values.source_id),
        (ebrim.SET_PATIENT, "patientId", values.patient),
    ):
        _identifier(element, values.id, scheme, f"XDSSubmissionSet.{name}", value)
    return element


def request(set_element: Element, entries: Sequence[Element], replaced: dict[str, str]) -> Element:
    """The lcm:SubmitObjectsRequest that says the same. `replaced`: entry id to the entryUUID that it replaces."""
    root = etree.Element(f"{{{ebrim.LCM}}}SubmitObjectsRequest", nsmap=_NAMES)
    listed = etree.SubElement(root, f"{_R}RegistryObjectList")
    listed.append(set_element)
    owner = set_element.get("id", "")
    mark = etree.SubElement(listed, f"{_R}Classification", id=f"{owner}-node", classifiedObject=owner)
    mark.set("classificationNode", ebrim.SET_NODE)
    for entry in entries:
        listed.append(entry)
    for number, entry in enumerate(entries):
        name = entry.get("id", "")
        link = _association(listed, f"member-{number}", ebrim.HAS_MEMBER, owner, name)
        _slot(link, "SubmissionSetStatus", ["Original"])
        if name in replaced:
            _association(listed, f"replaces-{number}", ebrim.REPLACES, name, replaced[name])
    return root


def _association(parent: Element, identifier: str, kind: str, source: str, target: str) -> Element:
    return etree.SubElement(
        parent,
        f"{_R}Association",
        id=identifier,
        objectType=ebrim.ASSOCIATION_OBJECT,
        associationType=kind,
        sourceObject=source,
        targetObject=target,
    )


# ------------------------------------------------------------------------------------------------------- ebRIM


def _slot(parent: Element, name: str, values: Sequence[str]) -> None:
    if not values:
        return
    slot = etree.SubElement(parent, f"{_R}Slot", name=name)
    listed = etree.SubElement(slot, f"{_R}ValueList")
    for value in values:
        etree.SubElement(listed, f"{_R}Value").text = value


def _name(parent: Element, value: str) -> None:
    name = etree.SubElement(parent, f"{_R}Name")
    etree.SubElement(name, f"{_R}LocalizedString", charset="UTF8", value=value)


def classification(parent: Element, owner: str, scheme: str, number: int, code: Code) -> Element:
    """A coded attribute. An unreadable code leaves no trace: its absence is reported."""
    element = etree.SubElement(
        parent,
        f"{_R}Classification",
        id=f"{owner}-{scheme.rpartition('-')[2]}-{number}",
        classificationScheme=scheme,
        classifiedObject=owner,
        nodeRepresentation=code.code,
    )
    _slot(element, "codingScheme", [code.scheme])
    _name(element, code.display)
    return element


def _author(parent: Element, owner: str, scheme: str, number: int, values: tuple[str, str, str]) -> None:
    element = etree.SubElement(
        parent,
        f"{_R}Classification",
        id=f"{owner}-author-{number}",
        classificationScheme=scheme,
        classifiedObject=owner,
        nodeRepresentation="",
    )
    for name, value in zip(("authorPerson", "authorInstitution", "authorSpecialty"), values, strict=True):
        _slot(element, name, [value] if value else [])


def _identifier(parent: Element, owner: str, scheme: str, name: str, value: str) -> None:
    if not value:
        return
    element = etree.SubElement(
        parent,
        f"{_R}ExternalIdentifier",
        id=f"{owner}-{scheme.rpartition('-')[2]}",
        registryObject=owner,
        identificationScheme=scheme,
        value=value,
    )
    _name(element, name)


def content_of(described: Described, inside: object) -> bytes | None:
    """The bytes of a document from `inside` (base64); a defect when there are none."""
    if not isinstance(inside, str) or not inside:
        described.reader.fault("required", "content.attachment", "contenu du document absent")
        return None
    try:
        return b64decode(inside, validate=True)
    except Base64Error:
        described.reader.fault("value", "content.attachment", "contenu : base64 illisible")
        return None
