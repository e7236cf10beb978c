"""The daily file: what is taken, what is left out, and that the list in place survives every bad one."""

from __future__ import annotations

import datetime as dt
import io
import os
import struct
import time
import zipfile
from pathlib import Path

import pytest

from gateway.channels.annuaire import extraction, reading
from gateway.channels.annuaire.listing import Listing
from gateway.channels.annuaire.model import AnnuaireError, ListRefusedError, Query
from gateway.settings import AnnuaireSettings
from tests.unit.annuaire.samples import HEADER, NAME, NOW, clock, imported, line, lines, settings, text, write_zip


def refused(made: AnnuaireSettings, path: Path, *, force: bool = False) -> str:
    with pytest.raises((ListRefusedError, AnnuaireError)) as caught:
        extraction.import_file(made, path, clock(), force=force)
    assert caught.value.advice
    assert not list(made.file.parent.glob(".annuaire*")), "remains of the import"
    return caught.value.code


def test_a_zip_and_a_text_give_the_same(tmp_path: Path) -> None:
    data = text(lines(5))
    made = settings(tmp_path)
    zipped = extraction.import_file(made, write_zip(tmp_path / "a.zip", data), clock())
    plain = tmp_path / NAME
    plain.write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"))
    again = extraction.import_file(made, plain, clock(), force=True)
    assert zipped.about.boxes == again.about.boxes == 5
    assert zipped.lines == again.lines == 5
    assert again.findings == ()


def test_source_date_and_digest_are_kept(tmp_path: Path) -> None:
    made = imported(tmp_path, lines(3))
    about = Listing(made.file).about()
    assert about.generated_at == dt.datetime(2026, 11, 22, 3, 13, tzinfo=dt.UTC)  # 04:13 in France
    assert about.imported_at == NOW
    assert (about.source, about.boxes, about.left_out, len(about.sha256)) == ("liste.zip", 3, 0, 64)
    if os.name == "posix":
        assert made.file.stat().st_mode & 0o077 == 0


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    columns = HEADER.split("|")
    turned = "|".join(reversed(columns)) + "|Colonne nouvelle"
    body = ["|".join(reversed(one.split("|"))) + "|x" for one in lines(2)]
    made = settings(tmp_path)
    extraction.import_file(made, write_zip(tmp_path / "a.zip", text(body, turned)), clock())
    [person] = Listing(made.file).find(Query(rpps="99700000001")).people
    assert person.boxes[0].address == "essai.1@medecin.mssante.example"
    assert person.towns == ("RENNES",)


@pytest.mark.parametrize("missing", ["Adresse BAL", "Identifiant PP", "Nom d'exercice"])
def test_a_header_that_lacks_a_column_is_refused(tmp_path: Path, missing: str) -> None:
    data = text(lines(2), HEADER.replace(f"|{missing}|", "|Autre chose|"))
    assert refused(settings(tmp_path), write_zip(tmp_path / "a.zip", data)) == "ANN-303"


def test_bad_lines_are_counted_and_placed(tmp_path: Path) -> None:
    bad = ["trop|peu", line(1, kind="XXX"), line(2, address="pas une adresse")]
    made = settings(tmp_path)
    data = text([*lines(600), *bad]) + b"PER|\xff|8\n"
    done = extraction.import_file(made, write_zip(tmp_path / "a.zip", data), clock())
    assert (done.about.boxes, done.about.left_out, done.lines) == (600, 4, 604)
    assert {f.code for f in done.findings} == {"ANN-310"}
    said = " ".join(f.message for f in done.findings)
    for number in ("602", "603", "604", "605"):
        assert f"lignes {number}" in said
    assert "pas une adresse" not in said


def test_too_many_bad_lines_are_another_file(tmp_path: Path) -> None:
    data = text([*lines(50), "x", "y"])
    assert refused(settings(tmp_path), write_zip(tmp_path / "a.zip", data)) == "ANN-305"


def cut(path: Path) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def encrypted(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(bytes(data))
    return path


def spoilt(path: Path) -> Path:
    """One bit of the compressed text."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("spoil", [cut, encrypted, spoilt])
def test_a_spoilt_archive_leaves_the_list_in_place(tmp_path: Path, spoil: object) -> None:
    made = imported(tmp_path, lines(3))
    before = made.file.read_bytes()
    path = write_zip(tmp_path / "b.zip", text(lines(400)))
    assert callable(spoil)
    assert refused(made, spoil(path)) in {"ANN-301", "ANN-302", "ANN-305"}
    assert made.file.read_bytes() == before


def test_an_archive_of_several_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("un.txt", "x")
        archive.writestr("deux.txt", "y")
    assert refused(settings(tmp_path), path) == "ANN-302"


def test_an_archive_that_announces_a_crowd_is_refused_unread(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", text(lines(1)))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x05\x06")
    data[at + 10 : at + 12] = struct.pack("<H", 0xFFFF)
    path.write_bytes(bytes(data))
    assert refused(settings(tmp_path), path) == "ANN-302"


def test_a_bomb_is_stopped_by_what_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_TEXT", 5_000_000)
    path = write_zip(tmp_path / "a.zip", text([]) + b"\n" * 20_000_000)
    assert path.stat().st_size < 50_000
    assert refused(settings(tmp_path), path) == "ANN-302"


def test_an_endless_line_is_stopped(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", text([]) + b"x" * 5_000_000)
    assert refused(settings(tmp_path), path) == "ANN-302"


def test_other_compressions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(NAME, text(lines(2)))
    assert refused(settings(tmp_path), path) == "ANN-302"


@pytest.mark.parametrize("data", [b"", b"\n", b"PK\x03\x04", b"<html>erreur</html>", b"\x00" * 100])
def test_something_else_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / NAME
    path.write_bytes(data)
    assert refused(settings(tmp_path), path) in {"ANN-301", "ANN-303"}


def test_no_such_file(tmp_path: Path) -> None:
    assert refused(settings(tmp_path), tmp_path / "absent.zip") == "ANN-301"


def test_a_list_that_shrank_is_refused_unless_forced(tmp_path: Path) -> None:
    made = imported(tmp_path, lines(100))
    small = write_zip(tmp_path / "b.zip", text(lines(79)))
    assert refused(made, small) == "ANN-306"
    assert Listing(made.file).about().boxes == 100
    assert extraction.import_file(made, small, clock(), force=True).about.boxes == 79


def test_a_first_list_must_have_the_expected_size(tmp_path: Path) -> None:
    assert refused(settings(tmp_path, min_boxes=10), write_zip(tmp_path / "a.zip", text(lines(9)))) == "ANN-306"
    assert AnnuaireSettings(file=tmp_path / "x").extraction is None
    assert refused(AnnuaireSettings(file=tmp_path / "x.db"), write_zip(tmp_path / "a.zip", text(lines(9)))) == "ANN-306"


def test_an_older_list_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    made = imported(tmp_path, lines(3))
    older = write_zip(tmp_path / "b.zip", text(lines(3)), "Extraction_Correspondance_MSSante_202611200413.txt")
    assert refused(made, older) == "ANN-307"
    extraction.import_file(made, older, clock(), force=True)


def test_a_list_beyond_the_allowed_age_is_refused_even_forced(tmp_path: Path) -> None:
    old = write_zip(tmp_path / "b.zip", text(lines(3)), "Extraction_Correspondance_MSSante_202610010413.txt")
    assert refused(settings(tmp_path), old, force=True) == "ANN-307"


def test_a_name_without_date_takes_that_of_the_file_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "copie.txt"
    path.write_bytes(text(lines(3)))
    os.utime(path, (NOW.timestamp() - 86400, NOW.timestamp() - 86400))
    done = extraction.import_file(settings(tmp_path), path, clock())
    assert [f.code for f in done.findings] == ["ANN-311"]
    assert done.about.generated_at == NOW - dt.timedelta(days=1)


def test_a_date_in_the_future_is_said(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "b.zip", text(lines(3)), "Extraction_Correspondance_MSSante_202712240413.txt")
    done = extraction.import_file(settings(tmp_path), path, clock())
    assert [f.code for f in done.findings] == ["ANN-312"]
    assert done.about.generated_at == NOW


def test_remains_of_a_killed_import_are_swept(tmp_path: Path) -> None:
    old, young = tmp_path / ".annuaire.db.aaa.part", tmp_path / ".annuaire.db.bbb.part"
    old.write_bytes(b"")
    young.write_bytes(b"")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    imported(tmp_path, lines(2))
    assert not old.exists()
    assert young.exists()


def test_progress_is_told(tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    path = write_zip(tmp_path / "a.zip", text(lines(3)))
    extraction.import_file(settings(tmp_path), path, clock(), progress=lambda *step: steps.append(step))
    assert [step for step, _, _ in steps] == ["import", "index"]
    assert steps[0][1] == steps[0][2] == len(text(lines(3)))


def test_a_stream_in_any_pieces_gives_the_same_lines() -> None:
    class Drip(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 7, 7))

    data = text(lines(20)).rstrip(b"\n")
    whole = list(reading.rows(reading.Opened(io.BytesIO(data), 0, ""), reading.Counts()))
    assert list(reading.rows(reading.Opened(Drip(data), 0, ""), reading.Counts())) == whole
    assert len(whole) == 20
