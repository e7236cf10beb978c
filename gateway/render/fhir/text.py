"""Narrative as XHTML. All text goes through `_text`, so nothing a person typed becomes markup."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, assert_never

from gateway.document.model import Items, Paragraph, Table

if TYPE_CHECKING:
    from gateway.document.model import Block, Section, Span
    from gateway.render.fhir.assembly import Json

_OPEN = '<div xmlns="http://www.w3.org/1999/xhtml" xml:lang="{0}" lang="{0}">'


def section_text(section: Section, language: str) -> Json:
    """Narrative of a section (`Composition.section.text`); a section without text says its title."""
    body = "".join(_block(block) for block in section.blocks) or _title(section.title)
    return _narrative(body, language)


def title_text(title: str, language: str) -> Json:
    """Narrative that only names what stands below it."""
    return _narrative(_title(title), language)


def _title(title: str) -> str:
    """A paragraph that only stands in for a narrative; its class tells it from one that somebody wrote."""
    return f'<p class="title">{_text(title)}</p>'


def _narrative(body: str, language: str) -> Json:
    return {"status": "generated", "div": f"{_OPEN.format(escape(language))}{body}</div>"}


def _block(block: Block) -> str:
    match block:
        case Paragraph(span):
            return f"<p{_anchor(span)}>{_text(span.text)}</p>"
        case Items(items):
            return f"<ul>{''.join(_holder('li', item) for item in items)}</ul>"
        case Table():
            return _table(block)
        case _:
            assert_never(block)


def _table(table: Table) -> str:
    caption = f"<caption>{_text(table.caption)}</caption>" if table.caption else ""
    head = "".join(f"<th>{_text(column)}</th>" for column in table.columns)
    rows = "".join(f"<tr>{''.join(_holder('td', cell) for cell in row)}</tr>" for row in table.rows)
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _holder(tag: str, span: Span) -> str:
    return f"<{tag}{_anchor(span)}>{_text(span.text)}</{tag}>"


def _anchor(span: Span) -> str:
    return f' id="{escape(span.anchor)}"' if span.anchor else ""


def _text(text: str) -> str:
    return escape(text, quote=False).replace("\n", "<br/>")
