"""What a log line may hold is a closed list, and every line of the program keeps to it."""

from __future__ import annotations

import ast
import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import logs
from gateway.cli.app import app
from gateway.engine.events import DeliveryEvent

PACKAGE = Path(__file__).resolve().parents[3] / "gateway"
METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
COMPUTED = {
    ("engine/events.py", "fields"),  # the fields of DeliveryEvent: looked at below
    ("web/api/watch.py", "fields"),  # a request: tests/integration/web/test_api_guarded.py
}
NAMES = {
    ("engine/events.py", "delivery_%s"),
    ("engine/copies.py", "EVENT"),
    ("engine/retention.py", "event"),
}
"""Names of events that are computed, each out of a few of ours."""


def line(record: logging.LogRecord) -> dict[str, object]:
    found: dict[str, object] = json.loads(logs.JsonLines().format(record))
    assert logs.Plain().format(record)
    return found


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("gateway.engine", logging.INFO, "/x/worker.py", 7, message, args, None)
    vars(made).update(extra)
    return made


def test_codes_and_ids_are_written() -> None:
    found = line(record("delivery_%s", "taken", account="cabinet", delivery="0f-11", elapsed=0.4, codes=("A-1", "B-2")))
    assert {key: found[key] for key in found.keys() - {"at"}} == {
        "level": "info",
        "event": "delivery_taken",
        "account": "cabinet",
        "delivery": "0f-11",
        "elapsed": 0.4,
        "codes": ["A-1", "B-2"],
    }


@pytest.mark.parametrize(
    "extra",
    [
        {"patient": "MARTIN"},
        {"reason": "Mme Hélène"},
        {"reason": "a\nforged line"},
        {"host": "146026322000196"},
        {"host": "1 46 02 63 220 001 96"},
        {"account": "helene.martin@patient.mssante.fr"},
        {"error": ValueError("MARTIN")},
        {"reason": {"family": "MARTIN"}},
        {"codes": ["A-1", "Hélène"]},
        {"reason": "x" * 121},
    ],
)
def test_what_is_not_on_the_list_is_left_out(extra: dict[str, object]) -> None:
    made = record("delivery_taken", account="cabinet") if "account" not in extra else record("delivery_taken")
    vars(made).update(extra)
    written = line(made)
    assert written[logs.DROPPED] == 1
    assert not extra.keys() & written.keys()
    for text in (json.dumps(written), logs.Plain().format(made)):
        assert not [word for word in ("MARTIN", "Hélène", "H\\u00e9", "14602", "1 46", "forged", "@") if word in text]


def test_a_sentence_and_a_traceback_are_left_out() -> None:
    made = record("could not send %s", "MARTIN")
    try:
        raise ValueError("MARTIN")
    except ValueError as fault:
        made.exc_info = (type(fault), fault, fault.__traceback__)
    found = line(made)
    assert (found["event"], found["place"], found[logs.DROPPED]) == (logs.UNNAMED, "worker:7", 1)
    assert "MARTIN" not in json.dumps(found) + logs.Plain().format(made)


def test_libraries_write_in_the_same_form(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("elsewhere"), "propagate", False)
    with logs.on_stderr(as_json=True):
        logging.getLogger("elsewhere").warning("refused <helene.martin@example.org>")
        logging.getLogger("gateway").info("started", extra={"account": "cabinet"})
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["level"], first[logs.DROPPED]) == (logs.UNNAMED, "warning", 1)
    assert (second["event"], second["account"]) == ("started", "cabinet")


def test_a_command_that_ended_leaves_no_handler_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its standard error may be closed by then: each later line would be a "Logging error" with its traceback."""
    log, stream = logging.getLogger("gateway"), io.StringIO()
    before = log.handlers[:], log.level, log.propagate, logging.lastResort
    monkeypatch.setattr(sys, "stderr", stream)
    with logs.on_stderr(as_json=True):
        log.info("started")
    stream.close()
    assert (log.handlers[:], log.level, log.propagate, logging.lastResort) == before


def test_what_a_library_says_is_in_our_form_under_every_command() -> None:
    """A reader of PDF or of mail quotes what it reads; `config` stands for the commands that keep no log."""
    said = logging.getLogger("elsewhere")
    monkey = pytest.MonkeyPatch()

    def show(*_: object) -> None:
        said.warning('forged\n{"event": "delivery_sent"}\x1b[2J')
        warnings.showwarning("forged\n\x1b[2J", UserWarning, "a.py", 1)

    with monkey.context() as patched:
        patched.setattr(said, "propagate", False)
        patched.setattr(logging.getLogger("py.warnings"), "propagate", False)
        patched.setattr(logging.getLogger("py.warnings"), "handlers", [])
        patched.setattr("gateway.settings.load", show)
        run = CliRunner().invoke(app, ["config", "show"])
    assert "forged" not in run.stderr
    assert "\x1b" not in run.stderr
    assert run.stderr.count(logs.UNNAMED) == 2


def calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith("sandbox/"):
            continue  # the other side: it logs for who tests, on loggers of its own handlers
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                owner = node.func.value
                if isinstance(owner, ast.Name) and owner.id.lower() in {"log", "_log", "logger", "_logger"}:
                    yield name, node


CALLS = list(calls())


def test_there_are_calls_to_look_at() -> None:
    assert len(CALLS) > 25


@pytest.mark.parametrize(("name", "call"), CALLS, ids=[f"{name}:{call.lineno}" for name, call in CALLS])
def test_every_line_of_ours_keeps_to_the_list(name: str, call: ast.Call) -> None:
    assert isinstance(call.func, ast.Attribute)
    assert call.func.attr != "exception"  # its traceback quotes what the code held
    message = call.args[1 if call.func.attr == "log" else 0]
    text = message.value if isinstance(message, ast.Constant) else ast.unparse(message)
    assert logs._EVENT.fullmatch(str(text)) or (name, text) in NAMES, text
    for keyword in call.keywords:
        assert keyword.arg == "extra"
        if isinstance(keyword.value, ast.Name):
            assert (name, keyword.value.id) in COMPUTED
            continue
        assert isinstance(keyword.value, ast.Dict)
        keys = [key.value if isinstance(key, ast.Constant) else None for key in keyword.value.keys]
        spread = [value for key, value in zip(keys, keyword.value.values, strict=True) if key is None]
        assert {key for key in keys if key is not None} <= logs.FIELDS
        assert [ast.unparse(one) for one in spread] in ([], ["_where(fault)"])


def test_an_event_of_a_delivery_keeps_to_the_list() -> None:
    assert {one.name for one in fields(DeliveryEvent)} - {"at", "event"} <= logs.FIELDS
