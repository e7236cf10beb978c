"""Hostile words through a whole practice: nothing forges a line, an order or an element.

The other half of test_lines.py, which tries each place alone: here the words travel as they would, and everything that
the practice writes, shows and serves is looked through.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from typer.testing import CliRunner

from gateway.api import Gateway
from gateway.cli import logs
from gateway.cli.app import app
from gateway.clock import SystemClock
from gateway.errors import GatewayError
from gateway.sidecar.health import Health
from gateway.sidecar.metrics import Metrics
from gateway.web.app import create_app
from gateway.web.tokens import Role, TokenFile
from tests.integration.practice import Practice, case, open_practice
from tests.security.test_lines import FORGED, HOSTILE, OBEYED
from tests.unit.read import report_samples as reports

NAME = "01_entorse_cheville_bilan"
FILE = "x\n{forged}\r\x1b[2J\u202e\u2028<script>alert(1)<i>"
COMMANDS = (
    "queue list", "queue list --json", "receipts loose", "obligations", "doctor", "journal verify", "session list",
    "report --period 2026",
)  # fmt: skip


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    yield made
    made.box.close()


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """What `run --json` would write, of the gateway and of libraries, from INFO on."""
    held = io.StringIO()
    handler = logging.StreamHandler(held)
    handler.setFormatter(logs.JsonLines())
    handler.addFilter(lambda record: not record.name.startswith(("mail.", "gateway.sandbox")))
    root, ours = logging.getLogger(), logging.getLogger("gateway")
    before = root.level, ours.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    ours.setLevel(logging.INFO)
    try:
        yield held
    finally:
        root.removeHandler(handler)
        root.setLevel(before[0])
        ours.setLevel(before[1])


def people(gateway: Gateway) -> None:
    """Everything that a person may type about a delivery."""
    for number, words in enumerate(HOSTILE.values()):
        delivery = gateway.deliveries()[number % len(gateway.deliveries())].id
        for by in (words, "Mme <script>alert(1)</script>"):
            for action in (gateway.hold, gateway.release, gateway.retry):
                with contextlib.suppress(GatewayError):
                    action(delivery, by=by, reason=words)
        with contextlib.suppress(GatewayError):
            gateway.pause(gateway.settings.account[0].id, "dmp", by="Mme Martin", reason=words)
            gateway.resume(gateway.settings.account[0].id, "dmp", by="Mme Martin")


def mails(gateway: Gateway) -> None:
    """Subjects, senders, diagnostics and codes of mails that anybody may send to the practice."""
    account = gateway.settings.account[0].id
    for number, words in enumerate(HOSTILE.values()):
        raw = words.encode("utf-8", "replace")
        encoded = b"=?utf-8?q?" + b"".join(b"=%02X" % byte for byte in raw) + b"?="
        for sample in (reports.dsn(), reports.mdn(), reports.reply(), reports.bounce(text="mailbox full")):
            changed = sample.replace(b"Subject: ", b"Subject: " + encoded).replace(b"user unknown", raw)
            changed = changed.replace(b"From: ", b"From: " + encoded + b" ").replace(b"Status: ", b"Status: " + raw)
            gateway.receipts.take_in(account, b"Message-ID: <%d@x.example>\r\n" % number + changed)


def requests(gateway: Gateway) -> str:
    """What a caller may put into a request; returns the pages that an auditor then reads."""
    token = TokenFile(gateway.settings.tokens_file).add("A", Role.AUDITOR, None, now=SystemClock().now())[0]
    pages = create_app(gateway, gateway.settings, clock=SystemClock())
    with TestClient(pages, base_url="http://127.0.0.1:8787", raise_server_exceptions=False) as client:
        for path in ("/v1/%0d%0aforged", "/v1/documents/%1b%5b2J", "/v1/deliveries/%e2%80%ae", "/%0aforged"):
            headers = {"User-Agent": "x\x1b[2J", "Authorization": f"Bearer {FORGED}", "X-Request-Id": FORGED}
            assert client.get(path, headers=headers).status_code in {401, 404}
        client.post("/login", data={"token": token, "next": "/"})
        paths: tuple[str, ...] = ("/", "/deliveries", "/journal", "/obligations", "/configuration")
        paths += tuple(f"/deliveries/{one.id}" for one in gateway.deliveries())
        shown = [client.get(path) for path in (*paths, "/deliveries?after=<script>alert(1)</script>&state=<script>")]
        assert {one.status_code for one in shown} <= {200, 404, 422}
        return "".join(one.text for one in shown)


def test_hostile_words_forge_nothing(practice: Practice, tmp_path: Path) -> None:
    with logged() as held:
        practice.drop(case(NAME), FILE, case(NAME)["account"])
        practice.drop(b"{", f"{FILE}2", case(NAME)["account"])
        practice.run(seconds=60)
        with Gateway.open(practice.config) as gateway:
            metrics = Metrics(gateway)
            people(gateway)
            mails(gateway)
            gateway.deliver_due()
            page = requests(gateway)
            scraped = Health(gateway, metrics).answer("/metrics")[2].decode()
            ids = [one.id for one in gateway.deliveries()]
    lines = held.getvalue().splitlines()
    assert len(lines) > 10
    for line in lines:
        assert json.loads(line).keys() <= logs.FIELDS | {"at", "level", "event", logs.DROPPED}
        assert not OBEYED.search(line)
    assert "script" not in held.getvalue()
    assert "<script>alert" not in page
    assert list(text_string_to_metric_families(scraped))
    for command in (*COMMANDS, *(f"queue show {one}" for one in ids)):
        run = CliRunner().invoke(app, [*command.split(), "--config", str(practice.config)])
        assert not OBEYED.search((run.output + run.stderr).replace("\n", "")), command
    export = tmp_path / "journal.jsonl"
    CliRunner().invoke(app, ["journal", "export", "--to", str(export), "--config", str(practice.config)])
    text = export.read_text(encoding="utf-8")
    assert not OBEYED.search(text.replace("\n", ""))
    assert all(json.loads(line) for line in text.splitlines())
    outbox = practice.outbox(case(NAME)["account"])
    written = [
        path for path in outbox.rglob("*") if path.suffix in {".html", ".txt", ".json"} and "new" not in path.parts
    ]
    assert len(written) > 3
    for path in written:
        said = path.read_text(encoding="utf-8", errors="replace")
        assert "<script>alert" not in said or path.suffix != ".html", path.name
        assert not OBEYED.search(said.replace("\n", "")) or path.suffix == ".json", repr(path.name)
