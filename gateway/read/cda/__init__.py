"""CDA R2 -> ClinicalDocument: exact for our own documents, best effort for anybody else's."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from gateway.document.model import ClinicalDocument
from gateway.read import narrative, xml
from gateway.read.cda import tables
from gateway.read.cda.header import header, is_own
from gateway.read.cda.scan import Scan
from gateway.read.cda.sections import sections
from gateway.read.reading import Attachment, Reading, Trail
from gateway.terminology import Terminology

__all__ = ["read"]

_NAMES = {"application/pdf": "document.pdf", "text/plain": "document.txt", "text/rtf": "document.rtf"}


def read(data: bytes, terminology: Terminology) -> Reading:
    """The document in these bytes. Never raises on bad input.

    What `gateway.read.carried.through_cda` says is not carried comes back as that function writes it; everything
    else of a document of this product comes back equal.
    """
    root, refused = xml.parse(data)
    if root is None:
        return Reading("cda", None, tuple(refused))
    trail = Trail()
    shown = root if xml.local(root) == "ClinicalDocument" else next(root.iter("{*}ClinicalDocument"), None)
    if shown is None:
        message = "Ce n'est pas un document CDA R2 (racine ClinicalDocument)."
        trail.fault("RDB-004", "/", message, "Vérifier le fichier choisi.", "CDA R2")
        return Reading("cda", None, tuple(trail.findings))
    if shown is not root:  # a self-presenting document stands inside its own stylesheet
        message = "Document contenu dans une feuille de style (autoprésentable)."
        trail.info("RDB-009", "/", message, "Le texte affiché peut différer du document lu.", "CI-SIS")
    scan = Scan(shown, terminology, tables.load(), trail)
    body = xml.child(shown, "component", "structuredBody")
    for text in () if body is None else body.iter("{*}text"):
        if xml.local(text.getparent()) == "section":  # type: ignore[arg-type]
            scan.named.update(narrative.named(text))
    attached = tuple(_attachments(scan))
    whole = attached[0].data if _is_pdf(shown) else None
    document = ClinicalDocument(header(scan), tuple(sections(scan, body)), whole)
    return Reading("cda", document, tuple(trail.findings), attached, own=is_own(terminology, shown))


def _is_pdf(root: xml.Element) -> bool:
    """Whether the body is a PDF: a document of level 1."""
    body = xml.child(root, "component", "nonXMLBody", "text")
    return body is not None and xml.attribute(body, "mediaType") == "application/pdf"


def _attachments(scan: Scan) -> Iterator[Attachment]:
    """The body of a level-1 document, and the files that entries hold."""
    held = [xml.child(scan.root, "component", "nonXMLBody", "text")]
    held += [xml.child(media, "value") for media in scan.root.iter("{*}observationMedia")]
    for place, element in enumerate(one for one in held if one is not None):
        kind = xml.attribute(element, "mediaType") or "text/plain"
        name = f"{place}-{_NAMES.get(kind, 'document.bin')}" if place else _NAMES.get(kind, "document.bin")
        yield Attachment(name, kind, _content(scan, element))


def _content(scan: Scan, element: xml.Element) -> bytes:
    words = xml.text(element)
    if xml.attribute(element, "representation") != "B64":
        return words.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode("".join(words.split()), validate=True)
    except (binascii.Error, ValueError):
        scan.trail.fault("RDB-041", xml.path(element), "Fichier joint illisible (base64).", "Demander le document.")
        return b""
