"""Reads what the DMP answers: SOAP faults, registry responses, the existence test. Trusts nothing in them."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from email.errors import MessageError
from email.message import Message

from gateway.package.xml import Element, parse

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
HL7 = "urn:hl7-org:v3"
_NS = {"env": SOAP, "wsa": WSA, "rs": RS, "h": HL7}

MAX_ANSWER = 4 * 1024 * 1024
"""Largest answer read, in bytes: a registry response has a few kilobytes."""


MAX_MEDIA_TYPE = 1_000
"""Characters of a Content-Type."""
_FAULTS = (LookupError, AttributeError, TypeError, RecursionError, MessageError)
"""What the standard library raises on malformed parts, at one place or another."""


class AnswerError(ValueError):
    """The answer cannot be read as what it should be."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP 1.2 fault: local names of code and subcode, and the reason."""

    code: str
    subcode: str
    reason: str


@dataclass(frozen=True, slots=True)
class RegistryError:
    """One error of a registry response; `code` is the IHE code, without the prefix some servers put."""

    code: str
    context: str
    location: str

    @property
    def text(self) -> str:
        """Code and context, for people."""
        return f"{self.code} {self.context}".strip()


@dataclass(frozen=True, slots=True)
class RegistryResponse:
    """Status `Success`, `Failure` or `PartialSuccess`, and the errors (warnings left out)."""

    status: str
    errors: tuple[RegistryError, ...]


@dataclass(frozen=True, slots=True)
class Existence:
    """Answer of TD0.2. `found`: the DMP knows this patient; `active`: the DMP is open."""

    found: bool
    active: bool
    authorisation: str | None
    error: str | None


def read_envelope(content_type: str, data: bytes, relates_to: str | None = None) -> Element:
    """The payload of the Body, from plain SOAP or the root part of a multipart answer.

    Raises AnswerError when it is none, or when it answers another request than `relates_to`.
    """
    try:
        envelope = parse(_root_part(content_type, data))
    except ValueError as fault:
        raise AnswerError(str(fault)) from fault
    body = envelope.find("env:Body", _NS)
    if envelope.tag != f"{{{SOAP}}}Envelope" or body is None:
        raise AnswerError("not a SOAP 1.2 envelope")
    payload = [child for child in body if isinstance(child.tag, str)]
    if len(payload) != 1:
        raise AnswerError("the Body must hold one element")
    answered = (envelope.findtext("env:Header/wsa:RelatesTo", namespaces=_NS) or "").strip()
    if relates_to is not None and answered not in {"", relates_to}:
        raise AnswerError("the answer relates to another request")
    return payload[0]


def _root_part(content_type: str, data: bytes) -> bytes:
    if not content_type.lower().lstrip().startswith("multipart/"):
        return data
    check_media_type(content_type)
    try:
        return _named_part(content_type, data)
    except _FAULTS as fault:
        raise AnswerError("multipart answer beyond reading") from fault


def check_media_type(content_type: str) -> None:
    """Raise AnswerError on a media type that no server writes: taking a long one apart costs its square and more."""
    if "\r" in content_type or "\n" in content_type:
        raise AnswerError("line break in the media type")
    if len(content_type) > MAX_MEDIA_TYPE:
        raise AnswerError("media type too long")


def _named_part(content_type: str, data: bytes) -> bytes:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    # The older policy: the newer one takes every header of every part apart, in more time than its length explains.
    message = email.message_from_bytes(head + data, policy=email.policy.compat32)
    start, payload = message.get_param("start", ""), message.get_payload()
    parts = [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []
    named = [part for part in parts if start and str(part["Content-ID"]).strip() == start]
    for part in named or parts:
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            return content
    raise AnswerError("multipart answer without a root part")


def read_fault(payload: Element) -> Fault | None:
    """The fault that the payload is, or None."""
    if payload.tag != f"{{{SOAP}}}Fault":
        return None
    return Fault(
        code=_local(payload.findtext("env:Code/env:Value", namespaces=_NS)),
        subcode=_local(payload.findtext("env:Code/env:Subcode/env:Value", namespaces=_NS)),
        reason=(payload.findtext("env:Reason/env:Text", namespaces=_NS) or "").strip(),
    )


def _local(name: str | None) -> str:
    return (name or "").strip().rpartition(":")[2]


def read_registry(payload: Element) -> RegistryResponse:
    """A `rs:RegistryResponse`. Raises AnswerError on anything else, an unknown status included."""
    if payload.tag != f"{{{RS}}}RegistryResponse":
        raise AnswerError("rs:RegistryResponse expected")
    return read_status(payload)


def read_status(payload: Element) -> RegistryResponse:
    """Status and errors of a registry's answer, whatever its element. Raises AnswerError on an unknown status."""
    status = _local(payload.get("status"))
    if status not in {"Success", "Failure", "PartialSuccess"}:
        raise AnswerError("unknown registry status")
    errors = tuple(
        RegistryError(_local(item.get("errorCode")), item.get("codeContext", ""), item.get("location", ""))
        for item in payload.iterfind("rs:RegistryErrorList/rs:RegistryError", _NS)
        if _local(item.get("severity")) != "Warning"
    )
    return RegistryResponse(status, errors)


def read_existence(payload: Element) -> Existence:
    """A PRPA_IN201308UV02. The traits in it are never read (RG_0320). Raises AnswerError on anything else."""
    if payload.tag != f"{{{HL7}}}PRPA_IN201308UV02":
        raise AnswerError("PRPA_IN201308UV02 expected")
    acknowledged = _code(payload, "h:acknowledgement/h:typeCode")
    if acknowledged != "AA":
        text = payload.findtext("h:acknowledgement/h:acknowledgementDetail/h:text", namespaces=_NS)
        return Existence(found=False, active=False, authorisation=None, error=(text or acknowledged or "").strip())
    statuses = [item.get("code", "") for item in payload.iterfind(".//h:subject1/h:patient/h:statusCode", _NS)]
    return Existence(
        found=_code(payload, ".//h:queryAck/h:queryResponseCode") == "OK",
        active=statuses == ["active"],
        authorisation=_authorisation(payload),
        error=None,
    )


def _code(parent: Element, path: str) -> str | None:
    found = parent.find(path, _NS)
    return found.get("code") if found is not None else None


def _authorisation(payload: Element) -> str | None:
    for line in payload.iterfind(".//h:attentionLine", _NS):
        keyword, value = line.find("h:keyWordText", _NS), line.find("h:value", _NS)
        if keyword is None or value is None:
            continue
        if "AUTORISATION" in {keyword.get("code", ""), (keyword.text or "").strip()}:
            return value.get("code") or (value.text or "").strip() or None
    return None
