"""docs/engine.md shows the tables of the code, whole and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.store.states import RECEIPTS, TRANSITIONS


def rows(page: str, head: str) -> list[list[str]]:
    lines = page.partition(head)[2].splitlines()[2:]
    table = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def names(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`(\w+)`", cell))


def test_the_transitions_of_the_page_are_those_of_the_code(root: Path) -> None:
    page = (root / "docs" / "engine.md").read_text(encoding="utf-8")
    found = {names(event)[0]: (names(start), names(end)) for event, start, end, _ in rows(page, "| event | from |")}
    assert found == {str(event): (starts, ends) for event, (starts, ends) in TRANSITIONS.items()}


def test_the_receipts_of_the_page_are_those_of_the_code(root: Path) -> None:
    page = (root / "docs" / "engine.md").read_text(encoding="utf-8")
    found = {names(before)[0]: names(after) for before, after in rows(page, "| receipt | may become |")}
    assert found == {str(before): after for before, after in RECEIPTS.items()}
