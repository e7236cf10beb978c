"""Every way in which a text may lie in a file: encodings, escapes and archives undone, whatever is nested in what.

A file is turned into views, plain texts of which at least one holds a text that the file holds in any of these forms:
UTF-8, Latin-1, UTF-16, base64 (ordinary and URL alphabet, at any offset), hexadecimal, percent, `\\u` and XML escapes,
quoted-printable, zip, gzip and zlib members. Binary files are reduced to their runs of printable characters.
"""

from __future__ import annotations

import base64
import gzip
import html
import io
import quopri
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from pypdf import PdfReader

DEEP = 3
"""How many disguises may lie one inside the other."""
SHORTEST = 4
_RUN = re.compile(rb"[\x20-\x7e]{5,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_LINES64 = re.compile(rb"(?:[A-Za-z0-9+/]{60,76}\r?\n)+[A-Za-z0-9+/=]*")
_HEX = re.compile(rb"[0-9A-Fa-f]{12,}")
_UNICODE = re.compile(r"\\u([0-9a-fA-F]{4})")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_QUOTED = re.compile(r"=[0-9A-F]{2}|=\r?\n")
_WORDS = re.compile(r"[a-z0-9]+")
_DIGITS = re.compile(r"(?<=[0-9])[ ./-](?=[0-9ab])")


def folded(text: str) -> str:
    """Lower case without accents: what is left when somebody writes a name his own way."""
    if text.isascii():
        return text.lower()
    spread = unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("æ", "ae"))
    return "".join(char for char in spread if not unicodedata.combining(char))


def words(text: str) -> list[str]:
    """The words and numbers of a folded text."""
    return _WORDS.findall(text)


def joined(text: str) -> str:
    """A folded text, its groups of digits written together."""
    return _DIGITS.sub("", text)


def views(data: bytes, depth: int = 0) -> Iterator[str]:
    """The texts that a file may hold, each in one of the disguises."""
    if depth > DEEP or len(data) < SHORTEST:
        return
    yield from _texts(data)
    for inner in _inside(data, depth):
        yield from views(inner, depth + 1)


def _texts(data: bytes) -> Iterator[str]:
    text = _plain(data)
    if text is None:
        text = b"\n".join(_RUN.findall(data)).decode("latin-1")
        if b"\0" in data:  # UTF-16 of what Latin-1 can write is that, with zeroes between
            yield b"\n".join(_RUN.findall(data.replace(b"\0", b""))).decode("latin-1")
    yield text
    yield from _unescaped(text)


def _unescaped(text: str) -> Iterator[str]:
    if "\\u" in text:
        yield _UNICODE.sub(lambda found: chr(int(found[1], 16)), text)
    if "&#" in text or "&amp;" in text or "&quot;" in text:
        yield html.unescape(text)
    if _PERCENT.search(text):
        yield _loose(unquote_to_bytes(text))
    if _QUOTED.search(text):
        yield _loose(quopri.decodestring(text.encode()))


def _plain(data: bytes) -> str | None:
    """The text of a text file; None for anything else."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", errors="replace")
    if sum(byte < 9 or 13 < byte < 32 for byte in data[:4096]) > 0:
        return None
    return _loose(data)


def _loose(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _inside(data: bytes, depth: int) -> Iterator[bytes]:
    yield from _members(data)
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    if data[:5] == b"%PDF-":  # its letters are numbers of glyphs
        yield "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages).encode()
    for found in re.finditer(rb"stream\r?\n(\x78[\x01\x5e\x9c\xda])", data):  # what a PDF compresses
        yield _inflated(data[found.start(1) :])
    for lines in _LINES64.findall(data):
        yield _decoded(lines.replace(b"\r", b"").replace(b"\n", b""), 0)
    if depth == DEEP:
        return
    runs = _BASE64.findall(data)
    for start in range(4):
        yield b"\n".join(_decoded(run, start) for run in runs)
    runs = _HEX.findall(data)
    for start in range(2):
        yield b"\n".join(_unhexed(run[start:]) for run in runs)


def _decoded(run: bytes, start: int) -> bytes:
    run = run[start:].replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
    return base64.b64decode(run[: len(run) // 4 * 4] + {2: run[-2:] + b"==", 3: run[-3:] + b"="}.get(len(run) % 4, b""))


def _unhexed(run: bytes) -> bytes:
    return bytes.fromhex(run[: len(run) // 2 * 2].decode())


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, 10_000_000)
    except zlib.error:
        return b""


def _members(data: bytes) -> Iterator[bytes]:
    if data[:4] != b"PK\x03\x04":
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            yield name.encode()
            yield archive.read(name)
