"""Traces: one for each action on a server, kept for months, exported; never a trait, an address or content in them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.api import Gateway
from gateway.channels import trace
from gateway.channels.trace import Step, Trace, Tracer
from gateway.cli.app import app
from gateway.clock import FrozenClock
from gateway.engine.traces import TraceLog
from tests.integration.practice import CASES, Practice, open_practice

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Practice]:
    """Every fixture was delivered once, after faults of both servers."""
    opened = open_practice(tmp_path_factory.mktemp("traces"), certificates=certificates)
    opened.box.faults.set("mssante", "refuse", count=2)
    opened.box.faults.set("dmp", "busy", count=2)
    with Gateway.open(opened.config) as gateway:
        for path in sorted(CASES.glob("*.json")):
            gateway.submit(path.read_bytes())
        gateway.deliver_due()
        gateway.deliver_due()
    yield opened
    opened.box.close()


def lines(practice: Practice) -> list[dict[str, Any]]:
    with Gateway.open(practice.config) as gateway:
        return list(gateway.traces.read())


def strings(value: Any) -> Iterator[str]:
    """Every text in a submission, whole and word by word."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value
        yield from re.findall(r"[\w@.-]{4,}", value)


def test_who_when_which_server_what_and_which_answer(practice: Practice) -> None:
    found = lines(practice)
    sends = [one for one in found if one["action"] == "send"]
    feeds = [one for one in found if one["action"] == "feed"]
    assert sends
    assert feeds
    for one in found:
        assert re.fullmatch(r"\d{11}", one["author"])
        assert datetime.fromisoformat(one["at"]).tzinfo is not None
        assert one["host"] == "localhost"
        assert one["account"]
        assert one["steps"]
        assert all(ms >= 0 and trace.UNSAID not in (request, reply) for request, reply, ms in one["steps"])
    assert any(step[:2] == ["CONTENT", "451 4.3.0"] for one in sends for step in one["steps"])
    assert any([step[0], step[1][:3]] == ["CONTENT", "250"] for one in sends for step in one["steps"])
    assert any(step[:2] == ["POST repository", "HTTP 200"] for one in feeds for step in one["steps"])
    assert any(step[1] == "HTTP 503" for one in found for step in one["steps"])


def test_every_attempt_that_met_a_server_has_its_trace(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        seen = 0
        for view in gateway.deliveries():
            attempts = [a for a in gateway.delivery(view.id).attempts if a["host"]]
            traced = gateway.traces.of_delivery(view.id)
            assert len([one for one in traced if one["action"] in {"send", "feed"}]) <= len(attempts)
            assert bool(traced) is bool(attempts), (view, attempts)
            seen += len(attempts)
        assert seen > len(list(CASES.glob("*.json")))


def test_no_trait_of_any_fixture_and_no_content(practice: Practice) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in folder(practice).glob("*.jsonl")).lower()
    # What a trace is made of: account and author identify the professional, as the rule demands.
    allowed = {word for one in lines(practice) for word in (one["account"], one["author"], "localhost", "send", "post")}
    looked = 0
    for path in sorted(CASES.glob("*.json")):
        value = json.loads(path.read_bytes())
        for word in set(strings(value)) - allowed - {value["account"]}:
            looked += 1
            if len(word) >= 4 and word.lower() in text:
                assert re.search(rf"(?<![\w-]){re.escape(word.lower())}(?![\w-])", text) is None, (path.name, word)
    assert looked > 2000


def folder(practice: Practice) -> Path:
    with Gateway.open(practice.config) as gateway:
        return gateway.settings.traces_folder


def test_files_are_private(practice: Practice) -> None:
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder(practice).iterdir())


def test_export_and_show(practice: Practice, tmp_path: Path) -> None:
    run = CliRunner()
    everything = run.invoke(app, ["traces", "export", "--config", str(practice.config)])
    assert everything.exit_code == 0
    assert len(everything.stdout.splitlines()) == len(lines(practice))
    to = tmp_path / "traces.jsonl"
    later = ["traces", "export", "--since", "2100-01-01", "--to", str(to), "--config", str(practice.config)]
    assert run.invoke(app, later).exit_code == 0
    assert to.read_text() == ""
    assert run.invoke(app, later).exception.code == "TRC-002"  # type: ignore[union-attr]
    bad = run.invoke(app, ["traces", "export", "--since", "hier", "--config", str(practice.config)])
    assert bad.exception.code == "TRC-001"  # type: ignore[union-attr]
    delivery = next(one["delivery"] for one in lines(practice) if one["action"] == "send")
    shown = run.invoke(app, ["queue", "show", delivery, "--trace", "--config", str(practice.config)])
    assert shown.exit_code == 0
    assert "RCPT" in shown.stdout
    machine = run.invoke(app, ["queue", "show", delivery, "--trace", "--json", "--config", str(practice.config)])
    assert {one["delivery"] for one in json.loads(machine.stdout)["traces"]} == {delivery}


# ------------------------------------------------------------------------------------------------ the parts


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ("MAIL FROM:<a@b.fr>", "250 2.1.0"),
        ("MAIL", "250 2.1.0 <a@b.fr> sender ok"),
        ("GET Practitioner?identifier=10001234567", "HTTP 200"),
        ("MAIL", "550 MARTIN Anne"),
        ("255069999999934", "250"),
        ("AUTH", "235 dXNlcj1hQGIuZnI="),
        ("line\nbreak", "250"),
    ],
)
def test_what_is_no_word_or_code_is_not_written(request_: str, reply: str) -> None:
    kept: list[Trace] = []
    with Tracer(kept.append).action("send") as steps:
        steps.note(request_, reply, steps.started())
    assert trace.UNSAID in {kept[0].steps[0].request, kept[0].steps[0].reply}
    assert not re.search(r"@|MARTIN|255069999|1000123|dXNl", repr(kept))


def made(at: datetime, delivery: str = "") -> Trace:
    return Trace(at, "cabinet", "99700001011", "smtp", "localhost", "send", (Step("MAIL", "250", 1.0),), delivery)


def test_kept_for_so_many_days_and_no_longer(tmp_path: Path) -> None:
    clock = FrozenClock(NOON)
    log = TraceLog(tmp_path / "traces", 30, clock)
    for _ in range(40):
        log(made(clock.now()))
        clock.advance(86400)
    assert len(log.days()) == 31
    assert log.days()[0] == (clock.now() - timedelta(days=31)).date()
    assert (tmp_path / "traces" / "notes.txt").write_text("x")
    log.prune()
    assert (tmp_path / "traces" / "notes.txt").exists()


def test_read_by_time_and_delivery(tmp_path: Path) -> None:
    log = TraceLog(tmp_path / "traces", 300, FrozenClock(NOON))
    for hours, delivery in ((0, "a"), (1, "b"), (30, "a"), (60, "")):
        log(made(NOON + timedelta(hours=hours), delivery))
    assert [one["delivery"] for one in log.read()] == ["a", "b", "a", ""]
    assert len(list(log.read(delivery="a"))) == 2
    assert len(list(log.read(since=NOON + timedelta(minutes=30), until=NOON + timedelta(hours=30)))) == 1
    with (tmp_path / "traces" / "2026-11-22.jsonl").open("a") as file:
        file.write('{"at": "2026-11-2')  # the power went
    assert len(list(log.read())) == 4


def test_a_full_disk_does_not_stop_a_delivery(tmp_path: Path) -> None:
    (tmp_path / "traces").write_text("a file where the folder should be")
    with Tracer(TraceLog(tmp_path / "traces", 30, FrozenClock(NOON))).action("send") as steps:
        steps.note("MAIL", "250", steps.started())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_several_processes_append_whole_lines(tmp_path: Path) -> None:
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            log = TraceLog(tmp_path / "traces", 30, FrozenClock(NOON))
            for _ in range(200):
                log(made(NOON, f"process-{number}"))
            os._exit(0)
        children.append(child)
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    log = TraceLog(tmp_path / "traces", 30, FrozenClock(NOON))
    assert len(list(log.read())) == 800
