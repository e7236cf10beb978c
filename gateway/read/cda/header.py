"""The header: what CI-SIS structuration minimale carries, and from the tables what is deduced from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from gateway.document.model import Addressee, DocumentRef, Header, Professional, StructureRef
from gateway.read import kinds
from gateway.read.cda import people
from gateway.read.cda.scan import Scan
from gateway.read.reading import ABSENT_CODE, ABSENT_ID
from gateway.read.xml import Element, attribute, child, children, path, text
from gateway.terminology import Terminology

_MEDECIN_TRAITANT = "PCP"
_NOBODY = "RDB-023"


def is_own(terms: Terminology, root: Element) -> bool:
    """Whether the document declares a template of this product."""
    own = {one.template_id for one in kinds.definitions(terms)}
    return any(attribute(one, "root") in own for one in children(root, "templateId"))


def header(scan: Scan) -> Header:
    """The header of the document."""
    root = scan.root
    template = next((attribute(one, "root") for one in reversed(list(children(root, "templateId")))), "")
    doctor = _medecin_traitant(scan)
    set_id = attribute(child(root, "setId"), "root")
    start, stop = _service(scan)
    known = kinds.definition(scan.terms, template, attribute(child(root, "code"), "code"))
    author = _author(scan)
    return Header(
        kind=kinds.kind_of(known, scan.trail, "/ClinicalDocument/code"),
        id=_document_id(scan),
        set_id=set_id,
        version=_version(scan),
        type=scan.code_or_absent(child(root, "code")),
        class_code=known.class_code if known is not None else ABSENT_CODE,
        format_code=kinds.format_of(known, template),
        template_id=template,
        title=text(child(root, "title")),
        effective_time=scan.moment_or_absent(child(root, "effectiveTime"), root),
        confidentiality=scan.code_or_absent(child(root, "confidentialityCode")),
        visibility=(),
        language=attribute(child(root, "languageCode"), "code"),
        patient=people.patient(scan, child(root, "recordTarget"), set_id),
        author=author,
        custodian=_custodian(scan, author.structure),
        addressees=tuple(_addressees(scan, doctor)),
        medecin_traitant=doctor,
        service_start=start,
        service_stop=stop,
        practice_setting=scan.code_or_absent(child(_performer(scan), _ORGANIZATION, "standardIndustryClassCode")),
        facility_type=scan.code_or_absent(child(_encounter(scan), "location", "healthCareFacility", "code")),
        encounter=scan.code_or_absent(child(_encounter(scan), "code")),
        author_document_id=_author_number(scan, set_id),
        software="",
        replaces=_replaced(scan),
    )


def _replaced(scan: Scan) -> DocumentRef | None:
    """The version that this one says it replaces; entry ids are no part of a CDA."""
    for related in children(scan.root, "relatedDocument"):
        former = child(related, "parentDocument")
        if attribute(related, "typeCode") == "RPLC" and former is not None:
            number = attribute(child(former, "versionNumber"), "value")
            version = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
            return DocumentRef(attribute(child(former, "id"), "root"), version)
    return None


_ORGANIZATION = "representedOrganization"


def _document_id(scan: Scan) -> str:
    found = scan.id(child(scan.root, "id"))
    if found == ABSENT_ID:
        scan.trail.fault(
            "RDB-025",
            "/ClinicalDocument/id",
            "Le document n'a pas d'identifiant.",
            "Ne pas classer sans vérifier l'origine du document.",
            "CDA R2",
        )
    return f"{found.root}^{found.extension}" if found.extension else found.root


def _version(scan: Scan) -> int:
    value = attribute(child(scan.root, "versionNumber"), "value")
    if value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    scan.trail.doubt(
        "RDB-026",
        "/ClinicalDocument/versionNumber",
        "Numéro de version absent ou illisible : lu comme 1.",
        "Vérifier s'il existe une version plus récente.",
        "CI-SIS",
    )
    return 1


def _author(scan: Scan) -> Professional:
    """The first author who is a person, else the first one."""
    roles = [child(author, "assignedAuthor") for author in children(scan.root, "author")]
    human = next((role for role in roles if child(role, "assignedPerson") is not None), None)
    role = human if human is not None else next(iter(roles), None)
    found = people.professional(scan, role, "assignedPerson", _ORGANIZATION)
    if found is None or human is None:
        scan.trail.doubt(
            _NOBODY, "/ClinicalDocument/author", "Aucun auteur nommé.", "Vérifier l'origine du document.", "CI-SIS"
        )
    return found or Professional(ABSENT_ID, "", people.person_name(None), None)


def _custodian(scan: Scan, practice: StructureRef | None) -> StructureRef:
    """The custodian. Its schema takes one telecom: where it is the author's practice, the others stand there."""
    keeper = child(scan.root, "custodian", "assignedCustodian", "representedCustodianOrganization")
    found = people.known(people.structure(scan, keeper))
    if practice is not None and replace(practice, telecoms=practice.telecoms[:1]) == found:
        return practice
    return found


def _addressees(scan: Scan, doctor: Professional | None) -> Iterator[Addressee]:
    """Who the document was sent to. The header has their identity; only the médecin traitant's role is known."""
    seen: dict[str, int] = {}
    for one in children(scan.root, "informationRecipient"):
        role = child(one, "intendedRecipient")
        person = people.professional(scan, role, "informationRecipient", "receivedOrganization")
        if person is None:
            scan.trail.doubt(
                _NOBODY, path(one), "Destinataire sans identité.", "Vérifier l'origine du document.", "CI-SIS"
            )
            continue
        yield addressee(person, doctor, seen)


def addressee(person: Professional, doctor: Professional | None, seen: dict[str, int]) -> Addressee:
    """A recipient with the role that the header tells, and what it says of the same person elsewhere."""
    same = doctor is not None and _same(person, doctor)
    role = "medecin_traitant" if same else "autre_professionnel"
    seen[role] = seen.get(role, 0) + 1
    if same and doctor is not None:
        person = replace(person, id=doctor.id, profession=doctor.profession, specialty=doctor.specialty)
    return Addressee(role if seen[role] == 1 else f"{role}_{seen[role]}", person)


def _same(person: Professional, doctor: Professional) -> bool:
    """By identifier; a recipient without RPPS has none in the header and is known by name and mailbox."""
    if person.id != ABSENT_ID:
        return person.id == doctor.id
    return not doctor.rpps and (person.name, person.telecoms) == (doctor.name, doctor.telecoms)


def _medecin_traitant(scan: Scan) -> Professional | None:
    for participant in children(scan.root, "participant"):
        if attribute(child(participant, "functionCode"), "code") == _MEDECIN_TRAITANT:
            role = child(participant, "associatedEntity")
            return people.professional(scan, role, "associatedPerson", "scopingOrganization")
    return None


def _event(scan: Scan) -> Element | None:
    return child(scan.root, "documentationOf", "serviceEvent")


def _performer(scan: Scan) -> Element | None:
    return child(_event(scan), "performer", "assignedEntity")


def _encounter(scan: Scan) -> Element | None:
    return child(scan.root, "componentOf", "encompassingEncounter")


def _service(scan: Scan) -> tuple[datetime, datetime | None]:
    period = child(_event(scan), "effectiveTime")
    start = scan.moment_or_absent(child(period, "low"), scan.root)
    return start, scan.moment(child(period, "high"))


def _author_number(scan: Scan, set_id: str) -> str:
    """The author's own number for the document: the event's identifier under the document's set."""
    found = scan.id(child(_event(scan), "id"))
    return found.extension if found.root == set_id else ""
