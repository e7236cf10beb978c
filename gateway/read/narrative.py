"""Narrative -> blocks, of a CDA (StrucDoc) or a FHIR document (XHTML), which name alike what matters here.

Exact for our own; another's markup is flattened, its words and IDs are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gateway.document.model import Block, Entry, Items, Paragraph, Span, Table
from gateway.read.xml import Element, children, local, text

_PRINTED = re.compile(r"[ \t\r]*\n\s*")
_PARAGRAPHS = frozenset({"paragraph", "p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote"})
_LISTS = frozenset({"list", "ul", "ol"})
_ITEMS = frozenset({"item", "li"})
_BLOCKS = _PARAGRAPHS | _LISTS | {"table"}
_APART = _PARAGRAPHS | _ITEMS | {"tr", "caption", "div"}
_MAX_SPAN = 200
"""Widest colspan that is believed: a page is not a thousand columns wide."""


def blocks(narrative: Element | None) -> tuple[Block, ...]:
    """The blocks of a <text> or a <div>."""
    return () if narrative is None else tuple(_blocks(narrative))


def named(narrative: Element) -> dict[str, Element]:
    """The elements of a narrative that have an ID: what entries point to."""
    return {_name(one): one for one in narrative.iter() if _name(one) and one is not narrative}


def _name(element: Element) -> str:
    return str(element.get("ID") or element.get("id") or "")


def flat(element: Element) -> str:
    """The words of an element, its line breaks as line feeds."""
    words = "".join(_words(element))
    return words.strip() if any("\n" in piece for piece in element.itertext()) else words


def _words(element: Element) -> Iterator[str]:
    yield _unprinted(element.text)
    for child in element:
        name = local(child)
        if name == "br":
            yield "\n"
        elif name in _APART:
            yield from ("\n" if child.getprevious() is not None else "", *_words(child))
        else:
            yield from _words(child)
        yield _unprinted(child.tail)


def _unprinted(words: str | None) -> str:
    """Text without the line feeds and indents that only lay out the file: in CDA a line break is an element."""
    return "" if not words else _PRINTED.sub(" ", words) if words.strip() else ("" if "\n" in words else words)


def _blocks(narrative: Element) -> Iterator[Block]:
    """Blocks, and what stands between them as paragraphs."""
    loose = [_unprinted(narrative.text)]
    named: list[str] = []
    for child in narrative:
        if local(child) in _BLOCKS:
            yield from _loose(loose, named)
            loose, named = [], []
            yield _block(child)
        else:
            loose.append("\n" if local(child) == "br" else flat(child))
            named += [_name(one) for one in child.iter() if _name(one)]
        loose.append(_unprinted(child.tail))
    yield from _loose(loose, named)


def _loose(words: list[str], named: list[str]) -> Iterator[Block]:
    said = "".join(words).strip()
    if said:
        yield Paragraph(Span(said, named[0] if named else None))


def _block(element: Element) -> Block:
    name = local(element)
    if name in _LISTS:
        return Items(tuple(_span(item) for item in element if local(item) in _ITEMS))
    return _table(element) if name == "table" else Paragraph(_span(element))


def _span(element: Element) -> Span:
    """A piece of narrative with the ID of its content, else its own, else the first one inside."""
    inside = (_name(one) for one in element.iter() if _name(one) and one is not element)
    return Span(flat(element), next(inside, None) or _name(element) or None)


def _table(element: Element) -> Table:
    lines = [line for line in element.iter() if local(line) == "tr"]
    head = next((line for line in lines if _in_head(line)), None)
    rows = [tuple(_cells(line)) for line in lines if line is not head]
    columns = tuple(span.text for span in _cells(head)) if head is not None else ()
    width = max((len(columns), *map(len, rows)))
    padded = tuple((*row, *(Span(""),) * (width - len(row))) for row in rows)
    caption = next(children(element, "caption"), None)
    return Table((*columns, *("",) * (width - len(columns))), padded, None if caption is None else flat(caption))


def _in_head(line: Element) -> bool:
    parent = line.getparent()
    return parent is not None and local(parent) == "thead"


def _cells(line: Element) -> Iterator[Span]:
    """The cells of a row; a wide one is followed by empty ones."""
    for cell in line:
        if local(cell) in {"td", "th"}:
            yield _span(cell)
            yield from (Span(""),) * (_width(cell.get("colspan") or "1") - 1)


def _width(wide: str) -> int:
    believable = len(wide) < 4 and wide.isascii() and wide.isdigit()
    return max(1, min(int(wide), _MAX_SPAN)) if believable else 1


def plain(element: Element | None) -> str:
    """A short text such as a title."""
    return " ".join(text(element).split()) if "\n" in text(element) else text(element)


def in_order(found: Iterable[Entry], shown: tuple[Block, ...]) -> tuple[Entry, ...]:
    """The entries in the order in which the narrative says them: both formats gather some of them in groups."""
    order = {anchor: place for place, anchor in enumerate(_anchors(shown))}
    return tuple(sorted(found, key=lambda entry: order.get(entry.anchor, len(order))))


def _anchors(shown: tuple[Block, ...]) -> Iterator[str]:
    for block in shown:
        for span in _spans(block):
            if span.anchor is not None:
                yield span.anchor


def _spans(block: Block) -> Iterator[Span]:
    match block:
        case Paragraph(span):
            yield span
        case Items(spans):
            yield from spans
        case Table(rows=rows):
            for row in rows:
                yield from row
