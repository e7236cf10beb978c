"""The environment of the two queues that the store is measured beside: pinned, with hashes, in peers/queues.txt."""

from __future__ import annotations

import shutil
import subprocess
import venv
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent / "peers"


def queues(root: Path) -> Path:
    """Python of an environment that holds DBOS and procrastinate, made once for each list; or a visible skip."""
    folder, wanted = root / "build" / "peers" / "queues", (HERE / "queues.txt").read_bytes()
    done, python = folder / ".installed", folder / "bin" / "python"
    if done.is_file() and done.read_bytes() == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--require-hashes"]
    try:
        subprocess.run([*command, "-r", HERE / "queues.txt"], check=True, timeout=300)
    except subprocess.SubprocessError:
        pytest.skip("needs PyPI for DBOS and procrastinate")
    done.write_bytes(wanted)
    return python
