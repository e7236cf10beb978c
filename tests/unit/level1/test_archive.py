"""The archive of a PDF: two files and nothing else, whatever the bytes say."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.records import archive as reader
from gateway.records.level1 import Level1, parse_any
from tests.unit.level1 import samples


def members(*named: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as opened:
        for name, data in named:
            opened.writestr(name, data)
    return target.getvalue()


def codes(data: bytes) -> list[str]:
    files, findings = reader.read(data)
    assert files is None
    assert all(one.message and one.advice for one in findings)
    return [one.code for one in findings]


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_the_two_files_come_out_whatever_their_order() -> None:
    pair = (("document.pdf", b"%PDF-1.4"), ("metadata.json", b"{}"))
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        for order in (pair, pair[::-1]):
            files, findings = reader.read(members(*order, method=method))
            assert files == reader.Files(b"{}", b"%PDF-1.4")
            assert findings == []


META, PDF = ("metadata.json", b"{}"), ("document.pdf", b"%PDF-")
REFUSED: list[tuple[str, Callable[[], bytes], str]] = [
    ("empty archive", lambda: b"PK\x05\x06" + bytes(18), "PDF-011"),
    ("not an archive", lambda: b"PK\x03\x04 but no more", "PDF-010"),
    ("cut", lambda: samples.archive()[:-30], "PDF-010"),
    ("one file missing", lambda: members(META), "PDF-011"),
    ("one too many", lambda: members(META, PDF, ("virus.exe", b"MZ")), "PDF-011"),
    ("other case", lambda: members(("Metadata.json", b"{}"), PDF), "PDF-011"),
    ("up", lambda: members(META, PDF, ("../metadata.json", b"{}")), "PDF-012"),
    ("absolute", lambda: members(META, PDF, ("/etc/passwd", b"x")), "PDF-012"),
    ("drive", lambda: members(META, PDF, ("C:document.pdf", b"x")), "PDF-012"),
    ("backslash", lambda: members(META, PDF, ("..\\document.pdf", b"x")), "PDF-012"),
    ("folder", lambda: members(META, PDF, ("sub/", b"")), "PDF-012"),
    ("in a folder", lambda: members(("a/metadata.json", b"{}"), ("a/document.pdf", b"%PDF-")), "PDF-012"),
    ("link", lambda: members(META, (link("document.pdf"), b"/etc/passwd")), "PDF-012"),
    ("odd compression", lambda: members(META, PDF, method=zipfile.ZIP_LZMA), "PDF-012"),
    ("big file", lambda: members(("metadata.json", bytes(1_000_001)), PDF, method=zipfile.ZIP_DEFLATED), "PDF-013"),
    ("bomb", lambda: members(META, ("document.pdf", bytes(200_000_000)), method=zipfile.ZIP_DEFLATED), "PDF-013"),
    ("big archive", lambda: bytes(reader.MAX_ARCHIVE + 1), "PDF-013"),
]


@pytest.mark.parametrize(("make", "code"), [(make, code) for _, make, code in REFUSED], ids=[n for n, _, _ in REFUSED])
def test_what_is_refused(make: Callable[[], bytes], code: str) -> None:
    assert codes(make()) == [code]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice() -> None:
    assert codes(members(META, PDF, PDF)) == ["PDF-011"]


def test_an_encrypted_member() -> None:
    data = bytearray(members(META, PDF))
    central = data.rindex(b"PK\x01\x02")
    data[central + 8] |= 1
    assert codes(bytes(data)) == ["PDF-012"]


def test_a_size_that_lies() -> None:
    """The directory announces a small file and the stream holds a large one."""
    data = bytearray(members(("metadata.json", bytes(1_500_000)), PDF, method=zipfile.ZIP_DEFLATED))
    place = data.index(b"PK\x01\x02")
    data[place + 24 : place + 28] = (10).to_bytes(4, "little")
    assert codes(bytes(data)) in (["PDF-010"], ["PDF-013"])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_byte_of_a_broken_archive_crashes_the_reader(data: st.DataObject) -> None:
    whole = bytearray(members(META, PDF, method=zipfile.ZIP_DEFLATED))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(4, len(whole)))
    files, findings = reader.read(bytes(whole[:cut]))
    assert (files is None) == bool(findings)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_rubbish_that_begins_like_an_archive(tail: bytes) -> None:
    record, findings = parse_any(reader.MAGIC + tail)
    assert record is None
    assert findings


def test_the_metadata_are_read_like_a_submission() -> None:
    record, findings = parse_any(samples.archive())
    assert findings == []
    assert isinstance(record, Level1)
    assert record.pdf == samples.vendor_pdf()
    assert record.document.kind == "assessment"
    for spoil, path in (
        ({"surprise": 1}, "/surprise"),
        ({"format": "kine-gateway/submission/1"}, "/format"),
        ({"pdf": "x"}, "/pdf"),
    ):
        refused, findings = parse_any(samples.archive(samples.metadata() | spoil))
        assert refused is None
        assert [one.path for one in findings] == [path]
