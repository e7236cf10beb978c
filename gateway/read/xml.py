"""XML of unknown origin: a hardened parser (no DTD, entity or network, a size limit) and small moves on the tree."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from gateway.findings import Finding, error

MAX_BYTES = 30_000_000
"""Size limit of an XML file in bytes; a level-1 document holds its PDF in base64."""

Element = etree._Element  # noqa: SLF001 - lxml publishes its element class under this name only

_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)


def parse(data: bytes) -> tuple[Element | None, list[Finding]]:
    """The root element, or None and why not. A byte order mark is accepted: others write one."""
    if len(data) > MAX_BYTES:
        message = f"Fichier trop gros ({len(data)} octets)."
        return None, [error("RDB-002", "/", message, f"La limite est de {MAX_BYTES // 1_000_000} Mo.")]
    if has_doctype(data):
        message = "Le document porte un DOCTYPE : entités et ressources externes sont refusées."
        return None, [error("RDB-003", "/", message, "Demander le document sans DOCTYPE.")]
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as fault:
        line = getattr(fault, "lineno", None) or 0
        message = f"Ce n'est pas un XML bien formé (ligne {line})."
        return None, [error("RDB-001", "/", message, "Vérifier que le fichier est complet.", "XML 1.0")]
    # A DOCTYPE hidden behind UTF-16 passes the search in bytes above.
    if root.getroottree().docinfo.internalDTD is not None:
        message = "Le document porte un DOCTYPE : entités et ressources externes sont refusées."
        return None, [error("RDB-003", "/", message, "Demander le document sans DOCTYPE.")]
    return root, []


def has_doctype(data: bytes) -> bool:
    """Whether a DOCTYPE stands before the root element."""
    prolog = _PROLOG.match(data)
    start = prolog.end() if prolog is not None else 0
    return data[start : start + 9].upper() == b"<!DOCTYPE"


def local(element: Element) -> str:
    """Name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def children(element: Element | None, name: str) -> Iterator[Element]:
    """Child elements of this local name, in whatever namespace their author put them."""
    if element is not None:
        yield from (child for child in element if local(child) == name)


def child(element: Element | None, *names: str) -> Element | None:
    """The first element down a path of local names, or None."""
    for name in names:
        element = next(children(element, name), None)
    return element


def attribute(element: Element | None, name: str) -> str:
    """An attribute, empty when it is not there."""
    return "" if element is None else str(element.get(name) or "")


def text(element: Element | None) -> str:
    """The text that stands before the first child, empty when there is none."""
    return "" if element is None else str(element.text or "")


def path(element: Element) -> str:
    """XPath without prefixes: `/ClinicalDocument/component/section[2]`."""
    steps = []
    node: Element | None = element
    while node is not None:
        steps.append(_step(node))
        node = node.getparent()
    return "/" + "/".join(reversed(steps))


def _step(element: Element) -> str:
    parent = element.getparent()
    same = [] if parent is None else list(children(parent, local(element)))
    return local(element) if len(same) < 2 else f"{local(element)}[{same.index(element) + 1}]"
