"""The PDF as a Binary, described by a DocumentReference in a section of the Composition.

At level 1 the PDF is the document itself; beside a structured body it is a copy of it, made for the eye.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1
from typing import TYPE_CHECKING

from gateway.render.fhir import people
from gateway.render.fhir.datatypes import instant
from gateway.render.fhir.text import title_text

if TYPE_CHECKING:
    from gateway.render.fhir.assembly import Assembly, Json

_PDF = "application/pdf"
_IDENTIFIERS = "urn:ietf:rfc:3986"


def section(assembly: Assembly, pdf: bytes) -> Json:
    """The section "Copie du document" for a PDF (LOINC 55108-5, as in CDA section 1.2.250.1.213.1.1.2.243)."""
    return {
        "title": assembly.data.attached["display"],
        "code": {"coding": [dict(assembly.data.attached)]},
        "text": title_text(assembly.header.title, assembly.header.language),
        # The file itself too: what is only the address of an attachment is no reference that a Bundle follows.
        "entry": [_reference(assembly, pdf), assembly.reference("pdf")],
    }


def _reference(assembly: Assembly, pdf: bytes) -> Json:
    header = assembly.header
    binary = assembly.add("pdf", {"resourceType": "Binary", "contentType": _PDF, "data": b64encode(pdf).decode()})
    attachment = {
        "contentType": _PDF,
        "language": header.language,
        "url": binary["reference"],
        "size": len(pdf),
        "hash": b64encode(sha1(pdf, usedforsecurity=False).digest()).decode(),  # FHIR R4 wants SHA-1
        "title": header.title,
        "creation": instant(header.effective_time),
    }
    whole: Json = {}
    content: Json = {"attachment": attachment}
    if assembly.document.pdf is not None:
        # Identifier and format are the document's: a copy of a structured one is neither.
        whole = {"masterIdentifier": {"system": _IDENTIFIERS, "value": f"urn:oid:{header.id}"}}
        content["format"] = assembly.coding(header.format_code)
    resource = {
        "resourceType": "DocumentReference",
        **whole,
        "status": "current",
        "type": assembly.codeable(header.type),
        "category": [assembly.codeable(header.class_code)],
        "subject": assembly.reference("patient"),
        "date": instant(header.effective_time),
        "author": [people.role(assembly, header.author)],
        "custodian": people.organization(assembly, header.custodian),
        "content": [content],
    }
    return assembly.add("document", resource)
