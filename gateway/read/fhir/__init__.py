"""FHIR document -> ClinicalDocument: exact for our own documents, best effort for anybody else's."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping

from gateway.document.model import ClinicalDocument
from gateway.read.fhir import tables
from gateway.read.fhir.header import header, is_own
from gateway.read.fhir.scan import Json, Scan, first, items, obj, parse, string
from gateway.read.fhir.sections import sections
from gateway.read.reading import Attachment, Reading, Trail
from gateway.terminology import Terminology

__all__ = ["read"]

_COPY = "55108-5"


def read(data: bytes, terminology: Terminology) -> Reading:
    """The document in these bytes: a Bundle whose first resource is a Composition. Never raises on bad input.

    What `gateway.read.fhir.carried.through_fhir` says is not carried comes back as that function writes it;
    everything else of a document of this product comes back equal.
    """
    bundle, refused = parse(data)
    if bundle is None:
        return Reading("fhir", None, tuple(refused))
    trail = Trail()
    resources = _resources(bundle)
    composition = next((one for one in resources.values() if one.get("resourceType") == "Composition"), None)
    if bundle.get("resourceType") != "Bundle" or composition is None:
        message = "Ce n'est pas un document FHIR (Bundle dont la première ressource est une Composition)."
        trail.fault("RDB-007", "/", message, "Vérifier le fichier choisi.", "FHIR R4, documents")
        return Reading("fhir", None, tuple(trail.findings))
    scan = Scan(bundle, terminology, tables.load(), trail, resources)
    written, copied = _without_copies(composition, resources)
    attached = tuple(_attachments(resources))
    body = tuple(sections(scan, written))
    pdf = next((one.data for one in attached if one.media_type == "application/pdf"), None) if copied else None
    # Beside sections the PDF only repeats them; alone it is the document (level 1).
    document = ClinicalDocument(header(scan, composition), body, None if body else pdf)
    return Reading("fhir", document, tuple(trail.findings), attached, own=is_own(scan, composition))


def _without_copies(composition: Json, resources: Mapping[str, Json]) -> tuple[Json, bool]:
    """The Composition without the sections that only hold a file (LOINC 55108-5), and whether it had one."""
    parts = items(composition.get("section"))
    kept = [part for part in parts if not _is_copy(part, resources)]
    return {**composition, "section": kept}, len(kept) < len(parts)


def _is_copy(part: Json, resources: Mapping[str, Json]) -> bool:
    named = [resources.get(string(entry.get("reference")), {}) for entry in items(part.get("entry"))]
    files = bool(named) and all(string(one.get("resourceType")) in {"DocumentReference", "Binary"} for one in named)
    return files and string(first(obj(part.get("code")).get("coding")).get("code")) == _COPY


def _resources(bundle: Json) -> Mapping[str, Json]:
    """Resources by full address, and by type and id as a relative reference names them."""
    found: dict[str, Json] = {}
    for entry in items(bundle.get("entry")):
        resource = obj(entry.get("resource"))
        found.setdefault(string(entry.get("fullUrl")), resource)
        found.setdefault(f"{string(resource.get('resourceType'))}/{string(resource.get('id'))}", resource)
    return found


def _attachments(resources: Mapping[str, Json]) -> Iterator[Attachment]:
    """What Binary resources hold."""
    binaries = {id(one): one for one in resources.values() if one.get("resourceType") == "Binary"}
    for place, one in enumerate(binaries.values()):
        try:
            data = base64.b64decode(string(one.get("data")), validate=True)
        except (binascii.Error, ValueError):
            continue
        name = f"{string(one.get('id')) or place}"
        yield Attachment(name, string(one.get("contentType")) or "application/octet-stream", data)
