"""A practice that is fed references everywhere, from submission to receipt, and goes nowhere but where it is told to.

Every text of a submission names the bait; it is handed in by the library, the folder and the HTTP API, sent to mailbox
and DMP, answered by reports and replies that name the bait too, looked at on pages and by commands. An audit hook notes
every connection, file and program of the process that its configuration does not name (the pages' and API's own
requests included: Host and X-Forwarded headers of a stranger).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from gateway.api import Gateway
from gateway.cli.app import app
from gateway.clock import SystemClock
from gateway.errors import GatewayError
from gateway.records.submission import parse
from gateway.web.app import create_app
from gateway.web.tokens import Role, TokenFile
from tests.fuzz.guard import Permitted, watched
from tests.integration.practice import Practice, case, open_practice
from tests.security.outside import Outside, outside
from tests.security.planting import mime, places, put, texts
from tests.security.test_headers import CHECKED
from tests.unit.read import report_samples as reports

__all__ = ["outside"]
NAMES = ("01_entorse_cheville_bilan", "08_lombalgie_bilan")
STRANGE = {"X-Forwarded-Host": "etranger.invalid", "X-Forwarded-Proto": "gopher", "Forwarded": "host=etranger.invalid"}


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    yield made
    made.box.close()


def planted(gateway: Gateway, name: str, out: Outside) -> dict[str, Any]:
    """A case with a reference in every text that takes one, and that would still be sent."""
    value, urls = case(name), places(out)
    ways = [path for path in texts(value) if not CHECKED & set(path) and path[0] not in {"format", "account"}]
    for start in range(0, len(ways), 8):
        several = list(enumerate(ways))[start : start + 8]
        together = _with(gateway, value, several, urls)
        value = together or value
        for one in () if together else several:
            value = _with(gateway, value, [one], urls) or value
    return value


def _with(gateway: Gateway, value: dict[str, Any], ways: list[Any], urls: tuple[str, ...]) -> dict[str, Any] | None:
    for number, path in ways:
        holder: Any = value
        for step in path[:-1]:
            holder = holder[step]
        changed = put(value, path, f"{holder[path[-1]]} {urls[number % len(urls)]}")
        value = changed if parse(json.dumps(changed).encode())[0] else value
    return value if gateway.check(json.dumps(value).encode()).ok else None


def permitted(practice: Practice) -> Permitted:
    box = practice.box
    ports = (box.smtp_port, box.dmp_port, box.insi_port, box.annuaire_port)
    hosts = frozenset((host, port) for host in ("127.0.0.1", "localhost", "::1") for port in ports)
    machine = ("/etc/machine-id", "/proc/sys/kernel/random/boot_id", "/proc/self", "/dev/null")  # which machine this is
    folders = (str(practice.folder), tempfile.gettempdir() + "/kine", *machine)
    return Permitted(hosts, folders, frozenset({sys.executable}))


def _posted(gateway: Gateway, value: dict[str, Any]) -> None:
    """By the API, from a caller that claims to be somewhere else."""
    token, _ = TokenFile(gateway.settings.tokens_file).add("x", Role.VENDOR, value["account"], now=SystemClock().now())
    pages = create_app(gateway, gateway.settings, clock=SystemClock())
    with TestClient(pages, base_url="http://127.0.0.1:8787", raise_server_exceptions=False) as client:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        assert client.post("/v1/documents", json=value, headers=headers | {"Host": "appat.invalid"}).status_code == 421
        answer = client.post("/v1/documents", json=value, headers=headers | STRANGE)
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"].startswith("/v1/documents/")
        shown = [answer, *(client.get(path, headers=STRANGE) for path in ("/", "/login", "/v1/openapi.json"))]
        assert not [word for one in shown for word in ("etranger", "gopher") if word in f"{one.text}{one.headers}"]
        for back in ("//appat.invalid/", "http://appat.invalid/", "/\\appat.invalid/"):
            assert 'name="next" value="/"' in client.get("/login", params={"next": back}).text


def _received(gateway: Gateway, practice: Practice, out: Outside) -> None:
    """Reports and replies that ask for an answer, lie elsewhere, and load pictures."""
    samples = (
        reports.dsn(),
        reports.mdn(),
        reports.reply(),
        reports.standard_failure(),
        reports.bounce(text="mailbox full"),
    )
    for number, sample in enumerate(samples):
        for url in places(out)[:3]:
            for letter, raw in enumerate(mime(sample, url)):
                unlike = f"Message-ID: <{number}-{letter}-{abs(hash(url))}@x.example>\r\n".encode() + raw
                try:
                    gateway.receipts.take_in(gateway.settings.account[0].id, unlike)
                except GatewayError:
                    continue


def test_a_practice_goes_nowhere_but_where_it_is_told(practice: Practice, outside: Outside, tmp_path: Path) -> None:
    with Gateway.open(practice.config) as gateway:
        value = planted(gateway, NAMES[0], outside)
        gateway.warm()
    said = json.dumps(value)
    assert sum(said.count(json.dumps(url)[1:-1]) for url in places(outside)) > 12
    expected = {one["mssante"] for one in value["recipients"]}
    with watched(permitted(practice)) as seen:
        with Gateway.open(practice.config) as gateway:
            gateway.submit(said.encode())
            _posted(gateway, value | {"key": "par-api", "document": value["document"] | {"id": "B"}})
            gateway.deliver_due()
            mails = len(practice.box.mail.all_messages())
            _received(gateway, practice, outside)
            gateway.deliver_due()
            assert len(practice.box.mail.all_messages()) == mails, "a mail asked for an answer, and got one"
        practice.drop(
            value | {"key": "par-dossier", "document": value["document"] | {"id": "C"}}, "c", value["account"]
        )
        practice.run(seconds=60)
        letter = tmp_path / "practice" / "lettre.eml"
        letter.write_bytes(next(mime(practice.box.mail.all_messages()[0].bytes, places(outside)[0])))
        for line in ("inspect lettre.eml", "queue list", "journal verify", "journal verify-document lettre.eml"):
            words = [str(letter) if word == letter.name else word for word in line.split()]
            assert CliRunner().invoke(app, [*words, "--config", str(practice.config)]).exit_code in {0, 1, 2}
    assert seen == []
    assert not outside.touched()
    sent = {stored.rcpt for stored in practice.box.mail.all_messages()}
    assert sent
    assert {one for one in sent if not one.endswith("@patient.mssante.fr")} <= expected
    assert practice.box.dmp.documents()


def test_the_watch_notes_what_leaves(practice: Practice, outside: Outside, tmp_path: Path) -> None:
    """Without this, the test above would prove nothing."""
    import socket
    import subprocess

    (tmp_path / "elsewhere").write_text("x")
    with watched(permitted(practice)) as seen:
        (tmp_path / "elsewhere").read_text()
        socket.create_connection(("127.0.0.1", outside.port)).close()
        subprocess.run(["true"], check=True)
        practice.config.read_text()
        socket.create_connection(("127.0.0.1", practice.box.dmp_port)).close()
    assert [one.split(" ")[0] for one in seen] == ["open", "socket.connect", "subprocess.Popen"]
