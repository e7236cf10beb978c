from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
import zxingcpp

from gateway.identity.datamatrix import Modules, Traits, content, modules

HEADER = "IS010000000000000000000000"
TRAITS = Traits(
    matricule="290061411800109",
    oid="1.2.250.1.213.1.4.8",
    given=("ANNE", "B"),
    family="NOM",
    sex="F",
    born=date(1990, 6, 25),
    cog="14118",
)


def scanned(symbol: Modules) -> bytes:
    """What a reader of codes sees, the symbol drawn four pixels a module with its quiet zone."""
    scale, quiet = 4, 2
    side = (len(symbol) + 2 * quiet) * scale
    pixels = bytearray(b"\xff" * side * side)
    for y, row in enumerate(symbol):
        for x, dark in enumerate(row):
            for line in range(scale if dark else 0):
                start = ((y + quiet) * scale + line) * side + (x + quiet) * scale
                pixels[start : start + scale] = b"\x00" * scale
    view = zxingcpp.ImageView(pixels, side, side, zxingcpp.ImageFormat.Lum)  # type: ignore[arg-type]
    [found] = zxingcpp.read_barcodes(view)
    assert found.symbology_identifier == "]d1", "plain ECC 200, no ECI and no FNC1"
    return found.bytes


def test_content_as_the_specification_writes_it() -> None:
    said = content(TRAITS)
    assert said == (HEADER + "S1290061411800109S21.2.250.1.213.1.4.8\x1dS3ANNE B\x1dS4NOM\x1dS5FS625-06-1990S714118")


def test_a_field_of_full_length_ends_without_separator() -> None:
    traits = replace(TRAITS, oid="1.2.250.1.213.1.4.10", family="N" * 100, given=("A" * 60, "B" * 39), cog=None)
    said = content(traits)
    assert said is not None
    assert "\x1d" not in said
    assert said.endswith("S5FS625-06-1990")


@pytest.mark.parametrize(
    "change",
    [
        {"family": "NOËL"},
        {"family": "N" * 101},
        {"given": ("A" * 60, "B" * 40)},
        {"given": ("ANNE\x1dB",)},
        {"family": "NOM\n"},
        {"sex": "UN"},
        {"matricule": "2900614118001"},
        {"oid": "1.2.250.1.213.1.4.1000"},
        {"cog": "1411"},
    ],
)
def test_what_cannot_be_said_exactly_is_not_drawn(change: dict[str, object]) -> None:
    assert content(replace(TRAITS, **change)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [1, 5, 17, 40, 73, 100])
def test_the_symbol_reads_back_whatever_the_length(length: int) -> None:
    said = content(replace(TRAITS, family=("ESSAI-D'UN NOM " * 7)[:length].strip()))
    assert said is not None
    symbol = modules(said)
    assert {len(row) for row in symbol} == {len(symbol)}, "square"
    assert symbol == modules(said)
    assert scanned(symbol) == said.encode("ascii")


def test_a_text_beyond_the_largest_symbol_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        modules("A" * 4000)
