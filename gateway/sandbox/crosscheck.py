"""Metadata against the document itself: every attribute that the CDA header also states (spec dmp §3.4).

A difference is an XDSRepositoryMetadataError: the repository is the actor that has both in hand.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.sandbox import ebrim
from gateway.sandbox.cda import CdaCode, CdaHeader, CdaPerson
from gateway.sandbox.ebrim import Author, RegistryObject
from gateway.sandbox.hl7 import parse_cx, parse_xcn, parse_xon, plain, same_utc
from gateway.sandbox.problems import CONTENT, REPOSITORY_METADATA, Problem
from gateway.sandbox.values import facts


def cross_check(entry: RegistryObject, header: CdaHeader) -> list[Problem]:
    """What the entry says otherwise than the document, and what the document itself lacks."""
    return [*_content(entry, header), *_differences(entry, header)]


def _content(entry: RegistryObject, header: CdaHeader) -> Iterator[Problem]:
    if not header.body:
        yield Problem(CONTENT, entry.label, "CDA sans corps (structuredBody ou nonXMLBody)")
    if header.body == "pdf" and not header.pdf.startswith(b"%PDF-"):
        yield Problem(CONTENT, entry.label, "le corps non structuré n'est pas un PDF")


def _differences(entry: RegistryObject, header: CdaHeader) -> Iterator[Problem]:
    for attribute, same, said in _comparisons(entry, header):
        if not same:
            where = f"{entry.label}/{attribute}"
            message = f"{attribute} diffère du document ({said})"
            yield Problem(REPOSITORY_METADATA, where, message)


def _comparisons(entry: RegistryObject, header: CdaHeader) -> Iterator[tuple[str, bool, str]]:
    """(attribute, whether both agree, where the document says it); no trait of the patient is quoted."""
    yield "uniqueId", entry.identifier(ebrim.ENTRY_UNIQUE) == header.unique_id, "ClinicalDocument/id"
    yield "title", entry.title == header.title, "ClinicalDocument/title"
    yield "creationTime", same_utc(entry.slot("creationTime"), header.effective_time), "effectiveTime en UTC"
    yield "languageCode", entry.slot("languageCode") == header.language, "languageCode"
    yield "typeCode", _same_code(entry, ebrim.TYPE_CODE, header.code), "ClinicalDocument/code"
    yield "confidentialityCode", _first_confidentiality(entry) == header.confidentiality, "confidentialityCode"
    yield "healthcareFacilityTypeCode", _same_code(entry, ebrim.FACILITY, header.facility), "healthCareFacility"
    yield "practiceSettingCode", _same_code(entry, ebrim.PRACTICE, header.practice_setting), "performer"
    yield "formatCode", _format_agrees(entry, header), "niveau du corps"
    yield from _patient(entry, header)
    yield from _times(entry, header)
    yield from _people(entry, header)


def _same_code(entry: RegistryObject, scheme: str, stated: CdaCode) -> bool:
    code = entry.code(scheme)
    return code is not None and (code.code, code.scheme) == (stated.code, stated.system)


def _first_confidentiality(entry: RegistryObject) -> str:
    code = entry.code(ebrim.CONFIDENTIALITY)
    return code.code if code is not None else ""


def _format_agrees(entry: RegistryObject, header: CdaHeader) -> bool:
    code = entry.code(ebrim.FORMAT_CODE)
    return code is not None and (code.code == facts()["pdf_format"]) == (header.body == "pdf")


def _patient(entry: RegistryObject, header: CdaHeader) -> Iterator[tuple[str, bool, str]]:
    stated = "recordTarget/patientRole"
    # A document without INS travels by mail under the local id; the DMP asks for an INS elsewhere.
    named = header.patient.ins or header.patient.ids
    yield "patientId", _names(entry.identifier(ebrim.ENTRY_PATIENT), named), f"{stated}/id"
    yield "sourcePatientId", _names(entry.slot("sourcePatientId"), header.patient.ids), f"{stated}/id"
    info = dict(value.partition("|")[::2] for value in reversed(entry.slots.get("sourcePatientInfo", ())))
    births = [v for v in entry.slots.get("sourcePatientInfo", ()) if v.startswith("PID-5|") and v.endswith("^L")]
    if births:
        yield "sourcePatientInfo PID-5", _birth_name_agrees(births[0], header), f"{stated}/patient/name"
    if "PID-7" in info:
        yield "sourcePatientInfo PID-7", info["PID-7"] == header.patient.birth_date[:8], "birthTime"
    if "PID-8" in info:
        yield "sourcePatientInfo PID-8", info["PID-8"] == header.patient.sex, "administrativeGenderCode"


def _birth_name_agrees(value: str, header: CdaHeader) -> bool:
    family, _, rest = value.removeprefix("PID-5|").partition("^")
    given = rest.split("^")[0]
    return (plain(family), plain(given)) == (header.patient.birth_family, header.patient.first_given)


def _names(value: str, ids: tuple[tuple[str, str], ...]) -> bool:
    try:
        found = parse_cx(value)
    except ValueError:
        return False
    return (found.oid, found.id) in ids


def _times(entry: RegistryObject, header: CdaHeader) -> Iterator[tuple[str, bool, str]]:
    low, high = header.services[0] if header.services else ("", "")
    stated = "documentationOf/serviceEvent/effectiveTime"
    yield "serviceStartTime", same_utc(entry.slot("serviceStartTime"), low), f"{stated}/low"
    stop = entry.slot("serviceStopTime")
    if stop or high:
        yield "serviceStopTime", same_utc(stop, high), f"{stated}/high"


def _people(entry: RegistryObject, header: CdaHeader) -> Iterator[tuple[str, bool, str]]:
    person = entry.slot("legalAuthenticator")
    yield "legalAuthenticator", _same_person(person, header.legal_authenticator), "legalAuthenticator"
    yield "author", len(entry.authors) == len(header.authors), "nombre d'éléments author"
    for author, stated in zip(entry.authors, header.authors, strict=False):
        yield from _author(author, stated)


def _author(author: Author, stated: CdaPerson) -> Iterator[tuple[str, bool, str]]:
    person = author.person[0] if author.person else ""
    yield "authorPerson", _same_person(person, stated), "author/assignedAuthor"
    if author.institution:
        yield "authorInstitution", _same_structure(author.institution[0], stated), "representedOrganization"
    if author.specialty and stated.specialty is not None:
        code, _, rest = author.specialty[0].partition("^")
        same = (code, rest.rpartition("^")[2]) == (stated.specialty.code, stated.specialty.system)
        yield "authorSpecialty", same, "assignedAuthor/code"
    if author.role and stated.role:
        yield "authorRole", author.role[0] == stated.role, "functionCode/@displayName"


def _same_person(value: str, stated: CdaPerson) -> bool:
    try:
        found = parse_xcn(value)
    except ValueError:
        return False
    return (found.oid, found.id, found.family, found.given) == (
        stated.id_root,
        stated.id_extension,
        stated.family,
        stated.given,
    )


def _same_structure(value: str, stated: CdaPerson) -> bool:
    try:
        found = parse_xon(value)
    except ValueError:
        return False
    return (found.oid, found.id, found.name) == (
        stated.organisation_root,
        stated.organisation_id,
        stated.organisation_name,
    )
