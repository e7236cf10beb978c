"""XOAUTH2: the token goes out under TLS only, once each time it is asked for; each refusal is of the right class."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.channels import tokens
from gateway.channels.mssante import MssanteChannel
from gateway.channels.mssante.xoauth2 import Login
from gateway.channels.outcome import Outcome, Verdict
from gateway.channels.tokens import SessionNeeded, TokenUnavailableError
from gateway.channels.trace import Trace, Tracer
from gateway.errors import ConfigError
from tests.unit.channels.scripted import Certificates, Operator, certificates, operator
from tests.unit.channels.test_mssante import PACKAGE, TRUST, Commit, settings

USER = "kine@kine.example"
OFFER = "250-operateur.example\n250-SIZE 26214400\n250-AUTH PLAIN XOAUTH2\n250 8BITMIME"
LONG = "eyJ" + "a" * 3000


def challenge(status: Any) -> str:
    return "334 " + base64.b64encode(json.dumps({"status": status, "schemes": "bearer"}).encode()).decode()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls"))


class Source:
    """Gives these tokens in turn, the last one for ever; an exception is raised."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, account: str) -> str:
        self.asked.append(account)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Box(Operator):
    """An operator that answers AUTH: `auth` is a list of whole dialogues, one for each time it is tried."""

    dialogues: list[list[str]]
    credentials: list[bytes]

    def _reply(self, verb: str) -> str:
        if verb == "EHLO":
            return self.answer("ehlo", OFFER)
        if verb in {"MAIL", "RCPT", "DATA", "RSET"}:
            return super()._reply(verb)
        if verb == "AUTH":
            self.turn = iter(self.dialogues.pop(0) if len(self.dialogues) > 1 else self.dialogues[0])
        return next(self.turn)


@asynccontextmanager
async def box(files: Certificates, *dialogues: list[str], **script: str) -> AsyncIterator[Box]:
    async with operator(files, script) as plain:
        plain.__class__ = Box
        assert isinstance(plain, Box)
        plain.dialogues = list(dialogues)
        yield plain


def channel(files: Certificates, server: Operator, source: Source | None, kept: list[Trace] | None = None) -> Any:
    login = None
    if source is not None:
        login = Login(USER, lambda: tokens.afetch(source, "cabinet", 2.0))
    tracer = Tracer((kept if kept is not None else []).append)
    return MssanteChannel(settings(server.port, files, auth="xoauth2"), TRUST, pause=0.01, login=login, tracer=tracer)


async def send(
    files: Certificates, source: Source | None, dialogues: Iterable[list[str]], **script: str
) -> tuple[Outcome, Box, list[Trace]]:
    kept: list[Trace] = []
    async with box(files, *dialogues, **script) as server:
        way = channel(files, server, source, kept)
        try:
            outcome = await way.send(PACKAGE, Commit())
        finally:
            await way.aclose()
    return outcome, server, kept


async def test_the_token_opens_the_box(files: Certificates) -> None:
    outcome, server, kept = await send(files, Source("secret-token"), [["235 2.7.0 ok"]])
    assert outcome.verdict is Verdict.ACCEPTED
    encoded = next(line for line in server.commands if line.startswith("AUTH")).split(" ")[2]
    assert base64.b64decode(encoded) == f"user={USER}\x01auth=Bearer secret-token\x01\x01".encode()
    assert [step.request for step in kept[0].steps] == ["CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "CONTENT"]
    assert "secret" not in repr(kept) + repr(outcome)
    assert encoded not in repr(kept)


async def test_a_long_token_waits_for_its_turn(files: Certificates) -> None:
    """RFC 4954 §4: an initial response that would make the line too long is sent on its own."""
    outcome, server, kept = await send(files, Source(LONG), [["334 ", "235 2.7.0 ok"]])
    assert outcome.verdict is Verdict.ACCEPTED
    assert "AUTH XOAUTH2" in server.commands
    assert all(len(line) <= 510 for line in server.commands if line.split(" ")[0] in {"AUTH", "MAIL", "RCPT"})
    assert [step.request for step in kept[0].steps][2:4] == ["AUTH", "AUTH-RESPONSE"]


# What the server says (each dialogue is one try), verdict, reason, how often a token was asked for.
REFUSALS = [
    ([[challenge("401"), "535 5.7.8 no"], ["235 ok"]], Verdict.ACCEPTED, "MSS-250", 2),
    ([[challenge("invalid_token"), "535 5.7.8 no"]], Verdict.SESSION, "MSS-SESSION-REFUSED", 2),
    ([[challenge(401), "535 5.7.8 no"]], Verdict.SESSION, "MSS-SESSION-REFUSED", 2),
    ([["535 5.7.8 no"]], Verdict.SESSION, "MSS-SESSION-REFUSED", 2),
    ([["334 not base64!", "535 5.7.8 no"]], Verdict.SESSION, "MSS-SESSION-REFUSED", 2),
    ([["334 " + base64.b64encode(b"[" * 5000).decode(), "535 5.7.8 no"]], Verdict.SESSION, "MSS-SESSION-REFUSED", 2),
    ([[challenge("insufficient_scope"), "535 5.7.8 no"]], Verdict.CONFIGURATION, "MSS-AUTH", 1),
    ([[challenge("400"), "535 5.7.8 no"]], Verdict.CONFIGURATION, "MSS-AUTH", 1),
    ([["534 5.7.9 too weak"]], Verdict.CONFIGURATION, "MSS-AUTH", 1),
    ([["504 5.5.4 unrecognised"]], Verdict.CONFIGURATION, "MSS-AUTH", 1),
    ([["432 4.7.12 transition"]], Verdict.CONFIGURATION, "MSS-AUTH", 1),
    ([["454 4.7.0 Temporary authentication failure"]], Verdict.TRANSIENT, "MSS-AUTH-LATER", 1),
    ([["421 4.3.2 shutting down"]], Verdict.TRANSIENT, "MSS-421-4.3.2", 1),
    ([["334 x", "334 x"]], Verdict.TRANSIENT, "MSS-AUTH-LATER", 1),
]


@pytest.mark.parametrize(("dialogues", "verdict", "reason", "asked"), REFUSALS)
async def test_refusals(
    files: Certificates, dialogues: list[list[str]], verdict: Verdict, reason: str, asked: int
) -> None:
    source = Source("first-token", "second-token")
    outcome, server, kept = await send(files, source, dialogues)
    assert (outcome.verdict, outcome.reason, len(source.asked)) == (verdict, reason, asked)
    assert "-token" not in outcome.text
    assert "-token" not in repr(kept)
    assert bool(server.messages) is (verdict is Verdict.ACCEPTED)


@pytest.mark.parametrize(
    ("fault", "verdict", "reason"),
    [
        (SessionNeeded(), Verdict.SESSION, "MSS-SESSION"),
        (TokenUnavailableError("x"), Verdict.TRANSIENT, "MSS-TOKEN"),
        (ConnectionError("the provider is down: Bearer secret"), Verdict.TRANSIENT, "MSS-TOKEN"),
        (ConfigError("TOK-004", "x"), Verdict.CONFIGURATION, "MSS-TOKEN-SOURCE"),
    ],
)
async def test_no_token(files: Certificates, fault: Exception, verdict: Verdict, reason: str) -> None:
    outcome, server, _ = await send(files, Source(fault), [["235 ok"]])
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert "secret" not in outcome.text
    assert not any(line.startswith(("AUTH", "MAIL")) for line in server.commands)


@pytest.mark.parametrize("text", ["", "two words", "line\r\nMAIL FROM:<x@y>", "a\x01b", "x" * 20_000, "é"])
async def test_what_is_no_token_goes_nowhere(files: Certificates, text: str) -> None:
    outcome, server, _ = await send(files, Source(text), [["235 ok"]])
    assert (outcome.verdict, outcome.reason) == (Verdict.TRANSIENT, "MSS-TOKEN")
    assert not any(line.startswith(("AUTH", "MAIL")) for line in server.commands)


async def test_nobody_to_ask_and_not_offered(files: Certificates) -> None:
    outcome, server, _ = await send(files, None, [["235 ok"]])
    assert (outcome.verdict, outcome.reason, server.connections) == (Verdict.CONFIGURATION, "MSS-TOKEN-SOURCE", 0)
    outcome, _, _ = await send(files, Source("t"), [["235 ok"]], ehlo="250-x\n250 AUTH PLAIN")
    assert (outcome.verdict, outcome.reason) == (Verdict.CONFIGURATION, "MSS-NO-XOAUTH2")


async def test_one_token_for_each_connection_and_none_kept(files: Certificates) -> None:
    source = Source("t")
    async with box(files, ["235 ok"]) as server:
        way = channel(files, server, source)
        for _ in range(3):
            assert (await way.send(PACKAGE, Commit())).verdict is Verdict.ACCEPTED
        assert (server.connections, len(source.asked)) == (1, 1)
        server.close_connections()
        assert (await way.send(PACKAGE, Commit())).verdict is Verdict.ACCEPTED
        assert (server.connections, len(source.asked)) == (2, 2)
        await way.aclose()


@pytest.mark.parametrize("refusal", ["530 5.7.0 Authentication required", "535 5.7.8 expired", "421 4.7.0 expired"])
async def test_a_session_that_ran_out_on_an_open_connection(files: Certificates, refusal: str) -> None:
    """The token lives minutes, the connection may live longer: a fresh one, at once, and no pause of the channel."""
    source = Source("t")
    async with box(files, ["235 ok"]) as server:
        way = channel(files, server, source)
        assert (await way.send(PACKAGE, Commit())).verdict is Verdict.ACCEPTED
        server.script["mail"] = refusal

        def mended(account: str) -> str:
            server.script.clear()
            return source(account)

        way._login = Login(USER, lambda: tokens.afetch(mended, "cabinet", 2.0))
        assert (await way.send(PACKAGE, Commit())).verdict is Verdict.ACCEPTED
        await way.aclose()
    assert server.connections == 2


async def test_probe_logs_in_and_sends_nothing(files: Certificates) -> None:
    async with box(files, ["235 ok"]) as server:
        outcome = await channel(files, server, Source("t")).probe()
        assert (outcome.verdict, outcome.reason) == (Verdict.ACCEPTED, "MSS-READY")
        assert [line.split(" ")[0] for line in server.commands] == ["EHLO", "AUTH", "QUIT"]
    async with box(files, [challenge("401"), "535 no"]) as server:
        assert (await channel(files, server, Source("t")).probe()).reason == "MSS-SESSION-REFUSED"


# ------------------------------------------------------------------------------------------- token_command


def script(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "token.py"
    path.write_text(text, encoding="utf-8")
    return (sys.executable, str(path))


def test_command_prints_a_token(tmp_path: Path) -> None:
    text = f"import os; print('tok.' + os.environ['{tokens.ACCOUNT_VARIABLE}'])"
    assert tokens.run_command(script(tmp_path, text), "cabinet", 10) == "tok.cabinet"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("import sys; sys.exit(75)", SessionNeeded),
        ("pass", SessionNeeded),
        ("import sys; print('t'); sys.exit(1)", TokenUnavailableError),
        ("import time; time.sleep(60)", TokenUnavailableError),
    ],
)
def test_command_says_no(tmp_path: Path, text: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        tokens.run_command(script(tmp_path, text), "cabinet", 1.5)


def test_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        tokens.run_command((str(tmp_path / "nothing"),), "cabinet", 1)
    assert refused.value.code == "TOK-004"


def test_no_shell_between(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    with pytest.raises(ConfigError):
        tokens.run_command((f"true; touch {marker}",), "cabinet", 1)
    assert not marker.exists()
