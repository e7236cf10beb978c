"""Narrative blocks for the template: the same words, with a width for each column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from gateway.document.model import Items, Paragraph, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.document.model import Block, ClinicalDocument, Section

_NARROW, _WIDE = 6, 48
"""Bounds of a column's share, in characters: no column starves, none takes the whole line."""


def sections(document: ClinicalDocument) -> list[dict[str, Any]]:
    """Every section and sub-section in reading order."""
    found = []
    for section in document.sections:
        found.append(_section(section, 1))
        found.extend(_section(child, 2) for child in section.subsections)
    return found


def _section(section: Section, level: int) -> dict[str, Any]:
    return {"title": section.title, "level": level, "blocks": [block(item) for item in section.blocks]}


def block(item: Block) -> dict[str, Any]:
    """One block as the template reads it."""
    match item:
        case Paragraph(span):
            return {"kind": "text", "text": span.text}
        case Items(items):
            return {"kind": "list", "items": [span.text for span in items]}
        case Table():
            rows = [[cell.text for cell in row] for row in item.rows]
            return {
                "kind": "table",
                "caption": item.caption or "",
                "columns": list(item.columns),
                "rows": rows,
                "weights": weights([list(item.columns), *rows]),
            }
        case _:
            assert_never(item)


def weights(rows: Iterable[list[str]]) -> list[int]:
    """Share of each column: the length of its longest cell, within bounds."""
    columns = zip(*rows, strict=True)
    return [min(max(_NARROW, *(len(cell) for cell in column)), _WIDE) for column in columns]
