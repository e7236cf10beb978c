"""ebRIM 3.0: an XDS submission as `lcm:SubmitObjectsRequest`, for METADATA.XML and for ITI-41.

Every namespace has a prefix: a default namespace would meet the canonicalisation fault of lxml (spec dmp §2.4).
UUIDs: IHE ITI TF-3 §4.2.5 (spec dmp §3.1).
"""

from __future__ import annotations

from uuid import UUID, uuid5

from lxml import etree

from gateway.document.model import Code
from gateway.package.xds import Association, Author, DocumentEntry, Submission, SubmissionSet
from gateway.package.xml import Element, parse

LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
NAMESPACES = {"lcm": LCM, "rim": RIM}
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
STABLE_DOCUMENT = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
SET_NODE = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
SET_AUTHOR = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
SET_CONTENT_TYPE = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
SET_PATIENT_ID = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
SET_SOURCE_ID = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
SET_UNIQUE_ID = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
ENTRY_AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
ENTRY_CLASS = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
ENTRY_CONFIDENTIALITY = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
ENTRY_EVENT = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
ENTRY_FORMAT = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
ENTRY_FACILITY = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
ENTRY_PRACTICE = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
ENTRY_TYPE = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
ENTRY_PATIENT_ID = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
ENTRY_UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
_OBJECT_TYPE = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"


def submit_request(submission: Submission) -> Element:
    """The `lcm:SubmitObjectsRequest` element."""
    root = etree.Element(f"{{{LCM}}}SubmitObjectsRequest", nsmap=NAMESPACES)
    listed = _child(root, "RegistryObjectList")
    _package(listed, submission.set)
    _mark(listed, submission.set)
    for entry in submission.entries:
        _extrinsic(listed, entry)
    for association in submission.associations:
        _association(listed, association)
    return root


def serialise(root: Element) -> bytes:
    """UTF-8 with its declaration, without byte order mark."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def entry_id(metadata: bytes) -> str:
    """The id of the first document entry. Raises ValueError when there is none."""
    entry = parse(metadata).find(f".//{{{RIM}}}ExtrinsicObject")
    if entry is None:
        raise ValueError("no document entry in the metadata")
    return str(entry.get("id"))


def classification(identifier: str, owner: str, code: Code) -> Element:
    """A confidentiality code of a document entry, standing alone."""
    holder = etree.Element(f"{{{RIM}}}ExtrinsicObject", nsmap={"rim": RIM})
    owned = _Owned(holder, owner)
    owned.code(ENTRY_CONFIDENTIALITY, code)
    element = holder[0]
    element.set("id", identifier)
    return element


def _child(parent: Element, tag: str, /, **attributes: str) -> Element:
    return etree.SubElement(parent, f"{{{RIM}}}{tag}", attributes)


def _package(parent: Element, lot: SubmissionSet) -> None:
    package = _child(parent, "RegistryPackage", id=lot.id, status=APPROVED, objectType=f"{_OBJECT_TYPE}RegistryPackage")
    _slot(package, "submissionTime", lot.submission_time)
    _name(package, lot.title)
    owned = _Owned(package, lot.id)
    owned.author(SET_AUTHOR, lot.author)
    owned.code(SET_CONTENT_TYPE, lot.content_type)
    owned.identifier(SET_PATIENT_ID, "XDSSubmissionSet.patientId", lot.patient_id)
    owned.identifier(SET_SOURCE_ID, "XDSSubmissionSet.sourceId", lot.source_id)
    owned.identifier(SET_UNIQUE_ID, "XDSSubmissionSet.uniqueId", lot.unique_id)


def _mark(parent: Element, lot: SubmissionSet) -> None:
    """The classification that makes the package a submission set; it has no scheme."""
    _child(
        parent,
        "Classification",
        id=_derived(lot.id, "node"),
        classifiedObject=lot.id,
        classificationNode=SET_NODE,
        objectType=f"{_OBJECT_TYPE}Classification",
    )


def _extrinsic(parent: Element, entry: DocumentEntry) -> None:
    element = _child(
        parent,
        "ExtrinsicObject",
        id=entry.id,
        objectType=STABLE_DOCUMENT,
        mimeType=entry.mime_type,
        status=APPROVED,
    )
    _entry_slots(element, entry)
    _name(element, entry.title)
    owned = _Owned(element, entry.id)
    owned.author(ENTRY_AUTHOR, entry.author)
    owned.code(ENTRY_CLASS, entry.class_code)
    for code in entry.confidentiality:
        owned.code(ENTRY_CONFIDENTIALITY, code)
    for code in entry.event_codes:
        owned.code(ENTRY_EVENT, code)
    owned.code(ENTRY_FORMAT, entry.format_code)
    owned.code(ENTRY_FACILITY, entry.facility_type)
    owned.code(ENTRY_PRACTICE, entry.practice_setting)
    owned.code(ENTRY_TYPE, entry.type_code)
    owned.identifier(ENTRY_PATIENT_ID, "XDSDocumentEntry.patientId", entry.patient_id)
    owned.identifier(ENTRY_UNIQUE_ID, "XDSDocumentEntry.uniqueId", entry.unique_id)


def _entry_slots(element: Element, entry: DocumentEntry) -> None:
    optional = {
        "URI": entry.uri,
        "hash": entry.hash,
        "size": None if entry.size is None else str(entry.size),
        "creationTime": entry.creation_time,
        "languageCode": entry.language,
        "legalAuthenticator": entry.legal_authenticator,
        "serviceStartTime": entry.service_start,
        "serviceStopTime": entry.service_stop,
        "sourcePatientId": entry.source_patient_id,
    }
    for name, value in optional.items():
        if value is not None:
            _slot(element, name, value)
    _slot(element, "sourcePatientInfo", *entry.source_patient_info)


def _association(parent: Element, association: Association) -> None:
    element = _child(
        parent,
        "Association",
        id=association.id,
        associationType=association.type,
        sourceObject=association.source,
        targetObject=association.target,
        objectType=f"{_OBJECT_TYPE}Association",
    )
    if association.original:
        _slot(element, "SubmissionSetStatus", "Original")
    for name, value in association.slots:
        _slot(element, name, value)


def _slot(parent: Element, name: str, *values: str) -> None:
    listed = _child(_child(parent, "Slot", name=name), "ValueList")
    for value in values:
        _child(listed, "Value").text = value


def _name(parent: Element, value: str) -> None:
    text = _child(_child(parent, "Name"), "LocalizedString", charset="UTF8", value=value)
    text.set(_XML_LANG, "FR")


def _derived(owner: str, label: str) -> str:
    """The id of a child object: drawn from its owner's id, so that nothing here is random."""
    return f"urn:uuid:{uuid5(UUID(owner), label)}"


class _Owned:
    """Writes the classifications and external identifiers of one registry object, each with an id of its own."""

    def __init__(self, element: Element, owner: str) -> None:
        self._element = element
        self._owner = owner
        self._count = 0

    def _next_id(self) -> str:
        self._count += 1
        return _derived(self._owner, str(self._count))

    def _classification(self, scheme: str, node: str) -> Element:
        return _child(
            self._element,
            "Classification",
            id=self._next_id(),
            classificationScheme=scheme,
            classifiedObject=self._owner,
            nodeRepresentation=node,
            objectType=f"{_OBJECT_TYPE}Classification",
        )

    def author(self, scheme: str, author: Author) -> None:
        element = self._classification(scheme, "")
        slots = {
            "authorPerson": author.person,
            "authorInstitution": author.institution,
            "authorRole": author.role,
            "authorSpecialty": author.specialty,
        }
        for name, value in slots.items():
            if value:
                _slot(element, name, value)

    def code(self, scheme: str, code: Code) -> None:
        element = self._classification(scheme, code.code)
        _slot(element, "codingScheme", code.system)
        _name(element, code.display)

    def identifier(self, scheme: str, name: str, value: str) -> None:
        element = _child(
            self._element,
            "ExternalIdentifier",
            id=self._next_id(),
            identificationScheme=scheme,
            registryObject=self._owner,
            value=value,
            objectType=f"{_OBJECT_TYPE}ExternalIdentifier",
        )
        _name(element, name)
