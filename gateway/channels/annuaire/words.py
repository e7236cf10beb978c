"""Names as they are compared: capitals, no accents, one blank between words; and what an address must look like."""

from __future__ import annotations

import re

from gateway.package.text import ascii_only

ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,189}")
"""An ASCII addr-spec without quotes (RFC 5321 §4.1.2), as the submissions take it."""

_APART = re.compile(r"[^A-Z0-9]+")
_POSTAL = re.compile(r"\s*(\d{5})\s+(.*)")
_CEDEX = re.compile(r"\s+CEDEX(\s+\d+)?$")


def fold(text: str) -> str:
    """`Échantillon-d’Or` and `ECHANTILLON D'OR` fold to the same `ECHANTILLON D OR`."""
    plain = text if text.isascii() else ascii_only(text)
    return _APART.sub(" ", plain.upper()).strip()


def town_of(postal_line: str) -> tuple[str, str]:
    """Postal code and town of the sixth line of an address (`35000 RENNES CEDEX 7` gives 35000 and RENNES)."""
    found = _POSTAL.match(postal_line)
    code, town = (found[1], found[2]) if found else ("", postal_line)
    return code, _CEDEX.sub("", town.strip())


def fold_town(town: str) -> str:
    """A town as compared: `St-Malo` and `SAINT MALO` are one, and so are `RENNES CEDEX 7` and `Rennes`."""
    words = _CEDEX.sub("", fold(town)).split(" ")
    return " ".join({"ST": "SAINT", "STE": "SAINTE"}.get(word, word) for word in words)
