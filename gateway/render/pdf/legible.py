"""Text as the fonts can show it, and French ways of writing dates.

The fonts inside the typst library cover Latin, Greek and Cyrillic letters and the usual signs. A character that they
lack is written as its code, `[U+4E2D]`: an empty box would hide that something stands there.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime
from functools import cache
from typing import Any

from gateway import resources

_WORD = 40
"""Longest run of characters that is left without a place to break: the longest French word has 25."""

_PIECE = 12
"""A longer run may break after this many characters, which any column of the page holds."""

_ADDRESS = 80
"""The same limit for a mailbox or an OID: a reader copies it, and an invisible character would spoil it."""

_COPIED = re.compile(r"[^@]+@[^@]+|[(]?[0-9.]+[),]*")

_ZERO_WIDTH_SPACE = "\u200b"


@cache
def wording() -> dict[str, Any]:
    """Words and choices of mappings/pdf/page.toml."""
    return tomllib.loads(resources.read_text("mappings", "pdf", "page.toml"))


@cache
def _illegible() -> re.Pattern[str]:
    shown = tomllib.loads(resources.read_text("mappings", "pdf", "glyphs.toml"))["shown"]
    ends = [[re.escape(chr(int(end, 16))) for end in item.split("-")] for item in shown]
    return re.compile("[^\n" + "".join(f"{first}-{last}" for first, last in ends) + "]")


def legible(text: str) -> str:
    """The same text, where what the fonts cannot show stands as its code, and long words may break."""
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    text = _illegible().sub(lambda found: f"[U+{ord(found.group()):04X}]", text)
    return _LONG.sub(_breakable, text)


_LONG = re.compile(rf"\S{{{_WORD + 1},}}")


def _breakable(found: re.Match[str]) -> str:
    word = found.group()
    if len(word) <= _ADDRESS and _COPIED.fullmatch(word):
        return word
    return _ZERO_WIDTH_SPACE.join(word[start : start + _PIECE] for start in range(0, len(word), _PIECE))


def all_legible(value: Any) -> Any:
    """Every text in a structure made legible, keys left alone."""
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, dict):
        return {key: all_legible(item) for key, item in value.items()}
    if isinstance(value, list):
        return [all_legible(item) for item in value]
    return value


def long_date(day: date) -> str:
    """`5 janvier 2026`, `1er mars 2026`."""
    number = "1er" if day.day == 1 else str(day.day)
    return f"{number} {wording()['months'][day.month - 1]} {day.year}"


def short_date(day: date) -> str:
    """`05/01/2026`."""
    return f"{day:%d/%m/%Y}"


def moment(when: datetime) -> str:
    """`5 janvier 2026 à 14 h 30`, at the place where it was written."""
    return f"{long_date(when.date())} à {when.hour} h {when.minute:02d}"


def clip(text: str, limit: int) -> str:
    """At most `limit` characters, cut at a word; `[…]` says that more follows."""
    if len(text) <= limit:
        return text
    cut = text.rfind(" ", limit // 2, limit)
    head = text[: cut if cut > 0 else limit]
    return f"{head.rstrip(' ,;:.')} […]"
