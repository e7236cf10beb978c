"""What a doctor's software answers once it took a mail in: a reading report (RFC 8098, French profile)."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import Message
from email.utils import make_msgid

BOUNDARY = "=_accuse-de-lecture"
PROCESSED = "automatic-action/MDN-sent-automatically; processed"

# What the standard library raises on malformed mail, at one place or another.
_FAULTS = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


def reading_report(received: bytes, reader: str) -> bytes | None:
    """The report of the reader's software on a mail that asked for one; None where none was asked.

    Three parts, the whole original last, as the profile wants; the subject is that of the original.
    """
    try:
        mail = message_from_bytes(received, policy=policy.default)
    except _FAULTS:
        return None
    asked = _header(mail, "Disposition-Notification-To")
    if not asked:
        return None
    fields = (
        "Reporting-UA: Logiciel de cabinet (bac a sable); 1",
        f"Original-Recipient: rfc822;{reader}",
        f"Final-Recipient: rfc822;{reader}",
        f"Original-Message-ID: {_header(mail, 'Message-ID')}",
        f"Disposition: {PROCESSED}",
    )
    head = (
        f"From: <{reader}>",
        f"To: {asked}",
        f"Subject: {_header(mail, 'Subject')}",
        f"Message-ID: {make_msgid(domain=reader.rpartition('@')[2])}",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=disposition-notification; boundary="{BOUNDARY}"',
    )
    parts = (
        ("text/plain; charset=utf-8", b"Document pris en compte."),
        ("message/disposition-notification", _lines(*fields)),
        ("message/rfc822", received),
    )
    return _lines(*head, "") + b"".join(_part(kind, data) for kind, data in parts) + _lines(f"--{BOUNDARY}--")


def _header(mail: Message, name: str) -> str:
    """A header on one line; empty where it is absent or beyond reading (the library raises on some)."""
    try:
        value = str(mail[name] or "")
    except _FAULTS:
        return ""
    return " ".join(value.split()).encode("utf-8", "replace").decode()


def _part(kind: str, data: bytes) -> bytes:
    return _lines(f"--{BOUNDARY}", f"Content-Type: {kind}", "") + data + b"\r\n"


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()
