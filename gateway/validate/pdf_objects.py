"""The inside of a PDF that somebody else made, object by object. Run apart, in a process that can be ended.

    python -m gateway.validate.pdf_objects < document.pdf

writes what it found as JSON. A hostile file can make any reader loop or swell: `gateway.validate.pdf` gives this
process a time and takes no answer for a refusal.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gateway.findings import Finding, error

if TYPE_CHECKING:
    from pypdf import PdfReader

MAX_PAGES = 100
MAX_OBJECTS = 200_000
READ_PAGES = 40
"""Pages whose text is read: the patient is named on the first one, where he is named at all."""
PATH = "/pdf"
RULE = "MSSanté ECO.2.1.5, XDS-SD"
_TAIL = 2048
_ISO = "ISO 19005-1"
_REDO = "Exporter de nouveau le document en PDF/A-1 depuis le logiciel (réglage « PDF/A » ou « archivage »)."
_ACTIVE = frozenset({"/JavaScript", "/JS", "/Launch", "/RichMedia", "/XFA", "/SubmitForm", "/ImportData", "/Movie"})
_ATTACHED = frozenset({"/EmbeddedFile", "/EmbeddedFiles", "/EF", "/Filespec"})
_SIMPLE_FONTS = frozenset({"/Type1", "/MMType1", "/TrueType", "/CIDFontType0", "/CIDFontType2"})
_FONT_FILES = ("/FontFile", "/FontFile2", "/FontFile3")
_MARK = re.compile(rb"pdfaid:part(?:\s*=\s*[\"']|>)\s*1\b")


def faults(pdf: bytes) -> list[Finding]:
    """What forbids to send the file: `PDF-003` to `PDF-007`, all errors."""
    try:
        reader = _open(pdf)
        if reader.is_encrypted:
            advice = "Exporter le PDF sans mot de passe ni restriction."
            return [error("PDF-003", PATH, "Le PDF est chiffré ou protégé.", advice, _ISO)]
        return list(_faults(pdf, reader))
    except Exception:  # noqa: BLE001 - a hostile file makes the reader fail in any way
        return [broken()]


def text(pdf: bytes) -> str:
    """The words of the first pages; none where they cannot be read."""
    try:
        return " ".join(page.extract_text() for page in _open(pdf).pages[:READ_PAGES])
    except Exception:  # noqa: BLE001 - what cannot be read is held, not refused
        return ""


def _open(pdf: bytes) -> PdfReader:
    import pypdf

    return pypdf.PdfReader(io.BytesIO(pdf), strict=False)


def broken() -> Finding:
    """The finding of a file that no reader gets through."""
    return error("PDF-006", PATH, "Le PDF est illisible, tronqué ou démesuré.", _REDO, RULE)


def _faults(pdf: bytes, reader: PdfReader) -> Iterator[Finding]:
    pages = len(reader.pages)
    if not 0 < pages <= MAX_PAGES or b"%%EOF" not in pdf[-_TAIL:]:
        yield broken()
        return
    objects = list(_objects(reader))
    names = {name for one in objects for name in _names(one)}
    if names & _ACTIVE:
        message = "Le PDF porte du contenu actif (script, lancement, formulaire dynamique, vidéo)."
        yield error("PDF-004", PATH, message, _REDO, _ISO)
    if names & _ATTACHED:
        yield error("PDF-005", PATH, "Le PDF contient des fichiers joints.", _REDO, _ISO)
    missing = [what for what, found in _archival(reader, objects, names) if found]
    if missing:
        message = f"Le PDF n'est pas un PDF/A-1 : {', '.join(missing)}."
        yield error("PDF-007", PATH, message, _REDO, f"{RULE}, {_ISO}")


def _objects(reader: PdfReader) -> Iterator[Any]:
    """Every dictionary and stream of the file, those nested in arrays and dictionaries included."""
    from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

    numbers = [(number, generation) for generation, table in reader.xref.items() for number in table]
    numbers += [(number, 0) for number in reader.xref_objStm]
    if len(numbers) > MAX_OBJECTS:
        raise ValueError("too many objects")
    stack: list[Any] = [reader.trailer]
    stack += [reader.get_object(IndirectObject(number, generation, reader)) for number, generation in numbers if number]
    left = MAX_OBJECTS * 10
    while stack:
        one = stack.pop()
        left -= 1
        if left < 0:
            raise ValueError("too many values")
        if isinstance(one, DictionaryObject):
            yield one
            stack += [one.raw_get(key) for key in one]
        elif isinstance(one, ArrayObject):
            stack += list(one)


def _names(one: Any) -> Iterator[str]:
    """Keys of a dictionary, and the names that say what it is or does."""
    yield from one
    for key in ("/S", "/Type", "/Subtype"):
        value = one.raw_get(key) if key in one else None
        if isinstance(value, str):
            yield value


def _archival(reader: PdfReader, objects: list[Any], names: set[str]) -> Iterator[tuple[str, bool]]:
    root: Any = reader.trailer["/Root"]
    metadata = root.get_object().get("/Metadata")
    packet = metadata.get_object().get_data() if metadata is not None else b""
    yield "marque PDF/A-1 absente", _MARK.search(packet) is None
    yield "polices non incorporées", any(_font_outside(one) for one in objects)
    yield "compression LZW", any("/LZWDecode" in str(one.get("/Filter", "")) for one in objects)
    yield "transparence", any(_transparent(one) for one in objects)
    yield "structure postérieure à PDF 1.4", bool(reader.xref_objStm) or "/XRef" in names


def _font_outside(one: Any) -> bool:
    if one.get("/Type") != "/Font" or one.get("/Subtype") not in _SIMPLE_FONTS:
        return False
    descriptor = one.get("/FontDescriptor")
    described = descriptor.get_object() if descriptor is not None else {}
    return not any(name in described for name in _FONT_FILES)


def _transparent(one: Any) -> bool:
    mask = one.get("/SMask")
    if mask is not None and mask != "/None":
        return True
    blend = one.get("/BM")
    if blend is not None and blend not in {"/Normal", "/Compatible"}:
        return True
    faded = [one[key] for key in ("/CA", "/ca") if key in one and one.get("/Type") == "/ExtGState"]
    return one.get("/S") == "/Transparency" or any(float(value) < 1 for value in faded)


def main() -> None:
    """Read a PDF from standard input and write findings and text as JSON to standard output."""
    pdf = sys.stdin.buffer.read()
    found = faults(pdf)
    said = {"findings": [one.as_dict() for one in found], "text": "" if found else text(pdf)}
    sys.stdout.buffer.write(json.dumps(said, ensure_ascii=True).encode())


if __name__ == "__main__":
    main()
