"""A CDA document as a page: header facts and the narrative of its sections (CDA R2 §4.3.5, StrucDocText).

A closed list of elements becomes HTML; anything else is read through for its text. Links, images of other
places and scripts of the document are never taken over (EX_2.1-1115).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from gateway.sandbox.cda import HL7, NS, CdaHeader, CdaPerson, read_header
from gateway.sandbox.dmp.page.html import Child, append, facts, h, hl7_time
from gateway.sandbox.xml import Element, XmlError, local, namespace, parse, text

# Narrative element: HTML element. What is not here, or is of another namespace, is only read through.
_TAGS = {
    "paragraph": "p",
    "list": "ul",
    "item": "li",
    "table": "table",
    "caption": "caption",
    "thead": "thead",
    "tbody": "tbody",
    "tfoot": "tfoot",
    "tr": "tr",
    "th": "th",
    "td": "td",
    "br": "br",
    "sub": "sub",
    "sup": "sup",
    "content": "span",
    "footnote": "small",
}
_STYLES = {"Bold": "strong", "Italics": "em", "Underline": "u", "Emphasis": "em"}
_SPANS = ("colspan", "rowspan")
_DEPTH = 60


def render(data: bytes) -> list[Child]:
    """What a reader needs of a document. Raises XmlError when the bytes are not a CDA."""
    header = read_header(data)
    root = parse(data)
    found: list[Child] = [_header(header)]
    body = root.find("h:component/h:structuredBody", NS)
    if body is not None:
        found += [_section(item, 2) for item in body.findall("h:component/h:section", NS)]
    elif header.body == "pdf":
        found.append(h("p", "Document en PDF, sans texte structuré."))
    return found


def pdf_of(data: bytes) -> bytes:
    """The PDF of a document, its body or the copy joined to it; empty when there is none. Raises XmlError."""
    header = read_header(data)
    if header.pdf:
        return header.pdf
    for media in parse(data).iter(f"{{{HL7}}}observationMedia"):
        value = media.find("h:value", NS)
        if value is not None and value.get("mediaType") == "application/pdf":
            found = _decoded(text(value))
            if found.startswith(b"%PDF-"):
                return found
    return b""


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except ValueError as fault:
        raise XmlError("copie du document : base64 illisible") from fault


def _header(header: CdaHeader) -> Element:
    patient = header.patient
    return facts(
        [
            ("Titre", header.title),
            ("Type", f"{header.code.display} ({header.code.code})"),
            ("Patient", f"{patient.birth_family} {patient.birth_given}".strip()),
            ("Né(e) le", hl7_time(patient.birth_date)),
            ("Date du document", hl7_time(header.effective_time)),
            ("Auteur", ", ".join(map(_person, header.authors))),
            ("Responsable", _person(header.legal_authenticator)),
            ("Version", header.version or "1"),
        ]
    )


def _person(person: CdaPerson) -> str:
    return f"{person.given} {person.family}".strip() + (
        f" ({person.organisation_name})" if person.organisation_name else ""
    )


def _section(section: Element, level: int) -> Element:
    """A section, its own text, then the sections inside."""
    found = h("section", h(f"h{min(level, 6)}", text(section.find("h:title", NS)) or "Section"))
    narrative = section.find("h:text", NS)
    if narrative is not None:
        append(found, _inside(narrative, 0))
    if level < _DEPTH:
        append(found, (_section(item, level + 1) for item in section.findall("h:component/h:section", NS)))
    return found


def _inside(element: Element, depth: int) -> Iterator[Child]:
    """Texts and rendered children of a narrative element, in order."""
    yield element.text
    for child in element:
        if isinstance(child.tag, str):
            yield from _rendered(child, depth + 1)
        yield child.tail


def _rendered(element: Element, depth: int) -> Iterator[Child]:
    name = local(element)
    if depth > _DEPTH:
        yield "".join(map(str, element.itertext()))
        return
    if name == "renderMultiMedia":
        yield h("em", "[pièce jointe au document]")
    tag = _TAGS.get(name) if namespace(element) == HL7 else None
    if tag is None:
        yield from _inside(element, depth)
        return
    if name == "list" and element.get("listType") == "ordered":
        tag = "ol"
    yield _styled(h(tag), element, depth)


def _styled(found: Element, element: Element, depth: int) -> Element:
    for name in _SPANS:
        if element.get(name, "").isdigit():
            found.set(name, element.get(name, ""))
    target = found
    for style in element.get("styleCode", "").split():
        if style in _STYLES and found.tag != "br":
            target.append(h(_STYLES[style]))
            target = target[0]
    append(target, _inside(element, depth))
    return found
