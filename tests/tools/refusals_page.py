"""Writes docs/refusals.md: every broken request of the sandbox's tests, and the code it is refused with.

    python -m tests.tools.refusals_page > docs/refusals.md

The rows are the parameters of the tests themselves: what stands here was refused with that code, or a test fails.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from tests.unit.sandbox import (
    defects,
    insi_requests,
    test_existence,
    test_retrieve,
    test_sets_and_links,
    test_stored_query,
    test_update_refuses,
)

Row = tuple[str, str]
_TITLES = {
    "ITI-41": "feed and replacement (TD2.1)",
    "ITI-18": "stored queries (TD3.1)",
    "ITI-43": "retrieval (TD3.2)",
    "ITI-57": "mask, visibility, archive, delete (TD3.3)",
    "TD0.2": "existence and authorisation",
    "INSi": "search by traits",
}
_HEAD = """# What the sandbox refuses

Every request below is right but for one defect, and is refused: {total} of them, none accepted, and a refused one
leaves nothing behind. Each row is a test (`tests/unit/sandbox`), and this page is written from them
(`python -m tests.tools.refusals_page > docs/refusals.md`). Codes are IHE's (ITI TF-3 table 4.2.4.1-2); what concerns
the message itself is a SOAP fault, shown by the code of SOAP (`env`), WS-Addressing (`wsa`) or WS-Security (`wsse`).
Codes of the DMP's own are not known, so none is used. Several codes stand where one defect breaks several rules.

| Transaction | | Requests |
|---|---|---|
{counts}
"""


def tables() -> dict[str, list[Row]]:
    """The rows by transaction: defect and code."""
    return {
        "ITI-41": [(one.name, _codes(one.expected)) for one in defects.DEFECTS],
        "ITI-18": [
            *((f"documents: {one.name}", one.expected) for one in test_stored_query.BROKEN),
            *((name, expected) for name, expected, _, _ in test_sets_and_links.BROKEN),
        ],
        "ITI-43": [(one.name, one.expected) for one in test_retrieve.BROKEN],
        "ITI-57": [(one.name, one.expected) for one in test_update_refuses.BROKEN],
        "TD0.2": [(name, expected) for name, expected, _, _ in test_existence.BROKEN],
        "INSi": [(name, f"env:{one.code}") for name, one in insi_requests.DEFECTS.items()],
    }


def page() -> str:
    """The whole page."""
    found = tables()
    counts = "\n".join(f"| {name} | {_TITLES[name]} | {len(rows)} |" for name, rows in found.items())
    total = sum(len(rows) for rows in found.values())
    sections = "\n".join("\n".join(_section(name, rows)) for name, rows in found.items())
    return f"{_HEAD.format(total=total, counts=counts)}\n{sections}"


def _section(name: str, rows: Sequence[Row]) -> Iterator[str]:
    yield f"## {name}: {_TITLES[name]}"
    yield ""
    yield "| Defect | Refused with |"
    yield "|---|---|"
    for defect, code in rows:
        yield f"| {_cell(defect)} | {code} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _codes(expected: str | tuple[str, ...]) -> str:
    return expected if isinstance(expected, str) else ", ".join(expected)


if __name__ == "__main__":
    sys.stdout.write(page())
