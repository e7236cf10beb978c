"""SOAP 1.2 and WS-Addressing: reading requests strictly, writing answers and faults.

SOAP 1.2 part 1 §5, part 2 §7.5.2.2 (HTTP status of a fault); WS-Addressing 1.0 SOAP binding §6.4 (fault
subcodes); OASIS WSS SOAP Message Security 1.1 §12 (fault subcodes of a security header).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from gateway.sandbox.xml import Element, XmlError, children, local, namespace, parse, printable, text

ENV = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
NS = {"env": ENV, "wsa": WSA, "wsse": WSSE}
ANONYMOUS = WSA + "/anonymous"

_PREFIXES: dict[str | None, str] = {"env": ENV, "wsa": WSA, "wsse": WSSE}
_MESSAGE_ID = re.compile(r"urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class SoapFault(Exception):  # noqa: N818 the name that SOAP gives it
    """A refusal of the message itself. `subcode` is a QName of a standard, `reason` is French."""

    def __init__(self, reason: str, subcode: str = "", code: str = "env:Sender") -> None:
        super().__init__(reason)
        self.reason = reason
        self.subcode = subcode
        self.code = code

    @property
    def status(self) -> int:
        """HTTP status: 400 when the sender is at fault, 500 otherwise (SOAP 1.2 part 2 table 20)."""
        return 400 if self.code == "env:Sender" else 500


@dataclass(frozen=True, slots=True)
class Request:
    """A SOAP request whose addressing headers hold."""

    envelope: Element
    header: Element
    payload: Element
    action: str
    message_id: str
    to: str


def read_envelope(data: bytes, http_action: str) -> Request:
    """Parse and check the envelope; `http_action` is the action of the media type. Raises SoapFault."""
    try:
        envelope = parse(data)
    except XmlError as fault:
        raise SoapFault(f"Enveloppe illisible : {fault}") from fault
    if envelope.tag != f"{{{ENV}}}Envelope":
        raise SoapFault("SOAP 1.2 attendu (http://www.w3.org/2003/05/soap-envelope)", "", "env:VersionMismatch")
    header, body = envelope.find("env:Header", NS), envelope.find("env:Body", NS)
    if header is None or body is None:
        raise SoapFault("Enveloppe sans Header ou sans Body")
    payload = children(body)
    if len(payload) != 1:
        raise SoapFault("Le Body doit contenir un seul élément")
    _check_understood(header)
    return _addressed(envelope, header, payload[0], http_action)


def _check_understood(header: Element) -> None:
    """mustUnderstand on a block that this node does not know is refused (SOAP 1.2 part 1 §5.4.8)."""
    for block in children(header):
        wanted = block.get(f"{{{ENV}}}mustUnderstand") in {"true", "1"}
        if wanted and namespace(block) not in {WSA, WSSE}:
            raise SoapFault(f"En-tête non compris : {local(block)}", "", "env:MustUnderstand")


def _addressed(envelope: Element, header: Element, payload: Element, http_action: str) -> Request:
    action = _one(header, "Action")
    if header.findall("wsa:Action", NS)[0].get(f"{{{ENV}}}mustUnderstand") not in {"true", "1"}:
        raise SoapFault('wsa:Action doit porter mustUnderstand="true"', "wsa:InvalidAddressingHeader")
    if http_action and http_action != action:
        raise SoapFault("L'action du Content-Type diffère de wsa:Action", "wsa:ActionMismatch")
    message_id = _one(header, "MessageID")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise SoapFault("wsa:MessageID : urn:uuid attendu", "wsa:InvalidAddressingHeader")
    reply_to = text(header.find("wsa:ReplyTo/wsa:Address", NS))
    if reply_to != ANONYMOUS:
        raise SoapFault("wsa:ReplyTo/Address : anonymous attendu", "wsa:OnlyAnonymousAddressSupported")
    return Request(envelope, header, payload, action, message_id, _one(header, "To"))


def _one(header: Element, name: str) -> str:
    found = header.findall(f"wsa:{name}", NS)
    if not found or not text(found[0]):
        raise SoapFault(f"wsa:{name} absent", "wsa:MessageAddressingHeaderRequired")
    if len(found) > 1:
        raise SoapFault(f"wsa:{name} répété", "wsa:InvalidAddressingHeader")
    return text(found[0])


def write_envelope(action: str, message_id: str, relates_to: str, fill: Callable[[Element], None]) -> bytes:
    """An answer: addressing headers, then the body that `fill` writes."""
    envelope = etree.Element(f"{{{ENV}}}Envelope", nsmap=_PREFIXES)
    header = etree.SubElement(envelope, f"{{{ENV}}}Header")
    mark = etree.SubElement(header, f"{{{WSA}}}Action")
    mark.set(f"{{{ENV}}}mustUnderstand", "true")
    mark.text = action
    etree.SubElement(header, f"{{{WSA}}}MessageID").text = message_id
    etree.SubElement(header, f"{{{WSA}}}To").text = ANONYMOUS
    if relates_to:
        etree.SubElement(header, f"{{{WSA}}}RelatesTo").text = relates_to
    fill(etree.SubElement(envelope, f"{{{ENV}}}Body"))
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def write_fault(fault: SoapFault, message_id: str, relates_to: str) -> bytes:
    """A SOAP 1.2 fault with its reason in French."""

    def fill(body: Element) -> None:
        element = etree.SubElement(body, f"{{{ENV}}}Fault")
        code = etree.SubElement(element, f"{{{ENV}}}Code")
        etree.SubElement(code, f"{{{ENV}}}Value").text = fault.code
        if fault.subcode:
            subcode = etree.SubElement(code, f"{{{ENV}}}Subcode")
            etree.SubElement(subcode, f"{{{ENV}}}Value").text = fault.subcode
        reason = etree.SubElement(element, f"{{{ENV}}}Reason")
        words = etree.SubElement(reason, f"{{{ENV}}}Text")
        words.set("{http://www.w3.org/XML/1998/namespace}lang", "fr")
        words.text = printable(fault.reason)

    return write_envelope(WSA + "/fault", message_id, relates_to, fill)
