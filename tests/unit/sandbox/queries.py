"""A minimal builder of correct ITI-18 requests and a reader of their answers, independent of both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from gateway.sandbox.dmp.service import HttpAnswer

from .builders import RIM, ROOT, Built, Draft, envelope, slot, vihf

E = etree._Element
QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
ACTION = "urn:ihe:iti:2007:RegistryStoredQuery"
FIND = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
GET = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
UNIQUE_ID = "$XDSDocumentEntryUniqueId"
ENTRY_UUID = "$XDSDocumentEntryEntryUUID"
PATIENT = "$XDSDocumentEntryPatientId"
STATUS = "$XDSDocumentEntryStatus"
APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"

Slots = Sequence[tuple[str, Sequence[str]]]


@dataclass
class Asked:
    """A stored query to be built: `slots` are names with their values as written in the request."""

    query_id: str
    slots: Slots
    kind: str = "ObjectRef"
    composed: str | None = "true"
    edits: Mapping[str, object] = field(default_factory=dict)


def get(*unique_ids: str, kind: str = "ObjectRef") -> Asked:
    return Asked(GET, [(UNIQUE_ID, ["(" + ",".join(f"'{one}'" for one in unique_ids) + ")"])], kind)


def find(draft: Draft, *more: tuple[str, Sequence[str]], status: str = APPROVED, kind: str = "ObjectRef") -> Asked:
    patient = (PATIENT, [f"'{draft.ins}^^^&{draft.oid}&ISO^NH'"])
    return Asked(FIND, [patient, (STATUS, [f"('{status}')"]), *more], kind)


def build(draft: Draft, asked: Asked) -> Built:
    """A whole ITI-18 request (plain SOAP)."""
    draft.action, draft.service = ACTION, "registry"
    payload = etree.Element(f"{{{QUERY}}}AdhocQueryRequest", nsmap={"query": QUERY, "rim": RIM})
    option = etree.SubElement(payload, f"{{{QUERY}}}ResponseOption", returnType=asked.kind)
    if asked.composed is not None:
        option.set("returnComposedObjects", asked.composed)
    query = etree.SubElement(payload, f"{{{RIM}}}AdhocQuery", id=asked.query_id)
    for name, values in asked.slots:
        slot(query, name, *values)
    payload = draft.edit("payload", payload)
    assertion = vihf(draft)
    soap = envelope(draft, payload, assertion)
    content_type = f'application/soap+xml; charset=UTF-8; action="{ACTION}"'
    return Built(ROOT + draft.service, content_type, soap, b"", b"", assertion, soap)


def objects(answer: HttpAnswer) -> list[E]:
    """The registry objects of a successful answer."""
    root = etree.fromstring(answer.body)
    response = root.find(f".//{{{QUERY}}}AdhocQueryResponse")
    assert response is not None, answer.body
    assert str(response.get("status")).endswith(":Success"), answer.body
    listed = response.findall(f"{{{RIM}}}RegistryObjectList")
    assert len(listed) == 1
    return list(listed[0])


def refused(answer: HttpAnswer) -> str:
    """The error code of a failure, or the subcode of a fault."""
    root = etree.fromstring(answer.body)
    fault = root.find(".//{http://www.w3.org/2003/05/soap-envelope}Fault")
    if fault is not None:
        return [str(v.text) for v in fault.iter("{http://www.w3.org/2003/05/soap-envelope}Value")][-1]
    response = root.find(f".//{{{QUERY}}}AdhocQueryResponse")
    assert response is not None
    assert str(response.get("status")).endswith(":Failure"), answer.body
    assert not list(response.iter(f"{{{RIM}}}ExtrinsicObject", f"{{{RIM}}}ObjectRef"))
    errors = list(response.iter("{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryError"))
    assert len(errors) == 1
    assert errors[0].get("codeContext")
    return str(errors[0].get("errorCode"))
