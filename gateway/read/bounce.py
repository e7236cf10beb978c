"""Failures in plain words: the French "courriel standard" by its subject, and free-text bounces by their wording.

The wordings are data (mappings/receipts.toml): operators differ, and none publishes its own.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from typing import Any

from gateway import resources

_KO = re.compile(r"\[(?:ko|erreur)\b[^\]]{0,40}\bint.{0,6}gration[^\]]{0,20}\]\s*(?:\[\s*(\d{1,3})\s*\])?")
MAX_LOOKED_AT = 6_000
"""Characters of a text that are searched: a bounce says what it has to say at its beginning."""


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(resources.read_text("mappings", "receipts.toml"))


def plain(text: str) -> str:
    """Lower case, without accents, typographic quotes and runs of blanks: what wordings are compared in."""
    bare = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return " ".join(bare.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").lower().split())


def subject_code(subject: str) -> str | None:
    """The error number in `[KO Intégration système !][902] ...` at the start of a subject.

    Empty when the subject says failure without a number, None when it does not say failure.
    """
    match = _KO.match(plain(subject[:300]))
    if match is None:
        return None
    return str(int(match[1])) if match[1] else ""


def is_system(sender: str) -> bool:
    """Whether a mail system speaks, by the name that such systems give themselves."""
    return sender.partition("@")[0] in _table()["bounce"]["senders"]


def cause(subject: str, text: str, sender: str) -> str | None:
    """Why a mail was not delivered, as a key of the table (`CLOSED`); `BOUNCE` when it does not say; None: no bounce.

    The subject must be one of the known ones, or the sender a mail system.
    """
    bounce, title = _table()["bounce"], plain(subject[:300])
    if not any(one in title for one in bounce["subjects"]) and not is_system(sender):
        return None
    body = f"{title} {plain(text[:MAX_LOOKED_AT])}"
    causes: dict[str, list[str]] = bounce["causes"]
    return next((name for name, words in causes.items() if any(one in body for one in words)), "BOUNCE")
