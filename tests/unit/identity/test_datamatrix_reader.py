"""The INS Datamatrix read as scanners deliver it. The strings are written here from the format, none by the encoder."""

from __future__ import annotations

import io
from datetime import date

import pytest

from gateway.errors import ConfigError
from gateway.findings import Severity
from gateway.identity import datamatrix_image
from gateway.identity.datamatrix import Modules, Traits, content, modules
from gateway.identity.datamatrix_reader import read

HEAD = "IS01" + "0" * 22
GS = "\x1d"
S1, S2, S2_TEST = "S1290062A00401282", f"S21.2.250.1.213.1.4.8{GS}", "S21.2.250.1.213.1.4.10"
S3, S4, S5, S6, S7 = f"S3ANNE MARIE{GS}", f"S4D'ESSAI--NOM{GS}", "S5F", "S625-06-1990", "S72A004"
SOUND = HEAD + S1 + S2 + S3 + S4 + S5 + S6 + S7


def codes(text: str) -> set[str]:
    return {f.code for f in read(text).findings if f.severity is not Severity.INFO}


EXPECTED = Traits(
    "290062A00401282", "1.2.250.1.213.1.4.8", ("ANNE", "MARIE"), "D'ESSAI--NOM", "F", date(1990, 6, 25), "2A004"
)

HELD_OUT = {
    "as specified": SOUND,
    "GS as text": SOUND.replace(GS, "<GS>"),
    "GS as text in small letters": SOUND.replace(GS, "<gs>"),
    "GS as its picture": SOUND.replace(GS, "\u241d"),
    "line end of a keyboard scanner": SOUND + "\r\n",
    "symbology identifier first": "]d1" + SOUND,
    "given names last, without separator": HEAD + S1 + S2 + S4 + S5 + S6 + S7 + S3.removesuffix(GS),
    "given names last, with one": HEAD + S1 + S2 + S4 + S5 + S6 + S7 + S3,
    "OID last": HEAD + S7 + S6 + S5 + S4 + S3 + S1 + S2.removesuffix(GS),
    "backwards": HEAD + S7 + S6 + S5 + S4 + S3 + S2 + S1,
    "sex first": HEAD + S5 + S1 + S2 + S3 + S4 + S6 + S7,
}


@pytest.mark.parametrize("name", HELD_OUT)
def test_every_sound_form_gives_the_same_traits(name: str) -> None:
    found = read(HELD_OUT[name])
    assert codes(HELD_OUT[name]) == set()
    assert found.traits == EXPECTED
    assert found.fields["S3"] == "ANNE MARIE"


def test_an_oid_of_full_length_has_no_separator() -> None:
    found = read(HEAD + S1 + S2_TEST + S3 + S4 + S5 + S6)
    assert found.ok
    assert found.fields["S2"] == "1.2.250.1.213.1.4.10"
    assert found.traits is not None
    assert found.traits.cog is None, "the place may be missing"


def test_names_of_full_length_have_no_separator() -> None:
    given, family = " ".join(["ABCDEFGHI"] * 10), "A" * 100
    found = read(HEAD + S1 + S2 + f"S3{given[:99]}{GS}S4{family}" + S5 + S6)
    assert found.ok
    assert found.fields["S4"] == family


def test_fields_are_walked_and_never_searched() -> None:
    """`S4`, `S5M` and `S6` stand inside the values: only their place in the walk makes a field of them."""
    found = read(HEAD + S1 + S2 + f"S3ANNES{GS}" + f"S4S S{GS}" + S5 + S6)
    assert found.ok
    assert (found.fields["S3"], found.fields["S4"], found.fields["S5"]) == ("ANNES", "S S", "F")


DEFECTS = {
    "empty": ("", "DMX-004"),
    "another code": ("https://exemple.fr", "DMX-004"),
    "2D-Doc": ("DC04FR0000011E5F1E5F0001" + "0" * 20, "DMX-004"),
    "header in small letters": (SOUND.replace("IS01", "is01"), "DMX-004"),
    "another version": (SOUND.replace("IS01", "IS02"), "DMX-005"),
    "header damaged": (SOUND.replace("IS010", "IS01A"), "DMX-006"),
    "header too short": ("IS01" + "0" * 21 + S1, "DMX-006"),
    "too long": (SOUND + "S" * 300, "DMX-002"),
    "a letter that no symbol has": (SOUND.replace("NOM", "NÖM"), "DMX-003"),
    "unknown field": (HEAD + S1 + S2 + "S8X" + S3 + S4 + S5 + S6, "DMX-007"),
    "half a field name": (SOUND + "S", "DMX-007"),
    "something after the end": (SOUND + "XX", "DMX-007"),
    "twice the same field": (SOUND + S5, "DMX-008"),
    "matricule too short": (HEAD + S2 + S3 + S4 + S5 + S6 + S1[:-1], "DMX-009"),
    "matricule cut by a separator": (SOUND.replace(S1, S1[:10] + GS), "DMX-009"),
    "date cut short": (HEAD + S1 + S2 + S3 + S4 + S5 + S6[:-1], "DMX-009"),
    "place cut short": (SOUND[:-1], "DMX-009"),
    "separator after a fixed field": (SOUND.replace(S1, S1 + GS), "DMX-010"),
    "separator after an OID of full length": (HEAD + S1 + S2_TEST + GS + S3 + S4 + S5 + S6, "DMX-010"),
    "no matricule": (SOUND.replace(S1, ""), "DMX-011"),
    "no OID": (SOUND.replace(S2, ""), "DMX-011"),
    "no given names": (SOUND.replace(S3, ""), "DMX-011"),
    "no family name": (SOUND.replace(S4, ""), "DMX-011"),
    "no sex": (HEAD + S1 + S2 + S3 + S4 + S6, "DMX-011"),
    "no date": (HEAD + S1 + S2 + S3 + S4 + S5, "DMX-011"),
    "separator of the given names lost": (SOUND.replace(S3, S3.removesuffix(GS)), "DMX-011"),
    "a letter in the matricule": (SOUND.replace("S1290062A", "S1290062C"), "DMX-012"),
    "INS-C": (SOUND.replace(".4.8", ".4.2"), "DMX-014"),
    "an OID that is no INS": (SOUND.replace(".4.8", ".4.7"), "DMX-015"),
    "given names with an accent lost": (SOUND.replace("ANNE", "ANN?"), "DMX-016"),
    "no given name": (SOUND.replace(S3, f"S3{GS}"), "DMX-016"),
    "given names with a comma": (SOUND.replace("ANNE MARIE", "ANNE,MARIE"), "DMX-016"),
    "family name in small letters": (SOUND.replace("ESSAI", "Essai"), "DMX-017"),
    "sex unknown": (SOUND.replace("S5F", "S5I"), "DMX-018"),
    "date the other way round": (SOUND.replace("25-06-1990", "1990-06-25"), "DMX-019"),
    "a day that is not": (SOUND.replace("25-06-1990", "31-06-1990"), "DMX-019"),
    "date with slashes": (SOUND.replace("25-06-1990", "25/06/1990"), "DMX-019"),
    "a place that is no code": (SOUND.replace("2A004", "2C004"), "DMX-020"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_each_defect_has_its_finding(name: str) -> None:
    text, code = DEFECTS[name]
    found = read(text)
    assert code in codes(text)
    assert found.ok is (code == "DMX-010"), "a needless separator is read over, everything else gives no identity"


def test_a_wrong_key_is_told_and_read() -> None:
    found = read(SOUND.replace(S1, "S1290062A00401200"))
    assert found.ok
    assert "DMX-013" in {f.code for f in found.findings if f.severity is Severity.WARNING}


@pytest.mark.parametrize("text", [SOUND, "", HEAD + S1])
def test_a_scan_never_qualifies(text: str) -> None:
    found = read(text)
    assert found.findings[-1].code == "DMX-001"
    assert not hasattr(found.traits, "status")


@pytest.mark.parametrize("name", DEFECTS)
def test_no_finding_repeats_a_trait(name: str) -> None:
    said = " ".join(f.message + f.advice for f in read(DEFECTS[name][0]).findings)
    assert not any(word in said for word in ("290062A", "ANNE", "ESSAI", "25-06", "2A004"))


def test_our_own_symbol_reads_back() -> None:
    text = content(EXPECTED)
    assert text is not None
    assert read(text).traits == EXPECTED


# ------------------------------------------------------------------------------------------------------ pictures


def jpeg(symbol: Modules, turn: int = 0) -> bytes:
    """A photo of the symbol: grey, scaled, turned, saved with loss."""
    from PIL import Image

    picture = Image.open(io.BytesIO(datamatrix_image.png(symbol))).convert("L")
    picture = picture.resize((480, 480)).rotate(turn, expand=True, fillcolor=255)
    page = Image.new("L", (900, 700), 230)
    page.paste(picture, (150, 60))
    out = io.BytesIO()
    page.save(out, "JPEG", quality=60)
    return out.getvalue()


@pytest.mark.parametrize("turn", [0, 90, 180, 7])
def test_a_photo_reads(turn: int) -> None:
    assert datamatrix_image.texts(jpeg(modules(SOUND), turn)) == [SOUND]


def test_png_and_svg_hold_the_symbol() -> None:
    symbol = modules(SOUND)
    assert datamatrix_image.texts(datamatrix_image.png(symbol, scale=3)) == [SOUND]
    drawn = datamatrix_image.svg(symbol)
    assert drawn.count("h1v1h-1z") == sum(map(sum, symbol))


def test_a_picture_without_symbol_gives_nothing() -> None:
    white: Modules = ((False,) * 30,) * 30
    assert datamatrix_image.texts(datamatrix_image.png(white)) == []


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0junk", b"text"])
def test_a_damaged_picture_is_an_error_with_a_way_out(data: bytes) -> None:
    with pytest.raises(ConfigError, match="DMX-022"):
        datamatrix_image.texts(data)


def test_a_picture_that_swells_is_refused() -> None:
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 60000, 60000, 1, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(ConfigError, match="DMX-022"):
        datamatrix_image.texts(bomb)
