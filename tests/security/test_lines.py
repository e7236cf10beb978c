"""No text of somebody else makes a line, a field, an order to a terminal or an element that is not its own.

Hostile words are put wherever a text comes from outside (servers' answers, mails, names, people's reasons, requests)
and looked for wherever texts go: logs, outcomes and journal, tables and JSON of the commands, metrics, pages.
"""

from __future__ import annotations

import imaplib
import io
import json
import logging
import re
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.channels.annuaire import web
from gateway.channels.dmp import classify as dmp
from gateway.channels.dmp import fhir_classify
from gateway.channels.dmp.answers import AnswerError, Fault, RegistryError
from gateway.channels.dmp.fhir_answers import Issue
from gateway.channels.insi import answers as insi_answers
from gateway.channels.insi import classify as insi
from gateway.channels.mssante import classify as mail
from gateway.channels.mssante import mailbox_faults
from gateway.channels.scrub import scrub
from gateway.cli import logs, output
from gateway.errors import GatewayError
from gateway.sidecar.metrics import Metrics
from gateway.store import journal
from gateway.store.operating import checked_name
from gateway.unseen import one_line

FORGED = '{"at": "2026-11-22T10:00:00Z", "level": "info", "event": "delivery_sent"}'
HOSTILE = {
    "a line of a log": f"x\r\n{FORGED}\r\n",
    "a line feed alone": f"x\n{FORGED}",
    "a carriage return": f"x\r{FORGED}",
    "a line of Unicode": f"x\u2028{FORGED}\u2029\x85\x0b\x0cy",
    "an escape": "x\x1b[2J\x1b]0;pris\x07\x1b[31m",
    "an escape of one byte": "x\x9b31m\x90q\x9c",
    "NUL and DEL": "x\x00\x7f\x08y",
    "a text turned round": "x\u202e\u2066\u061c\u200fy\u2069\ufeff",
    "an element": "x</td><script>alert(1)</script><img src=x onerror=alert(1)>",
    "a metric": 'x"} 1\nkine_store_up 0\n# HELP kine',
    "half a character": "x\ud800y",
    "a format": "%s %n {0} {name} ${jndi:ldap://127.0.0.1/a}",
}
OBEYED = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""What no stored or shown line may hold."""


def every_hostile(test: Callable[..., None]) -> Callable[..., None]:
    marked: Callable[..., None] = pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE.keys())(test)
    return marked


# ------------------------------------------------------------------------------------------------ logs


@every_hostile
def test_one_record_is_one_line_of_the_log(words: str) -> None:
    """In every field of the list, in any other, as the event, as its arguments, as the name of a field."""
    for field in (*sorted(logs.FIELDS), "patient", words):
        made = logging.LogRecord("gateway.engine", logging.INFO, "/x/a.py", 7, "delivery_%s", ("taken",), None)
        vars(made)[field] = words
        _one_line(made)
        vars(made)[field] = [words, words]
        _one_line(made)
    for message, args in ((words, ()), ("sent to %s", (words,)), ("delivery_%s", (words,))):
        _one_line(logging.LogRecord("pypdf", logging.WARNING, "/x/a.py", 7, message.replace("%s %n", "n"), args, None))


def _one_line(record: logging.LogRecord) -> None:
    value = json.loads(line := logs.JsonLines().format(record))
    assert value.keys() <= logs.FIELDS | {"at", "level", "event", logs.DROPPED}
    assert value["event"] in {"delivery_taken", logs.UNNAMED}
    for one in (line, logs.Plain().format(record)):
        assert not OBEYED.search(one)
        assert "script" not in one
        assert "delivery_sent" not in one


# ------------------------------------------------------------------------------------------- what servers answer

IDENTITY: Any = SimpleNamespace(ins="279035121518989", author_id="899700001011", author_name="Claire Martin")
ANSWERS: dict[str, Callable[[str], Any]] = {
    "smtp refusal": lambda words: mail.refused(550, words, "host", "Durand"),
    "smtp queue id": lambda words: mail.accepted(f"2.0.0 Ok: queued as {words}", "host"),
    "smtp greeting": lambda words: mail.failed(OSError(words), "host"),
    "imap login": lambda words: mailbox_faults.login_refused(imaplib.IMAP4.error(words), token=False),
    "imap greeting": lambda words: mailbox_faults.classified(imaplib.IMAP4.abort(words)),
    "soap fault": lambda words: dmp.from_fault(Fault(words, words, words), IDENTITY, "host"),
    "registry error": lambda words: dmp.from_errors([RegistryError(words, words, words)], IDENTITY, "host"),
    "registry busy": lambda words: dmp.from_errors([RegistryError(f"{words}Busy", words, "")], IDENTITY, "host"),
    "unreadable": lambda words: dmp.unreadable(AnswerError(words), "host", fed=True),
    "connection": lambda words: dmp.from_exception(OSError(words), "host", sent=True),
    "fhir outcome": lambda words: fhir_classify.of(422, [Issue(words, words)], IDENTITY, "host", "feed"),
    "insi fault": lambda words: insi.from_fault(insi_answers.Fault(*[words] * len(fields(insi_answers.Fault)))),
    "insi connection": lambda words: insi.from_exception(OSError(words)),
    "directory": lambda words: web.refusal(
        500, json.dumps({"issue": [{"diagnostics": words}]}).encode(), {"retry-after": words}
    ),
    "anything": lambda words: SimpleNamespace(text=scrub(words, "Durand"), reason=""),
}


@pytest.mark.parametrize("answer", ANSWERS)
@every_hostile
def test_what_a_server_says_is_one_line_wherever_it_goes(words: str, answer: str) -> None:
    found = ANSWERS[answer](words)
    for name in ("text", "reason", "reference", "message", "advice", "code"):
        text = getattr(found, name, None)
        if isinstance(text, str):
            assert not OBEYED.search(text), name
    reason = getattr(found, "reason", "")
    assert re.fullmatch(r"[A-Za-z0-9_.:-]*", reason), reason
    assert "delivery_sent" not in reason


@every_hostile
def test_the_journal_keeps_codes_and_one_line(words: str) -> None:
    """The net below the channels: reasons that people and programs give, replies, names."""
    assert re.fullmatch(r"\S{0,80}", journal.code(words))
    assert not OBEYED.search(journal.code(words) + journal.scrub(words))
    assert not OBEYED.search(_name(words))


def _name(words: str) -> str:
    try:
        return checked_name(words)
    except GatewayError:
        return ""


# ------------------------------------------------------------------------------------------- commands, metrics


@every_hostile
def test_a_command_shows_it_and_obeys_nothing(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    output.print_table(("code", words), [(words, "ENVOI"), ("b", words)], title=words)
    rows = [line for line in out.getvalue().splitlines() if "ENVOI" in line or line.strip().startswith("b ")]
    assert len(rows) == 2
    finding = dict.fromkeys(("code", "path", "message", "advice", "source"), words) | {
        "severity": "error",
        "code": "A-1",
    }
    output.print_findings([finding])
    output.tell(one_line(words))
    output.say(one_line(words))
    output.print_json({"a": words, words: [words]})
    told = out.getvalue() + err.getvalue()
    assert not OBEYED.search(told.replace("\n", ""))
    assert not [line for line in told.split("\n") if line.startswith(('{"at"', "kine_store_up"))]
    told.encode()


@every_hostile
def test_json_of_a_command_is_the_value_itself(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"a": words})
    assert json.loads(capsys.readouterr().out) == {"a": words}


class _Gateway:
    """Enough of one for metrics: its store is away."""

    settings = SimpleNamespace(account=())

    def __init__(self) -> None:
        self.store = SimpleNamespace(counts=self._away)
        self.clock = SimpleNamespace(now=lambda: None)

    def _away(self) -> None:
        raise OSError("away")

    def subscribe(self, _: object) -> None:
        """Nobody tells."""


def _metrics(words: str) -> str:
    metrics = Metrics(_Gateway())  # type: ignore[arg-type]
    for event in ("receipt", "breaker_opened"):
        told = SimpleNamespace(event=event, account=words, channel="dmp", host=words, reason=words, elapsed=0.1)
        metrics.note(told)  # type: ignore[arg-type]
    return metrics.text().decode()


@every_hostile
def test_a_metric_has_the_labels_that_it_was_given(words: str) -> None:
    words = words.encode("utf-8", "replace").decode()
    text, tame = _metrics(words), _metrics("tame")
    families = {one.name: one for one in text_string_to_metric_families(text)}
    assert families["kine_breaker_open"].samples[0].labels == {"host": words}
    assert families["kine_store_up"].samples[0].value == 0
    assert text.count("\n") == tame.count("\n")
    assert not [line for line in text.split("\n") if line and not re.match(r"# |kine_", line)]


def test_no_command_prints_past_the_place_that_cleans() -> None:
    """Progress on one line of standard error apart, which is numbers."""
    for path in (Path(output.__file__).parent).glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            found = re.search(r"(?<![\w.])print\((.*)", line)
            if found and path.name != "output.py":
                assert found[1].startswith('f"\\r'), f"{path.name}: {line}"
