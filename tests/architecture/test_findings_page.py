"""docs/findings.md says what the source says, code by code."""

from __future__ import annotations

import re
from pathlib import Path

from tests.tools import findings_page


def documented(text: str) -> set[str]:
    return set(re.findall(r"^\| ([A-Z]{3}-[A-Z0-9-]+) \|", text, flags=re.MULTILINE))


def test_every_code_of_the_source_is_documented_and_the_reverse(root: Path) -> None:
    page = (root / "docs" / "findings.md").read_text(encoding="utf-8")
    used = findings_page.worded(findings_page.rows(root / "gateway"), root / "mappings" / "faces.toml")
    assert documented(page) == set(used), "python tests/tools/findings_page.py > docs/findings.md"


def test_the_page_is_what_the_source_says(root: Path) -> None:
    page = (root / "docs" / "findings.md").read_text(encoding="utf-8")
    assert page == findings_page.written(root), "python tests/tools/findings_page.py > docs/findings.md"


def test_every_finding_of_a_submission_says_what_to_do(root: Path) -> None:
    for code, row in findings_page.rows(root / "gateway").items():
        if code[:3] in {"INP", "INS", "CPT", "DST", "DAT", "CMP", "MES", "ACC"} and code not in LATER:
            assert row.messages, code
            assert row.advice, code


# Their text is an argument of the function that makes them: seen by the tests of the room, not by this reading.
LATER = {f"CMP-{number:03d}" for number in (*range(3, 9), *range(15, 21))} | {"INS-014", "INS-015", "INS-016"}
LATER |= {"ACC-008", "ACC-010", "ACC-011", "ACC-012", "ACC-029", "ACC-032", "INP-000"}


def test_the_reading_sees_a_code_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(
        "def _w(code, path, message):\n    return warning(code, path, message, 'Faire ceci.')\n"
        "def f(n):\n    advice = 'Ancien.'\n    advice = 'Corriger.'\n"
        "    yield error('AAA-001', '/a', f'Il y en a {n}.', advice, 'Règle')\n"
        "    yield _w('AAA-002', '/b', 'Autre chose.')\n    raise StoreError('AAA-003', 'Perdu.')\n"
        "    return Outcome(V, 'AAA-GONE-AWAY')\n"
        "NOT = 'AAA-1'\n",
        encoding="utf-8",
    )
    found = findings_page.rows(tmp_path)
    assert {code: row.severities for code, row in found.items()} == {
        "AAA-001": {"error"},
        "AAA-002": {"warning"},
        "AAA-003": {"exception"},
        "AAA-GONE-AWAY": {"delivery"},
    }
    first = found["AAA-001"]
    assert (first.messages, first.advice, first.sources) == (["Il y en a …."], ["Corriger."], ["Règle"])
