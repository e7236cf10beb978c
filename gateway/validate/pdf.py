"""A PDF that somebody else made: never trusted, looked at object by object, and read for the patient's name.

What is checked of PDF/A-1 (ISO 19005-1) is what can be seen without rendering: the marker, embedded fonts, no
encryption, no LZW, no transparency group, no file structure younger than PDF 1.4. It is no certificate: a tool
like veraPDF says more. Nothing is converted: without a renderer the result could differ from what was signed.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gateway.findings import Finding, error, warning

if TYPE_CHECKING:
    from pypdf import PdfReader

    from gateway.records.people import Patient

MAX_PAGES = 100
MAX_OBJECTS = 200_000
READ_PAGES = 40
"""Pages whose text is read: the patient is named on the first one, where he is named at all."""
_PATH = "/pdf"
_TAIL = 2048
_RULE = "MSSanté ECO.2.1.5, XDS-SD"
_ISO = "ISO 19005-1"
_REDO = "Exporter de nouveau le document en PDF/A-1 depuis le logiciel (réglage « PDF/A » ou « archivage »)."
_ACTIVE = frozenset({"/JavaScript", "/JS", "/Launch", "/RichMedia", "/XFA", "/SubmitForm", "/ImportData", "/Movie"})
_ATTACHED = frozenset({"/EmbeddedFile", "/EmbeddedFiles", "/EF", "/Filespec"})
_SIMPLE_FONTS = frozenset({"/Type1", "/MMType1", "/TrueType", "/CIDFontType0", "/CIDFontType2"})
_FONT_FILES = ("/FontFile", "/FontFile2", "/FontFile3")
_MARK = re.compile(rb"pdfaid:part(?:\s*=\s*[\"']|>)\s*1\b")
_MONTHS = (
    *("janvier", "fevrier", "mars", "avril", "mai", "juin"),
    *("juillet", "aout", "septembre", "octobre", "novembre", "decembre"),
)
_LONG_NAME = 6
"""Letters from which a name is also looked for in text whose letters were set apart."""

NO_TEXT, NO_NAME, NO_BIRTH = "PDF-NO-TEXT", "PDF-NO-NAME", "PDF-NO-BIRTH"
_HELD = {
    NO_TEXT: "Le PDF n'a pas de texte lisible (image seule ?) : rien ne dit de quel patient il est.",
    NO_NAME: "Ni le nom de naissance ni le nom utilisé du patient ne figurent dans le PDF.",
    NO_BIRTH: "La date de naissance du patient ne figure pas dans le PDF.",
}


def check(pdf: bytes) -> list[Finding]:
    """What forbids to send a PDF: findings `PDF-001` to `PDF-007`, all errors. Never raises."""
    if not pdf.startswith(b"%PDF-"):
        return [error("PDF-001", _PATH, "Ce n'est pas un fichier PDF.", "Joindre le bon fichier.", _RULE)]
    try:
        reader = _open(pdf)
        if reader.is_encrypted:
            advice = "Exporter le PDF sans mot de passe ni restriction."
            return [error("PDF-003", _PATH, "Le PDF est chiffré ou protégé.", advice, _ISO)]
        return list(_faults(pdf, reader))
    except Exception:  # noqa: BLE001 - a hostile file makes the reader fail in any way
        return [_broken()]


def _open(pdf: bytes) -> PdfReader:
    import pypdf

    return pypdf.PdfReader(io.BytesIO(pdf), strict=False)


def _broken() -> Finding:
    return error("PDF-006", _PATH, "Le PDF est illisible, tronqué ou démesuré.", _REDO, _RULE)


def _faults(pdf: bytes, reader: PdfReader) -> Iterator[Finding]:
    pages = len(reader.pages)
    if not 0 < pages <= MAX_PAGES or b"%%EOF" not in pdf[-_TAIL:]:
        yield _broken()
        return
    objects = list(_objects(reader))
    names = {name for one in objects for name in _names(one)}
    if names & _ACTIVE:
        message = "Le PDF porte du contenu actif (script, lancement, formulaire dynamique, vidéo)."
        yield error("PDF-004", _PATH, message, _REDO, _ISO)
    if names & _ATTACHED:
        yield error("PDF-005", _PATH, "Le PDF contient des fichiers joints.", _REDO, _ISO)
    missing = [what for what, found in _archival(reader, objects, names) if found]
    if missing:
        message = f"Le PDF n'est pas un PDF/A-1 : {', '.join(missing)}."
        yield error("PDF-007", _PATH, message, _REDO, f"{_RULE}, {_ISO}")


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


def doubt(pdf: bytes, patient: Patient) -> str | None:
    """Why a PDF that passed `check` may be another patient's: a reason to hold it, or None. Never raises."""
    try:
        pages = _open(pdf).pages
        text = " ".join(page.extract_text() for page in pages[:READ_PAGES])
    except Exception:  # noqa: BLE001 - what cannot be read is held, not refused
        return NO_TEXT
    words = f" {plain(text)} "
    if not words.strip():
        return NO_TEXT
    names = [plain(name) for name in (patient.birth_family, patient.used_family) if name]
    if not any(_names_somebody(words, name) for name in names):
        return NO_NAME
    return None if any(f" {form} " in words for form in _forms(patient)) else NO_BIRTH


def held(reason: str | None) -> list[Finding]:
    """The finding that goes with a reason of `doubt`."""
    if reason is None:
        return []
    advice = "Ouvrir le PDF et vérifier le patient ; l'envoi est retenu jusqu'à ce qu'une personne le libère."
    return [warning(reason, _PATH, _HELD[reason], advice, "identitovigilance")]


def plain(text: str) -> str:
    """Words in lower case without accents, one blank between them."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(char if char.isalnum() else " " for char in spread if not unicodedata.combining(char))
    return " ".join(kept.split())


def _names_somebody(words: str, name: str) -> bool:
    together = name.replace(" ", "")
    return f" {name} " in words or (len(together) >= _LONG_NAME and together in words.replace(" ", ""))


def _forms(patient: Patient) -> Iterator[str]:
    """The ways in which a birth date is written, as `plain` leaves them."""
    born = patient.birth_date
    if born is None:
        return
    yield from (f"{born:%d %m %Y}", f"{born.day} {born.month} {born.year}", f"{born:%Y %m %d}", f"{born:%d%m%Y}")
    month = _MONTHS[born.month - 1]
    yield from (f"{born.day} {month} {born.year}", f"{born:%d} {month} {born.year}")
    if born.day == 1:
        yield f"1er {month} {born.year}"


__all__ = ["NO_BIRTH", "NO_NAME", "NO_TEXT", "check", "doubt", "held", "plain"]
