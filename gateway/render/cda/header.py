"""The header, in the order of the schema: CI-SIS structuration minimale (template 1.2.250.1.213.1.1.1.1)."""

from __future__ import annotations

from dataclasses import replace

from gateway.document.model import DocumentRef, Header, Professional
from gateway.render.cda.people import (
    write_address,
    write_entity,
    write_patient,
    write_person,
    write_role,
    write_structure,
    write_telecoms,
)
from gateway.render.cda.scope import Scope
from gateway.render.cda.xml import Element, add, add_text, add_typed, timestamp


def write_header(scope: Scope, document: Element, header: Header) -> None:
    """Everything from realmCode to componentOf.

    The author's structure is the custodian where it was not said: the performer may not go without one.
    """
    if header.author.structure is None:
        header = replace(header, author=replace(header.author, structure=header.custodian))
    _identity(scope, document, header)
    write_patient(scope, document, header.patient, header.set_id)
    _author(scope, document, header)
    _custodian(document, header)
    for addressee in header.addressees:
        _recipient(scope, document, addressee.professional)
    _authenticator(scope, document, header)
    if header.medecin_traitant is not None:
        _medecin_traitant(scope, document, header.medecin_traitant)
    _service(scope, document, header)
    if header.replaces is not None:
        _replaced(document, header.replaces)
    _encounter(scope, document, header)


def _identity(scope: Scope, document: Element, header: Header) -> None:
    add(document, "realmCode", code="FR")
    add(document, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    for template in (*scope.profile.header_templates, header.template_id):
        add(document, "templateId", root=template)
    add(document, "id", root=header.id)
    scope.write_code(document, "code", header.type)
    add_text(document, "title", header.title)
    add(document, "effectiveTime", value=timestamp(header.effective_time))
    scope.write_code(document, "confidentialityCode", header.confidentiality)
    add(document, "languageCode", code=header.language)
    add(document, "setId", root=header.set_id)
    add(document, "versionNumber", value=str(header.version))


def _author(scope: Scope, document: Element, header: Header) -> None:
    author = add(document, "author")
    add(author, "time", value=timestamp(header.effective_time))
    write_entity(scope, author, "assignedAuthor", header.author)


def _custodian(document: Element, header: Header) -> None:
    assigned = add(add(document, "custodian"), "assignedCustodian")
    keeper = add(assigned, "representedCustodianOrganization")
    structure = header.custodian
    add(keeper, "id", root=structure.id.root, extension=structure.id.extension)
    add_text(keeper, "name", structure.name)
    write_telecoms(keeper, structure.telecoms[:1])  # the schema takes one
    write_address(keeper, structure.address)


def _recipient(scope: Scope, document: Element, person: Professional) -> None:
    recipient = add(add(document, "informationRecipient"), "intendedRecipient")
    if person.rpps:  # another identifier would be no PS_IdNat: the structuration minimale wants that one or none
        add(recipient, "id", root=person.id.root, extension=person.id.extension)
    write_address(recipient, person.address)
    write_telecoms(recipient, person.telecoms)
    write_person(recipient, "informationRecipient", person.name)
    write_structure(scope, recipient, "receivedOrganization", person.structure)


def _authenticator(scope: Scope, document: Element, header: Header) -> None:
    authenticator = add(document, "legalAuthenticator")
    add(authenticator, "time", value=timestamp(header.effective_time))
    add(authenticator, "signatureCode", code="S")
    write_entity(scope, authenticator, "assignedEntity", header.author)


def _medecin_traitant(scope: Scope, document: Element, person: Professional) -> None:
    participant = add(document, "participant", typeCode="INF")
    scope.write_code(participant, "functionCode", scope.profile.medecin_traitant)
    add_typed(participant, "time", "IVL_TS", nullFlavor="NA")  # compulsory, and no period is known
    role = write_role(scope, participant, "associatedEntity", person)
    role.set("classCode", "PROV")
    write_person(role, "associatedPerson", person.name)
    write_structure(scope, role, "scopingOrganization", person.structure)


def _service(scope: Scope, document: Element, header: Header) -> None:
    """The main act: exactly one performer, whose structure carries the practice setting."""
    event = add(add(document, "documentationOf"), "serviceEvent")
    add(event, "id", root=header.set_id, extension=header.author_document_id)
    add(event, "code", nullFlavor="UNK")
    _period(event, header)
    performer = add(event, "performer", typeCode="PRF")
    write_entity(scope, performer, "assignedEntity", header.author, header.practice_setting)


def _replaced(document: Element, former: DocumentRef) -> None:
    """The version that this one replaces: of the same set, which the closed content of CI-SIS wants left unsaid."""
    parent = add(add(document, "relatedDocument", typeCode="RPLC"), "parentDocument")
    add(parent, "id", root=former.id)
    add(parent, "versionNumber", value=str(former.version))


def _encounter(scope: Scope, document: Element, header: Header) -> None:
    encounter = add(add(document, "componentOf"), "encompassingEncounter")
    scope.write_code(encounter, "code", header.encounter)
    _period(encounter, header)
    facility = add(add(encounter, "location"), "healthCareFacility")
    scope.write_code(facility, "code", header.facility_type)
    place = add(facility, "location")
    add_text(place, "name", header.custodian.name)
    write_address(place, header.custodian.address)


def _period(parent: Element, header: Header) -> None:
    """Start and end of the care; an end equal to the start says nothing and is refused by the suites."""
    period = add(parent, "effectiveTime")
    add(period, "low", value=timestamp(header.service_start))
    if header.service_stop is not None and header.service_stop != header.service_start:
        add(period, "high", value=timestamp(header.service_stop))
