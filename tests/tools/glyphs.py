"""Writes mappings/pdf/glyphs.toml: the characters that the fonts inside the typst library can show.

Run by hand after an upgrade of typst, in an environment that also has fonttools:
`python tests/tools/glyphs.py path/to/typst/_typst.abi3.so`. A test shows every character listed and fails on a hole.
"""

from __future__ import annotations

import io
import re
import struct
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

TARGET = Path(__file__).resolve().parents[2] / "mappings" / "pdf" / "glyphs.toml"
TEXT = ("Libertinus Serif Regular", "Libertinus Serif Bold", "Libertinus Serif Semibold", "Libertinus Serif Italic")
FALLBACK = ("DejaVu Sans Mono Book", "DejaVu Sans Mono Bold")


def fonts(library: bytes) -> Iterator[tuple[str, set[int]]]:
    """Name and characters of each OpenType font that lies in the library as data."""
    from fontTools.ttLib import TTFont, TTLibError

    for match in re.finditer(rb"OTTO|\x00\x01\x00\x00", library):
        start = match.start()
        count = struct.unpack(">H", library[start + 4 : start + 6])[0]
        records = [library[start + 12 + 16 * n : start + 28 + 16 * n] for n in range(count if 5 < count < 40 else 0)]
        if not records or not all(record[:4].isascii() for record in records):
            continue
        end = max(sum(struct.unpack(">II", record[8:16])) for record in records)
        try:
            font = TTFont(io.BytesIO(library[start : start + end]))
            yield f"{font['name'].getBestFamilyName()} {font['name'].getBestSubFamilyName()}", set(font.getBestCmap())
        except (TTLibError, KeyError, ValueError, struct.error, AttributeError):
            continue


def ranges(characters: set[int]) -> list[str]:
    """`0041-005A` for each run of neighbours."""
    found: list[list[int]] = []
    for number in sorted(characters):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return [f"{first:04X}-{last:04X}" for first, last in found]


def main(path: str) -> None:
    known = dict(fonts(Path(path).read_bytes()))
    shown = set.intersection(*(known[name] for name in TEXT)) | set.intersection(*(known[name] for name in FALLBACK))
    # Controls, invisible characters and direction overrides are never shown as themselves.
    shown = {number for number in shown if unicodedata.category(chr(number)) not in {"Cc", "Cf", "Co", "Cs", "Cn"}}
    listed = ranges(shown)
    lines = [", ".join(f'"{item}"' for item in listed[n : n + 9]) for n in range(0, len(listed), 9)]
    head = "# Characters that every weight of the text font, or the fallback font, can show (tests/tools/glyphs.py).\n"
    TARGET.write_text(head + "shown = [\n  " + ",\n  ".join(lines) + ",\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
