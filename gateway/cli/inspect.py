"""`inspect`: shows what a document says, ours or another's, whatever file it comes in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.common import JsonOption, read_input
from gateway.cli.documents import FileArgument
from gateway.cli.output import DATA_ERROR, print_findings, print_json, print_table, tell
from gateway.findings import Severity
from gateway.unseen import one_line

if TYPE_CHECKING:
    from gateway.document.model import ClinicalDocument, Section
    from gateway.read.ebrim import DocumentMetadata
    from gateway.read.opening import Opened
    from gateway.read.reading import Kind

_KINDS = {
    "cda": "Document CDA R2",
    "fhir": "Document FHIR R4",
    "xdm": "Archive IHE XDM",
    "mail": "Message",
    "unknown": "Fichier inconnu",
}
BriefOption = Annotated[bool, typer.Option("--brief", help="Sans le texte des sections.")]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("inspect")(inspect)


def inspect(file: FileArgument, as_json: JsonOption = False, brief: BriefOption = False) -> None:
    """Lit un CDA, une archive IHE_XDM.ZIP, un document FHIR ou un message, et montre ce qu'il contient.

    Le fichier est reconnu à son contenu ; il peut venir d'un autre logiciel. Rien n'est envoyé ni enregistré.
    """
    from gateway import terminology
    from gateway.read.opening import opened

    found = opened(read_input(file), terminology.load())
    findings = list(found.every_finding())
    if as_json:
        print_json(_plain(found))
    else:
        _show(found, brief=brief)
        print_findings(one.as_dict() for one in findings)
    raise typer.Exit(DATA_ERROR if any(f.severity is Severity.ERROR for f in findings) else 0)


def _plain(value: Any) -> Any:
    """A value as JSON: dataclasses with the name of their class, numbers with their digits, bytes as their size."""
    if is_dataclass(value) and not isinstance(value, type):
        named = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {"class": type(value).__name__, **named}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, date):
        return value.isoformat() if value.year > 1 else None  # year 1 stands where the document said nothing
    if isinstance(value, bytes):
        return {"bytes": len(value)}
    return str(value) if isinstance(value, Decimal | Enum) else value


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    filled = list(rows)
    if filled:
        print_table(columns, filled, title=title)


def _show(found: Opened, *, brief: bool) -> None:
    tell(f"{_KINDS[found.kind]}\n")
    if found.mail is not None:
        _table(("en-tête", "valeur"), found.mail.headers, title="Message")
        rows = [(one.name, one.media_type, len(one.data)) for one in found.mail.attachments]
        _table(("pièce jointe", "type", "octets"), rows)
    for name, archive in found.archives:
        _table(("fichier",), ((one,) for one in archive.files), title=name or "Archive")
        for document in archive.documents:
            if document.metadata is not None:
                _table(("métadonnée", "valeur"), _metadata(document.metadata), title=document.name)
    for name, reading in found.readings:
        if reading.document is not None:
            _document(reading.document, name, reading.kind, brief=brief)
    if found.attachments:
        rows = [(one.name, one.media_type, len(one.data)) for one in found.attachments]
        _table(("fichier joint", "type", "octets"), rows, title="Fichiers joints")


def _metadata(meta: DocumentMetadata) -> Iterable[tuple[str, str]]:
    from gateway.cli import inspect_words as words

    return words.metadata(meta)


def _document(document: ClinicalDocument, name: str, kind: Kind, *, brief: bool) -> None:
    from gateway.cli import inspect_words as words

    _table(("champ", "valeur"), words.header(document), title=name or "En-tête")
    for section in document.sections:
        _section(section, kind, brief=brief)


def _section(section: Section, kind: Kind, depth: int = 2, *, brief: bool) -> None:
    from gateway.cli import inspect_words as words

    code = f" ({section.code.code})" if section.code.code else ""
    tell(f"\n{'#' * min(depth, 6)} {one_line(f'{section.title}{code}')}")
    if not brief:
        tell("\n".join(words.narrative(section.blocks)))
    if section.entries:
        _table(
            ("entrée", "libellé", "valeur", "date", "précisions"),
            (words.entry(entry, kind) for entry in section.entries),
        )
    for below in section.subsections:
        _section(below, kind, depth + 1, brief=brief)
