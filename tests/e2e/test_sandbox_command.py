"""`kine-gateway sandbox`: it says where its page is, keeps what it received, and forgets when told to."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.sandbox import Sandbox

COMMAND = str(Path(sys.executable).parent / "kine-gateway")


@contextmanager
def running(folder: Path, *options: str) -> Iterator[dict[str, Any]]:
    """The command with free ports, and what it said of itself."""
    ports = [f"--{name}-port=0" for name in ("smtp", "dmp", "insi", "annuaire", "page")]
    command = [COMMAND, "sandbox", "--dir", str(folder), "--json", *ports, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield _described(process)
        finally:
            process.terminate()
            process.communicate(timeout=20)


def _described(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The JSON that the command prints once it serves."""
    text = ""
    assert process.stdout is not None
    for line in process.stdout:
        text += line
        try:
            value: dict[str, Any] = json.loads(text)
        except ValueError:
            continue
        return value
    assert process.stderr is not None
    raise AssertionError(process.stderr.read())


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


@pytest.fixture
def folder(tmp_path: Path, certificates: Path) -> Path:
    """A sandbox folder with certificates made before: RSA keys cost time."""
    made = tmp_path / "box"
    made.mkdir()
    (made / "pki").symlink_to(certificates, target_is_directory=True)
    return made


def patients(folder: Path) -> None:
    box = Sandbox(folder, clock=SystemClock())
    box.dmp.set_patient("279035121518989", "1.2.250.1.213.1.4.10", status="closed")
    box.close()


def test_the_page_is_served_where_it_says_and_the_store_is_kept(folder: Path) -> None:
    patients(folder)
    with running(folder, "--fault", "dmp/TD3.2:busy:2") as described:
        url = described["dmp"]["page"]
        assert url.startswith("http://localhost:")
        assert "279035121518989" in read(url)
        assert described["faults"] == [{"channel": "dmp", "kind": "busy", "count": 2, "seconds": 0.0, "only": "TD3.2"}]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            read(url + "nothing")
    with running(folder, "--reset", "--yes") as described:
        assert "279035121518989" not in read(described["dmp"]["page"])


def test_nothing_is_forgotten_without_a_yes(folder: Path) -> None:
    (folder / "mail").mkdir()
    (folder / "mail" / "one.eml").write_bytes(b"x")
    command = [COMMAND, "sandbox", "--dir", str(folder), "--reset", "--show"]
    refused = subprocess.run(command, input="n\n", capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert "1 courriers, 0 documents, 0 échanges" in refused.stderr
    assert (folder / "mail" / "one.eml").exists()
    agreed = subprocess.run([*command, "--yes"], capture_output=True, text=True, timeout=60, check=True)
    assert "bac à sable vidé : 1 courriers" in agreed.stderr
    assert not (folder / "mail" / "one.eml").exists()


@pytest.mark.parametrize("fault", ["dmp/TD9:busy", "mssante:nonsense", "dmp/TD3.1:unavailable"])
def test_a_fault_that_cannot_be_is_said(folder: Path, fault: str) -> None:
    command = [COMMAND, "sandbox", "--dir", str(folder), "--fault", fault]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert "inconnue" in run.stderr


def test_another_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "mine.eml").write_bytes(b"x")
    command = [COMMAND, "sandbox", "--dir", str(tmp_path), "--reset", "--yes"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode != 0
    assert "SBX-006" in run.stderr
    assert (tmp_path / "mail" / "mine.eml").exists()


def test_a_port_that_is_taken_is_said(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [f"--{name}-port=0" for name in ("smtp", "dmp", "insi", "annuaire")]
        page = f"--page-port={taken.getsockname()[1]}"
        command = [COMMAND, "sandbox", "--dir", str(folder), *ports, page]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode != 0
    assert "SBX-007" in run.stderr
    assert "Traceback" not in run.stderr
