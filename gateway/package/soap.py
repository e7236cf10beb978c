"""SOAP 1.2 envelopes with WS-Addressing and the VIHF in wsse:Security (spec dmp §1.2).

Envelopes are joined from bytes: the frozen body and the signed assertion go in exactly as they were made, and
only prefixes are declared around them, so no signature inside changes.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"

FEED = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
EXISTENCE = "urn:hl7-org:v3:PRPA_IN201307UV02"
STORED_QUERY = "urn:ihe:iti:2007:RegistryStoredQuery"
RETRIEVE = "urn:ihe:iti:2007:RetrieveDocumentSet"
UPDATE = "urn:ihe:iti:2010:UpdateDocumentSet"
_NOT_YET = "<!-- APERCU : wsa:MessageID et VIHF signe sont produits a l'envoi -->"


def envelope(action: str, *, to: str, message_id: str | None, assertion: bytes | None, body: bytes) -> bytes:
    """A request envelope, UTF-8 with its declaration.

    `assertion` and `body` are serialised elements without XML declaration. Without `message_id` and `assertion`
    the envelope is the preview of one, and says so in a comment.
    """
    return b"".join(
        (
            f'<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="{SOAP}">'
            f'<soap:Header xmlns:wsa="{WSA}">'.encode(),
            _addressing(action, to, message_id).encode(),
            _security(assertion),
            b"</soap:Header><soap:Body>",
            body,
            b"</soap:Body></soap:Envelope>",
        )
    )


def _addressing(action: str, to: str, message_id: str | None) -> str:
    identifier = _NOT_YET if message_id is None else f"<wsa:MessageID>{escape(message_id)}</wsa:MessageID>"
    return (
        f'<wsa:Action soap:mustUnderstand="true">{escape(action)}</wsa:Action>{identifier}'
        f"<wsa:To>{escape(to)}</wsa:To><wsa:ReplyTo><wsa:Address>{WSA}/anonymous</wsa:Address></wsa:ReplyTo>"
    )


def _security(assertion: bytes | None) -> bytes:
    if assertion is None:
        return b""
    opening = f'<wsse:Security xmlns:wsse="{WSSE}" soap:mustUnderstand="true">'.encode()
    return opening + assertion + b"</wsse:Security>"
