"""ClinicalDocument -> PDF/A-1b: everything that the template of documents shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.errors import RenderError
from gateway.render.pdf import people
from gateway.render.pdf.blocks import sections
from gateway.render.pdf.facts import facts
from gateway.render.pdf.front import versions
from gateway.render.pdf.legible import all_legible, long_date, wording
from gateway.render.pdf.symbol import symbol
from gateway.render.pdf.typesetting import typeset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gateway.document.model import ClinicalDocument, Header
    from gateway.terminology import Terminology


def render(document: ClinicalDocument, terminology: Terminology | None = None) -> bytes:
    """The document as PDF/A-1b; same document, same bytes. At level 1 it is the document's own file.

    `terminology` says which direction of a measure is better; the shipped one is loaded when none is given.

    Raises:
        RenderError: `REN-031`, typst refuses (it never writes a file that breaks PDF/A).
    """
    if document.pdf is not None:
        return document.pdf
    return compile_view(view(document, terminology or _shipped()), document.header.effective_time)


def _shipped() -> Terminology:
    from gateway import terminology

    return terminology.load()


def view(document: ClinicalDocument, terminology: Terminology) -> dict[str, Any]:
    """Everything the template shows, as JSON-ready values."""
    header = document.header
    words = wording()["words"]
    value = {
        "title": header.title,
        "date": long_date(header.effective_time.date()),
        "language": header.language.partition("-")[0],
        "footer": people.footer(header),
        "id": " · ".join(_mark(header)),
        "author": people.full_name(header.author.name),
        "datamatrix": symbol(header.patient),
        "fronts": versions(document, terminology),
        "sections": sections(document),
        "facts": facts(header, terminology),
        "words": words,
    }
    return dict(all_legible(value))


def _mark(header: Header) -> Iterator[str]:
    """What the foot of each page says of this version: a printed page must not pass for the one it replaces."""
    words = wording()["words"]
    yield f"{words['document']} {header.id}"
    yield f"{words['version']} {header.version}"
    if header.replaces is not None:
        yield f"{words['replaces']} {header.replaces.version}"


def compile_view(value: dict[str, Any], written: datetime) -> bytes:
    """Set a view with the template of documents. `written` becomes the creation date of the file."""

    def refused(why: str) -> RenderError:
        return RenderError("REN-031", "Le PDF n'a pas pu être composé.", why)

    return typeset("document.typ", value, written, refused)
