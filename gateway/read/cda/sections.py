"""Sections: code, title, narrative, the entries that are known, the others listed in findings."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.document.model import Code, Entry, Section
from gateway.read import narrative
from gateway.read.cda import care, measures
from gateway.read.cda.details import listed, unread
from gateway.read.cda.scan import Scan, reference, templates
from gateway.read.reading import ABSENT_CODE
from gateway.read.xml import Element, attribute, child, children, local, path

_GOALS = frozenset({"GOL", "INT", "PRP", "RQO"})
_ASKED = frozenset({"ARQ", "APT", "INT", "PRMS", "PRP", "RQO"})


COPY = "1.2.250.1.213.1.1.2.243"
"""Template of the section "Copie du document": the same document as a PDF."""


def sections(scan: Scan, body: Element | None) -> Iterator[Section]:
    """The sections below a structuredBody or a section."""
    for component in children(body, "component"):
        for element in children(component, "section"):
            if COPY not in templates(element):  # its file is among the attachments of the reading
                yield section(scan, element)


def section(scan: Scan, element: Element) -> Section:
    """One section with its subsections."""
    code = scan.code(child(element, "code"))
    shown = child(element, "text")
    key = _key(scan, element, code)
    blocks = narrative.blocks(shown)
    return Section(
        key=key,
        code=code or ABSENT_CODE,
        title=narrative.plain(child(element, "title")),
        blocks=blocks,
        entries=narrative.in_order(_entries(scan, element, key, attribute(shown, "ID")), blocks),
        subsections=tuple(sections(scan, element)),
    )


def _key(scan: Scan, element: Element, code: Code | None) -> str:
    """Key of a section in mappings/; a section that we do not make is named by its code."""
    loinc = code if code is not None and code.system == scan.terms.oids["LOINC"] else None
    if loinc is not None and loinc.code in scan.tables.section_keys:
        return scan.tables.section_keys[loinc.code]
    named = code.code if code is not None else ""
    message = f"Section que nous n'écrivons pas ({named or 'sans code'}) : lue telle quelle."
    scan.trail.info("RDB-040", path(element), message, "La lire comme un texte.")
    return named


def _entries(scan: Scan, element: Element, key: str, whole: str) -> Iterator[Entry]:
    for one in listed(element):
        if not _is_evaluation(scan, one, whole):
            yield from _entry(scan, one, key)


def _is_evaluation(scan: Scan, element: Element, whole: str) -> bool:
    """The act that coded results come from: written for the template, and pointing to the whole section."""
    return (
        local(element) == "procedure"
        and bool(whole)
        and reference(child(element, "text")) == whole
        and attribute(child(element, "code"), "code") == scan.tables.codes["evaluation"]
    )


def _entry(scan: Scan, element: Element, key: str) -> Iterator[Entry]:
    mood = attribute(element, "moodCode") or "EVN"
    match local(element):
        case "act" if scan.tables.entry(templates(element)) == "concern":
            yield from care.concern(scan, element)
        case "organizer":
            yield from _organizer(scan, element, key)
        case "observation":
            yield from _observation(scan, element, key, in_cluster=False)
        case "procedure" if mood in {"EVN", "INT", "RQO", "PRP", "ARQ", "APT", "PRMS"}:
            yield care.act(scan, element)
        case "encounter" if mood == "EVN":
            yield care.session(scan, element)
        case "encounter" if mood in _ASKED:
            yield care.referral(scan, element)
        case "observationMedia":
            return  # its file is among the attachments of the reading
        case _:
            unread(scan, element)


def _organizer(scan: Scan, element: Element, key: str) -> Iterator[Entry]:
    """The members of a cluster. Its own code is a heading, that the narrative says better."""
    for component in children(element, "component"):
        for one in component:
            if local(one) == "observation":
                yield from _observation(scan, one, key, in_cluster=True)
            elif local(one) not in {"sequenceNumber", "priorityNumber", "seperatableInd"}:
                yield from _entry(scan, one, key)


def _observation(scan: Scan, element: Element, key: str, *, in_cluster: bool) -> Iterator[Entry]:
    kind = scan.tables.entry(templates(element))
    code = scan.code(child(element, "code"))
    if kind == "goal" or attribute(element, "moodCode") in _GOALS:
        yield care.goal(scan, element)
    elif kind == "problem":
        yield care.problem(scan, element, "active")
    elif code is not None and (code.code, code.system) == ("adverse_event", scan.terms.local_system):
        yield care.adverse_event(scan, element)
    elif kind in {"pain", "vital", "survey", "simple"}:
        found = measures.read(scan, element, kind, key, in_cluster=in_cluster)
        if found is not None:
            yield found
    else:
        unread(scan, element)
