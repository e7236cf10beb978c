"""The wheel alone, in a clean environment outside the tree, holds its data and runs the demo."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _run(*command: str | Path, cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    # Nothing of the tree may help: no PYTHONPATH, no override, another folder, another home.
    hidden = {"PYTHONPATH", "PYTHONHOME", "KINE_GATEWAY_MAPPINGS", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    run = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert run.returncode == 0, f"{command}\n{run.stdout}\n{run.stderr}"
    return run


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as a release is: the source archive first, the wheel from it."""
    out = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (found,) = out.glob("kine_gateway-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the commands of a clean environment that holds the run-time lock and the wheel."""
    folder = tmp_path_factory.mktemp("clean")
    _run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    _run(*pip, "--require-hashes", "-r", ROOT / "requirements.lock", cwd=folder)
    _run(*pip, "--no-deps", wheel, cwd=folder)
    return python.parent


def test_wheel_holds_the_data_and_the_marker_of_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "gateway/py.typed" in names
    for folder in ("mappings", "config", "fixtures/demo"):
        wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
        kept = {name.removeprefix("gateway/_data/") for name in names if name.startswith(f"gateway/_data/{folder}/")}
        assert {name for name in wanted if not _ignored(name)} == {name for name in kept if not _ignored(name)}


def _ignored(name: str) -> bool:
    return "__pycache__" in name or name.endswith(".gitkeep")


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top.split("-")[0] for top in tops} == {"gateway", "kine_gateway"}
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "test" in name.split("/")]


def test_clean_environment_agrees_with_its_own_requirements(installed: Path) -> None:
    _run(installed / "python", "-m", "pip", "check", cwd=installed)


def test_version_and_data_are_found(installed: Path) -> None:
    code = (
        "import gateway; from gateway import resources;"
        "print(gateway.__version__); print(resources.data_path('fixtures', 'demo'))"
    )
    version, demo = _run(installed / "python", "-c", code, cwd=installed).stdout.split()
    assert version == tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert Path(demo).is_relative_to(installed.parent)


def test_the_demo_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    run = _run(installed / "kine-gateway", "demo", "--json", cwd=tmp_path)
    assert run.stdout.strip()
