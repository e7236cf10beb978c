"""The INS Datamatrix of the first page, read from the page as a scanner sees it, against the document's identity."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import zxingcpp

from gateway import terminology
from gateway.render.pdf import render
from tests.unit import render_samples
from tests.unit.fixture_cases import NAMES, prepared

pytestmark = pytest.mark.needs("pdftoppm")

FULL = {"S1": 15, "S2": 20, "S3": 100, "S4": 100, "S5": 1, "S6": 10, "S7": 5}


def codes(pdf: bytes, folder: Path, dots: int = 150) -> list[bytes]:
    """Every Data Matrix of the first page, printed at so many dots an inch in grey."""
    (folder / "page.pdf").write_bytes(pdf)
    command = ["pdftoppm", "-r", str(dots), "-f", "1", "-l", "1", "-gray", "-singlefile", "page.pdf", "page"]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    _, size, _, pixels = (folder / "page.pgm").read_bytes().split(b"\n", 3)
    width, height = map(int, size.split())
    view = zxingcpp.ImageView(pixels, width, height, zxingcpp.ImageFormat.Lum)  # type: ignore[arg-type]
    return [found.bytes for found in zxingcpp.read_barcodes(view, formats=zxingcpp.BarcodeFormat.DataMatrix)]


def fields(code: bytes) -> dict[str, str]:
    """The fields walked one by one: each ends at GS or at its full length, whatever its text says."""
    text = code.decode("ascii")
    assert text[:26] == "IS01" + "0" * 22
    found, at = {}, 26
    while at < len(text):
        name = text[at : at + 2]
        value = text[at + 2 : at + 2 + FULL[name]].split("\x1d")[0]
        found[name] = value
        at += 2 + len(value) + (len(value) < FULL[name])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_the_identity_of_the_document(name: str, tmp_path: Path) -> None:
    made = prepared(name)
    person = made.document.header.patient
    read = [fields(code) for code in codes(made.renderings["pdf"], tmp_path)]
    if person.ins is None:
        assert read == []
        return
    assert read == [
        {
            "S1": person.ins.extension,
            "S2": person.ins.root,
            "S3": " ".join(person.birth_given),
            "S4": person.birth_family,
            "S5": person.sex.code,
            "S6": f"{person.birth_date:%d-%m-%Y}",
            "S7": person.birth_place_cog,
        }
    ]


@pytest.mark.parametrize("dots", [130, 200, 300])
def test_it_reads_at_the_resolutions_of_office_scanners(dots: int, tmp_path: Path) -> None:
    assert len(codes(prepared(NAMES[0]).renderings["pdf"], tmp_path, dots)) == 1


def test_a_name_that_a_scanner_could_garble_leaves_no_symbol(tmp_path: Path) -> None:
    document = render_samples.assessment()
    assert len(codes(render(document, terminology.load()), tmp_path)) == 1
    patient = replace(document.header.patient, birth_family="NOËL-ESSAI")
    accented = replace(document, header=replace(document.header, patient=patient))
    assert codes(render(accented, terminology.load()), tmp_path) == []
