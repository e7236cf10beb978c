"""Characters that are obeyed or hidden instead of being seen, in one list for all who write a text on one line."""

from __future__ import annotations

import re

UNSEEN = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1: terminals, logs
    r"\u061c\u200b-\u200f\u2060-\u206f\ufeff"  # no width, marks and isolates of direction (UAX #9)
    r"\u2028-\u202e"  # separators of lines and paragraphs, embeddings and overrides: text that lies
    r"\ufff9-\ufffb\ud800-\udfff"  # annotations within a line, halves of a character
)
"""Inside of a class of a regular expression. Tab and line feed are not in it: some texts have lines."""

UNSEEN_OR_BREAK = r"\t\n" + UNSEEN
"""The same for a text of one line."""
_UNSEEN = re.compile(f"[{UNSEEN}]")
_BREAKS = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def shown(text: str) -> str:
    """A text as a terminal or a page may have it: whoever wrote it hides, moves and turns round nothing. Lines stay."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """The same, on one line: no text of somebody else begins a line that looks like ours."""
    return shown(" / ".join(line.strip() for line in text.splitlines())) if _BREAKS.search(text) else shown(text)
