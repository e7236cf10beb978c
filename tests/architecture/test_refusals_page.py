"""docs/refusals.md is what the tests of the sandbox hold."""

from __future__ import annotations

from pathlib import Path

from tests.tools.refusals_page import page, tables


def test_the_page_is_what_the_tests_say(root: Path) -> None:
    written = (root / "docs" / "refusals.md").read_text(encoding="utf-8")
    assert written == page(), "python -m tests.tools.refusals_page > docs/refusals.md"


def test_each_defect_stands_once_with_a_code() -> None:
    for name, rows in tables().items():
        defects = [defect for defect, _ in rows]
        assert len(set(defects)) == len(defects), name
        assert all(code for _, code in rows), name
    assert sum(len(rows) for name, rows in tables().items() if name != "INSi") >= 120
