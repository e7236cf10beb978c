"""Archives: ours whole, others' tolerated, hostile ones stopped; mails that carry them."""

from __future__ import annotations

import email
import email.policy
import io
import stat
import zipfile
import zlib
from collections.abc import Callable

import pytest

from gateway import terminology
from gateway.read import mail, xdm
from gateway.read.opening import opened, recognise
from tests.unit.fixture_cases import NAMES, prepared

TERMS = terminology.load()
FOLDER = "IHE_XDM/SUBSET01/"
Members = dict[str, bytes]


def members() -> Members:
    with zipfile.ZipFile(io.BytesIO(prepared(NAMES[0]).renderings["xdm"])) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(content: Members, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def changed(change: Callable[[Members], None]) -> xdm.Archive:
    content = members()
    change(content)
    return xdm.read(packed(content), TERMS)


def codes(archive: xdm.Archive) -> list[str]:
    return [finding.code for finding in archive.findings]


@pytest.mark.parametrize("name", NAMES)
def test_our_archive_agrees_with_its_document(name: str) -> None:
    made = prepared(name)
    archive = xdm.read(made.renderings["xdm"], TERMS)
    assert archive.findings == ()
    assert archive.submission is not None
    [document] = archive.documents
    header = made.document.header
    meta = document.metadata
    assert meta is not None
    assert document.data == made.renderings["cda"]
    assert document.reading is not None
    assert document.reading.document is not None
    assert document.reading.document.sections == made.document.sections
    assert (meta.unique_id, meta.title, meta.type, meta.class_code) == (
        header.id,
        header.title,
        header.type,
        header.class_code,
    )
    assert meta.format_code == header.format_code
    assert (meta.creation_time, meta.service_start) == (header.effective_time, header.service_start)
    assert (meta.facility_type, meta.practice_setting) == (header.facility_type, header.practice_setting)
    assert meta.confidentiality == (header.confidentiality, *header.visibility)
    assert meta.author == f"{header.author.name.given} {header.author.name.family}"
    assert meta.institution == header.custodian.name


def test_another_numbering_and_a_pdf_inside_are_tolerated() -> None:
    def change(content: Members) -> None:
        content[f"{FOLDER}DOC00001.XML"] = content.pop(f"{FOLDER}DOC0001.XML")
        content[f"{FOLDER}DOC00001.PDF"] = b"%PDF-1.4"

    archive = changed(change)
    assert codes(archive) == ["RDB-073"]
    announced, pdf = archive.documents
    assert announced.metadata is not None
    assert announced.reading is not None
    assert (pdf.name, pdf.reading, pdf.metadata) == (f"{FOLDER}DOC00001.PDF", None, None)


def test_a_document_that_changed_on_the_way() -> None:
    def change(content: Members) -> None:
        name = f"{FOLDER}DOC0001.XML"
        content[name] = content[name].replace(b"handball", b"football")

    assert codes(changed(change)) == ["RDB-075"]


def test_a_byte_order_mark_is_not_a_change() -> None:
    def change(content: Members) -> None:
        content[f"{FOLDER}DOC0001.XML"] = b"\xef\xbb\xbf" + content[f"{FOLDER}DOC0001.XML"]

    archive = changed(change)
    assert codes(archive) == []
    assert archive.documents[0].reading is not None


def test_metadata_of_another_patient_are_seen() -> None:
    ins = prepared(NAMES[0]).document.header.patient.ins
    assert ins is not None

    def change(content: Members) -> None:
        name = f"{FOLDER}METADATA.XML"
        content[name] = content[name].replace(ins.extension.encode(), b"1" * 15)

    assert codes(changed(change)) == ["RDB-077"]


def test_metadata_of_another_document_are_seen() -> None:
    def change(content: Members) -> None:
        content[f"{FOLDER}DOC0001.XML"] = prepared(NAMES[1]).renderings["cda"]

    assert {"RDB-075", "RDB-076", "RDB-077"} <= set(codes(changed(change)))


def test_without_metadata_the_document_is_still_read() -> None:
    archive = changed(lambda content: content.pop(f"{FOLDER}METADATA.XML") and None)
    assert codes(archive) == ["RDB-070"]
    [document] = archive.documents
    assert document.reading is not None
    assert document.reading.document is not None


def test_an_announced_document_that_is_missing() -> None:
    archive = changed(lambda content: content.pop(f"{FOLDER}DOC0001.XML") and None)
    assert codes(archive) == ["RDB-072"]
    assert archive.documents == ()


def test_broken_metadata() -> None:
    archive = changed(lambda content: content.update({f"{FOLDER}METADATA.XML": b"<!DOCTYPE a><a/>"}))
    assert codes(archive) == ["RDB-003"]
    assert archive.submission is None
    assert archive.documents[0].reading is not None


@pytest.mark.parametrize(
    "name", ["../evil.xml", "/etc/passwd", "C:/x.xml", "a\\..\\b.xml", "IHE_XDM/../../x.xml", "a\\b.xml"]
)
def test_names_that_leave_the_archive(name: str) -> None:
    def change(content: Members) -> None:
        content["AAAA.XML"] = b"<a/>"

    content = members()
    change(content)
    placeholder = "A" * len(name)
    data = packed({placeholder: b"<a/>", **content}).replace(placeholder.encode(), name.encode())
    archive = xdm.read(data, TERMS)
    assert "RDB-063" in codes(archive)
    assert name not in {document.name for document in archive.documents}


def test_a_symbolic_link_is_not_followed() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("IHE_XDM/SUBSET01/METADATA.XML")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert codes(xdm.read(buffer.getvalue(), TERMS)) == ["RDB-063"]


def test_a_bomb_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xdm, "MAX_CONTENT", 1_000_000)
    archive = xdm.read(packed({**members(), "BOMB.XML": b"\0" * 3_000_000}), TERMS)
    assert "RDB-067" in codes(archive)
    assert archive.documents[0].reading is not None


def test_a_member_that_lies_about_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xdm, "MAX_CONTENT", 1_000_000)
    data = packed({"BOMB.XML": b"\0" * 3_000_000})
    size, lie = (3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    assert data.count(size) == 2
    found = codes(xdm.read(data.replace(size, lie), TERMS))
    assert found
    assert set(found) <= {"RDB-066", "RDB-067", "RDB-070"}


def test_too_many_members() -> None:
    content = {f"F{place}.TXT": b"" for place in range(xdm.MAX_MEMBERS + 5)}
    archive = xdm.read(packed(content), TERMS)
    assert "RDB-062" in codes(archive)
    assert len(archive.files) == xdm.MAX_MEMBERS


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("DOC0001.XML", b"<a/>")
        archive.writestr("DOC0001.XML", b"<b/>")
    assert "RDB-064" in codes(xdm.read(buffer.getvalue(), TERMS))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18, b"PK\x03\x04" + b"\xff" * 400])
def test_bytes_that_are_no_archive(data: bytes) -> None:
    archive = xdm.read(data, TERMS)
    assert archive.documents == ()
    assert set(codes(archive)) <= {"RDB-060"}


def test_a_damaged_member() -> None:
    data = packed(members())
    assert zlib.crc32(data)
    broken = data[:400] + bytes(byte ^ 0x55 for byte in data[400:800]) + data[800:]
    assert codes(xdm.read(broken, TERMS))


def test_an_oversize_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xdm, "MAX_ARCHIVE", 100)
    assert codes(xdm.read(packed(members()), TERMS)) == ["RDB-061"]


# ---------------------------------------------------------------- mails


def eml(role: str = "medecin_traitant") -> bytes:
    made = prepared(NAMES[0])
    package = next(d.package for d in made.deliveries if d.package is not None and d.route.role == role)
    return next(part.data for part in package.parts)


def test_the_archive_of_a_mail_is_read() -> None:
    found = opened(eml(), TERMS)
    assert found.kind == "mail"
    assert list(found.every_finding()) == []
    [(_name, reading)] = found.readings
    assert reading.document is not None
    assert reading.document.sections == prepared(NAMES[0]).document.sections
    assert found.mail is not None
    headers = dict(found.mail.headers)
    assert headers["X-MSS-CODECDA"] == "47420-5"
    assert "Gwenaël_TESTOU_Cabinet de kinésithérapie FICTIF" in headers["From"]  # no blank inside an encoded name
    assert {one.media_type for one in found.mail.attachments} == {"application/zip", "application/pdf"}


def test_an_archive_forwarded_inside_another_mail_is_found() -> None:
    outer = email.message.EmailMessage(policy=email.policy.default)
    outer["Subject"] = "TR"
    outer.set_content("voir ci-joint")
    outer.add_attachment(email.message_from_bytes(eml(), policy=email.policy.default))
    assert len(opened(outer.as_bytes(), TERMS).readings) == 1


def test_a_mail_without_archive_says_so() -> None:
    found = opened(b"Subject: rien\r\n\r\nBonjour\r\n", TERMS)
    assert [finding.code for finding in found.every_finding()] == ["RDB-080"]


def test_an_oversize_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "MAX_BYTES", 10)
    assert [finding.code for finding in mail.read(eml()).findings] == ["RDB-081"]


# ---------------------------------------------------------------- recognition


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'\xef\xbb\xbf<?xml version="1.0"?><a/>', "cda"),
        ("<a/>".encode("utf-16"), "cda"),
        (b"  {}", "fhir"),
        (b"\xef\xbb\xbf{}", "fhir"),
        (b"PK\x03\x04", "xdm"),
        (b"Return-Path: <a@b.c>\r\nReceived: x\r\n\ty\r\n\r\n", "mail"),
        (b"", "unknown"),
        (b"%PDF-1.7", "unknown"),
        (b"\x00\x01\x02", "unknown"),
        (b"Une phrase : sans rien\n", "unknown"),
    ],
)
def test_files_are_recognised_by_their_content(data: bytes, kind: str) -> None:
    assert recognise(data) == kind
    opened(data, TERMS)
