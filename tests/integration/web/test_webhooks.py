"""Webhooks: signed, tried until they are taken, followed from where the receiver stood; and `serve` as a whole."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.api import Gateway
from gateway.errors import ConfigError
from gateway.settings import load
from gateway.web import webhooks
from gateway.web.tokens import Role
from tests.integration.practice import open_practice
from tests.integration.web.apikit import Api, open_api, wait_for
from tests.integration.web.test_api_documents import BY, fresh

KEY = bytes(range(32))


class Receiver(ThreadingHTTPServer):
    """A vendor's program: notes every call, answers with the statuses that it is given, then 204."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    @property
    def taken(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.calls]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
        status = self.server.answers.pop(0) if self.server.answers else 204
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def api(tmp_path: Path, certificates: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(webhooks, "DELAYS", (0.05, 0.1))
    practice = open_practice(tmp_path, certificates=certificates)
    account = fresh()["account"]
    secret = tmp_path / "webhook.key"
    secret.write_text("whsec_" + base64.b64encode(KEY).decode() + "\n")
    secret.chmod(stat.S_IRUSR | stat.S_IWUSR)
    text = practice.config.read_text(encoding="utf-8") + '\n[web]\nlisten = "127.0.0.1:0"\n'
    text += f'\n[[web.webhook]]\naccount = "{account}"\nurl = "{receiver.url}"\nsecret_file = "webhook.key"\n'
    practice.config.write_text(text, encoding="utf-8")
    made = open_api(practice, account)
    yield made
    made.gateway.close()
    practice.box.close()


def genuine(headers: dict[str, str], body: bytes) -> bool:
    """What a receiver does, written from https://www.standardwebhooks.com and not from our code."""
    signed = headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"." + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    fresh_enough = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return fresh_enough and f"v1,{expected}" in headers["webhook-signature"].split(" ")


def test_a_moved_delivery_is_told_signed_and_the_cursor_goes_on_from_there(api: Api, receiver: Receiver) -> None:
    with api.served() as address, api.client() as client:
        wait_for(api.gateway.settings.webhooks_file.exists)
        made = client.post("/documents", json=fresh()).json()
        wait_for(lambda: receiver.calls)
        headers, body = receiver.calls[0]
        told = json.loads(body)
        after = httpx2.get(
            f"{address}/changes",
            params={"updated_since": told["data"]["cursor"]},
            headers={"Authorization": f"Bearer {api.token(Role.VENDOR)}"},
        ).json()
    assert genuine(headers, body)
    assert not genuine(headers, body + b" ")
    assert not genuine(headers | {"webhook-timestamp": str(int(time.time()) - 600)}, body)
    assert told["type"] == "deliveries.changed"
    assert {one["id"] for one in told["data"]["deliveries"]} == set(made["delivery_ids"])
    assert after["deliveries"] == []


def test_what_is_refused_is_told_again_under_the_same_id_until_it_is_taken(api: Api, receiver: Receiver) -> None:
    receiver.answers = [500, 302, 429]
    with api.served(), api.client() as client:
        wait_for(api.gateway.settings.webhooks_file.exists)
        client.post("/documents", json=fresh())
        wait_for(lambda: len(receiver.calls) >= 4)
        time.sleep(0.3)
    assert len(receiver.calls) == 4  # the redirection was not followed, and nothing came after it was taken
    assert len({headers["webhook-id"] for headers, _ in receiver.calls}) == 1
    assert len({body for _, body in receiver.calls}) == 1
    assert all(genuine(*call) for call in receiver.calls)


def test_what_moved_while_nothing_ran_is_told_at_the_next_start(api: Api, receiver: Receiver) -> None:
    with api.served():
        wait_for(api.gateway.settings.webhooks_file.exists)
    with api.client() as client:
        made = client.post("/documents", json=fresh()).json()
        client.post(f"/deliveries/{made['delivery_ids'][0]}/cancel", json=BY)
    assert not receiver.calls
    with api.served():
        wait_for(lambda: receiver.calls)
    [told] = receiver.taken
    assert {one["id"] for one in told["data"]["deliveries"]} == set(made["delivery_ids"])
    with api.served():
        time.sleep(0.5)
    assert len(receiver.calls) == 1


def test_no_word_of_a_patient_is_told(api: Api, receiver: Receiver) -> None:
    value = fresh()
    with api.served(), api.client() as client:
        wait_for(api.gateway.settings.webhooks_file.exists)
        client.post("/documents", json=value)
        wait_for(lambda: receiver.calls)
    told = receiver.calls[0][1].decode()
    assert not [
        word for word in (value["patient"]["birth_family"], value["patient"]["ins"]["matricule"]) if word in told
    ]


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "pas du base64 !", "whsec_" + "A" * 200])
def test_a_secret_that_is_none_is_refused_at_the_start(tmp_path: Path, secret: str) -> None:
    path = tmp_path / "secret"
    path.write_text(secret)
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    with pytest.raises(ConfigError, match="WEB-006"):
        webhooks.read_key(path)


@pytest.mark.parametrize(
    ("url", "account", "code"),
    [
        ("http://logiciel.example/hook", None, "CFG-003"),
        ("https://user:secret@logiciel.example/hook", None, "CFG-003"),
        ("https://logiciel.example/hook", "inconnu", "CFG-003"),
    ],
)
def test_a_webhook_in_clear_or_of_nobody_is_refused(api: Api, url: str, account: str | None, code: str) -> None:
    text = api.practice.config.read_text(encoding="utf-8")
    text = re.sub(
        r'(\[\[web\.webhook\]\]\naccount = )"[^"]*"\nurl = "[^"]*"',
        rf'\1"{account or api.account}"\nurl = "{url}"',
        text,
    )
    api.practice.config.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=code):
        load(api.practice.config)


# ------------------------------------------------------------------------------------------------- as a program


def test_serve_takes_over_delivers_tells_and_stops(api: Api, receiver: Receiver) -> None:
    secret = api.token(Role.VENDOR)
    api.gateway.close()
    program_name = str(Path(sys.executable).with_name("kine-gateway"))
    command = [program_name, "serve", "--config", str(api.practice.config), "--json"]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        assert program.stderr is not None
        address = _address(program)
        with httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {secret}"}, timeout=60) as client:
            made = client.post("/documents", json=fresh()).json()
            where = f"/documents/{made['document_id']}"
            wait_for(lambda: {one["transport"] for one in client.get(where).json()["deliveries"]} == {"sent"})
        wait_for(
            lambda: any(one["transport"] == "sent" for told in receiver.taken for one in told["data"]["deliveries"])
        )
    finally:
        program.send_signal(signal.SIGTERM)
        _, errors = program.communicate(timeout=30)
    assert program.returncode == 0, errors
    assert secret not in errors
    with Gateway.open(api.practice.config) as gateway:
        assert gateway.verify_journal().ok
    assert len(api.practice.box.mail.all_messages()) == 2


def _address(program: subprocess.Popen[str]) -> str:
    assert program.stderr is not None
    said = []
    for line in program.stderr:
        said.append(line)
        if found := re.search(r"API : (http://\S+)", line):
            return found[1]
    raise AssertionError(f"serve did not start: {program.wait()} {''.join(said)}")


def test_serve_says_in_a_line_what_keeps_it_from_starting(api: Api, tmp_path: Path) -> None:
    api.gateway.close()
    (tmp_path / "webhook.key").write_text("trop court")
    config = str(api.practice.config)
    command = [str(Path(sys.executable).with_name("kine-gateway")), "serve", "--config", config]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 78
    assert "[WEB-006]" in run.stderr
    assert "Traceback" not in run.stderr, run.stderr


def test_a_full_disk_beside_the_checkpoints_stops_no_delivery(
    api: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = webhooks.Progress.put
    full: list[int] = []

    def once_full(self: webhooks.Progress, name: str, cursor: str) -> None:
        if receiver.calls and not full:
            full.append(1)
            raise OSError(28, "No space left on device")
        put(self, name, cursor)

    monkeypatch.setattr(webhooks.Progress, "put", once_full)
    with api.served() as address, api.client() as client:
        wait_for(api.gateway.settings.webhooks_file.exists)
        client.post("/documents", json=fresh())
        wait_for(lambda: len(receiver.calls) >= 2)
        assert httpx2.get(f"{address}/health").status_code == 200
    assert full
    assert len({headers["webhook-id"] for headers, _ in receiver.calls}) == 1


async def test_a_receiver_that_never_ends_its_answer_is_left() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
                sent += 65536

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(20), httpx2.AsyncClient() as client:
        assert await webhooks._posted(client, f"http://127.0.0.1:{port}/", b"{}", {}) == 200
    server.close()
    assert sent < 100 * webhooks.MAX_ANSWER
