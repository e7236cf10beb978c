"""A file of unknown kind: recognised by its content, never by its name, and read by what knows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.findings import Finding
from gateway.read import cda, fhir, mail, xdm
from gateway.read.mail import Mail
from gateway.read.reading import Attachment, Kind, Reading, Trail
from gateway.read.xdm import Archive
from gateway.terminology import Terminology

_ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
_WIDE = (b"\xff\xfe<\x00", b"\xfe\xff\x00<", b"<\x00", b"\x00<")
_MAIL = re.compile(rb"(?:[!-9;-~]{1,80}:[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a file held: one document, or an archive, or a mail with archives."""

    kind: Kind
    readings: tuple[tuple[str, Reading], ...]
    archives: tuple[tuple[str, Archive], ...] = ()
    mail: Mail | None = None
    attachments: tuple[Attachment, ...] = ()
    findings: tuple[Finding, ...] = ()

    def every_finding(self) -> Iterator[Finding]:
        """The findings of the file, of its archives and of their documents."""
        yield from self.findings
        for _name, archive in self.archives:
            yield from archive.findings
        for _name, reading in self.readings:
            yield from reading.findings


def recognise(data: bytes) -> Kind:
    """The kind of a file by its first bytes."""
    start = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if data.startswith(_ZIPS):
        return "xdm"
    if start.startswith(b"{"):
        return "fhir"
    if start.startswith(b"<") or data.startswith(_WIDE):
        return "cda"
    return "mail" if _MAIL.match(data[:65536]) else "unknown"


def opened(data: bytes, terminology: Terminology) -> Opened:
    """Everything that can be read in a file. Never raises on bad input."""
    kind = recognise(data)
    if kind == "cda":
        return _single(kind, cda.read(data, terminology))
    if kind == "fhir":
        return _single(kind, fhir.read(data, terminology))
    if kind == "xdm":
        return _archives(kind, (("", xdm.read(data, terminology)),))
    if kind == "mail":
        message = mail.read(data)
        read = tuple((one.name, xdm.read(one.data, terminology)) for one in message.archives())
        return _archives(kind, read, message)
    trail = Trail()
    what = "un PDF : il se lit, mais ne se décode pas" if data.startswith(b"%PDF") else "d'aucune sorte connue"
    advice = "Choisir un CDA, une archive IHE_XDM.ZIP, un document FHIR ou un message qui porte l'une d'elles."
    trail.fault("RDB-008", "/", f"Ce fichier est {what}.", advice)
    return Opened(kind, (), findings=tuple(trail.findings))


def _single(kind: Kind, reading: Reading) -> Opened:
    return Opened(kind, (("", reading),), attachments=reading.attachments)


def _archives(kind: Kind, archives: tuple[tuple[str, Archive], ...], message: Mail | None = None) -> Opened:
    held = [one for _name, archive in archives for one in archive.documents]
    return Opened(
        kind,
        tuple((one.name, one.reading) for one in held if one.reading is not None),
        archives,
        message,
        tuple(Attachment(one.name, "", one.data) for one in held if one.reading is None),
        message.findings if message is not None else (),
    )
