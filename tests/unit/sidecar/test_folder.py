"""The outbox folder on disk: what is seen, moved, kept and never overwritten."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gateway.findings import error
from gateway.platform import UnsafeFileError
from gateway.sidecar.folder import Folder, report_text


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "outbox")
    made.ensure()
    return made


def drop(folder: Folder, name: str, data: bytes = b"{}") -> Path:
    path = folder.new / name
    path.write_bytes(data)
    return path


def test_folders_are_private(folder: Folder) -> None:
    assert {oct(p.stat().st_mode & 0o777) for p in (folder.root, folder.new, folder.status)} == {"0o700"}


def test_half_written_files_are_not_seen(folder: Folder) -> None:
    drop(folder, "a.part")
    drop(folder, ".b.json")
    drop(folder, "c.json")
    drop(folder, "c.action.json")
    drop(folder, "d.xml")
    seen = [(d.name, d.kind) for d in folder.scan()]
    assert seen == [("c", "action"), ("c", "submission"), ("d.xml", "unknown")]


def test_a_name_that_would_not_leave_room_for_suffixes_is_unknown(folder: Folder) -> None:
    drop(folder, "x" * 200 + ".json")
    assert [d.kind for d in folder.scan()] == ["unknown"]


def test_links_and_fifos_are_refused(folder: Folder, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    (folder.new / "link.json").symlink_to(secret)
    os.mkfifo(folder.new / "pipe.json")
    for found in folder.scan():
        with pytest.raises(UnsafeFileError):
            folder.read(found)


def test_a_refused_file_moves_with_its_two_reports(folder: Folder) -> None:
    drop(folder, "a.json", b"not json")
    [found] = folder.scan()
    target = folder.reject(found, [error("INP-001", "/x", "Message é.", "Conseil.")])
    assert target.read_bytes() == b"not json"
    assert not folder.scan()
    report = json.loads((folder.rejected / "a.report.json").read_text(encoding="utf-8"))
    assert [f["code"] for f in report["findings"]] == ["INP-001"]
    text = (folder.rejected / "a.report.txt").read_text(encoding="utf-8")
    assert "Message é." in text
    assert "Conseil." in text


def test_rejecting_the_same_name_twice_keeps_both(folder: Folder) -> None:
    for content in (b"first", b"second"):
        drop(folder, "a.json", content)
        [found] = folder.scan()
        folder.reject(found, [])
    assert sorted(p.read_bytes() for p in folder.rejected_files()) == [b"first", b"second"]


def test_keep_moves_accepted_files_aside(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "outbox", keep=True)
    folder.ensure()
    drop(folder, "a.json", b"{}")
    [found] = folder.scan()
    folder.take(found)
    assert [p.name for p in folder.accepted.iterdir()] == ["a.json"]


def test_the_status_of_another_document_under_the_same_name_is_kept(folder: Folder) -> None:
    folder.write_status("a", {"document_id": "d1", "done": False})
    folder.write_status("a", {"document_id": "d1", "done": True})
    folder.write_status("a", {"document_id": "d2", "done": False})
    assert folder.statuses() == {"a": {"document_id": "d2", "done": False}}
    assert json.loads((folder.status / "a~d1.json").read_text()) == {"document_id": "d1", "done": True}


def test_an_unchanged_status_is_not_rewritten(folder: Folder) -> None:
    folder.write_status("a", {"document_id": "d1"})
    before = (folder.status / "a.json").stat().st_ino
    folder.write_status("a", {"document_id": "d1"})
    assert (folder.status / "a.json").stat().st_ino == before


def test_the_report_reads_as_text_on_windows_too() -> None:
    text = report_text("a.json", [error("INS-002", "/patient/ins", "Clé fausse.", "Ressaisir.")])
    assert "\r\n" in text
    assert "[INS-002] Clé fausse. (champ /patient/ins)" in text
