"""One hardened XML parser, and canonicalisation that avoids lxml's two traps.

Serialising a subtree with inclusive c14n writes bogus `xmlns=""` when the tree uses a default namespace
(spec dmp §2.4), so a subtree is re-rooted first: written out with every namespace in scope, read again.
"""

from __future__ import annotations

import re

from lxml import etree

C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_COMMENTS = C14N + "#WithComments"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
EXC_C14N_COMMENTS = EXC_C14N + "WithComments"
CANONICALISATIONS = frozenset({C14N, C14N_COMMENTS, EXC_C14N, EXC_C14N_COMMENTS})

_UNPRINTABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML = "{http://www.w3.org/XML/1998/namespace}"

Element = etree._Element  # noqa: SLF001 the only name of the type that lxml has


class XmlError(ValueError):
    """The bytes are not XML that this sandbox reads; the message is French."""


def parse(data: bytes) -> Element:
    """Root of a document; no DTD, no entity, no network. Raises XmlError."""
    # huge_tree: a CDA may carry a PDF of several megabytes in one text node. Sizes are bounded before.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as fault:
        raise XmlError(f"XML mal formé ({fault.msg})") from fault
    if root.getroottree().docinfo.doctype:
        raise XmlError("déclaration DOCTYPE interdite")
    return root


def reroot(element: Element) -> Element:
    """A copy that stands alone and keeps the namespaces and `xml:` attributes that it inherits."""
    copy = parse(etree.tostring(element, with_tail=False))
    for ancestor in element.iterancestors():
        for name, value in ancestor.attrib.items():
            if str(name).startswith(_XML) and name not in copy.attrib:
                copy.set(str(name), value)
    return copy


def canonical_part(element: Element, algorithm: str = C14N) -> bytes:
    """Canonical bytes of a part of a document, comments left out (XMLDSig §4.3.3.2, same-document URI)."""
    exclusive = algorithm.startswith(EXC_C14N)
    return etree.tostring(reroot(element), method="c14n", exclusive=exclusive, with_comments=False)


def canonical_signed_info(element: Element, algorithm: str) -> bytes:
    """Canonical bytes of SignedInfo by its CanonicalizationMethod; raises XmlError on an unknown one."""
    if algorithm not in CANONICALISATIONS:
        raise XmlError(f"canonicalisation inconnue : {algorithm}")
    exclusive = algorithm.startswith(EXC_C14N)
    comments = algorithm.endswith("WithComments")
    return etree.tostring(reroot(element), method="c14n", exclusive=exclusive, with_comments=comments)


def canonical_document(data: bytes, algorithm: str) -> bytes:
    """Canonical bytes of a whole document given as bytes; raises XmlError."""
    if algorithm not in CANONICALISATIONS:
        raise XmlError(f"canonicalisation inconnue : {algorithm}")
    tree = parse(data).getroottree()
    exclusive = algorithm.startswith(EXC_C14N)
    return etree.tostring(tree, method="c14n", exclusive=exclusive, with_comments=algorithm.endswith("WithComments"))


def local(element: Element) -> str:
    """Local name of an element."""
    return etree.QName(element).localname


def namespace(element: Element) -> str:
    """Namespace of an element, empty when it has none."""
    return etree.QName(element).namespace or ""


def children(element: Element) -> list[Element]:
    """Child elements, without comments and processing instructions."""
    return [child for child in element if isinstance(child.tag, str)]


def printable(text: str) -> str:
    """Text that an XML answer may quote: what XML 1.0 §2.2 does not allow becomes U+FFFD."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def text(element: Element | None) -> str:
    """Text of an element, stripped; empty when absent."""
    return (element.text or "").strip() if element is not None else ""
