"""The project's own papers: locks, dependency page, changelog, and nothing of one machine in what is published."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")
PINNED = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)(?: ; .*?)?(?= --hash)", re.MULTILINE)


def _entries(lock: str) -> list[str]:
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", "")
    return [re.sub(r"\s+", " ", line) for line in text.splitlines() if line.strip()]


def _versions(lock: str) -> set[tuple[str, str]]:
    return {match.group(1, 2) for entry in _entries(lock) if (match := PINNED.match(entry))}


def _declared() -> tuple[set[str], set[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return _names(project["project"]["dependencies"]), _names(project["dependency-groups"]["dev"])


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", requirement)[0] for requirement in requirements}


def _normalised(names: set[str]) -> set[str]:
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes_and_no_address(lock: str) -> None:
    entries = _entries(lock)
    assert len(entries) >= 3
    assert [entry for entry in entries if not PINNED.match(entry)] == []
    assert [entry for entry in entries if "://" in entry or "--index" in entry or "--find" in entry] == []


def test_locks_hold_what_is_declared_and_agree() -> None:
    runtime, development = _declared()
    assert _normalised(runtime) <= {name for name, _ in _versions("requirements.lock")}
    assert _normalised(runtime | development) <= {name for name, _ in _versions("requirements-dev.lock")}
    assert _versions("requirements.lock") <= _versions("requirements-dev.lock")
    assert _versions("requirements-build.lock") <= _versions("requirements-dev.lock")


def test_each_dependency_says_why_it_is_here() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    first, second = page.split("## For development")
    listed = [
        set(re.findall(r"^\| ([A-Za-z0-9._-]+) \| \S", part, re.MULTILINE)) - {"Name"} for part in (first, second)
    ]
    assert listed == list(_declared())


def test_changelog_has_an_unreleased_section() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(
        r"^## \[Unreleased\]\n\n### (Added|Changed|Fixed|Removed|Deprecated|Security)\n\n- \S", text, re.MULTILINE
    )


def _tracked() -> list[Path]:
    run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in run.stdout.split("\0") if name]


def test_no_path_of_a_machine_is_published() -> None:
    machine = re.compile(rb"(?<![\w./])/(?:work|root|home/[a-z]+)/[\w.]|/tmp/[a-z]+\.")
    offenders = [
        str(path.relative_to(ROOT))
        for path in _tracked()
        if path.is_file()
        and path.suffix in {".py", ".md", ".toml", ".json", ".sh", ".typ", ""}
        and path != Path(__file__)
        and machine.search(path.read_bytes())
    ]
    assert offenders == []


def test_typed_marker_is_there() -> None:
    assert (ROOT / "gateway" / "py.typed").is_file()
