"""Which of the product's documents a file is, by its template and its type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from gateway.document.model import Code
from gateway.errors import MappingError
from gateway.read.reading import ABSENT_CODE, Trail
from gateway.terminology import DocumentDef, Terminology

if TYPE_CHECKING:
    from gateway.document.model import Kind


def definitions(terms: Terminology) -> Iterator[DocumentDef]:
    """Every document that the product makes."""
    for kind in terms.order:
        for closes in (False, True):
            try:
                yield terms.document(kind, closes_episode=closes)
            except MappingError:
                continue


def definition(terms: Terminology, template: str, code: str) -> DocumentDef | None:
    """The document of this template and type code; of the template or of the type alone, where one has changed.

    Level 1 has one template for all kinds: there the type tells the kind.
    """
    known = list(definitions(terms))
    if template == terms.pdf_template:
        known = [replace(one, template_id=template, format_code=terms.pdf_format) for one in known]
    both = (one for one in known if one.template_id == template and one.type.code == code)
    ours = (one for one in known if one.template_id == template)
    alike = (one for one in known if one.type.code == code)
    return next(both, None) or next(ours, None) or next(alike, None)


def format_of(known: DocumentDef | None, template: str) -> Code:
    """XDS format of a document: known for our own templates only, another's depends on its body."""
    return known.format_code if known is not None and known.template_id == template else ABSENT_CODE


def kind_of(known: DocumentDef | None, trail: Trail, path: str) -> Kind:
    """Kind of a document; another's type is read as an assessment, with a finding."""
    if known is None:
        trail.info(
            "RDB-024",
            path,
            "Ce type de document n'est pas l'un des nôtres : lu comme un bilan.",
            "Lire son titre et son type.",
        )
    return cast("Kind", known.kind if known is not None else "assessment")
