"""A PDF that somebody else made: refused for what it is, held for whose it may be."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date
from typing import Any

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name, Stream, String

from gateway.records.people import Patient
from gateway.validate import pdf, pdf_objects
from tests.unit.level1.samples import vendor_pdf
from tests.unit.submission_samples import assessment, sound

PATIENT = sound(assessment()).patient


def changed(change: Callable[[pikepdf.Pdf], object], **options: Any) -> bytes:
    with pikepdf.open(io.BytesIO(vendor_pdf())) as opened:
        change(opened)
        target = io.BytesIO()
        plain: dict[str, Any] = {"object_stream_mode": pikepdf.ObjectStreamMode.disable}
        if "encryption" not in options:
            plain["stream_decode_level"] = pikepdf.StreamDecodeLevel.none
        opened.save(target, **{**plain, **options})
    return target.getvalue().replace(b"/Zilter", b"/Filter")


def codes(data: bytes) -> list[str]:
    found = pdf.check(data)
    assert all(one.severity == "error" and one.message and one.advice for one in found)
    return [one.code for one in found]


def test_a_sound_pdf_passes() -> None:
    assert codes(vendor_pdf()) == []
    assert codes(changed(lambda _: None)) == []


def _open_script(opened: pikepdf.Pdf) -> None:
    opened.Root.OpenAction = Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))


def _named_script(opened: pikepdf.Pdf) -> None:
    opened.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array([String("a"), Dictionary(S=Name.JavaScript)])))


def _launch(opened: pikepdf.Pdf) -> None:
    action = Dictionary(S=Name.Launch, F=String("cmd.exe"))
    opened.pages[0].Annots = Array([Dictionary(Type=Name.Annot, Subtype=Name.Link, A=action, Rect=Array([0, 0, 9, 9]))])


def _page_action(opened: pikepdf.Pdf) -> None:
    opened.pages[0].AA = Dictionary(O=Dictionary(S=Name.JavaScript, JS=opened.make_stream(b"1")))


def _form(opened: pikepdf.Pdf) -> None:
    opened.Root.AcroForm = Dictionary(XFA=String("x"), Fields=Array([]))


def _attach(opened: pikepdf.Pdf) -> None:
    opened.attachments["a.exe"] = pikepdf.AttachedFileSpec(opened, b"MZ")


def _unmark(opened: pikepdf.Pdf) -> None:
    del opened.Root.Metadata


def _mark_as_2(opened: pikepdf.Pdf) -> None:
    packet = (
        opened.Root.Metadata.read_bytes()
        .replace(b"pdfaid:part>1", b"pdfaid:part>2")
        .replace(b'pdfaid:part="1"', b'pdfaid:part="2"')
    )
    opened.Root.Metadata = Stream(opened, packet)


def _no_font_file(opened: pikepdf.Pdf) -> None:
    for one in opened.objects:
        if isinstance(one, Dictionary) and one.get("/Type") == Name.FontDescriptor:
            for key in ("/FontFile", "/FontFile2", "/FontFile3"):
                if key in one:
                    del one[key]


def _standard_font(opened: pikepdf.Pdf) -> None:
    opened.pages[0].Resources.Font.F0 = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)


def _transparent(opened: pikepdf.Pdf) -> None:
    opened.pages[0].Resources.ExtGState = Dictionary(G=Dictionary(Type=Name.ExtGState, ca=0.5))


def _lzw(opened: pikepdf.Pdf) -> None:
    opened.Root.Odd = Dictionary(Zilter=Name.LZWDecode)  # pikepdf would not write such a filter: see `changed`


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_open_script, "PDF-004"),
        (_named_script, "PDF-004"),
        (_launch, "PDF-004"),
        (_page_action, "PDF-004"),
        (_form, "PDF-004"),
        (_attach, "PDF-005"),
        (_unmark, "PDF-007"),
        (_mark_as_2, "PDF-007"),
        (_no_font_file, "PDF-007"),
        (_standard_font, "PDF-007"),
        (_transparent, "PDF-007"),
        (_lzw, "PDF-007"),
    ],
)
def test_what_is_refused(change: Callable[[pikepdf.Pdf], object], code: str) -> None:
    assert codes(changed(change)) == [code]


def test_what_is_no_pdf_or_not_whole() -> None:
    whole = vendor_pdf()
    assert codes(b"") == ["PDF-001"]
    assert codes(b"MZ" + whole) == ["PDF-001"]
    assert codes(whole[: len(whole) // 2]) == ["PDF-006"]
    assert codes(b"%PDF-1.4\n%%EOF") == ["PDF-006"]
    locked = pikepdf.Encryption(owner="a", user="", allow=pikepdf.Permissions(extract=False))
    assert codes(changed(lambda _: None, encryption=locked)) == ["PDF-003"]
    assert codes(changed(lambda _: None, object_stream_mode=pikepdf.ObjectStreamMode.generate)) == ["PDF-007"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_broken_pdf_crashes_the_check(data: st.DataObject) -> None:
    whole = bytearray(vendor_pdf())
    for _ in range(data.draw(st.integers(1, 30))):
        whole[data.draw(st.integers(5, len(whole) - 1))] = data.draw(st.integers(0, 255))
    found = pdf_objects.faults(bytes(whole))
    assert all(one.code.startswith("PDF-") for one in found)
    assert isinstance(pdf_objects.text(bytes(whole)), str)


def someone(**changes: Any) -> Patient:
    return PATIENT.model_copy(update=changes)


def test_the_patient_s_name_and_birth_date_are_looked_for() -> None:
    assert pdf.doubt(vendor_pdf(), PATIENT) is None
    assert pdf.doubt(vendor_pdf(), someone(birth_family="DURAND", used_family=None)) == pdf.NO_NAME
    assert pdf.doubt(vendor_pdf(), someone(birth_family="DURAND")) is None  # the name in use is enough
    assert pdf.doubt(vendor_pdf(), someone(used_family="Lé Gôff essai", birth_family="DURAND")) is None
    assert pdf.doubt(vendor_pdf(), someone(birth_date=date(1950, 1, 1))) == pdf.NO_BIRTH
    assert pdf.doubt(vendor_pdf(), someone(birth_family="LI", used_family="Li")) == pdf.NO_NAME  # not inside a word


def test_an_image_without_text_is_held() -> None:
    def blank(opened: pikepdf.Pdf) -> None:
        for page in opened.pages:
            page.Contents = opened.make_stream(b"")

    image = changed(blank)
    assert pdf.check(image) == []
    assert pdf.doubt(image, PATIENT) == pdf.NO_TEXT
    for reason in (pdf.NO_TEXT, pdf.NO_NAME, pdf.NO_BIRTH):
        [finding] = pdf.held(reason)
        assert (finding.code, finding.severity) == (reason, "warning")


@pytest.mark.parametrize(
    "written", ["14/03/2001", "14-03-2001", "14.3.2001", "2001-03-14", "14032001", "14 mars 2001", "14 MARS 2001"]
)
def test_ways_to_write_a_birth_date(written: str) -> None:
    assert any(form in pdf.plain(f"né le {written} à") for form in pdf._forms(PATIENT))


def test_words_without_accents_nor_capitals() -> None:
    assert pdf.plain("  É l’Œuf-Dé, DÜPONT\n") == "e l œuf de dupont"
    assert "1er mars 2001" in list(pdf._forms(someone(birth_date=date(2001, 3, 1))))


def test_a_file_that_no_reader_gets_through_is_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "SECONDS", 0.01)
    assert codes(vendor_pdf() + b"\n%%EOF") == ["PDF-006"]
