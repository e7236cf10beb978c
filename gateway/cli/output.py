"""How commands speak: tables for people, `--json` for programs, errors with a code and an exit status.

Exit statuses: 0 done, 1 findings or deliveries that need somebody, 2 wrong use of the command line,
65 input refused, 69 a service is unavailable, 70 internal error, 77 not allowed in this state, 78 configuration.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.errors import (
    ConfigError,
    ConflictError,
    FileRefusedError,
    GatewayError,
    InputError,
    NotFoundError,
    StateError,
    UnavailableError,
)
from gateway.unseen import one_line, shown

ATTENTION, DATA_ERROR, UNAVAILABLE, INTERNAL, REFUSED, BAD_CONFIG = 1, 65, 69, 70, 77, 78


def print_json(value: Any) -> None:
    """One JSON value on standard output, nothing else; what a terminal would obey is escaped, which JSON reads back."""
    sys.stdout.write(shown(json.dumps(value, ensure_ascii=False, indent=1)) + "\n")


def tell(*texts: str) -> None:
    """Lines for people, on standard output."""
    print(*map(shown, texts), sep="\n")


def say(text: str) -> None:
    """A line for people, on standard error so that `--json` output stays clean."""
    print(shown(text), file=sys.stderr)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """A table on standard output, as wide as its content when the output is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=None if title is None else one_line(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in columns:
        # Identifiers are there to be copied: a narrow terminal folds them, nothing cuts them.
        table.add_column(one_line(column), overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else one_line(str(cell)) for cell in row))
    width = None if sys.stdout.isatty() else 400
    Console(width=width, soft_wrap=width is not None, markup=False, highlight=False).print(table)


def print_findings(findings: Iterable[dict[str, str]]) -> None:
    """Findings, one by one: what, where, what to do."""
    labels = {"error": "ERREUR", "warning": "attention", "info": "info"}
    for finding in findings:
        place = f"  {one_line(finding['path'])}" if finding["path"] else ""
        tell(f"{labels[finding['severity']]:<9} {finding['code']}{place}\n          {one_line(finding['message'])}")
        if finding["advice"]:
            tell(f"          -> {one_line(finding['advice'])}")
        if finding["source"]:
            tell(f"          ({one_line(finding['source'])})")


def exit_status(fault: GatewayError) -> int:
    """The exit status that tells a script what kind of fault stopped the command."""
    kinds: list[tuple[type[GatewayError], int]] = [
        (InputError, DATA_ERROR),
        (ConflictError, DATA_ERROR),
        (FileRefusedError, DATA_ERROR),
        (UnavailableError, UNAVAILABLE),
        (ConfigError, BAD_CONFIG),
        (NotFoundError, ATTENTION),
        (StateError, REFUSED),
    ]
    return next((status for kind, status in kinds if isinstance(fault, kind)), INTERNAL)
