"""Two versions of a table: rows added, removed, changed, whatever their order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway import resources
from gateway.errors import MappingError
from gateway.mapping.compare import compare


def pair(tmp_path: Path, suffix: str, before: str, after: str) -> list[tuple[str, str, str, str]]:
    ours, other = tmp_path / f"new{suffix}", tmp_path / f"old{suffix}"
    ours.write_text(after, encoding="utf-8")
    other.write_text(before, encoding="utf-8")
    return [(c.kind, c.row, c.before, c.after) for c in compare(ours, other)]


def test_csv_rows(tmp_path: Path) -> None:
    assert pair(tmp_path, ".csv", "k,v\na,1\nb,2\nc,3\n", "k,v\nc,3\na,9\nd,4\n") == [
        ("changed", "a", "a,1", "a,9"),
        ("removed", "b", "b,2", ""),
        ("added", "d", "", "d,4"),
    ]


def test_csv_rows_that_repeat_their_first_column(tmp_path: Path) -> None:
    assert pair(tmp_path, ".csv", "set,code,v\nJ1,A,1\nJ1,B,2\n", "set,code,v\nJ1,A,1\nJ1,B,3\n") == [
        ("changed", "J1,B", "J1,B,2", "J1,B,3")
    ]


def test_toml_and_json_by_the_name_of_each_entry(tmp_path: Path) -> None:
    before = '[[file]]\npath = "a"\nn = 1\n[[file]]\npath = "b"\nn = 2\n'
    after = '[[file]]\npath = "b"\nn = 2\n[[file]]\npath = "a"\nn = 3\n'
    assert pair(tmp_path, ".toml", before, after) == [("changed", "/file/a/n", "1", "3")]
    old = json.dumps({"group": [{"element": [{"code": "x", "target": [{"code": "1"}]}]}]})
    new = json.dumps({"group": [{"element": [{"code": "x", "target": [{"code": "1", "comment": "é"}]}]}]})
    assert pair(tmp_path, ".json", old, new) == [("added", "/group/0/element/x/target/1/comment", "", '"é"')]


def test_the_pack_against_itself_and_against_a_changed_copy(tmp_path: Path) -> None:
    import shutil

    pack = resources.data_path("mappings")
    copy = tmp_path / "pack"
    shutil.copytree(pack, copy)
    assert compare(pack, copy) == []
    text = (copy / "units.csv").read_text(encoding="utf-8")
    (copy / "units.csv").write_text(text.replace("\ns,s,s,", "\ns,sec,s,"), encoding="utf-8")
    (copy / "icf.csv").unlink()
    changes = compare(pack, copy)
    assert ("changed", "units.csv", "s") in [(c.kind, c.file, c.row) for c in changes]
    assert {c.kind for c in changes if c.file == "icf.csv"} == {"added"}
    assert {c.file for c in changes} == {"units.csv", "icf.csv"}


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("not toml", encoding="utf-8")
    (tmp_path / "b.toml").write_text("a = 1", encoding="utf-8")
    for ours, other in (("a.toml", "b.toml"), ("b.toml", "absent.toml"), ("b.toml", ".")):
        with pytest.raises(MappingError) as refused:
            compare(tmp_path / ours, tmp_path / other)
        assert refused.value.code == "MAP-112"
