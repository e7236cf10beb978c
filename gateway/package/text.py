"""Plain forms of names and labels: ASCII for a mail subject, safe fields for a file name."""

from __future__ import annotations

import re
import unicodedata

# Letters and signs that Unicode does not decompose into an ASCII base.
_SPECIAL = str.maketrans(
    {
        "œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
        "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "ı": "i",
        "’": "'", "‘": "'", "ʼ": "'", "–": "-", "—": "-", "‑": "-", "«": '"', "»": '"', "“": '"', "”": '"',
        "…": "...", "€": "EUR",
    }
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_FILE_HOSTILE = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029/\\_:*?"<>|]+')
_SPACES = re.compile(r" {2,}")


def ascii_only(text: str) -> str:
    """The text without accents; what has no ASCII form becomes `?`, control characters a space."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_SPECIAL))
    kept = "".join(char for char in decomposed if not unicodedata.combining(char))
    plain = _CONTROL.sub(" ", kept.encode("ascii", "replace").decode("ascii"))
    return _SPACES.sub(" ", plain).strip()


def file_field(text: str) -> str:
    """One field of a file name: no separator (`_` parts the fields), no character that a file system refuses."""
    return _SPACES.sub(" ", _FILE_HOSTILE.sub(" ", text)).strip(" .") or "-"
