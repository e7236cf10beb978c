"""What a FHIR document carries, as a function: the document with what FHIR has no place for put to rest.

Reading back our own FHIR gives exactly `through_fhir(document)`. Nothing clinical is in this list: sections,
narrative and entries of a document built from records come back equal as they are. docs/carried.md says the same.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from gateway.document.model import (
    Addressee,
    ClinicalDocument,
    DocumentRef,
    Header,
    PatientIdentity,
    PostalAddress,
    Professional,
    StructureRef,
    Telecom,
)
from gateway.read.names import split_given

_USES = {"HP": "H", "HV": "H", "DIR": "WP", "EC": "", "PG": "", "PUB": ""}


def through_fhir(document: ClinicalDocument) -> ClinicalDocument:
    """The document as its FHIR form says it.

    - times: to the second;
    - birth given names: one text, so a name with a blank inside it comes back as two;
    - names in use: given and family together, the birth name standing in for the one that was not said;
    - the replaced version: its identifier and number, not its entry ids in XDS;
    - use of a telecom: home, work or mobile only.
    """
    return replace(document, header=_header(document.header))


def _header(header: Header) -> Header:
    doctor = header.medecin_traitant
    return replace(
        header,
        effective_time=_second(header.effective_time),
        patient=_patient(header.patient),
        author=_person(header.author),
        custodian=_structure(header.custodian),
        addressees=tuple(Addressee(one.role, _person(one.professional)) for one in header.addressees),
        medecin_traitant=_person(doctor) if doctor is not None else None,
        service_start=_second(header.service_start),
        service_stop=_second(header.service_stop) if header.service_stop is not None else None,
        replaces=None if header.replaces is None else DocumentRef(header.replaces.id, header.replaces.version),
    )


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _patient(patient: PatientIdentity) -> PatientIdentity:
    used = bool(patient.used_family or patient.used_given)
    return replace(
        patient,
        birth_given=split_given(" ".join(patient.birth_given or (patient.first_given,)), patient.first_given),
        used_family=(patient.used_family or patient.birth_family) if used else None,
        used_given=(patient.used_given or patient.first_given) if used else None,
        birth_place_name=patient.birth_place_name or None,
        address=_address(patient.address),
        telecoms=_telecoms(patient.telecoms),
    )


def _person(person: Professional) -> Professional:
    name = replace(person.name, prefix=person.name.prefix or None, suffix=person.name.suffix or None)
    return replace(
        person,
        name=name,
        specialty=person.specialty or None,
        address=_address(person.address),
        telecoms=_telecoms(person.telecoms),
        structure=_structure(person.structure) if person.structure is not None else None,
    )


def _structure(structure: StructureRef) -> StructureRef:
    return replace(structure, address=_address(structure.address), telecoms=_telecoms(structure.telecoms))


def _address(address: PostalAddress | None) -> PostalAddress | None:
    """An address without a word is none."""
    return address if address is not None and any((*address.lines, address.postal_code, address.city)) else None


def _telecoms(telecoms: tuple[Telecom, ...]) -> tuple[Telecom, ...]:
    return tuple(replace(one, use=_USES.get(one.use, one.use)) for one in telecoms)
