"""What a CDA carries of a document, as a function: the document with what CDA has no place for put to rest.

Reading back our own CDA gives exactly `through_cda(document)`. Nothing clinical is in this list: sections, narrative
and entries of a document built from records come back equal as they are. docs/carried.md says the same in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

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
from gateway.read import kinds
from gateway.read.cda.header import addressee
from gateway.read.cda.people import is_mailbox, split_city
from gateway.read.names import split_given
from gateway.read.reading import ABSENT_CODE, ABSENT_ID, Trail
from gateway.terminology import Terminology

T = TypeVar("T")


def through_cda(document: ClinicalDocument, terminology: Terminology) -> ClinicalDocument:
    """The document as its CDA says it.

    - the care episode's number: words of the narrative;
    - visibility: XDS metadata and the narrative of the comment section, never the header (CI-SIS);
    - software, status of an identity without INS: no element;
    - recipients: identity alone, without role, profession and specialty, unless they are the médecin traitant; their
      identifier only when it is an RPPS number;
    - class and format: deduced from template and type, by the tables; at level 1 the kind as well;
    - the replaced version: its identifier and number, not its entry ids in XDS;
    - times: to the second; an end equal to its start is not written;
    - birth given names: one text, so a name with a blank inside it comes back as two;
    - an address of several lines: postal code and city in one line; the same telecom or identifier only once.
    """
    return replace(document, header=_header(document.header, terminology))


def _header(header: Header, terms: Terminology) -> Header:
    known = kinds.definition(terms, header.template_id, header.type.code)
    author = _author(header)
    doctor = _person(header.medecin_traitant) if header.medecin_traitant is not None else None
    stop = _second(header.service_stop) if header.service_stop is not None else None
    start = _second(header.service_start)
    return replace(
        header,
        kind=header.kind if known is None else kinds.kind_of(known, Trail(), ""),
        class_code=known.class_code if known is not None else ABSENT_CODE,
        format_code=kinds.format_of(known, header.template_id),
        effective_time=_second(header.effective_time),
        visibility=(),
        patient=_patient(header.patient),
        author=author,
        custodian=_custodian(header.custodian, author.structure),
        addressees=tuple(_addressees(header, doctor)),
        medecin_traitant=doctor,
        service_start=start,
        service_stop=None if stop == start else stop,
        software="",
        episode=None,
        replaces=None if header.replaces is None else DocumentRef(header.replaces.id, header.replaces.version),
    )


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _once(items: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))


def _patient(patient: PatientIdentity) -> PatientIdentity:
    first = patient.first_given or (patient.birth_given[0] if patient.birth_given else "")
    return replace(
        patient,
        identity_status="QUAL" if patient.ins is not None else "PROV",
        local_ids=_once(patient.local_ids),
        birth_given=split_given(" ".join(patient.birth_given), first),
        first_given=first,
        used_family=patient.used_family or None,
        used_given=patient.used_given or None,
        address=_address(patient.address),
        telecoms=_telecoms(patient.telecoms),
    )


def _author(header: Header) -> Professional:
    """The custodian stands where the author's structure was not said."""
    author = header.author
    return _person(author if author.structure is not None else replace(author, structure=header.custodian))


def _person(person: Professional) -> Professional:
    name = replace(person.name, prefix=person.name.prefix or None, suffix=person.name.suffix or None)
    structure = person.structure
    return replace(
        person,
        name=name,
        specialty=person.specialty if person.profession is not None else None,
        address=_address(person.address),
        telecoms=_telecoms(person.telecoms),
        structure=_structure(structure) if structure is not None else None,
    )


def _structure(structure: StructureRef) -> StructureRef:
    return replace(structure, address=_address(structure.address), telecoms=_telecoms(structure.telecoms))


def _custodian(custodian: StructureRef, practice: StructureRef | None) -> StructureRef:
    kept = _structure(replace(custodian, telecoms=custodian.telecoms[:1]))
    if practice is not None and replace(practice, telecoms=practice.telecoms[:1]) == kept:
        return practice
    return kept


def _addressees(header: Header, doctor: Professional | None) -> Iterator[Addressee]:
    seen: dict[str, int] = {}
    for one in header.addressees:
        person = replace(_person(one.professional), profession=None, specialty=None)
        yield addressee(person if person.rpps else replace(person, id=ABSENT_ID), doctor, seen)


def _address(address: PostalAddress | None) -> PostalAddress | None:
    if address is None or len(address.lines) == 1:
        return address
    code, city = split_city(f"{address.postal_code} {address.city}")
    return replace(address, postal_code=code, city=city)


def _telecoms(telecoms: tuple[Telecom, ...]) -> tuple[Telecom, ...]:
    return tuple(replace(one, mssante=is_mailbox(one.value, one.use)) for one in _once(telecoms))
