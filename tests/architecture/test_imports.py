"""The import floors of DESIGN §3: they hold, and a breach of any of them would be seen."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
SANDBOX_MAY_IMPORT = {"gateway.settings", "gateway.errors", "gateway.clock"}
PURE = ("rules", "document", "render", "package")


def _config() -> dict[str, Any]:
    settings: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    return settings["importlinter"]


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--config", "pyproject.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def test_the_floors_hold() -> None:
    run = _lint(ROOT)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_pure_room_is_held_by_its_contract() -> None:
    pure = next(contract for contract in _config()["contracts"] if contract["id"] == "pure")
    built = {f"gateway.{room}" for room in PURE if (ROOT / "gateway" / room / "__init__.py").exists()}
    assert built <= set(pure["source_modules"])


def sandbox_offences(graph: grimp.ImportGraph) -> set[str]:
    """What the sandbox imports of ours, directly, beyond the three modules it may."""
    own = {"gateway.sandbox"} | graph.find_descendants("gateway.sandbox")
    imported = {
        target
        for module in own
        for target in graph.find_modules_directly_imported_by(module)
        if target.split(".")[0] == "gateway"
    }
    # `import gateway.settings` also loads the package itself, which holds no code of a room.
    return imported - own - SANDBOX_MAY_IMPORT


def test_the_sandbox_uses_no_code_it_is_meant_to_check() -> None:
    graph = grimp.build_graph("gateway", exclude_type_checking_imports=True, cache_dir=None)
    if "gateway.sandbox" not in graph.modules:
        pytest.skip("the sandbox is not built yet")
    assert sandbox_offences(graph) == set()


def test_a_sandbox_that_borrows_is_seen() -> None:
    graph = grimp.ImportGraph()
    for module in ("gateway.sandbox", "gateway.sandbox.dmp", "gateway.package", "gateway.clock", "lxml"):
        graph.add_module(module)
    for imported in ("gateway.package", "gateway.clock", "lxml"):
        graph.add_import(importer="gateway.sandbox.dmp", imported=imported)
    assert sandbox_offences(graph) == {"gateway.package"}


# A line added to a module, and the contract that must break.
BREACHES = {
    "upwards": ("gateway/errors.py", "from gateway import settings", "Floors"),
    "beside": ("gateway/rules/__init__.py", "import gateway.document", "Floors"),
    "circle": ("gateway/records/base.py", "import gateway.records.people", "No circles"),
    "web library": ("gateway/document/__init__.py", "import rich", "The pure road"),
    "log library": ("gateway/package/__init__.py", "import logging", "The pure road"),
    "sandbox": ("gateway/sandbox/probe.py", "import gateway.records", "The sandbox"),
    "room without a floor": ("gateway/new_room.py", "", "Floors"),
}


@pytest.mark.slow
@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_seen(breach: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "gateway", tmp_path / "gateway", ignore=shutil.ignore_patterns("__pycache__", "_data"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    name, line, contract = BREACHES[breach]
    target = tmp_path / name
    target.parent.mkdir(exist_ok=True)
    (target.parent / "__init__.py").touch()
    with target.open("a", encoding="utf-8") as stream:
        stream.write(f"\n{line}\n")
    run = _lint(tmp_path)
    assert run.returncode == 1
    assert re.search(rf"^{contract}.* BROKEN$", run.stdout, re.MULTILINE), run.stdout + run.stderr


HEAVY = ("fhir", "typst", "lxml", "signxml", "cryptography", "httpx2", "aiosmtplib", "aiosmtpd", "rich", "saxonche")


@pytest.mark.parametrize("module", ["gateway", "gateway.errors", "gateway.platform", "gateway.resources"])
def test_heavy_libraries_wait_until_they_are_needed(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[]"
