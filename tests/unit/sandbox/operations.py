"""Minimal builders of correct ITI-43 and ITI-57 requests and readers of their answers, independent of both sides."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Sequence
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import HTTP

from lxml import etree

from gateway.sandbox.dmp.service import HttpAnswer

from . import builders as b
from .builders import RIM, ROOT, XDSB, XOP, Built, Draft
from .conftest import Dmp, outcome
from .queries import build, get, objects

E = etree._Element
RETRIEVE = "urn:ihe:iti:2007:RetrieveDocumentSet"
UPDATE = "urn:ihe:iti:2010:UpdateDocumentSet"
REPOSITORY = "1.2.250.1.213.4.1.1.1.2"
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
STATUS = {
    "Approved": "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved",
    "Deprecated": "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated",
    "Archived": "urn:asip:ci-sis:2010:StatusType:Archived",
    "Deleted": "urn:asip:ci-sis:2010:StatusType:Deleted",
}
CHANGE = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
VISIBILITY = {"MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"}
LINK = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Association"


def soap(draft: Draft, payload: E, action: str, service: str) -> Built:
    """A whole request (plain SOAP) around a payload, with a fresh assertion."""
    draft.action, draft.service = action, service
    payload = draft.edit("payload", payload)
    assertion = b.vihf(draft)
    envelope = b.envelope(draft, payload, assertion)
    content_type = draft.edit("content_type", f'application/soap+xml; charset=UTF-8; action="{action}"')
    return Built(ROOT + draft.service, content_type, envelope, b"", b"", assertion, envelope)


def fed(dmp: Dmp, **changes: object) -> tuple[Draft, Built]:
    """A document that the DMP accepted."""
    draft = dmp.draft(**changes)
    built = b.feed(draft)
    assert outcome(send(dmp, built, draft.mode)) == ("Success",)
    return draft, built


def send(dmp: Dmp, built: Built, mode: str = "DIRECTE") -> HttpAnswer:
    return dmp.send(built, dmp.pki.personal_auth if mode == "DIRECTE" else dmp.pki.auth)


# ------------------------------------------------------------------------------------------- ITI-43


def retrieve(draft: Draft, *unique_ids: str, repository: str = REPOSITORY) -> Built:
    payload = etree.Element(f"{{{XDSB}}}RetrieveDocumentSetRequest", nsmap={"xds": XDSB})
    for unique_id in unique_ids:
        item = etree.SubElement(payload, f"{{{XDSB}}}DocumentRequest")
        etree.SubElement(item, f"{{{XDSB}}}RepositoryUniqueId").text = repository
        etree.SubElement(item, f"{{{XDSB}}}DocumentUniqueId").text = unique_id
    return soap(draft, payload, RETRIEVE, "repository")


def parts(answer: HttpAnswer) -> tuple[E, dict[str, tuple[str, bytes]]]:
    """Root element and attachments of a multipart answer, read by the standard library."""
    assert answer.content_type.startswith("multipart/related"), answer.content_type
    head = f"MIME-Version: 1.0\r\nContent-Type: {answer.content_type}\r\n\r\n".encode()
    message = message_from_bytes(head + answer.body, policy=HTTP)
    assert isinstance(message, EmailMessage)
    found = list(message.iter_parts())
    assert message.get_param("start") == found[0]["Content-ID"]
    contents = {part["Content-ID"].strip("<>"): (part.get_content_type(), _content(part)) for part in found}
    root = etree.fromstring(contents.pop(found[0]["Content-ID"].strip("<>"))[1])
    return root, contents


def _content(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    return data


def retrieved(answer: HttpAnswer) -> tuple[str, list[str], dict[str, bytes]]:
    """Status, error codes, and documents by uniqueId."""
    root, contents = parts(answer)
    response = root.find(f".//{{{RS}}}RegistryResponse")
    assert response is not None, answer.body
    codes = [str(error.get("errorCode")) for error in response.iter(f"{{{RS}}}RegistryError")]
    documents = {}
    for item in root.iter(f"{{{XDSB}}}DocumentResponse"):
        assert item.findtext(f"{{{XDSB}}}RepositoryUniqueId") == REPOSITORY
        include = item.find(f"{{{XDSB}}}Document/{{{XOP}}}Include")
        assert include is not None
        kind, content = contents[str(include.get("href")).removeprefix("cid:").replace("%40", "@")]
        assert kind == item.findtext(f"{{{XDSB}}}mimeType")
        documents[str(item.findtext(f"{{{XDSB}}}DocumentUniqueId"))] = content
    return str(response.get("status")).rpartition(":")[2], codes, documents


# ------------------------------------------------------------------------------------------- ITI-57


def _set(draft: Draft) -> tuple[E, E]:
    """A SubmitObjectsRequest with its submission set; the second element takes the operations."""
    request = b.metadata(draft, b.new_oid())
    [listed] = request
    for item in list(listed):
        if etree.QName(item).localname in {"ExtrinsicObject", "Association"}:
            listed.remove(item)
    return request, listed


def status_change(draft: Draft, *targets: str, old: str = "Approved", new: str = "Archived") -> Built:
    """Change the availabilityStatus of entries."""
    request, listed = _set(draft)
    for target in targets:
        link = b.associate(listed, CHANGE, "SubmissionSet01", target)
        link.set("objectType", LINK)
        b.slot(link, "OriginalStatus", STATUS[old])
        b.slot(link, "NewStatus", STATUS[new])
    return soap(draft, request, UPDATE, "registry")


def visibility_change(draft: Draft, leaf: E, masks: Sequence[str], version: int = 1) -> Built:
    """Send the whole entry again, as it was read, with these codes of visibility and no other."""
    request, listed = _set(draft)
    entry = copy.deepcopy(leaf)
    old = entry.get("id", "")
    for item in entry.iter():
        for name, value in item.attrib.items():
            if value == old and name != "lid":
                item.set(name, "Document01")
        if item.get("id", "").startswith("urn:uuid:"):
            item.set("id", f"urn:uuid:{uuid.uuid4()}")
    for item in entry.findall(f"{{{RIM}}}Classification"):
        if item.get("nodeRepresentation", "") in VISIBILITY:
            entry.remove(item)
    place = entry.find(f"{{{RIM}}}ExternalIdentifier")
    assert place is not None
    for code in masks:
        place.addprevious(b.classify(entry, b.CONFIDENTIALITY, code, b.MASKS, code))
    listed.append(entry)
    link = b.associate(listed, b.HAS_MEMBER, "SubmissionSet01", "Document01", original=True)
    b.slot(link, "PreviousVersion", str(version))
    return soap(draft, request, UPDATE, "registry")


def leaf_of(dmp: Dmp, unique_id: str) -> E:
    """The entry as a registry gives it back to a person."""
    [found] = objects(send(dmp, build(dmp.draft(mode="DIRECTE"), get(unique_id, kind="LeafClass"))))
    return found


def strange(root: E) -> None:
    """In a VIHF: another structure."""
    for item in root.iter(f"{{{b.SAML}}}AttributeValue", f"{{{b.SAML}}}NameID"):
        if item.text and b.STRUCTURE in item.text:
            item.text = item.text.replace(b.STRUCTURE, b.OTHER_STRUCTURE)
