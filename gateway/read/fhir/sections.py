"""Sections of the Composition, their narrative, and the resources that their entries name."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.document.model import Block, Code, Entry, Section
from gateway.read import narrative, xml
from gateway.read.fhir import care, measures
from gateway.read.fhir.scan import Json, Scan, first, items, obj, string
from gateway.read.reading import ABSENT_CODE

_DEEPEST = 20


def sections(scan: Scan, holder: Json, depth: int = 0) -> Iterator[Section]:
    """The sections below a Composition or a section."""
    for one in items(holder.get("section")) if depth < _DEEPEST else ():
        yield section(scan, one, depth)


def section(scan: Scan, held: Json, depth: int) -> Section:
    """One section. Where entries had to leave a section that has others below, they are put back (ANS comp-4)."""
    code = scan.code(first(obj(held.get("code")).get("coding")))
    below = tuple(sections(scan, held, depth + 1))
    blocks, stands_in = _blocks(scan, held)
    entries = _entries(scan, held, blocks)
    title = string(held.get("title"))
    if stands_in and not entries and below and (below[0].code, below[0].title) == (code, title):
        own, *others = below
        return Section(own.key, own.code, own.title, own.blocks, own.entries, tuple(others))
    return Section(_key(scan, code), code or ABSENT_CODE, title, blocks, entries, below)


def _key(scan: Scan, code: Code | None) -> str:
    loinc = code if code is not None and code.system == scan.terms.oids["LOINC"] else None
    if loinc is not None and loinc.code in scan.tables.section_keys:
        return scan.tables.section_keys[loinc.code]
    named = code.code if code is not None else ""
    message = f"Section que nous n'écrivons pas ({named or 'sans code'}) : lue telle quelle."
    scan.trail.info("RDB-040", "/Composition/section", message, "La lire comme un texte.")
    return named


def _blocks(scan: Scan, held: Json) -> tuple[tuple[Block, ...], bool]:
    """The narrative, and whether what stands there only repeats the title."""
    div = string(obj(held.get("text")).get("div"))
    if not div:
        return (), True
    root, _refused = xml.parse(div.encode("utf-8", "replace"))
    if root is None:
        message = "Texte de section illisible (XHTML)."
        scan.trail.fault("RDB-054", "/Composition/section/text", message, "Demander un nouvel envoi.", "XHTML")
        return (), False
    if len(root) == 1 and root[0].get("class") == "title":
        return (), True
    return narrative.blocks(root), False


def _entries(scan: Scan, held: Json, blocks: tuple[Block, ...]) -> tuple[Entry, ...]:
    """The entries in the order in which the narrative says them: FHIR groups them by kind."""
    found: list[Entry] = []
    for reference in items(held.get("entry")):
        resource = scan.resolve(reference, "/Composition/section/entry")
        if resource.get("resourceType") == "Observation":
            found += measures.read(scan, resource)
        elif resource:
            found += care.read(scan, resource)
    return narrative.in_order(found, blocks)
