"""The CDA documents of a file or folder: a CDA, an archive, a mail with archives, what `render` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.findings import Finding, Severity, error
from gateway.read.opening import opened, recognise
from gateway.terminology import Terminology

_RENDERED = ("*.xml", "*.XML", "*.zip", "*.ZIP", "*.eml")
"""What may hold a CDA in a folder that `kine-gateway render` wrote."""


@dataclass(frozen=True, slots=True)
class Source:
    """One document to check: the file it came in, its name inside, its bytes; or why there is none."""

    file: str
    name: str
    cda: bytes | None
    findings: tuple[Finding, ...] = ()


def files(path: Path) -> list[Path]:
    """The file itself, or the files of a folder that may hold a CDA."""
    if not path.is_dir():
        return [path]
    return sorted({found for pattern in _RENDERED for found in path.glob(pattern) if found.is_file()})


def sources(file: str, data: bytes, terminology: Terminology) -> Iterator[Source]:
    """Every CDA in the bytes of a file. A file without any gives one source that says so."""
    kind = recognise(data)
    if kind == "cda":
        yield Source(file, "", data)
        return
    if kind == "fhir":
        message = "C'est un document FHIR : les suites de l'ANS jugent des CDA."
        yield Source(file, "", None, (error("VAL-001", "/", message, "Le lire avec kine-gateway inspect."),))
        return
    found = opened(data, terminology)
    held = [one for _name, archive in found.archives for one in archive.documents if one.reading is not None]
    faults = tuple(f for f in _own(found.findings, found.archives) if f.severity is Severity.ERROR)
    if not held:
        advice = "Donner un CDA, une archive IHE_XDM.ZIP ou un message qui en porte une."
        yield Source(file, "", None, (*faults, error("VAL-002", "/", "Aucun CDA dans ce fichier.", advice)))
        return
    for place, one in enumerate(held):
        yield Source(file, one.name, one.data, faults if place == 0 else ())


def _own(findings: tuple[Finding, ...], archives: tuple[tuple[str, object], ...]) -> Iterator[Finding]:
    """Findings of the container; those of the documents are for the suites to say."""
    yield from findings
    for _name, archive in archives:
        yield from getattr(archive, "findings", ())
