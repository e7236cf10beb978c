"""A mail as a file (.eml) -> its headers and the archives that it carries."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message

from gateway.findings import Finding
from gateway.read.reading import Attachment, Trail

MAX_BYTES = 60_000_000
"""Size limit of a message in bytes; operators take 25 MB, which base64 makes a third longer."""
_SHOWN = ("From", "To", "Subject", "Date", "Message-ID", "X-MSS-CODECDA", "X-MSS-INS", "X-MSS-NIL")
_ZIP = b"PK\x03\x04"
_MAX_PARTS = 200


@dataclass(frozen=True, slots=True)
class Mail:
    """Headers as they are read by a person, and every attachment."""

    headers: tuple[tuple[str, str], ...]
    attachments: tuple[Attachment, ...]
    findings: tuple[Finding, ...]

    def archives(self) -> tuple[Attachment, ...]:
        """The attachments that are zip archives, whatever their names."""
        return tuple(one for one in self.attachments if one.data.startswith(_ZIP))


def read(data: bytes) -> Mail:
    """The message in these bytes. Never raises on bad input."""
    trail = Trail()
    if len(data) > MAX_BYTES:
        message = f"Message trop gros ({len(data)} octets)."
        trail.fault("RDB-081", "/", message, f"La limite est de {MAX_BYTES // 1_000_000} Mo.")
        return Mail((), (), tuple(trail.findings))
    parsed = email.message_from_bytes(data, policy=email.policy.compat32)
    headers = tuple((name, _header(parsed, name)) for name in _SHOWN if name in parsed)
    attachments = tuple(_attachments(parsed, trail))
    found = Mail(headers, attachments, tuple(trail.findings))
    if not found.archives():
        trail.fault("RDB-080", "/", "Aucune archive IHE_XDM dans ce message.", "Vérifier le message choisi.", "MSSanté")
    return Mail(headers, attachments, tuple(trail.findings))


def _header(message: Message, name: str) -> str:
    """A header in words. The library raises on some malformed ones, and its newer parser splits encoded names."""
    try:
        return " ".join(str(make_header(decode_header(str(message[name])))).split())
    except (ValueError, IndexError, AttributeError, LookupError, MessageError):
        return ""


def _attachments(message: Message, trail: Trail) -> Iterator[Attachment]:
    for place, part in enumerate(message.walk()):
        if place >= _MAX_PARTS:
            trail.doubt(
                "RDB-082",
                "/",
                f"Plus de {_MAX_PARTS} parties : les suivantes ne sont pas lues.",
                "Vérifier l'origine du message.",
            )
            return
        if part.is_multipart() or (place == 0 and part.get_content_type() == "text/plain"):
            continue
        try:
            name, content = part.get_filename() or "", part.get_payload(decode=True)
        except (ValueError, LookupError, AttributeError, IndexError, MessageError):
            trail.doubt("RDB-083", "/", "Pièce jointe illisible : elle est ignorée.", "Demander un nouvel envoi.")
            continue
        if isinstance(content, bytes) and (name or content.startswith(_ZIP)):
            yield Attachment(name or "sans-nom", part.get_content_type(), content)
