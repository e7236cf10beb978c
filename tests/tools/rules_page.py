"""Writes docs/rules.md from config/access_rules.toml and the tests of each row.

    .venv/bin/python -m tests.tools.rules_page > docs/rules.md

A test fails when the page is stale, when a row that does something has no test, or when a finding belongs to no row.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

from gateway.rules import table
from gateway.settings import RulesSettings
from tests.unit.rules.test_rows import SIDES

ROOT = Path(__file__).resolve().parents[2]
ROWS = "tests/unit/rules/test_rows.py::test_row"
OTHERS: dict[int, tuple[str, ...]] = {
    7: ("tests/unit/rules/test_rows.py::test_row_7_a_second_episode",),
    11: (
        "tests/unit/rules/test_obligations.py::test_an_assessment_in_direct_access_is_due_to_three",
        "tests/unit/rules/test_obligations.py::test_it_is_late_after_twenty_four_hours",
    ),
    13: ("tests/unit/rules/test_letters.py",),
    15: ("tests/unit/rules/test_obligations.py::test_undesirable_events_are_declared",),
    16: ("tests/unit/store/test_facts.py",),
    17: ("tests/unit/store/test_facts.py", "tests/unit/engine/test_facts.py"),
    19: ("tests/unit/rules/test_letters.py",),
    20: ("tests/unit/rules/test_obligations.py::test_what_each_mode_asks",),
    31: (
        "tests/unit/rules/test_rows.py::test_row_31_a_changed_treatment",
        "tests/unit/rules/test_obligations.py::test_the_three_cases_of_r4321_2",
    ),
}
"""Tests of a row beside its boundaries in test_rows.py."""

_HEAD = """# Rules of access, row by row

Written from `config/access_rules.toml` by `python -m tests.tools.rules_page`. Rows 1 to 30 are those of the table that
gathers the sources on direct access; they disagree in places, and then a setting of `[rules]` says which one holds and
the finding cites it.

No breach of these rules stops a sending, but for identity (row 28) and destination (row 29): the care has happened and
the doctor must be told. A breach is a finding of `check`, journalled by its code. **claim**: the document then carries
its access as *not established* instead of direct. Levels: `block` (the claim, or the sending), `warn`, `carry` (the
document says it), `report` (counted or to be declared), `info` (outside the gateway). What each code says:
[findings.md](findings.md); what is due to whom: [obligations.md](obligations.md).

| Row | Rule | Level | Findings | Tests | Sources |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    loaded = table.load()
    sides = Counter(side.row for side in SIDES)
    lines = [_row(one, loaded, sides[one.number]) for one in loaded.row]
    return _HEAD + "\n".join(lines) + "\n" + _disputes(loaded)


def _row(one: table.Row, loaded: table.AccessTable, sides: int) -> str:
    levels = ", ".join(f"block ({one.blocks})" if level == "block" else level for level in one.levels)
    codes = ", ".join(f"{code} **claim**" if code in one.claims else code for code in one.codes) or "none"
    since = f", since {one.since.isoformat()}" if one.since else ""
    sources = "; ".join(loaded.sources[key] for key in one.sources)
    tested = "; ".join(tests(one.number, sides)) or "none"
    return f"| {one.number} | {one.rule} | {levels} | {codes} | {tested} | {sources}{since} |"


def tests(number: int, sides: int) -> list[str]:
    """What tests a row."""
    own = [f"`test_rows.py` ({sides} boundaries)" if sides > 1 else "`test_rows.py` (1 boundary)"] if sides else []
    return own + [f"`{name.removeprefix('tests/unit/')}`" for name in OTHERS.get(number, ())]


def _disputes(loaded: table.AccessTable) -> str:
    lines = [
        "",
        "## Where the sources disagree",
        "",
        "| Row | What they say | Setting | By default |",
        "|---|---|---|---|",
    ]
    for one in loaded.row:
        for dispute in one.dispute:
            value = getattr(RulesSettings(), dispute.setting)
            shown = ", ".join(value) if isinstance(value, tuple) else str(value).lower()
            lines.append(f"| {one.number} | {dispute.says} | `rules.{dispute.setting}` | {shown} |")
    return "\n".join(lines) + "\n"


def missing_tests() -> list[str]:
    """Named tests that do not exist."""
    return [name for names in OTHERS.values() for name in names if not _exists(name)]


def _exists(name: str) -> bool:
    file, _, function = name.partition("::")
    path = ROOT / file
    if not path.is_file():
        return False
    names = {n.name for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.FunctionDef)}
    return not function or function in names


if __name__ == "__main__":
    sys.stdout.write(page())
