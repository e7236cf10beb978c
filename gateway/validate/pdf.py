"""A PDF that somebody else made: never trusted, looked at object by object, and read for the patient's name.

What is checked of PDF/A-1 (ISO 19005-1) is what can be seen without rendering: the marker, embedded fonts, no
encryption, no LZW, no transparency group, no file structure younger than PDF 1.4. It is no certificate: a tool
like veraPDF says more. Nothing is converted: without a renderer the result could differ from what was signed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from gateway.findings import Finding, Severity, error, warning
from gateway.validate.pdf_objects import PATH, RULE, broken

if TYPE_CHECKING:
    from gateway.records.people import Patient

SECONDS = 30.0
"""Time given to the process that reads a file; a real document takes less than one."""
_CHILD = "gateway.validate.pdf_objects"
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


@dataclass(frozen=True, slots=True)
class _Look:
    """What the process apart found."""

    findings: tuple[Finding, ...]
    text: str


@lru_cache(maxsize=2)  # a file is checked, then submitted
def _look(pdf: bytes) -> _Look:
    try:
        run = subprocess.run(  # noqa: S603 - our own module; the file comes on its standard input only
            [sys.executable, "-P", "-m", _CHILD], input=pdf, capture_output=True, timeout=SECONDS, check=True
        )
        said = json.loads(run.stdout)
    except (subprocess.SubprocessError, ValueError):
        return _Look((broken(),), "")
    found = [{**one, "severity": Severity(one["severity"])} for one in said["findings"]]
    return _Look(tuple(Finding(**one) for one in found), said["text"])


def check(pdf: bytes) -> list[Finding]:
    """What forbids to send a PDF: findings `PDF-001` to `PDF-007`, all errors. Never raises on the file."""
    if not pdf.startswith(b"%PDF-"):
        return [error("PDF-001", PATH, "Ce n'est pas un fichier PDF.", "Joindre le bon fichier.", RULE)]
    return list(_look(pdf).findings)


def doubt(pdf: bytes, patient: Patient) -> str | None:
    """Why a PDF that passed `check` may be another patient's: a reason to hold it, or None. Never raises."""
    words = f" {plain(_look(pdf).text)} "
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
    return [warning(reason, PATH, _HELD[reason], advice, "identitovigilance")]


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
