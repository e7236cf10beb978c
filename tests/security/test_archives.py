"""ZIP archives from outside: nothing leaves the archive, nothing lies about its size, nothing unpacks without end."""

from __future__ import annotations

import io
import resource
import stat
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.security.readers import ZIPS, Reader, zips

SECONDS = 8.0
MEMORY = 400_000_000
"""Bytes by which a reader may grow over all bombs: none of them unpacks more than 80 MB."""
CANARY = b"CONTENU-INTERDIT"
_LOCAL, _CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
USUAL = {
    "records.archive": ("metadata.json", "document.pdf"),
    "read.xdm": ("IHE_XDM/SUBSET01/METADATA.XML", "IHE_XDM/SUBSET01/DOC0001.XML"),
    "annuaire.reading": ("liste.txt",),
    "sandbox.xdm": ("IHE_XDM/SUBSET01/METADATA.XML", "IHE_XDM/SUBSET01/DOC0001.XML"),
}
"""Names under which each reader looks for its content: an attack that uses another name would prove little."""


def packed(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data, compress_type=method)
    return held.getvalue()


def special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (kind | 0o644) << 16
    return info


def edited(data: bytes, change: Callable[[bytearray, int], None]) -> bytes:
    """The archive with something changed in each entry of its central directory."""
    raw, at = bytearray(data), data.find(_CENTRAL)
    while at >= 0:
        change(raw, at)
        at = raw.find(_CENTRAL, at + 4)
    return bytes(raw)


def _encrypted(raw: bytearray, at: int) -> None:
    raw[at + 8] |= 1


def _lying(raw: bytearray, at: int) -> None:
    raw[at + 24 : at + 28] = struct.pack("<I", 10)  # uncompressed size


def _strange_method(raw: bytearray, at: int) -> None:
    raw[at + 10 : at + 12] = struct.pack("<H", 99)


def _far(raw: bytearray, at: int) -> None:
    raw[at + 42 : at + 46] = struct.pack("<I", 0xFFFFFFF0)  # where the local header lies


def _overlapping(names: tuple[str, ...], copies: int) -> bytes:
    """Many entries that all name the same compressed megabytes (Fifield's bomb, in its simple form)."""
    held = packed((names[0], b"\x00" * 30_000_000), method=zipfile.ZIP_DEFLATED)
    start = held.find(_CENTRAL)
    one = held[start : held.rfind(b"PK\x05\x06")]
    size = len(one) * copies
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, copies, copies, size, start, 0)
    return held[:start] + one * copies + end


NAMED = ("../", "/", "C:\\", "..\\", "a/../../", "\\\\server\\share\\", "./../")
"""Fronts of a name that leads out of where it is unpacked."""
KINDS = {"link": stat.S_IFLNK, "fifo": stat.S_IFIFO, "device": stat.S_IFBLK, "socket": stat.S_IFSOCK}


def reader_of(name: str, folder: Path) -> Reader:
    return next(one for one in zips(folder) if one.name == name)


@pytest.mark.parametrize("name", ZIPS)
@pytest.mark.parametrize("front", NAMED)
def test_a_name_that_leaves_the_archive(name: str, front: str, tmp_path: Path) -> None:
    target = reader_of(name, tmp_path)
    before = set(tmp_path.rglob("*"))
    data = packed(*((front + one, CANARY) for one in USUAL[name]))
    assert CANARY.decode() not in target.outcome(data)
    # Nothing is written anywhere: the one file there is the archive that this test handed over.
    assert {path.name for path in tmp_path.rglob("*")} - {path.name for path in before} <= {"liste.zip"}


@pytest.mark.parametrize("name", ZIPS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_that_is_no_file(name: str, kind: str, tmp_path: Path) -> None:
    data = packed(*((special(one, KINDS[kind]), b"/etc/passwd") for one in USUAL[name]))
    said = reader_of(name, tmp_path).outcome(data)
    assert "root:" not in said


@pytest.mark.parametrize("name", ZIPS)
@pytest.mark.parametrize("change", [_encrypted, _lying, _strange_method, _far], ids=lambda one: one.__name__)
def test_an_entry_that_lies(name: str, change: Callable[[bytearray, int], None], tmp_path: Path) -> None:
    data = edited(packed(*((one, CANARY * 100) for one in USUAL[name])), change)
    assert (CANARY * 100).decode() not in reader_of(name, tmp_path).outcome(data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ZIPS)
def test_the_same_name_twice(name: str, tmp_path: Path) -> None:
    """One of two files of one name could be checked and the other used."""
    first, *others = USUAL[name]
    data = packed((first, b"<a/>"), (first, CANARY), *((other, b"x") for other in others))
    assert CANARY.decode() not in reader_of(name, tmp_path).outcome(data)


BOMBS: dict[str, Callable[[tuple[str, ...]], bytes]] = {
    "ratio": lambda names: packed(*((one, b"\x00" * 90_000_000) for one in names[:1]), method=zipfile.ZIP_DEFLATED),
    "ratio, lying": lambda names: edited(
        packed((names[0], b"\x00" * 90_000_000), *((n, b"x") for n in names[1:]), method=zipfile.ZIP_DEFLATED), _lying
    ),
    "overlapping": lambda names: _overlapping(names, 200),
    "many members": lambda names: packed(*((f"{n}-{names[0]}", b"") for n in range(20_000))),
    "nested": lambda names: packed((names[0], packed((names[0], packed((names[0], b"x" * 10_000)))))),
    "cut": lambda names: packed(*((one, CANARY) for one in names))[:-30],
    "magic alone": lambda _: _LOCAL * 100_000,
    "end alone": lambda _: b"PK\x05\x06" + b"\xff" * 18,
}


@pytest.mark.parametrize("name", ZIPS)
def test_bombs_stop_in_bounded_time_and_memory(name: str, tmp_path: Path) -> None:
    made = {bomb: make(USUAL[name]) for bomb, make in BOMBS.items()}
    target = reader_of(name, tmp_path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for bomb, data in made.items():
        before = time.thread_time()
        said = target.outcome(data)
        assert time.thread_time() - before < SECONDS, bomb
        assert CANARY.decode() not in said
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown) * 1024 < MEMORY
