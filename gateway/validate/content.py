"""Rules on embedded content: a body that is no XML, attachments, scripts and links (spec cda §4, dmp §1.7)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from lxml import etree

from gateway.findings import Finding, Severity
from gateway.render.cda.xml import TAGS
from gateway.validate.view import Element, Rule, View, found

_MAGIC: dict[str, tuple[bytes, ...]] = {
    "application/pdf": (b"%PDF-",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/tiff": (b"II*\x00", b"MM\x00*"),
    "text/rtf": (b"{\\rtf",),
    "text/plain": (),
}
"""Media types of a level-1 body (formatCodes of ASS-A12) and how such content begins."""

_ACTIVE = (b"/JavaScript", b"/Launch", b"/EmbeddedFile", b"/RichMedia")
_SCRIPT = re.compile(
    r"<\s*(script|iframe|object|embed)\b|\bjavascript\s*:|\bvbscript\s*:|\bdata\s*:\s*text/html", re.IGNORECASE
)
_NO_LINK = "Retirer scripts et liens : le DMP les refuse."
_RULE = "EX_2.1-1115"


def _media(view: View) -> Iterator[Finding]:
    for element in view.find("//c:nonXMLBody/c:text"):
        if element.get("mediaType") not in _MAGIC:
            message = "Le type de média du corps n'est pas accepté (PDF attendu)"
            yield found("CDA-055", element, message, 'Écrire mediaType="application/pdf".', "JDV_J10")
    for element in view.find("//c:nonXMLBody/c:text | //c:observationMedia/c:value"):
        if element.get("representation") != "B64":
            message = "Le contenu joint n'est pas annoncé en base64"
            yield found("CDA-056", element, message, 'Écrire representation="B64".', "CDA R2")
        yield from _bytes(element)


def _bytes(element: Element) -> Iterator[Finding]:
    try:
        data = base64.b64decode(re.sub(r"\s+", "", element.text or ""), validate=True)
    except (binascii.Error, ValueError):
        yield found("CDA-057", element, "Le contenu joint n'est pas du base64", "Encoder de nouveau.", "RFC 4648")
        return
    magic = _MAGIC.get(element.get("mediaType") or "", ())
    if not data or (magic and not data.startswith(magic)):
        message = "Le contenu joint n'est pas du type annoncé"
        yield found("CDA-058", element, message, "Joindre le bon fichier.", "CDA R2")
    elif element.get("mediaType") == "application/pdf":
        yield from _pdf(element, data)


def _pdf(element: Element, data: bytes) -> Iterator[Finding]:
    if b"%%EOF" not in data[-2048:]:
        message = "Le PDF joint ne se termine pas (fichier tronqué ?)"
        yield found("CDA-059", element, message, "Joindre le PDF entier.", severity=Severity.WARNING)
    if any(token in data for token in _ACTIVE):
        yield found("CDA-061", element, "Le PDF joint porte du contenu actif", "Joindre un PDF/A.", _RULE)


def _links(view: View) -> Iterator[Finding]:
    for element in view.find("//c:linkHtml | //c:reference[contains(@value,'://')]"):
        yield found("CDA-060", element, "Lien dans le contenu", _NO_LINK, _RULE)
    for element in view.find("//@href/.. | //@src/.. | //@onclick/.. | //@onload/.."):
        if element.tag != TAGS["linkHtml"]:
            yield found("CDA-060", element, "Lien ou script dans le contenu", _NO_LINK, _RULE)


def _scripts(view: View) -> Iterator[Finding]:
    for element in view.find("//x:* | //*[local-name()='script' or local-name()='SCRIPT']"):
        yield found("CDA-060", element, "Script ou HTML dans le document", _NO_LINK, _RULE)
    if not _SCRIPT.search(view.words):
        return
    for element in view.root.iter(etree.Element):
        if any(_SCRIPT.search(part) for part in _own_words(element)):
            # escaped text is no script, but a careless viewer could make one of it
            message = "Texte qui se lit comme un script"
            yield found("CDA-063", element, message, _NO_LINK, _RULE, severity=Severity.WARNING)


def _own_words(element: Element) -> list[str]:
    tails = [item.tail for item in element if item.tail]
    return [element.text or "", *tails, *map(str, element.attrib.values())]


def _stylesheets(view: View) -> Iterator[Finding]:
    sibling = view.root.getprevious()
    while sibling is not None:
        text = sibling.text or ""
        if isinstance(sibling, etree._ProcessingInstruction) and "://" in text:  # noqa: SLF001
            message = "Feuille de style prise sur le réseau"
            yield found("CDA-062", view.root, message, "Retirer l'instruction xml-stylesheet.", _RULE)
        sibling = sibling.getprevious()


RULES: tuple[Rule, ...] = (_media, _links, _scripts, _stylesheets)
