"""HTTP bodies: ITI-41 as MTOM/XOP multipart (W3C MTOM, RFC 2387) and the existence test TD0.2 as plain SOAP.

Everything but the VIHF and the WS-Addressing MessageID is frozen: the boundary comes from the submission set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from gateway.clock import Randomness
from gateway.package import soap
from gateway.package.types import DmpIdentity, Package, feed_context

IHE = "urn:ihe:iti:xds-b:2007"
XOP = "http://www.w3.org/2004/08/xop/include"
ROOT_ID = "root@kine-gateway.local"
DMP_DEVICE = "1.2.250.1.213.4.1.1.1"
"""Device id of the DMP as receiver of TD0.2 (spec dmp §1.3)."""
_TEST_OIDS = frozenset({"1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11"})
_ROOT_TYPE = 'application/xop+xml; charset=UTF-8; type="application/soap+xml"'
_DOCUMENTS = (("document", "document_entry"), ("signature", "signature_entry"))
_CRLF = b"\r\n"


@dataclass(frozen=True, slots=True)
class HttpBody:
    """A request body in pieces, to be sent one after the other and never joined in memory, and its Content-Type."""

    content_type: str
    pieces: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Length in bytes."""
        return sum(len(piece) for piece in self.pieces)

    @property
    def data(self) -> bytes:
        """All of it in one piece."""
        return b"".join(self.pieces)


def feed(
    package: Package, *, to: str, message_id: str | None, assertion: bytes | None, replaced: str | None = None
) -> HttpBody:
    """ITI-41 body of a DMP package. Without `message_id` and `assertion`: the frozen parts, as a preview.

    `replaced` is the entryUUID that the document to replace has by now: it takes the place of the frozen one in the
    RPLC association, and nothing else changes (the signature covers the documents, not the metadata).
    """
    context = feed_context(package)
    entries = {part: str(getattr(context, field)) for part, field in _DOCUMENTS}
    envelope = soap.envelope(
        soap.FEED, to=to, message_id=message_id, assertion=assertion, body=_feed_body(package, entries, replaced)
    )
    parts = [(_content_id(entry), package.part(name).data) for name, entry in entries.items()]
    return _related(_boundary(package), soap.FEED, envelope, parts)


def root_only(envelope: bytes, action: str, boundary: str) -> HttpBody:
    """An MTOM request without attachment, as ITI-43 is asked (ITI TF-2 §3.43.4.1, appendix V.3.6).

    `boundary` must not occur in the envelope.
    """
    return _related(boundary, action, envelope, [])


def soap_body(envelope: bytes, action: str) -> HttpBody:
    """A plain SOAP 1.2 request."""
    return HttpBody(f'application/soap+xml; charset=UTF-8; action="{action}"', (envelope,))


def _related(boundary: str, action: str, envelope: bytes, parts: Sequence[tuple[str, bytes]]) -> HttpBody:
    """The MIME package: the envelope first, then each part under its Content-ID."""
    pieces = [_head(boundary, ROOT_ID, _ROOT_TYPE), envelope, _CRLF]
    for content_id, data in parts:
        pieces += [_head(boundary, content_id, "text/xml"), data, _CRLF]
    pieces.append(f"--{boundary}--\r\n".encode())
    return HttpBody(
        f'multipart/related; type="application/xop+xml"; boundary="{boundary}"; start="<{ROOT_ID}>"; '
        f'start-info="application/soap+xml"; action="{action}"',
        tuple(pieces),
    )


def existence(
    context: DmpIdentity, *, to: str, message_id: str, assertion: bytes, sender: str, now: datetime, ids: Randomness
) -> HttpBody:
    """TD0.2: does this patient have a DMP, and may this author feed it. `sender` is the OID of our device."""
    body = _existence_body(context, sender, now.astimezone(UTC), ids)
    data = soap.envelope(soap.EXISTENCE, to=to, message_id=message_id, assertion=assertion, body=body.encode())
    return soap_body(data, soap.EXISTENCE)


def _feed_body(package: Package, entries: dict[str, str], replaced: str | None) -> bytes:
    metadata = _retargeted(package, replaced)
    end = metadata.index(b"?>") + 2  # the frozen bytes without their declaration
    includes = "".join(
        f"<ihe:Document id={quoteattr(entry)}>"
        f'<xop:Include xmlns:xop="{XOP}" href={quoteattr("cid:" + quote(_content_id(entry)))}/></ihe:Document>'
        for entry in entries.values()
    )
    opening = f'<ihe:ProvideAndRegisterDocumentSetRequest xmlns:ihe="{IHE}">'.encode()
    return opening + metadata[end:].strip() + includes.encode() + b"</ihe:ProvideAndRegisterDocumentSetRequest>"


def _retargeted(package: Package, replaced: str | None) -> bytes:
    metadata = package.part("metadata").data
    frozen = feed_context(package).replaces_entry
    if replaced is None or replaced == frozen:
        return metadata
    old, new = (f"targetObject={quoteattr(entry)}".encode() for entry in (frozen, replaced))
    if not frozen or metadata.count(old) != 1:
        raise ValueError("the frozen metadata name no document to replace, or name it twice")
    return metadata.replace(old, new)


def _content_id(entry: str) -> str:
    return f"{entry.removeprefix('urn:uuid:')}@kine-gateway.local"


def _head(boundary: str, content_id: str, content_type: str) -> bytes:
    return (
        f"--{boundary}\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: binary\r\n"
        f"Content-ID: <{content_id}>\r\n\r\n"
    ).encode()


def _boundary(package: Package) -> str:
    """A boundary that no part contains, the same at every attempt."""
    context = feed_context(package)
    for salt in range(100):
        name = "kine-" + hashlib.sha256(f"{context.submission_set_id}/{salt}".encode()).hexdigest()[:32]
        if not any(name.encode() in part.data for part in package.parts):
            return name
    raise ValueError("every boundary occurs in the parts")


def _existence_body(context: DmpIdentity, sender: str, now: datetime, ids: Randomness) -> str:
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
