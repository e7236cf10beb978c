"""A minimal builder of a correct MSSanté mail with its XDM archive, every stage of which can be edited."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from lxml import etree

from . import builders as b
from .builders import Draft, E

SENDER = "gwenael.testou@kine.mssante.example"
DOCTOR = "helene.modele@medecin.mssante.example"
PATIENT = f"{b.INS}@patient.mssante.fr"
SUBJECT = "XDM/1.0/DDM+CR de bilan fonctionnel PAT-TROIS DOMINIQUE 28/03/1979"
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
PDF_NAME = "20261122_CR de bilan fonctionnel_PAT-TROIS_DOMINIQUE.pdf"
SUBSET = "IHE_XDM/SUBSET01/"


@dataclass
class MailDraft:
    """Stages: cda, metadata (elements); document (bytes, after METADATA.XML); files (dict); message; raw (bytes)."""

    edits: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    to: str = DOCTOR

    def edit(self, stage: str, value: Any) -> Any:
        change = self.edits.get(stage)
        result = change(value) if change is not None else None
        return value if result is None or isinstance(result, bool) else result


def _metadata(draft: Draft, document: bytes) -> E:
    root = b.metadata(draft, "2.25.1")
    listed = root[0]
    for element in list(listed):
        if "Signature01" in {element.get("id"), element.get("targetObject"), element.get("sourceObject")}:
            listed.remove(element)
    entry = next(item for item in listed if item.get("id") == "Document01")
    for name, value in (
        ("hash", hashlib.sha1(document).hexdigest()),
        ("size", str(len(document))),
        ("URI", "DOC0001.XML"),
    ):
        b.slot(entry, name, value)
    return root


def archive(mail: MailDraft) -> bytes:
    edits = {name: mail.edits[name] for name in ("cda",) if name in mail.edits}
    draft = Draft(NOW, None, edits)  # type: ignore[arg-type]
    document = b.cda(draft)
    metadata = mail.edit("metadata", _metadata(draft, document))
    files = {
        "INDEX.HTM": b"<html/>",
        "README.TXT": b"Lisez-moi",
        f"{SUBSET}METADATA.XML": etree.tostring(metadata, xml_declaration=True, encoding="UTF-8"),
        f"{SUBSET}DOC0001.XML": mail.edit("document", document),
    }
    mail.edit("files", files)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        for name, content in files.items():
            target.writestr(name, content)
    return stream.getvalue()


def build(mail: MailDraft) -> bytes:
    message = EmailMessage(policy=SMTP)
    for name, value in (
        ("From", f"Gwenaël_TESTOU <{SENDER}>"),
        ("To", mail.to),
        ("Subject", SUBJECT),
        ("Date", "Sun, 22 Nov 2026 10:00:00 +0000"),
        ("Message-ID", "<1@kine.mssante.example>"),
        ("Disposition-Notification-To", SENDER),
        ("X-MSS-CODECDA", "47420-5"),
        ("X-MSS-INS", "O"),
        ("X-MSS-NIL", "3734"),
    ):
        message[name] = value
    message.set_content("Bonjour,\nci-joint un bilan.\n")
    data = mail.edit("archive", archive(mail))
    message.add_attachment(data, "application", "zip", filename="IHE_XDM.ZIP")
    message.add_attachment(b"%PDF-1.4 essai", "application", "pdf", filename=PDF_NAME)
    mail.edit("message", message)
    raw: bytes = mail.edit("raw", message.as_bytes())
    return raw
