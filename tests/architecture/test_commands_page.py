"""docs/commands.md is what the program offers, and every command that a page types exists as it is typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.commands_page import below, commands, page, root

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "config").glob("*.md")])
TYPED = re.compile(r"`kine-gateway ([^`]+)`|^(?: {4}|\$ |)(?:\$ )?kine-gateway (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```(?:sh|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z0-9-]*")


def typed(text: str) -> Iterator[str]:
    for quoted, line in TYPED.findall(text):
        yield " ".join((quoted or line).split())


def unknown(line: str) -> str | None:
    """What in this command line the program does not have; None: nothing."""
    group, words = root(), line.split()
    while below(group):
        if not words or words[0].startswith(("-", "[", "…", "<")) or words[0] in {"...", "COMMAND"}:
            return None
        names = words.pop(0).strip(",.;:)").split("|")
        if any(name not in below(group) for name in names):
            return " ".join(names)
        if len(names) > 1:
            return None
        group = below(group)[names[0]]
    known = {name for one in group.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    rest = " ".join(words).partition(" #")[0]
    return next((option for option in OPTION.findall(rest) if option not in known), None)


def test_the_page_is_what_the_program_offers() -> None:
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == page(), "python -m tests.tools.commands_page > docs/commands.md"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_on_a_page_exist(path: Path) -> None:
    wrong = {line: what for line in typed(path.read_text(encoding="utf-8")) if (what := unknown(line))}
    assert wrong == {}


def test_wrong_commands_are_found() -> None:
    lines = ("journal verify --pubkey k", "journal verify x.jsonl")
    text = "`kine-gateway journal verrify X`\n\n" + "".join(f"    kine-gateway {line}\n" for line in lines)
    assert [unknown(line) for line in typed(text)] == ["verrify", "--pubkey", None]


def test_every_command_says_what_it_does() -> None:
    mute = [" ".join(words) for words, command in commands(root()) if not command.help]
    assert mute == []


def test_a_shell_reads_the_lines() -> None:
    for path in PAGES:
        for block in BLOCK.findall(path.read_text(encoding="utf-8")):
            shlex.split(block, comments=True)
