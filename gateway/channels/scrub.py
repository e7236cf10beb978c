"""Takes identity out of what a server answered, before it is stored or shown (DESIGN §4, Journal)."""

from __future__ import annotations

import re

from gateway.unseen import UNSEEN_OR_BREAK

MAX_TEXT = 300
"""Longest reply kept, in characters."""

_CONTROL = re.compile(rf"[{UNSEEN_OR_BREAK}]+")
_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:=]+@[^\s<>()\[\]\"',;]+")
# 13 digits of a NIR or NIA, 2A and 2B of Corsica included, with or without key, spaces allowed.
_MATRICULE = re.compile(
    r"(?<![0-9A-Za-z])[1-8](?:[ .]?\d){4}[ .]?(?:\d[ .]?\d|2[ABab])(?:[ .]?\d){6}(?:[ .]?\d{2})?(?![0-9A-Za-z])"
)
_RPPS = re.compile(r"(?<![0-9.])8?1\d{10}(?![0-9])")
_DATE = re.compile(r"(?<!\d)(?:\d{2}[/.-]\d{2}[/.-](?:19|20)\d{2}|(?:19|20)\d{2}[/.-]?\d{2}[/.-]?\d{2})(?!\d)")


def scrub(text: str, *known: str) -> str:
    """One line, at most 300 characters, without addresses, matricules, dates and the `known` words.

    `known` are names and identifiers that the caller knows to be in the message it sent.
    """
    line = _CONTROL.sub(" ", text)
    for word in sorted((w for w in known if len(w) > 2), key=len, reverse=True):
        line = re.sub(re.escape(word), "<identité>", line, flags=re.IGNORECASE)
    line = _ADDRESS.sub("<adresse>", line)
    line = _MATRICULE.sub("<matricule>", line)
    line = _RPPS.sub("<identifiant>", line)
    line = _DATE.sub("<date>", line)
    line = " ".join(line.split())
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"
