"""The INS Datamatrix: what a practice scans to take over an identity without typing it.

Content (spec dmp §5): a header in the manner of 2D-Doc, then S1 matricule, S2 OID, S3 given names of birth, S4 family
name of birth, S5 sex, S6 date of birth, S7 place of birth. A field shorter than its full length ends with GS. A scan
never qualifies an identity: its reader still asks INSi and checks an identity document.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

_HEADER = "IS01" + "0" * 22
_GS = "\x1d"
_OID_LENGTH, _NAME_LENGTH = 20, 100
_PLAIN = re.compile(r"[ -~]*")
"""The characters that every scanner hands on unchanged."""

Modules = tuple[tuple[bool, ...], ...]
"""Rows of a square symbol from top to bottom, True where it is dark, without quiet zone."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What the symbol says: the INS and the traits of birth that go with it. `sex` is F or M, `cog` may be missing."""

    matricule: str
    oid: str
    given: Sequence[str]
    family: str
    sex: str
    born: date
    cog: str | None = None


def content(traits: Traits) -> str | None:
    """Text of the symbol, or None where the traits cannot be said exactly (a letter beyond ASCII, a name too long)."""
    given = " ".join(traits.given)
    plain = all(map(_PLAIN.fullmatch, (traits.matricule, traits.oid, given, traits.family, traits.cog or "")))
    text = "".join(
        [
            f"{_HEADER}S1{traits.matricule}",
            _field("S2", traits.oid, _OID_LENGTH),
            _field("S3", given, _NAME_LENGTH),
            _field("S4", traits.family, _NAME_LENGTH),
            f"S5{traits.sex}S6{traits.born:%d-%m-%Y}",
            f"S7{traits.cog}" if traits.cog else "",
        ]
    )
    sound = len(traits.matricule) == 15 and traits.sex in {"F", "M"} and len(traits.cog or "00000") == 5
    short = len(traits.oid) <= _OID_LENGTH and max(len(given), len(traits.family)) <= _NAME_LENGTH
    return text if sound and short and plain else None


def _field(name: str, value: str, full: int) -> str:
    return f"{name}{value}{_GS if len(value) < full else ''}"


def modules(text: str) -> Modules:
    """Data Matrix (ECC 200) of a text, square; same text, same modules. Raises ValueError when it holds too much."""
    import zxingcpp

    symbol = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.DataMatrix, force_square=True)
    # The image is a buffer of grey levels in two dimensions; its published types do not say so.
    image: Any = symbol.to_image(scale=1, add_quiet_zones=False)
    rows: Any = memoryview(image).tolist()
    return tuple(tuple(level == 0 for level in row) for row in rows)
