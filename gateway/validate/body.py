"""Rules on the structured body: what is read, and what the entries point to (spec cda §8)."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.findings import Finding
from gateway.render.cda.xml import TAGS
from gateway.validate.view import Element, Rule, View, child, found, words


def _texts(view: View) -> Iterator[Finding]:
    for section in view.sections:
        text = child(section, "text")
        if text is None or not _says_something(section, text):
            message = "Section sans texte lisible"
            yield found("CDA-043", section, message, "Écrire dans <text> tout ce que disent les entrées.", "CDA R2")


def _says_something(section: Element, text: Element) -> bool:
    """An empty text is right only above subsections that carry the text themselves, and no entry."""
    shown = words(text) or text.find(f".//{TAGS['renderMultiMedia']}") is not None
    above = section.find(TAGS["component"]) is not None and section.find(TAGS["entry"]) is None
    return bool(shown) or above


def _titles(view: View) -> Iterator[Finding]:
    for section in view.sections:
        title = child(section, "title")
        if title is None or not words(title):
            yield found("CDA-044", section, "Section sans titre", "Ajouter un titre.", "CDA R2")


def _references(view: View) -> Iterator[Finding]:
    for element in view.find("//c:structuredBody//c:reference[@value]"):
        value = str(element.get("value"))
        if "://" in value:
            continue  # a link: see the rules on content
        if value.removeprefix("#") not in view.anchors or not value.startswith("#"):
            message = "La référence ne mène à aucun texte du document"
            yield found("CDA-040", element, message, "Pointer vers un <content ID> existant (#ID).", "CDA R2")
    for element in view.find("//c:renderMultiMedia[@referencedObject]"):
        for name in str(element.get("referencedObject")).split():
            if name not in view.anchors:
                message = "L'objet affiché n'existe pas dans le document"
                yield found("CDA-040", element, message, "Pointer vers un observationMedia existant.", "CDA R2")


def _anchors(view: View) -> Iterator[Finding]:
    for elements in view.anchors.values():
        for repeated in elements[1:]:
            message = "Cet ID est déjà pris dans le document"
            yield found("CDA-042", repeated, message, "Donner à chaque texte un ID à lui.", "XML, xs:ID")


RULES: tuple[Rule, ...] = (_texts, _titles, _references, _anchors)
