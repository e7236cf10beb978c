"""The rendering itself: header, then structuredBody."""

from __future__ import annotations

from base64 import b64encode

from lxml import etree

from gateway.document.model import ClinicalDocument
from gateway.errors import RenderError
from gateway.render.cda import profile
from gateway.render.cda.copy import write_copy
from gateway.render.cda.header import write_header
from gateway.render.cda.scope import Scope, Terms, namespace
from gateway.render.cda.sections import write_section
from gateway.render.cda.xml import Element, add, add_text, root


def render(document: ClinicalDocument, terminology: Terms, *, pdf: bytes | None = None) -> bytes:
    """The document as CDA R2 level 3, or level 1 around a PDF: UTF-8 without BOM, XML declaration.

    `pdf` is joined as a copy of the document in a last section. The same arguments give the same bytes every time.

    Raises:
        RenderError: `CDA-R01` a text that XML cannot hold or a time without zone, which the checks should
            have refused.
        MappingError: a section key without a row in mappings/sections.toml.
    """
    try:
        return etree.tostring(tree(document, terminology, pdf=pdf), encoding="UTF-8", xml_declaration=True)
    except ValueError as fault:  # lxml: control characters, surrogates; timestamp: no zone
        raise RenderError(
            "CDA-R01",
            f"Le document ne peut pas être écrit en CDA : {fault}.",
            "Retirez les caractères de contrôle et vérifiez que chaque heure porte son fuseau.",
        ) from fault


def tree(document: ClinicalDocument, terminology: Terms, *, pdf: bytes | None = None) -> Element:
    """The element tree of the document."""
    header = document.header
    scope = Scope(namespace(header.id), "", profile.load(), terminology)
    clinical_document = root("ClinicalDocument")
    write_header(scope, clinical_document, header)
    component = add(clinical_document, "component")
    if document.pdf is not None:
        body = add(component, "nonXMLBody")
        add_text(body, "text", b64encode(document.pdf).decode(), mediaType="application/pdf", representation="B64")
        return clinical_document
    body = add(component, "structuredBody")
    for number, section in enumerate(document.sections, 1):
        write_section(scope, body, section, str(number))
    if pdf is not None:
        write_copy(scope, body, pdf, "copy")
    return clinical_document
