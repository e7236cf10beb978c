"""The resources that the FHIR door takes: DocumentReference, submission set (List), and the patch of a replacement.

Elements: PDSm 3.1.1 `pdsm-comprehensive-document-reference`, `pdsm-simplified-publish` and
`pdsm-submissionset-comprehensive` (spec dmp §4). XDS and FHIR say the same: uniqueId is `masterIdentifier`, entryUUID
an official `identifier`, creationTime is `date`, submissionTime is `List.date`.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.package import xds
from gateway.package.pdsm_people import PdsmData, People
from gateway.package.pdsm_people import data as load
from gateway.render.fhir.assembly import without_none
from gateway.render.fhir.datatypes import instant

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.document.model import ClinicalDocument
    from gateway.render.fhir.assembly import Json
    from gateway.settings import AccountSettings


@dataclass(frozen=True, slots=True)
class Entry:
    """What is described: the document, its bytes, the entryUUID drawn for it, the release of FR Core."""

    document: ClinicalDocument
    cda: bytes
    id: str
    fr_core: str

    @property
    def data(self) -> PdsmData:
        """Addresses and codes of the door."""
        return load()


def document_reference(entry: Entry, *, inline: bool, url: str = "") -> Json:
    """The DocumentReference: with the document inside (ITI-105), or at `url` of the same Bundle (ITI-65)."""
    header, data = entry.document.header, entry.data
    inside = People(entry.document, entry.fr_core)
    subject, author, custodian = _subject(inside), inside.author(), inside.custodian()
    labels = (header.confidentiality, *header.visibility)
    return without_none(
        resourceType="DocumentReference",
        meta={"profile": [data.profile_url("simplified" if inline else "document")]},
        contained=inside.contained,
        extension=[{"url": data.extension["archived"], "valueBoolean": False}],
        masterIdentifier=uri(data, f"urn:oid:{header.id}"),
        identifier=[{"use": "official", **uri(data, entry.id)}],
        status="current",
        type=inside.codeable(header.type),
        category=[inside.codeable(header.class_code)],
        subject=subject,
        date=instant(header.effective_time),
        author=[author],
        authenticator=author,
        custodian=custodian,
        relatesTo=_relates(entry),
        securityLabel=[inside.codeable(code) for code in labels],
        content=[{"attachment": _attachment(entry, inline, url), "format": inside.coding(header.format_code)}],
        context=_context(entry, inside),
    )


def submission_set(
    entry: Entry, *, set_id: str, unique_id: str, member: str, account: AccountSettings, now: datetime
) -> Json:
    """The submission set around one document, the member's address in the Bundle."""
    data = entry.data
    inside = People(entry.document, entry.fr_core)
    subject, source = _subject(inside), inside.author()
    designation = {"url": data.extension["designation"], "valueCodeableConcept": inside.codeable(xds.content_type())}
    sender = {"url": data.extension["source_id"], "valueIdentifier": uri(data, f"urn:oid:{account.oid_root}")}
    return {
        "resourceType": "List",
        "meta": {"profile": [data.profile_url("set")]},
        "contained": inside.contained,
        "extension": [designation, sender],
        "identifier": [
            {"use": "usual", **uri(data, f"urn:oid:{unique_id}")},
            {"use": "official", **uri(data, set_id)},
        ],
        "status": "current",
        "mode": "working",
        "title": entry.document.header.title,
        "code": {"coding": [data.list_type]},
        "subject": subject,
        "date": instant(now),
        "source": source,
        "entry": [{"item": {"reference": member}}],
    }


def patch_superseded() -> Json:
    """FHIRPath Patch (R4) that makes a DocumentReference superseded."""
    parts = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "DocumentReference.status"},
        {"name": "value", "valueCode": "superseded"},
    ]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}


def uri(data: PdsmData, value: str) -> Json:
    """An identifier that is a URI (RFC 3986)."""
    return {"system": data.uri_identifiers, "value": value}


def _subject(inside: People) -> Json:
    """The patient as he is in the document, and his INS for whoever does not open what is contained."""
    ins = inside.header.patient.ins
    assert ins is not None  # the package was refused without
    named = {"system": f"urn:oid:{ins.root}", "value": ins.extension}
    return {**inside.patient(), "type": "Patient", "identifier": named}


def _relates(entry: Entry) -> list[Json]:
    former = entry.document.header.replaces
    if former is None:
        return []
    target = {"type": "DocumentReference", "identifier": uri(entry.data, f"urn:oid:{former.id}")}
    return [{"code": "replaces", "target": target}]


def _attachment(entry: Entry, inline: bool, url: str) -> Json:
    """Content or address, with SHA-1 in base64 and size: hash of the document's bytes, no security claim."""
    header, digest = entry.document.header, hashlib.sha1(entry.cda, usedforsecurity=False).digest()
    place = {"data": b64encode(entry.cda).decode("ascii")} if inline else {"url": url}
    return {
        "contentType": "text/xml",
        "language": header.language,
        **place,
        "size": len(entry.cda),
        "hash": b64encode(digest).decode("ascii"),
        "title": header.title,
        "creation": instant(header.effective_time),
    }


def _context(entry: Entry, inside: People) -> Json:
    header = entry.document.header
    stop = header.service_stop
    return without_none(
        period=without_none(start=instant(header.service_start), end=instant(stop) if stop else None),
        facilityType=inside.codeable(header.facility_type),
        practiceSetting=inside.codeable(header.practice_setting),
        sourcePatientInfo={"reference": inside.url("patient")},
    )
