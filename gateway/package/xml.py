"""XML ground for packages and answers: a hardened parser and canonicalisation."""

from __future__ import annotations

from lxml import etree

Element = etree._Element  # noqa: SLF001 - lxml exposes its element class under this name only


def parse(data: bytes) -> Element:
    """Parse bytes that come from outside: no DTD, no entity, no network, no giant tree.

    Raises ValueError on anything that is not well-formed, and on a document type declaration.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as fault:
        raise ValueError(f"not well-formed XML: {fault}") from fault
    if root.getroottree().docinfo.doctype:
        raise ValueError("document type declarations are refused")
    return root


def canonical(element: Element, *, comments: bool = False) -> bytes:
    """Inclusive canonical XML 1.0 of a subtree, in the namespace context of its ancestors.

    Use prefixes only: lxml writes a bogus `xmlns=""` for a subtree in a default namespace (spec dmp §2.4).
    """
    return etree.tostring(element, method="c14n", exclusive=False, with_comments=comments)


def canonical_document(data: bytes) -> bytes:
    """Inclusive canonical XML 1.0 with comments of a whole document, prolog included."""
    return etree.tostring(parse(data).getroottree(), method="c14n", exclusive=False, with_comments=True)
