"""`audit serve` as a person starts it: a token, the pages on this machine, a clean stop; elsewhere only with TLS."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

CONFIG = """
[store]
url = "sqlite:///{folder}/gateway.db"
[sealing]
key_file = "{folder}/master.key"
[journal]
checkpoint_dir = "{folder}/checkpoints"
key_file = "{folder}/journal.pem"
[trust_space]
file = "{folder}/trust.toml"
[[account]]
id = "cabinet"
rpps = "10000000000"
mailbox = "kine@example.mssante.fr"
display_name = "M._Jean_TEST_Cabinet"
oid_root = "1.2.3"
nil = "NIL"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIG.format(folder=tmp_path.as_posix()), encoding="utf-8")
    return path


def command(*words: str | Path) -> list[str]:
    return [str(Path(sys.executable).with_name("kine-gateway")), *map(str, words)]


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=60, check=False)


def test_the_pages_are_served_to_who_has_a_token(config: Path) -> None:
    made = run("token", "add", "--name", "Auditrice", "--role", "auditor", "--config", config)
    assert made.returncode == 0, made.stderr
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = command("audit", "serve", "--listen", f"127.0.0.1:{port}", "--config", config)
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as served:
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", follow_redirects=True, timeout=60) as client:
                assert "Jeton" in answered(client)
                page = client.post("/login", data={"token": made.stdout.strip()})
                assert page.status_code == 200
                assert "Envois qui demandent quelqu" in page.text
        finally:
            served.send_signal(signal.SIGINT if os.name == "posix" else signal.CTRL_C_EVENT)  # type: ignore[attr-defined,unused-ignore]
            said = served.communicate(timeout=20)[1]
    assert f"http://127.0.0.1:{port}/" in said
    assert "Traceback" not in said
    assert made.stdout.strip() not in said


def answered(client: httpx2.Client) -> str:
    for _ in range(200):
        try:
            return client.get("/").text
        except httpx2.ConnectError:
            time.sleep(0.05)
    raise AssertionError("nobody answers")


@pytest.mark.parametrize("listen", ["0.0.0.0:8787", "192.0.2.1:80", "nonsense", "127.0.0.1"])
def test_another_address_is_refused_without_a_certificate(config: Path, listen: str) -> None:
    refused = run("audit", "serve", "--listen", listen, "--config", config)
    assert refused.returncode == 78
    assert "WEB-005" in refused.stderr
