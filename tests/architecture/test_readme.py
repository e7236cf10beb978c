"""What the README and the guides tell people to type works.

A shell block under the line `<!-- run -->` is run as it stands, all blocks of a file in one folder, one after the
other. That folder is a temporary one that shows the repository's data folders, so a command may name
`fixtures/...` and may write wherever it likes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.fr.md")
GUIDES = tuple(
    sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md") if "<!-- run -->" in path.read_text("utf-8"))
)
"""Pages with commands to run; of the others, test_commands_page.py checks that each command exists."""
BLOCK = re.compile(r"^<!-- run -->\n+```(?:sh|bash|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = ("fixtures", "config", "mappings")


def blocks(text: str) -> list[str]:
    """Runnable blocks of a page; of a console block only the lines after `$ `, the rest being output."""
    found = []
    for body in BLOCK.findall(text):
        typed = [line[2:] for line in body.splitlines() if line.startswith("$ ")]
        found.append("\n".join(typed) if typed else body)
    return found


def test_blocks_are_found() -> None:
    page = "<!-- run -->\n```sh\necho a\n```\n\n```sh\necho no\n```\n<!-- run -->\n```console\n$ echo b\nb\n```\n"
    assert blocks(page) == ["echo a\n", "echo b"]


def test_readme_has_runnable_commands() -> None:
    assert blocks((ROOT / "README.md").read_text(encoding="utf-8")) != []


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [*READMES, *GUIDES])
def test_readme_commands_run(name: str, tmp_path: Path) -> None:
    for folder in SHOWN:
        (tmp_path / folder).symlink_to(ROOT / folder)
    home = tmp_path / "home"
    home.mkdir()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "HOME": str(home), "TERM": "dumb", "COLUMNS": "120"}
    for block in blocks((ROOT / name).read_text(encoding="utf-8")):
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, f"{block}\n{run.stdout}\n{run.stderr}"


@pytest.mark.parametrize("name", READMES)
def test_named_make_targets_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(
        re.findall(r"\bmake ([a-z]+)\b(?=[`\n ]*(?:`|$|#))", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert named - targets == set()
