"""HTTP bodies: ITI-41 as MTOM/XOP multipart (W3C MTOM, RFC 2387) and the existence test TD0.2 as plain SOAP.

Everything but the VIHF and the WS-Addressing MessageID is frozen: the boundary comes from the submission set.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from gateway.clock import Randomness
from gateway.package import soap
from gateway.package.types import DmpContext, Package

IHE = "urn:ihe:iti:xds-b:2007"
XOP = "http://www.w3.org/2004/08/xop/include"
ROOT_ID = "root@kine-gateway.local"
DMP_DEVICE = "1.2.250.1.213.4.1.1.1"
"""Device id of the DMP as receiver of TD0.2 (spec dmp §1.3)."""
_TEST_OIDS = frozenset({"1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11"})
_DOCUMENTS = (("document", "document_entry"), ("signature", "signature_entry"))
_CRLF = b"\r\n"


@dataclass(frozen=True, slots=True)
class HttpBody:
    """A request body and its Content-Type."""

    content_type: str
    data: bytes


def feed(package: Package, *, to: str, message_id: str | None, assertion: bytes | None) -> HttpBody:
    """ITI-41 body of a DMP package. Without `message_id` and `assertion`: the frozen parts, as a preview."""
    context = _dmp_context(package)
    entries = {part: str(getattr(context, field)) for part, field in _DOCUMENTS}
    envelope = soap.envelope(
        soap.FEED, to=to, message_id=message_id, assertion=assertion, body=_feed_body(package, entries)
    )
    boundary = _boundary(package)
    pieces = [_part(ROOT_ID, 'application/xop+xml; charset=UTF-8; type="application/soap+xml"', envelope)]
    pieces += [_part(_content_id(entry), "text/xml", package.part(name).data) for name, entry in entries.items()]
    marker = f"--{boundary}".encode()
    data = b"".join(marker + _CRLF + piece + _CRLF for piece in pieces) + marker + b"--" + _CRLF
    return HttpBody(
        f'multipart/related; type="application/xop+xml"; boundary="{boundary}"; start="<{ROOT_ID}>"; '
        f'start-info="application/soap+xml"; action="{soap.FEED}"',
        data,
    )


def existence(
    context: DmpContext, *, to: str, message_id: str, assertion: bytes, sender: str, now: datetime, ids: Randomness
) -> HttpBody:
    """TD0.2: does this patient have a DMP, and may this author feed it. `sender` is the OID of our device."""
    body = _existence_body(context, sender, now.astimezone(UTC), ids)
    data = soap.envelope(soap.EXISTENCE, to=to, message_id=message_id, assertion=assertion, body=body.encode())
    return HttpBody(f'application/soap+xml; charset=UTF-8; action="{soap.EXISTENCE}"', data)


def _feed_body(package: Package, entries: dict[str, str]) -> bytes:
    metadata = package.part("metadata").data
    end = metadata.index(b"?>") + 2  # the frozen bytes without their declaration
    includes = "".join(
        f"<ihe:Document id={quoteattr(entry)}>"
        f'<xop:Include xmlns:xop="{XOP}" href={quoteattr("cid:" + quote(_content_id(entry)))}/></ihe:Document>'
        for entry in entries.values()
    )
    opening = f'<ihe:ProvideAndRegisterDocumentSetRequest xmlns:ihe="{IHE}">'.encode()
    return opening + metadata[end:].strip() + includes.encode() + b"</ihe:ProvideAndRegisterDocumentSetRequest>"


def _content_id(entry: str) -> str:
    return f"{entry.removeprefix('urn:uuid:')}@kine-gateway.local"


def _part(content_id: str, content_type: str, data: bytes) -> bytes:
    head = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{content_id}>\r\n\r\n"
    return head.encode() + data


def _boundary(package: Package) -> str:
    """A boundary that no part contains, the same at every attempt."""
    context = _dmp_context(package)
    for salt in range(100):
        name = "kine-" + hashlib.sha256(f"{context.submission_set_id}/{salt}".encode()).hexdigest()[:32]
        if not any(name.encode() in part.data for part in package.parts):
            return name
    raise ValueError("every boundary occurs in the parts")


def _dmp_context(package: Package) -> DmpContext:
    if not isinstance(package.context, DmpContext):
        raise TypeError("not a DMP package")
    return package.context


def _existence_body(context: DmpContext, sender: str, now: datetime, ids: Randomness) -> str:
    processing = "D" if context.ins_oid in _TEST_OIDS else "P"
    return (
        '<PRPA_IN201307UV02 xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0">'
        f'<id root="{ids.uuid()}"/><creationTime value="{now:%Y%m%d%H%M%S}"/>'
        '<interactionId root="2.16.840.1.113883.1.6" extension="PRPA_IN201307UV02"/>'
        f'<processingCode code="{processing}"/><processingModeCode code="T"/><acceptAckCode code="AL"/>'
        f'<receiver typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE"><id root="{DMP_DEVICE}"/>'
        "<softwareName>DMP</softwareName></device></receiver>"
        f'<sender typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE"><id root={quoteattr(sender)}/>'
        "</device></sender>"
        '<controlActProcess classCode="CACT" moodCode="EVN">'
        '<reasonCode code="TEST_EXST" codeSystem="1.2.250.1.213.1.1.4.11"/>'
        f'<queryByParameter><queryId root="{ids.uuid()}"/><statusCode code="new"/><parameterList>'
        f"<patientIdentifier><value root={quoteattr(context.ins_oid)} extension={quoteattr(context.ins)}/>"
        "<semanticsText>Patient.id</semanticsText></patientIdentifier></parameterList></queryByParameter>"
        "</controlActProcess></PRPA_IN201307UV02>"
    )
