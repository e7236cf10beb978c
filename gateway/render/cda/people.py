"""People, places and how to reach them, as the CI-SIS header writes them."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.document.model import (
    Code,
    PatientIdentity,
    PersonName,
    PostalAddress,
    Professional,
    StructureRef,
    Telecom,
)
from gateway.render.cda.scope import Scope
from gateway.render.cda.xml import Element, add, add_text, timestamp


def write_address(parent: Element, address: PostalAddress | None) -> None:
    """<addr>: components when the street is one line, else lines alone.

    Mixing the two forms is a warning of the structuration minimale, and each component may stand only once.
    """
    if address is None:
        return
    addr = add(parent, "addr")
    if len(address.lines) == 1:
        add_text(addr, "streetName", address.lines[0])
        add_text(addr, "postalCode", address.postal_code)
        add_text(addr, "city", address.city)
        return
    for line in (*address.lines, f"{address.postal_code} {address.city}"):
        add_text(addr, "streetAddressLine", line)


def write_telecoms(parent: Element, telecoms: Sequence[Telecom]) -> None:
    """<telecom>s, in their order; the structuration minimale refuses the same one twice."""
    for telecom in dict.fromkeys(telecoms):
        add(parent, "telecom", value=telecom.value, use=telecom.use)


def write_person(parent: Element, name: str, person: PersonName) -> None:
    """A person with prefix (JDV_J245), given, family, suffix (JDV_J246)."""
    names = add(add(parent, name), "name")
    parts = (("prefix", person.prefix), ("given", person.given), ("family", person.family), ("suffix", person.suffix))
    for part, text in parts:
        if text:  # an empty particle is a warning of the structuration minimale
            add_text(names, part, text)


def write_structure(
    scope: Scope, parent: Element, name: str, structure: StructureRef | None, setting: Code | None = None
) -> None:
    """An organisation; `setting` is its practice setting (JDV_J04), which XDS reads from the performer."""
    if structure is None:
        return
    organization = add(parent, name)
    add(organization, "id", root=structure.id.root, extension=structure.id.extension)
    add_text(organization, "name", structure.name)
    write_telecoms(organization, structure.telecoms)
    write_address(organization, structure.address)
    if setting is not None:
        scope.write_code(organization, "standardIndustryClassCode", setting)


def write_role(scope: Scope, parent: Element, name: str, person: Professional) -> Element:
    """What the roles of a professional have in common: identifier, profession, address, telecoms."""
    role = add(parent, name)
    add(role, "id", root=person.id.root, extension=person.id.extension)
    if person.profession is not None:
        code = scope.write_code(role, "code", person.profession)
        if person.specialty is not None:  # the author's words, where no code of a specialty was given
            add_text(code, "originalText", person.specialty)
    write_address(role, person.address)
    write_telecoms(role, person.telecoms)
    return role


def write_entity(scope: Scope, parent: Element, name: str, person: Professional, setting: Code | None = None) -> None:
    """assignedAuthor or assignedEntity: the role, the person and the structure."""
    role = write_role(scope, parent, name, person)
    write_person(role, "assignedPerson", person.name)
    write_structure(scope, role, "representedOrganization", person.structure, setting)


def write_patient(scope: Scope, parent: Element, patient: PatientIdentity, technical_root: str) -> None:
    """<recordTarget>: the INS first, then local identifiers; birth names, then names in use (CI-SIS, RNIV).

    `technical_root` names the patient within this document when nobody gave an identifier: the structuration
    minimale wants one with root and extension.
    """
    role = add(add(parent, "recordTarget"), "patientRole")
    if patient.ins is not None:
        add(role, "id", root=patient.ins.root, extension=patient.ins.extension)
    for local in dict.fromkeys(patient.local_ids):  # twice the same is an error of the structuration minimale
        add(role, "id", root=local.root, extension=local.extension)
    if patient.ins is None and not patient.local_ids:
        add(role, "id", root=technical_root, extension="patient")
    write_address(role, patient.address)
    write_telecoms(role, patient.telecoms)
    person = add(role, "patient", classCode="PSN")
    _patient_name(add(person, "name"), patient)
    scope.write_code(person, "administrativeGenderCode", patient.sex)
    add(person, "birthTime", value=timestamp(patient.birth_date))
    _birthplace(person, patient)


def _patient_name(name: Element, patient: PatientIdentity) -> None:
    add_text(name, "family", patient.birth_family, qualifier="BR")
    if any(patient.birth_given):
        add_text(name, "given", " ".join(patient.birth_given))
    if patient.first_given:
        add_text(name, "given", patient.first_given, qualifier="BR")
    if patient.used_family:
        add_text(name, "family", patient.used_family, qualifier="CL")
    if patient.used_given:
        add_text(name, "given", patient.used_given, qualifier="CL")


def _birthplace(person: Element, patient: PatientIdentity) -> None:
    if patient.birth_place_cog is None and patient.birth_place_name is None:
        return
    addr = add(add(add(person, "birthplace"), "place"), "addr")
    if patient.birth_place_cog is not None:
        add_text(addr, "county", patient.birth_place_cog)
    if patient.birth_place_name is not None:
        add_text(addr, "city", patient.birth_place_name)
