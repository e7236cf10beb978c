"""IHE_XDM.ZIP: the archive of one document, the same bytes for the same arguments on every machine.

Members are stored, not deflated: what deflate writes depends on the zlib at hand, and 40 KB matter little in a
mail of 25 MB. Layout: IHE ITI TF-2 §3.32, ANS practice (spec mssante §2.1-2.2). Names are 8.3, upper case.
"""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from gateway.clock import Randomness
from gateway.document.model import ClinicalDocument, Header
from gateway.package import ebxml, xds
from gateway.settings import AccountSettings

NAME = "IHE_XDM.ZIP"
FOLDER = "IHE_XDM/SUBSET01"
DOCUMENT = "DOC0001.XML"
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)  # the oldest that a zip can hold: a date would say nothing here
_BOM = b"\xef\xbb\xbf"


def archive(
    document: ClinicalDocument, cda: bytes, *, account: AccountSettings, now: datetime, ids: Randomness
) -> bytes:
    """The archive as bytes. `now` is the submission time, `ids` gives the entry, set and association ids.

    Raises PackageError `PKG-002` when the patient has no identifier. A byte order mark before the CDA is refused
    with ValueError: the hash in METADATA.XML is that of the file without one.
    """
    if cda.startswith(_BOM):
        raise ValueError("the CDA starts with a byte order mark")
    submission = xds.archive_submission(document, cda, uri=DOCUMENT, source_id=account.oid_root, now=now, ids=ids)
    metadata = ebxml.serialise(ebxml.submit_request(submission))
    return _zip(
        (
            ("INDEX.HTM", index_page(document.header)),
            ("README.TXT", readme(document.header)),
            (f"{FOLDER}/METADATA.XML", metadata),
            (f"{FOLDER}/{DOCUMENT}", cda),
        )
    )


def entry_id(data: bytes) -> str:
    """The entryUUID under which an archive of ours describes its document. Raises ValueError on another file."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        return ebxml.entry_id(source.read(f"{FOLDER}/METADATA.XML"))


def _zip(members: tuple[tuple[str, bytes], ...]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for name, data in members:
            info = zipfile.ZipInfo(name, _FIXED_DATE)
            info.create_system = 0  # FAT, whatever this system is
            info.external_attr = 0
            target.writestr(info, data)
    return buffer.getvalue()


def index_page(header: Header) -> bytes:
    """INDEX.HTM: XHTML 1.0 Strict, the sender and a link to each file."""
    structure = header.custodian
    links = (
        ("README.TXT", "Notice (README.TXT)"),
        (f"{FOLDER}/{DOCUMENT}", header.title),
        (f"{FOLDER}/METADATA.XML", "Métadonnées XDS"),
    )
    items = "\n".join(f"<li><a href={quoteattr(target)}>{escape(label)}</a></li>" for target, label in links)
    page = f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr" lang="fr">
<head><meta http-equiv="Content-Type" content="text/html; charset=UTF-8" /><title>{escape(header.title)}</title></head>
<body>
<h1>{escape(header.title)}</h1>
<p>Document de santé transmis par {escape(structure.name)} (identifiant {escape(structure.id.extension)}).</p>
<ul>
{items}
</ul>
</body>
</html>
"""
    return page.encode()


def readme(header: Header) -> bytes:
    """README.TXT: sender, sending application, instructions, file tree; UTF-8, CRLF."""
    software, _, version = header.software.partition(" ")
    lines = (
        "Emetteur",
        "========",
        *_sender(header),
        "",
        "Application de l'émetteur",
        "=========================",
        f"Nom : {software}",
        f"Version : {version}",
        "",
        "Instructions",
        "============",
        "Cette archive contient un document de santé au format CDA R2 et ses métadonnées (profil IHE XDM).",
        "Ouvrez-la avec votre logiciel métier : il classe le document dans le dossier du patient.",
        "Sans logiciel métier, lisez le fichier PDF joint au même message.",
        "",
        "Arborescence",
        "============",
        "INDEX.HTM",
        "README.TXT",
        "IHE_XDM",
        "    SUBSET01",
        "        METADATA.XML",
        f"        {DOCUMENT}",
        "",
    )
    return "\r\n".join(lines).encode()


def _sender(header: Header) -> list[str]:
    author, structure = header.author, header.custodian
    words = (author.name.prefix, author.name.given, author.name.family)
    profession = f" ({author.profession.display})" if author.profession is not None else ""
    lines = [" ".join(word for word in words if word) + profession]
    lines.append(f"{structure.name} (identifiant {structure.id.extension})")
    address = structure.address or author.address
    if address is not None:
        lines.append(", ".join((*address.lines, f"{address.postal_code} {address.city}")))
    telecoms = structure.telecoms or author.telecoms
    lines.extend(telecom.value for telecom in telecoms if telecom.value.startswith("tel:"))
    return lines
