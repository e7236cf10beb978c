"""The DMP package of the FHIR door (experimental): ITI-65 or ITI-105 as one frozen request.

Sources: ANS volet PDSm 3.1.1, ANS draft "PDSm pour le DMP" 0.1.0, IHE MHD (spec dmp §4). Everything random or
time-dependent is fixed here (DESIGN §4 rule 2). What is replaced is named by its own identifier, which the server
knows by either door: so nothing has to be looked up when the request leaves.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.package import dmp, xds
from gateway.package.pdsm_resources import Entry, document_reference, patch_superseded, submission_set
from gateway.package.types import Door, Package, Part
from gateway.render.fhir.write import to_json

if TYPE_CHECKING:
    from gateway.clock import Randomness
    from gateway.document.model import ClinicalDocument
    from gateway.render.fhir.assembly import Json
    from gateway.settings import AccountSettings

MEDIA_TYPE = "application/fhir+json"


def pdsm_package(
    document: ClinicalDocument,
    cda: bytes,
    *,
    account: AccountSettings,
    door: Door,
    now: datetime,
    ids: Randomness,
    fr_core: str,
) -> Package:
    """Freeze a feed: one part `request`, the body of the POST. `now` is the submission time.

    Nothing is signed: the drafts provide for no signature. Same arguments, same bytes. Raises PackageError `PKG-001`
    without INS, `PKG-006` without profession, `PKG-007` when it replaces what the DMP was never sent.
    """
    header = document.header
    if header.patient.ins is None:
        raise xds.no_ins()
    if header.replaces is not None and header.replaces.registry_entry is None:
        raise dmp.no_former()
    entry = Entry(document, cda, xds.urn(ids.uuid()), fr_core)
    lot = xds.oid(ids.uuid())
    resource = _bundle(entry, lot, account, now, ids) if door == "iti65" else document_reference(entry, inline=True)
    context = dmp.context_of(header, account, lot=lot, entry=entry.id, door=door)
    return Package((Part("request", MEDIA_TYPE, to_json(resource).encode()),), context)


def document_of(package: Package) -> bytes:
    """The document inside a frozen feed. Raises ValueError when there is none."""
    request = json.loads(package.part("request").data)
    if request["resourceType"] == "DocumentReference":
        return b64decode(request["content"][0]["attachment"]["data"])
    for entry in request["entry"]:
        if entry["resource"]["resourceType"] == "Binary":
            return b64decode(entry["resource"]["data"])
    raise ValueError("no document in the request")


def _bundle(entry: Entry, lot: str, account: AccountSettings, now: datetime, ids: Randomness) -> Json:
    """ITI-65: set, document, content; and the patch that supersedes what is replaced (slice UpdateDocumentRefs)."""
    names = {kind: xds.urn(ids.uuid()) for kind in ("List", "DocumentReference", "Binary", "Parameters")}
    data = entry.data
    set_resource = submission_set(
        entry, set_id=xds.urn(ids.uuid()), unique_id=lot, member=names["DocumentReference"], account=account, now=now
    )
    described = document_reference(entry, inline=False, url=names["Binary"])
    content = {"resourceType": "Binary", "contentType": "text/xml", "data": b64encode(entry.cda).decode("ascii")}
    entries = [_posted(names, resource) for resource in (set_resource, described, content)]
    former = entry.document.header.replaces
    if former is not None:
        url = f"DocumentReference?identifier={data.uri_identifiers}|urn:oid:{former.id}"
        request = {"method": "PATCH", "url": url}
        entries.append({"fullUrl": names["Parameters"], "resource": patch_superseded(), "request": request})
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [data.profile_url("bundle")]},
        "type": "transaction",
        "entry": entries,
    }


def _posted(names: dict[str, str], resource: Json) -> Json:
    kind = resource["resourceType"]
    return {"fullUrl": names[kind], "resource": resource, "request": {"method": "POST", "url": kind}}
