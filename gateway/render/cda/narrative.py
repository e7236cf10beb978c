"""Blocks -> CDA narrative (StrucDoc): what people read, and what the entries point to."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.document.model import Block, Items, Paragraph, Span, Table
from gateway.render.cda.xml import Element, add, add_text


def write_text(section: Element, blocks: Sequence[Block], anchor: str) -> Element:
    """The <text> of a section. `anchor` names the narrative as a whole, for entries that mean all of it."""
    text = add(section, "text", ID=anchor)
    for block in blocks:
        if isinstance(block, Paragraph):
            _span(add(text, "paragraph"), block.span)
        elif isinstance(block, Items):
            _list(text, block)
        else:
            _table(text, block)
    return text


def _list(text: Element, block: Items) -> None:
    if not block.items:  # the schema wants at least one item
        return
    items = add(text, "list")
    for span in block.items:
        _span(add(items, "item"), span)


def _table(text: Element, block: Table) -> None:
    if not block.rows:
        # A table without rows is not valid; its caption and columns still say what was looked for.
        _span(add(text, "paragraph"), Span(" - ".join(filter(None, (block.caption, *block.columns)))))
        return
    table = add(text, "table")
    if block.caption is not None:
        add_text(table, "caption", " ".join(block.caption.splitlines()))  # no line break in a caption
    head = add(add(table, "thead"), "tr")
    for column in block.columns:
        _lines(add(head, "th"), column)
    body = add(table, "tbody")
    for row in block.rows:
        line = add(body, "tr")
        for cell in row:
            _span(add(line, "td"), cell)


def _span(parent: Element, span: Span) -> None:
    if span.anchor is not None:
        parent = add(parent, "content", ID=span.anchor)
    _lines(parent, span.text)


def _lines(parent: Element, text: str) -> None:
    """Text with its line breaks: a newline means nothing in CDA narrative, <br/> does."""
    if "\n" not in text:
        parent.text = text
        return
    first, *others = text.split("\n")
    parent.text = first
    for line in others:
        add(parent, "br").tail = line
