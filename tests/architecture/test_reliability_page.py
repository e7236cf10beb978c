"""docs/reliability.md names commands that repeat its figures: each exists, with the options that the page gives it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
PROGRAMS = sorted(set(re.findall(r"python -m (tests(?:\.\w+)+)([^`\n]*)", PAGE)))
TARGETS = sorted(set(re.findall(r"`make ([a-z]+)", PAGE)) | set(re.findall(r"^    make ([a-z]+)", PAGE, re.MULTILINE)))
FILES = sorted(set(re.findall(r"tests/[\w/]+\.py", PAGE)))


def test_the_page_names_commands() -> None:
    assert len(PROGRAMS) >= 2
    assert {"crash", "bench", "fuzz"} <= set(TARGETS)
    assert len(FILES) >= 4


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_is_in_the_makefile(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("file", FILES)
def test_each_test_is_there(file: str) -> None:
    assert (ROOT / file).is_file()


@pytest.mark.parametrize(("module", "options"), PROGRAMS, ids=lambda value: value.strip())
def test_each_program_knows_the_options_that_the_page_gives_it(module: str, options: str) -> None:
    said = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert said.returncode == 0, said.stderr
    known = set(re.findall(r"--[a-z-]+", said.stdout))
    assert {word for word in shlex.split(options) if word.startswith("--")} <= known
