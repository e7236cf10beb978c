"""Reading a CDA that may come from anybody: no DTD, no entity, no network, a size limit, UTF-8 only."""

from __future__ import annotations

import re

from lxml import etree

from gateway.findings import Finding, error

MAX_BYTES = 20_000_000
"""Size limit of a document in bytes; a level-1 document holds its PDF in base64."""

_UTF_8 = "Enregistrer le document en UTF-8, sans BOM."
_BOMS = (b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe", b"\x00\x00\xfe\xff")
_DECLARATION = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_PROLOG = re.compile(rb"(?:\s++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)


def parse(data: bytes) -> tuple[etree._Element | None, list[Finding]]:
    """The root element, or None and why not. Never raises, whatever the bytes."""
    refused = _before_parsing(data)
    if refused is not None:
        return None, [refused]
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False)
    try:
        return etree.fromstring(data, parser), []
    except (etree.XMLSyntaxError, ValueError) as fault:
        line = getattr(fault, "lineno", None) or 0
        message = f"Ce n'est pas un XML bien formé (ligne {line})."
        return None, [error("CDA-001", "/", message, "Régénérer le document.", "XML 1.0")]


def _before_parsing(data: bytes) -> Finding | None:
    if len(data) > MAX_BYTES:
        message = f"Document trop gros ({len(data)} octets)."
        return error("CDA-004", "/", message, f"La limite est de {MAX_BYTES // 1_000_000} Mo.")
    if data.startswith(_BOMS):
        return error("CDA-002", "/", "Le document commence par une marque d'ordre des octets (BOM).", _UTF_8, "CI-SIS")
    declared = _DECLARATION.match(data)
    if declared is not None and declared[1].upper() not in {b"UTF-8", b"UTF8"}:
        return error("CDA-002", "/", "Le document déclare un autre encodage qu'UTF-8.", _UTF_8, "CI-SIS")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as fault:
        return error("CDA-002", "/", f"L'octet {fault.start} n'est pas de l'UTF-8.", _UTF_8, "CI-SIS")
    if _has_doctype(data):
        message = "Le document porte un DOCTYPE : entités et ressources externes sont refusées."
        return error("CDA-003", "/", message, "Retirer le DOCTYPE.", "EX_2.1-1115")
    return None


def _has_doctype(data: bytes) -> bool:
    prolog = _PROLOG.match(data)
    start = prolog.end() if prolog is not None else 0
    return data[start : start + 9].upper() == b"<!DOCTYPE"
