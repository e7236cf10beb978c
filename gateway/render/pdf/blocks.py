"""Narrative blocks for the template: the same words, with a width for each column."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, assert_never

from gateway.document.model import Items, Paragraph, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.document.model import Block, ClinicalDocument, Section

_NARROW, _WIDE = 8, 48
"""Bounds of a column's share, in characters: no column starves, none takes the whole line."""

_SHORT = 26
"""A cell of this many characters keeps to one line."""


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


def weights(rows: Sequence[Sequence[str]]) -> list[int]:
    """Share of each column, within bounds: its longest cell, or less where one long cell is the exception."""
    return [min(max(_NARROW, _share([len(cell) for cell in cells])), _WIDE) for cells in zip(*rows, strict=True)]


def _share(lengths: Sequence[int]) -> int:
    longest = max(lengths)
    return longest if longest <= _SHORT else max(_SHORT, round(math.sqrt(longest * sum(lengths) / len(lengths))))
