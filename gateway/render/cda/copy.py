"""The section that carries the PDF of the same document (CI-SIS FR-Copie-du-document, FR-Document-attache)."""

from __future__ import annotations

from base64 import b64encode

from gateway.document.model import Code
from gateway.render.cda.scope import Scope
from gateway.render.cda.xml import Element, add, add_text, add_typed

LOINC = "2.16.840.1.113883.6.1"
SECTION = "1.2.250.1.213.1.1.2.243"
ORGANIZER = "1.2.250.1.213.1.1.3.18"
KIND = ("1.3.6.1.4.1.19376.1.5.3.1.4.13", "1.2.250.1.213.1.1.3.48", "1.2.250.1.213.1.1.3.48.18")
COPY = Code("55108-5", LOINC, "Copie du document")
ATTACHED = Code("55107-7", LOINC, "Document attaché")
TYPE = Code("69764-9", LOINC, "Type de document")


def write_copy(scope: Scope, body: Element, pdf: bytes, position: str) -> None:
    """One <component> with the PDF in base64. Its title is fixed by the template (spec cda §7 rule 25)."""
    scope = scope.enter(position)
    section = add(add(body, "component"), "section")
    add(section, "templateId", root=SECTION)
    scope.write_id(section)
    scope.write_code(section, "code", COPY)
    add_text(section, "title", COPY.display)
    shown = add(section, "text")
    add_text(shown, "content", "PDF", ID="copie")
    add(shown, "renderMultiMedia", referencedObject="copie-pdf")
    organizer = add(add(section, "entry"), "organizer", classCode="CLUSTER", moodCode="EVN")
    add(organizer, "templateId", root=ORGANIZER)
    scope.write_id(organizer, "organizer")
    scope.write_code(organizer, "code", ATTACHED)
    add(organizer, "statusCode", code="completed")
    _write_kind(scope, add(organizer, "component"))
    media = add(add(organizer, "component"), "observationMedia", classCode="OBS", moodCode="EVN", ID="copie-pdf")
    add_text(media, "value", b64encode(pdf).decode(), mediaType="application/pdf", representation="B64")


def _write_kind(scope: Scope, component: Element) -> None:
    kind = add(component, "observation", classCode="OBS", moodCode="EVN")
    for template in KIND:
        add(kind, "templateId", root=template)
    scope.write_id(kind, "kind")
    scope.write_code(kind, "code", TYPE)
    scope.write_reference(kind, "copie")
    add(kind, "statusCode", code="completed")
    add(kind, "effectiveTime", nullFlavor="NA")
    add_typed(kind, "value", "CD", code=COPY.code, displayName=COPY.display, codeSystem=COPY.system)
