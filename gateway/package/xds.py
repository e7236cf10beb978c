"""XDS metadata of a document, derived from its ClinicalDocument: nothing is typed beside it.

One set of dataclasses serves METADATA.XML of an XDM archive and ITI-41. Attributes and rules: ANS volet
"transmission d'un document CDA R2" (mapping), IHE ITI TF-3 §4.2 (spec mssante §2.3, spec dmp §3).
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from gateway.clock import Randomness
from gateway.document.model import ClinicalDocument, Code, Professional
from gateway.errors import PackageError
from gateway.package import hl7
from gateway.resources import read_text

HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
REPLACES = "urn:ihe:iti:2007:AssociationType:RPLC"


@dataclass(frozen=True, slots=True)
class Author:
    """Author slots, already in HL7 syntax. A slot without value is left out."""

    person: str
    institution: str | None
    role: str | None
    specialty: str | None


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """One document: `id` is its entryUUID (`urn:uuid:...`), `unique_id` the OID of the document itself.

    `uri`, `hash` (SHA-1 hex of the file's bytes) and `size` (bytes) are for XDM only: the DMP computes its own
    (spec dmp, Contradictions: hash, size).
    """

    id: str
    unique_id: str
    mime_type: str
    title: str
    language: str
    creation_time: str
    service_start: str
    service_stop: str | None
    legal_authenticator: str
    source_patient_id: str
    source_patient_info: tuple[str, ...]
    patient_id: str
    author: Author
    class_code: Code
    type_code: Code
    format_code: Code
    facility_type: Code
    practice_setting: Code
    confidentiality: tuple[Code, ...]
    event_codes: tuple[Code, ...] = ()
    uri: str | None = None
    hash: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class SubmissionSet:
    """The lot: `source_id` is the OID of the emitting system, `submission_time` in UTC."""

    id: str
    unique_id: str
    source_id: str
    submission_time: str
    title: str
    patient_id: str
    content_type: Code
    author: Author


@dataclass(frozen=True, slots=True)
class Association:
    """A link of the lot; `original` adds the slot SubmissionSetStatus that HasMember wants, `slots` any others."""

    id: str
    type: str
    source: str
    target: str
    original: bool = False
    slots: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    """Everything that a SubmitObjectsRequest says."""

    set: SubmissionSet
    entries: tuple[DocumentEntry, ...]
    associations: tuple[Association, ...]


def oid(value: UUID) -> str:
    """A UUID as an OID under 2.25 (ITU-T X.667)."""
    return f"2.25.{value.int}"


def urn(value: UUID) -> str:
    """A UUID as `urn:uuid:`."""
    return f"urn:uuid:{value}"


def sha1_hex(data: bytes) -> str:
    """SHA-1 of a file's bytes, lower-case hex: the XDS `hash` attribute, no security claim."""
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def author_of(professional: Professional) -> Author:
    """Author slots of a professional; the role is unknown to the document and stays out."""
    structure, profession = professional.structure, professional.profession
    return Author(
        person=hl7.xcn(professional),
        institution=hl7.xon(structure) if structure is not None else None,
        role=None,
        specialty=_specialty(profession) if profession is not None else None,
    )


def _specialty(code: Code) -> str:
    return f"{hl7.escape(code.code)}^{hl7.escape(code.display)}^{code.system}"


def document_entry(
    document: ClinicalDocument, entry_id: UUID, *, cda: bytes | None = None, uri: str | None = None
) -> DocumentEntry:
    """The entry of a document. With `cda` and `uri` (XDM) it also carries hash, size and file name.

    Raises PackageError `PKG-002` when the patient has no identifier at all.
    """
    header = document.header
    patient, author = header.patient, header.author
    patient_id, source_id = hl7.patient_cx(patient), hl7.source_cx(patient)
    if patient_id is None or source_id is None:
        raise _no_patient_id()
    return DocumentEntry(
        id=urn(entry_id),
        unique_id=header.id,
        mime_type="text/xml",
        title=header.title,
        language=header.language,
        creation_time=hl7.utc(header.effective_time),
        service_start=hl7.utc(header.service_start),
        service_stop=hl7.utc(header.service_stop) if header.service_stop is not None else None,
        legal_authenticator=hl7.xcn(author),
        source_patient_id=source_id,
        source_patient_info=hl7.patient_info(patient),
        patient_id=patient_id,
        author=author_of(author),
        class_code=header.class_code,
        type_code=header.type,
        format_code=header.format_code,
        facility_type=header.facility_type,
        practice_setting=header.practice_setting,
        confidentiality=(header.confidentiality, *header.visibility),
        uri=uri,
        hash=sha1_hex(cda) if cda is not None else None,
        size=len(cda) if cda is not None else None,
    )


def signature_entry(document: ClinicalDocument, entry_id: UUID, unique_id: UUID, signed_at: datetime) -> DocumentEntry:
    """The entry of the submission-set signature (spec dmp §2.2). Raises PackageError `PKG-001` without INS."""
    header = document.header
    codes, moment = signature_codes(), hl7.utc(signed_at)
    ins = header.patient.ins
    if ins is None:
        raise no_ins()
    patient = hl7.cx(ins, "NH")
    return DocumentEntry(
        id=urn(entry_id),
        unique_id=oid(unique_id),
        mime_type="text/xml",
        title="Source",
        language="art",
        creation_time=moment,
        service_start=moment,
        service_stop=moment,
        legal_authenticator=hl7.xcn(header.author),
        source_patient_id=patient,
        source_patient_info=hl7.patient_info(header.patient),
        patient_id=patient,
        author=author_of(header.author),
        class_code=codes["class"],
        type_code=codes["type"],
        format_code=codes["format"],
        facility_type=header.facility_type,
        practice_setting=header.practice_setting,
        confidentiality=(codes["normal"], codes["masked"], codes["hidden"]),
        event_codes=(codes["event"],),
    )


def submission_set(
    document: ClinicalDocument, *, set_id: UUID, unique_id: UUID, source_id: str, now: datetime
) -> SubmissionSet:
    """The set around one document. Raises PackageError `PKG-002` when the patient has no identifier at all."""
    header = document.header
    patient_id = hl7.patient_cx(header.patient)
    if patient_id is None:
        raise _no_patient_id()
    return SubmissionSet(
        id=urn(set_id),
        unique_id=oid(unique_id),
        source_id=source_id,
        submission_time=hl7.utc(now),
        title=header.title,
        patient_id=patient_id,
        content_type=content_type(),
        author=author_of(header.author),
    )


def has_member(identifier: UUID, owner: SubmissionSet, entry: DocumentEntry) -> Association:
    """The set holds the entry, new in this set."""
    return Association(urn(identifier), HAS_MEMBER, owner.id, entry.id, original=True)


def signs(identifier: UUID, signature: DocumentEntry, owner: SubmissionSet) -> Association:
    """The signature signs the set."""
    return Association(urn(identifier), SIGNS, signature.id, owner.id)


def replaces(identifier: UUID, entry: DocumentEntry, former: str) -> Association:
    """The entry replaces one that the other side holds, named by its entryUUID (IHE ITI TF-3 §4.2.2.2)."""
    return Association(urn(identifier), REPLACES, entry.id, former)


def archive_submission(
    document: ClinicalDocument, cda: bytes, *, uri: str, source_id: str, now: datetime, ids: Randomness
) -> Submission:
    """The submission that METADATA.XML of a one-document archive describes."""
    entry = document_entry(document, ids.uuid(), cda=cda, uri=uri)
    lot = submission_set(document, set_id=ids.uuid(), unique_id=ids.uuid(), source_id=source_id, now=now)
    links = [has_member(ids.uuid(), lot, entry)]
    former = document.header.replaces
    if former is not None and former.archive_entry is not None:
        links.append(replaces(ids.uuid(), entry, former.archive_entry))
    return Submission(lot, (entry,), tuple(links))


def no_ins() -> PackageError:
    """`PKG-001`: nothing goes to the DMP or to a patient's mailbox without a qualified INS."""
    return PackageError(
        "PKG-001",
        "Le document n'a pas d'INS qualifiée.",
        "Qualifiez l'identité (INSi et pièce d'identité) avant d'alimenter le DMP ou d'écrire au patient.",
    )


def _no_patient_id() -> PackageError:
    return PackageError(
        "PKG-002",
        "Le patient n'a ni INS qualifiée ni identifiant local.",
        "Transmettez l'identifiant du patient dans votre logiciel (champ patient.identifiers).",
    )


@cache
def _table() -> dict[str, dict[str, Code]]:
    raw = tomllib.loads(read_text("mappings", "xds.toml"))
    groups = {name: rows for name, rows in raw.items() if isinstance(rows, dict)}
    return {name: {key: Code(**row) for key, row in rows.items()} for name, rows in groups.items()}


def content_type() -> Code:
    """contentTypeCode of a liberal practice's lot (JDV_J03, JDV_J59)."""
    return _table()["submission_set"]["content_type"]


def visibility_codes() -> dict[str, Code]:
    """The labels of JDV_J08 that hide a document: `mask`, `hide` (the patient), `hide_legal` (representatives)."""
    return _table()["visibility"]


def signature_codes() -> dict[str, Code]:
    """The fixed codes of a signature's entry: class, type, format, event, normal, masked, hidden."""
    return _table()["signature"]
