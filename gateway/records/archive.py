"""The archive that carries a PDF and its metadata: two files, read without trusting a byte of it.

Nothing is ever written to a disk; sizes are counted while reading, since an archive may lie about them.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from dataclasses import dataclass

from gateway.findings import Finding, error

MAGIC = b"PK\x03\x04"
METADATA, PDF = "metadata.json", "document.pdf"
LIMITS = {METADATA: 1_000_000, PDF: 8_000_000}
"""Bytes of each file once unpacked. A mail carries the PDF twice, once in base64 inside the base64 of the archive: 8 MB
make 25.5 MB, just below what Mon espace santé takes (spec mssante §1.4)."""
MAX_ARCHIVE = 9_500_000
"""Bytes of the archive itself."""
_ENCRYPTED = 0x1
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNIX = 3
_ADVICE = f"Mettre dans l'archive {METADATA} et {PDF}, à la racine et rien d'autre."


@dataclass(frozen=True, slots=True)
class Files:
    """The two files of an archive."""

    metadata: bytes
    pdf: bytes


def read(data: bytes) -> tuple[Files | None, list[Finding]]:
    """The two files, or why the archive is refused. Never raises."""
    if len(data) > MAX_ARCHIVE:
        return None, [_too_big("L'archive", MAX_ARCHIVE)]
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            refused = _refusals(opened.infolist())
            if refused:
                return None, refused
            found = {info.filename: _content(opened, info) for info in opened.infolist()}
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, RuntimeError, EOFError):
        return None, [error("PDF-010", "", "L'archive est illisible ou abîmée.", "La refaire.", "ZIP (APPNOTE)")]
    bad = [one for one in found.values() if isinstance(one, Finding)]
    good = {name: one for name, one in found.items() if isinstance(one, bytes)}
    return (None, bad) if bad else (Files(good[METADATA], good[PDF]), [])


def _refusals(members: list[zipfile.ZipInfo]) -> list[Finding]:
    names = [info.filename for info in members]
    if any(_unsafe(info) for info in members):
        message = "L'archive contient un chemin, un lien, un dossier ou un fichier chiffré."
        return [error("PDF-012", "", message, _ADVICE)]
    if sorted(names) != sorted(LIMITS):
        message = "L'archive ne contient pas exactement les deux fichiers attendus."
        return [error("PDF-011", "", message, _ADVICE)]
    return [
        _too_big(info.filename, LIMITS[info.filename]) for info in members if info.file_size > LIMITS[info.filename]
    ]


def _unsafe(info: zipfile.ZipInfo) -> bool:
    """A name that leads elsewhere, anything that is no plain file, or what cannot be read without a secret."""
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
    path = any(mark in info.filename for mark in ("/", "\\", ":", "\x00")) or info.filename.startswith(".")
    special = kind not in {0, stat.S_IFREG}
    return path or special or bool(info.flag_bits & _ENCRYPTED) or info.compress_type not in _READABLE


def _content(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | Finding:
    limit = LIMITS[info.filename]
    with opened.open(info) as stream:
        content = stream.read(limit + 1)
    return _too_big(info.filename, limit) if len(content) > limit else content


def _too_big(what: str, limit: int) -> Finding:
    return error("PDF-013", "", f"{what} dépasse {limit // 1_000_000} Mo.", "Alléger le PDF (images moins fines).")
