"""Writes docs/commands.md: every command with its arguments and options, as `--help` has them.

python tests/tools/commands_page.py > docs/commands.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer.main

from gateway.cli.app import app

HEAD = """# Commands

Made from the program itself (`python -m tests.tools.commands_page > docs/commands.md`); a test holds the two together.
The help is in French, like all that a practice reads. Exit statuses: 0 done, 1 findings or deliveries that need
somebody, 2 wrong use of the command line, 65 input refused, 69 a service is unavailable, 70 internal error, 77 not
allowed in this state, 78 configuration.
"""


def below(group: Any) -> dict[str, Any]:
    """Its commands by name; none for a command that does something itself. (Typer's click is its own.)"""
    return dict(getattr(group, "commands", {}))


def commands(group: Any, trail: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below a group that does something, with its words."""
    if not below(group):
        yield trail, group
    for name, command in sorted(below(group).items()):
        yield from commands(command, (*trail, name))


def root() -> Any:
    """The whole command line."""
    return typer.main.get_command(app)


def _shown(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = parameter.metavar or parameter.name or ""
        return name if parameter.required else f"[{name.strip('[]')}]"
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    flag = getattr(parameter, "is_flag", False)
    return names if flag else f"{names} …"


def _page() -> Iterator[str]:
    yield HEAD
    for words, command in commands(root()):
        yield f"\n## {' '.join(words)}\n"
        yield f"\n{' '.join((command.help or '').split())}\n"
        rows = [(_shown(one), " ".join((getattr(one, "help", "") or "").split())) for one in command.params]
        if rows:
            yield "\n| | |\n|---|---|\n"
        for name, text in rows:
            yield f"| `{name}` | {text.replace('|', '/')} |\n"


def page() -> str:
    """The page."""
    return "".join(_page())


if __name__ == "__main__":
    sys.stdout.write(page())
