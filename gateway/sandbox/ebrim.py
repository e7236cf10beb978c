"""Reader of ebRIM 3.0: a lcm:SubmitObjectsRequest into a submission set, its entries and associations.

The same reader serves the DMP (ITI-41) and the METADATA.XML of an XDM archive. What the structure itself
breaks is collected in `Submission.problems`, so that one answer names every defect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.sandbox.problems import REGISTRY_METADATA, Problem
from gateway.sandbox.xml import Element, XmlError, children, local, text

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
NS = {"rim": RIM, "lcm": LCM}

SET_NODE = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
FOLDER_NODE = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"
SET_AUTHOR = "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
SET_CONTENT_TYPE = "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500"
SET_PATIENT = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
SET_SOURCE = "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832"
SET_UNIQUE = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
ENTRY_TYPE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
ENTRY_AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"
CLASS_CODE = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
CONFIDENTIALITY = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
EVENT_CODE = "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
FORMAT_CODE = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
FACILITY = "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
PRACTICE = "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead"
TYPE_CODE = "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983"
ENTRY_PATIENT = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
ENTRY_UNIQUE = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"

HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
REPLACES = "urn:ihe:iti:2007:AssociationType:RPLC"
UPDATE_STATUS = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
ASSOCIATION_OBJECT = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Association"

_AUTHORS = {SET_AUTHOR, ENTRY_AUTHOR}
# ExternalIdentifier: the Name that ITI TF-3 §4.2.5 fixes for each scheme.
_IDENTIFIER_NAMES = {
    SET_PATIENT: "XDSSubmissionSet.patientId",
    SET_SOURCE: "XDSSubmissionSet.sourceId",
    SET_UNIQUE: "XDSSubmissionSet.uniqueId",
    ENTRY_PATIENT: "XDSDocumentEntry.patientId",
    ENTRY_UNIQUE: "XDSDocumentEntry.uniqueId",
}


@dataclass(frozen=True, slots=True)
class Code:
    """A coded attribute: code, codingScheme, display name."""

    code: str
    scheme: str
    display: str


@dataclass(frozen=True, slots=True)
class Author:
    """An author classification: the values of its four slots."""

    person: tuple[str, ...]
    institution: tuple[str, ...]
    role: tuple[str, ...]
    specialty: tuple[str, ...]


@dataclass(slots=True)
class RegistryObject:
    """A submission set or a document entry."""

    id: str
    label: str
    element: Element
    title: str = ""
    comments: str = ""
    mime_type: str = ""
    slots: dict[str, tuple[str, ...]] = field(default_factory=dict)
    codes: dict[str, list[Code]] = field(default_factory=dict)
    authors: list[Author] = field(default_factory=list)
    identifiers: dict[str, list[str]] = field(default_factory=dict)

    def slot(self, name: str) -> str:
        """First value of a slot, empty when absent."""
        values = self.slots.get(name, ())
        return values[0] if values else ""

    def code(self, scheme: str) -> Code | None:
        """First code of a classification scheme."""
        found = self.codes.get(scheme)
        return found[0] if found else None

    def identifier(self, scheme: str) -> str:
        """First external identifier of a scheme, empty when absent."""
        found = self.identifiers.get(scheme)
        return found[0] if found else ""


@dataclass(frozen=True, slots=True)
class Association:
    """A link between two registry objects."""

    type: str
    source: str
    target: str
    slots: dict[str, tuple[str, ...]]
    id: str = ""
    object_type: str = ""


@dataclass(slots=True)
class Submission:
    """What a SubmitObjectsRequest holds, and what its structure breaks."""

    sets: list[RegistryObject] = field(default_factory=list)
    entries: list[RegistryObject] = field(default_factory=list)
    associations: list[Association] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def set(self) -> RegistryObject | None:
        """The submission set, when there is exactly one."""
        return self.sets[0] if len(self.sets) == 1 else None

    def fault(self, location: str, message: str) -> None:
        """Remember a structural defect."""
        self.problems.append(Problem(REGISTRY_METADATA, location, message))


def read_submission(request: Element) -> Submission:
    """Read a lcm:SubmitObjectsRequest. Raises XmlError when it is not one."""
    if request.tag != f"{{{LCM}}}SubmitObjectsRequest":
        raise XmlError("lcm:SubmitObjectsRequest attendu")
    lists = request.findall("rim:RegistryObjectList", NS)
    if len(lists) != 1:
        raise XmlError("un seul rim:RegistryObjectList attendu")
    submission = Submission()
    packages: dict[str, RegistryObject] = {}
    for child in children(lists[0]):
        _read_child(submission, packages, child)
    _classify_packages(submission, packages, lists[0])
    _check_ids(submission, lists[0])
    return submission


def read_entry(element: Element) -> RegistryObject:
    """Read one rim:ExtrinsicObject that was checked when it was stored."""
    return _read_entry(Submission(), element)


def read_package(element: Element) -> RegistryObject:
    """Read one rim:RegistryPackage that was checked when it was stored."""
    return _read_object(Submission(), element, "SubmissionSet")


def slots_of(element: Element) -> list[tuple[str, tuple[str, ...]]]:
    """Names and values of the slots of an element, in order, repeated ones included."""
    return list(_slots(element))


def _read_child(submission: Submission, packages: dict[str, RegistryObject], child: Element) -> None:
    name = local(child)
    if name == "RegistryPackage":
        found = _read_object(submission, child, "SubmissionSet")
        packages[found.id] = found
    elif name == "ExtrinsicObject":
        submission.entries.append(_read_entry(submission, child))
    elif name == "Association":
        submission.associations.append(_read_association(child))
    elif name not in {"Classification", "ObjectRef"}:
        submission.fault(name, f"élément rim:{name} inattendu dans RegistryObjectList")


def _read_entry(submission: Submission, element: Element) -> RegistryObject:
    entry = _read_object(submission, element, f"DocumentEntry[{element.get('id', '')}]")
    entry.mime_type = element.get("mimeType", "")
    if element.get("objectType") != ENTRY_TYPE:
        submission.fault(f"{entry.label}/@objectType", "objectType de DocumentEntry stable attendu")
    return entry


def _read_association(element: Element) -> Association:
    return Association(
        element.get("associationType", ""),
        element.get("sourceObject", ""),
        element.get("targetObject", ""),
        dict(_slots(element)),
        element.get("id", ""),
        element.get("objectType", ""),
    )


def _classify_packages(submission: Submission, packages: dict[str, RegistryObject], parent: Element) -> None:
    """The classification node says what a package is; it may stand inside the package or beside it."""
    nodes: dict[str, set[str]] = {identifier: set() for identifier in packages}
    for mark in parent.iter(f"{{{RIM}}}Classification"):
        node, owner = mark.get("classificationNode"), mark.get("classifiedObject", "")
        if node is None:
            continue
        if owner not in nodes:
            submission.fault("Classification", "classifiedObject ne désigne aucun RegistryPackage du lot")
        else:
            nodes[owner].add(node)
    for identifier, package in packages.items():
        if SET_NODE in nodes[identifier]:
            submission.sets.append(package)
        elif FOLDER_NODE in nodes[identifier]:
            submission.fault("Folder", "les classeurs (Folder) ne sont pas acceptés par le DMP")
        else:
            submission.fault("RegistryPackage", "RegistryPackage sans classification SubmissionSet")
    if len(submission.sets) != 1:
        submission.fault("SubmissionSet", f"un lot de soumission attendu, {len(submission.sets)} trouvé(s)")


def _read_object(submission: Submission, element: Element, label: str) -> RegistryObject:
    found = RegistryObject(element.get("id", ""), label, element)
    found.title = _localized(element.find("rim:Name", NS))
    found.comments = _localized(element.find("rim:Description", NS))
    for name, values in _slots(element):
        if name in found.slots:
            submission.fault(f"{label}/{name}", f"slot {name} répété")
        found.slots[name] = values
    for item in element.findall("rim:Classification", NS):
        _read_classification(submission, found, item)
    for item in element.findall("rim:ExternalIdentifier", NS):
        _read_identifier(submission, found, item)
    return found


def _read_classification(submission: Submission, owner: RegistryObject, item: Element) -> None:
    scheme = item.get("classificationScheme")
    if scheme is None:  # the node that marks a submission set
        return
    if item.get("classifiedObject") != owner.id:
        submission.fault(f"{owner.label}/Classification", "classifiedObject ne désigne pas son objet")
    slots = dict(_slots(item))
    if scheme in _AUTHORS:
        names = ("authorPerson", "authorInstitution", "authorRole", "authorSpecialty")
        owner.authors.append(Author(*(slots.get(name, ()) for name in names)))
        return
    coding = slots.get("codingScheme", ())
    display = _localized(item.find("rim:Name", NS))
    code = Code(item.get("nodeRepresentation", ""), coding[0] if len(coding) == 1 else "", display)
    owner.codes.setdefault(scheme, []).append(code)
    if not (code.code and code.scheme and code.display):
        submission.fault(f"{owner.label}/Classification[{scheme}]", "code, codingScheme et libellé sont obligatoires")


def _read_identifier(submission: Submission, owner: RegistryObject, item: Element) -> None:
    scheme, value = item.get("identificationScheme", ""), item.get("value", "")
    where = f"{owner.label}/ExternalIdentifier[{scheme}]"
    owner.identifiers.setdefault(scheme, []).append(value)
    if item.get("registryObject") != owner.id:
        submission.fault(where, "registryObject ne désigne pas son objet")
    if _localized(item.find("rim:Name", NS)) != _IDENTIFIER_NAMES.get(scheme):
        submission.fault(where, "nom d'identifiant externe absent ou différent de celui du schéma")


def _slots(element: Element) -> Iterator[tuple[str, tuple[str, ...]]]:
    for slot in element.findall("rim:Slot", NS):
        values = slot.findall("rim:ValueList/rim:Value", NS)
        yield slot.get("name", ""), tuple(text(value) for value in values)


def _localized(name: Element | None) -> str:
    found = name.find("rim:LocalizedString", NS) if name is not None else None
    return found.get("value", "") if found is not None else ""


def _check_ids(submission: Submission, parent: Element) -> None:
    """Every object that XDS identifies has an id, and no id serves twice (ebRIM §2.4)."""
    names = {"RegistryPackage", "ExtrinsicObject", "Association", "ExternalIdentifier", "Classification"}
    objects = [item for item in parent.iter() if isinstance(item.tag, str) and local(item) in names]
    for item in objects:
        if not item.get("id"):
            submission.fault(local(item), f"rim:{local(item)} sans attribut id")
    counts = Counter(item.get("id") for item in objects if item.get("id"))
    for identifier, count in counts.items():
        if count > 1:
            submission.fault(str(identifier), f"id « {identifier} » utilisé {count} fois")
