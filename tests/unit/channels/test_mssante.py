from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.channels.mssante import MssanteChannel
from gateway.channels.mssante.session import xtext
from gateway.channels.outcome import Outcome, Verdict
from gateway.errors import LeaseLostError
from gateway.package.types import DmpContext, MailContext, Package, Part
from gateway.rules.trust_space import TrustList
from gateway.settings import SmtpSettings, TlsSettings
from tests.unit.channels.scripted import DROP, SILENT, Certificates, Operator, certificates, operator

TRUST = TrustList(frozenset({"medecin.example", "patient.mssante.fr"}), date(2026, 11, 1), "test")
MESSAGE = b"Subject: XDM/1.0/DDM+CR\r\n\r\nBonjour\r\n.point\r\n"
DOCTOR = "helene.modele@medecin.example"
CONTEXT = MailContext("kine@kine.example", DOCTOR, "<1@kine.example>", "envid+1")
PACKAGE = Package((Part("message", "message/rfc822", MESSAGE),), CONTEXT)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls"))


def settings(port: int, files: Certificates, **changes: Any) -> SmtpSettings:
    values = {
        "host": "localhost",
        "port": port,
        "timeout": 2,
        "answer_timeout": 2,
        "tls": TlsSettings(ca_file=files.ca, cert_file=files.cert, key_file=files.key),
    }
    return SmtpSettings.model_validate({**values, **changes})


class Commit:
    """A `before_commit` that counts, and looks at what the operator had heard by then."""

    def __init__(self, server: Operator | None = None) -> None:
        self.calls = 0
        self.heard: list[str] = []
        self._server = server

    async def __call__(self) -> None:
        self.calls += 1
        if self._server is not None:
            self.heard = list(self._server.commands)


async def send(
    files: Certificates, script: dict[str, str] | None = None, package: Package = PACKAGE, **changes: Any
) -> tuple[Outcome, Operator, Commit]:
    async with operator(files, script) as server:
        commit = Commit(server)
        channel = MssanteChannel(settings(server.port, files, **changes), TRUST, pause=0.01)
        try:
            outcome = await channel.send(package, commit)
        finally:
            await channel.aclose()
    return outcome, server, commit


async def test_delivers_with_dsn_and_commits_between_rcpt_and_data(files: Certificates) -> None:
    outcome, server, commit = await send(files)
    assert outcome == Outcome(
        Verdict.ACCEPTED, "MSS-250", "250 2.0.0 Ok: queued as 4XyZ", reference="4XyZ", host="localhost"
    )
    assert server.commands == [
        "EHLO [127.0.0.1]",
        f"MAIL FROM:<kine@kine.example> SIZE={len(MESSAGE)} RET=HDRS ENVID=envid+2B1",
        f"RCPT TO:<{DOCTOR}> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{DOCTOR}",
        "DATA",
        "QUIT",
    ]
    assert commit.heard == server.commands[:3]
    assert server.messages == [MESSAGE.replace(b"\r\n.p", b"\r\n..p") + b".\r\n"]


async def test_no_dsn_no_parameters(files: Certificates) -> None:
    _, server, _ = await send(files, {"ehlo": "250-x\n250 8BITMIME"})
    assert server.commands[1:3] == ["MAIL FROM:<kine@kine.example>", "RCPT TO:<helene.modele@medecin.example>"]


# Every row of spec mssante §7 and §8: step, what happens there, verdict, reason, whether DATA was committed.
ROWS = [
    ("greeting", "421 4.7.1 No client certificate presented", Verdict.CONFIGURATION, "MSS-421-4.7.1", 0),
    ("greeting", "421 4.7.1 Client certificate not trusted", Verdict.CONFIGURATION, "MSS-421-4.7.1", 0),
    ("greeting", "421 4.3.2 too busy", Verdict.TRANSIENT, "MSS-421-4.3.2", 0),
    ("greeting", "421 too busy", Verdict.TRANSIENT, "MSS-421", 0),
    # Before MAIL a refusal says nothing about this message: the channel stops, no message is given up.
    ("greeting", "554 5.7.1 go away", Verdict.CONFIGURATION, "MSS-554-5.7.1", 0),
    ("ehlo", "550 5.7.1 not you", Verdict.CONFIGURATION, "MSS-550-5.7.1", 0),
    ("greeting", DROP, Verdict.TRANSIENT, "MSS-CONNECT", 0),
    ("greeting", SILENT, Verdict.TRANSIENT, "MSS-TIMEOUT", 0),
    ("greeting", "hello", Verdict.TRANSIENT, "MSS-PROTOCOL", 0),
    ("ehlo", "530 5.7.0 Authentication required", Verdict.CONFIGURATION, "MSS-530-5.7.0", 0),
    ("mail", "530 5.7.0 Authentication required", Verdict.CONFIGURATION, "MSS-530-5.7.0", 0),
    ("mail", "535 5.7.8 bad credentials", Verdict.CONFIGURATION, "MSS-535-5.7.8", 0),
    ("mail", "538 5.7.11 encryption", Verdict.CONFIGURATION, "MSS-538-5.7.11", 0),
    ("mail", "454 4.7.0 TLS not available", Verdict.CONFIGURATION, "MSS-454-4.7.0", 0),
    ("mail", "454 try later", Verdict.TRANSIENT, "MSS-454", 0),
    ("mail", "432 4.7.12 password transition", Verdict.CONFIGURATION, "MSS-432-4.7.12", 0),
    ("mail", "552 5.3.4 Message size exceeds fixed limit", Verdict.PERMANENT, "MSS-552-5.3.4", 0),
    ("mail", "550 5.7.1 sender not allowed", Verdict.PERMANENT, "MSS-550-5.7.1", 0),
    ("mail", DROP, Verdict.TRANSIENT, "MSS-LOST", 0),
    ("mail", SILENT, Verdict.TRANSIENT, "MSS-TIMEOUT", 0),
    ("rcpt", "550 5.1.1 User unknown", Verdict.PERMANENT, "MSS-550-5.1.1", 0),
    ("rcpt", "553 5.1.3 bad address", Verdict.PERMANENT, "MSS-553-5.1.3", 0),
    ("rcpt", "550 5.1.2 domain not served", Verdict.PERMANENT, "MSS-550-5.1.2", 0),
    ("rcpt", "554 5.7.1 relay denied", Verdict.PERMANENT, "MSS-554-5.7.1", 0),
    ("rcpt", "450 4.7.1 Greylisted, come back", Verdict.TRANSIENT, "MSS-450-4.7.1", 0),
    ("rcpt", "451 4.3.0 local error", Verdict.TRANSIENT, "MSS-451-4.3.0", 0),
    ("rcpt", "452 4.2.2 mailbox full", Verdict.TRANSIENT, "MSS-452-4.2.2", 0),
    ("rcpt", DROP, Verdict.TRANSIENT, "MSS-LOST", 0),
    ("data", "451 4.3.0 not now", Verdict.TRANSIENT, "MSS-451-4.3.0", 1),
    ("data", "554 5.5.1 no valid recipients", Verdict.PERMANENT, "MSS-554-5.5.1", 1),
    ("data", DROP, Verdict.TRANSIENT, "MSS-LOST", 1),
    ("data", SILENT, Verdict.TRANSIENT, "MSS-TIMEOUT", 1),
    ("content", "451 4.3.0 queue failure", Verdict.TRANSIENT, "MSS-451-4.3.0", 1),
    ("content", "421 4.3.2 shutting down", Verdict.TRANSIENT, "MSS-421-4.3.2", 1),
    ("content", "552 5.3.4 too big", Verdict.PERMANENT, "MSS-552-5.3.4", 1),
    ("content", "554 5.6.0 content refused", Verdict.PERMANENT, "MSS-554-5.6.0", 1),
    ("content", DROP, Verdict.IN_DOUBT, "MSS-DOUBT-LOST", 1),
    ("content", SILENT, Verdict.IN_DOUBT, "MSS-DOUBT-TIMEOUT", 1),
    ("content", "gibberish", Verdict.IN_DOUBT, "MSS-DOUBT-LOST", 1),
    ("content", "354 go on?", Verdict.IN_DOUBT, "MSS-DOUBT-LOST", 1),
]


@pytest.mark.parametrize(("step", "answer", "verdict", "reason", "commits"), ROWS)
async def test_table(files: Certificates, step: str, answer: str, verdict: Verdict, reason: str, commits: int) -> None:
    timeout = 0.3 if answer == SILENT else 2
    outcome, _, commit = await send(files, {step: answer}, timeout=timeout, answer_timeout=timeout)
    assert (outcome.verdict, outcome.reason, commit.calls) == (verdict, reason, commits)
    assert outcome.host == "localhost"


async def test_reply_keeps_code_and_loses_addresses(files: Certificates) -> None:
    script = {"rcpt": "550 5.1.1 <201032227890155@patient.mssante.fr>: unknown, 201032227890155 né le 14/03/2001"}
    box = replace(CONTEXT, envelope_to="201032227890155@patient.mssante.fr")
    outcome, _, _ = await send(files, script, Package(PACKAGE.parts, box))
    assert outcome.text.startswith("550 5.1.1")
    assert "2010322" not in outcome.text
    assert "14/03" not in outcome.text
    assert "@" not in outcome.text


async def test_size_announced_by_the_server(files: Certificates) -> None:
    outcome, server, commit = await send(files, {"ehlo": "250-x\n250 SIZE 10"})
    assert (outcome.verdict, outcome.reason, commit.calls) == (Verdict.PERMANENT, "MSS-SIZE-SERVER", 0)
    assert not any(command.startswith("MAIL") for command in server.commands)
    outcome, _, _ = await send(files, {"ehlo": "250-x\n250 SIZE 0"})
    assert outcome.verdict is Verdict.ACCEPTED


async def test_size_and_trust_space_refused_before_connecting(files: Certificates) -> None:
    outcome, server, _ = await send(files, max_bytes=10)
    assert (outcome.verdict, outcome.reason, server.connections) == (Verdict.PERMANENT, "MSS-SIZE", 0)
    patient = replace(CONTEXT, envelope_to="201032227890155@patient.mssante.fr")
    heavy = Package((Part("message", "message/rfc822", b"x" * 25_000_001),), patient)
    outcome, server, _ = await send(files, None, heavy, max_bytes=50_000_000)
    assert (outcome.verdict, outcome.reason, server.connections) == (Verdict.PERMANENT, "MSS-SIZE-PATIENT", 0)
    outside = Package(PACKAGE.parts, replace(CONTEXT, envelope_to="x@gmail.com"))
    outcome, server, _ = await send(files, None, outside)
    assert (outcome.verdict, outcome.reason, server.connections) == (Verdict.PERMANENT, "MSS-TRUST-SPACE", 0)


async def test_unknown_authority_and_wrong_name(files: Certificates, tmp_path: Path) -> None:
    stranger = certificates(tmp_path)
    tls = TlsSettings(ca_file=stranger.ca, cert_file=files.cert, key_file=files.key)
    outcome, server, _ = await send(files, tls=tls)
    assert (outcome.verdict, outcome.reason) == (Verdict.CONFIGURATION, "MSS-TLS-VERIFY")
    assert server.commands == []
    other_name = certificates(tmp_path, "autre.example")
    outcome, server, _ = await send(other_name)
    assert (outcome.verdict, outcome.reason) == (Verdict.CONFIGURATION, "MSS-TLS-VERIFY")
    assert server.commands == []


async def test_missing_files_are_a_configuration_fault(files: Certificates, tmp_path: Path) -> None:
    for changes in ({"ca_file": tmp_path / "no.pem"}, {"cert_file": tmp_path / "no.pem"}):
        tls = TlsSettings.model_validate(
            {"ca_file": files.ca, "cert_file": files.cert, "key_file": files.key, **changes}
        )
        outcome, server, _ = await send(files, tls=tls)
        assert (outcome.verdict, outcome.reason, server.connections) == (
            Verdict.CONFIGURATION,
            "MSS-TLS-FILES",
            0,
        )


async def test_never_in_clear(files: Certificates) -> None:
    """A server that does not offer STARTTLS hears EHLO and nothing else."""
    heard: list[bytes] = []

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        heard.append(await reader.readline())
        writer.write(b"250-x\r\n250 SIZE 0\r\n")
        heard.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        channel = MssanteChannel(settings(port, files, security="starttls"), TRUST, pause=0.01)
        outcome = await channel.send(PACKAGE, Commit())
        await channel.aclose()
        await asyncio.sleep(0.05)
    assert (outcome.verdict, outcome.reason) == (Verdict.CONFIGURATION, "MSS-NO-STARTTLS")
    assert heard == [b"EHLO [127.0.0.1]\r\n", b""]


async def test_implicit_tls_to_a_clear_port(files: Certificates) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x ESMTP\r\n")
        await reader.read(10)
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        channel = MssanteChannel(settings(port, files), TRUST, pause=0.01)
        outcome = await channel.send(PACKAGE, Commit())
        await channel.aclose()
    assert (outcome.verdict, outcome.reason) == (Verdict.CONFIGURATION, "MSS-TLS")


async def test_refused_connection(files: Certificates) -> None:
    channel = MssanteChannel(settings(1, files), TRUST, pause=0.01)
    outcome = await channel.send(PACKAGE, Commit())
    assert (outcome.verdict, outcome.reason) == (Verdict.TRANSIENT, "MSS-CONNECT")
    channel = MssanteChannel(settings(25, files, host="nulle-part.invalid"), TRUST, attempts=1)
    assert (await channel.send(PACKAGE, Commit())).verdict is Verdict.TRANSIENT


# ------------------------------------------------------------------------------------- leases, reuse, loops


async def test_lost_lease_sends_no_data_and_the_connection_still_serves(files: Certificates) -> None:
    async def lost() -> None:
        raise LeaseLostError("ENG-001", "bail perdu")

    async with operator(files) as server:
        channel = MssanteChannel(settings(server.port, files), TRUST)
        with pytest.raises(LeaseLostError):
            await channel.send(PACKAGE, lost)
        assert "DATA" not in server.commands
        assert (await channel.send(PACKAGE, Commit())).verdict is Verdict.ACCEPTED
        await channel.aclose()
    assert len(server.messages) == 1


async def test_a_failing_store_is_not_taken_for_a_network_fault(files: Certificates) -> None:
    async def full() -> None:
        raise OSError("disk full")

    async with operator(files) as server:
        channel = MssanteChannel(settings(server.port, files), TRUST)
        with pytest.raises(OSError, match="disk full"):
            await channel.send(PACKAGE, full)
        await channel.aclose()
    assert "DATA" not in server.commands


async def test_one_connection_for_many_messages_even_in_parallel(files: Certificates) -> None:
    async with operator(files) as server:
        channel = MssanteChannel(settings(server.port, files), TRUST)
        outcomes = await asyncio.gather(*(channel.send(PACKAGE, Commit()) for _ in range(5)))
        await channel.aclose()
    assert [o.verdict for o in outcomes] == [Verdict.ACCEPTED] * 5
    assert (server.connections, len(server.messages)) == (1, 5)


async def test_refused_recipient_does_not_spoil_the_next_message(files: Certificates) -> None:
    async with operator(files, {"rcpt": "550 5.1.1 unknown"}) as server:
        channel = MssanteChannel(settings(server.port, files), TRUST)
        assert (await channel.send(PACKAGE, Commit())).verdict is Verdict.PERMANENT
        server.script.clear()
        assert (await channel.send(PACKAGE, Commit())).verdict is Verdict.ACCEPTED
        await channel.aclose()
    assert server.connections == 1
    assert "RSET" in server.commands


@pytest.mark.parametrize("how", ["abort", "421"])
async def test_idle_connection_closed_by_the_operator_is_replaced_at_once(files: Certificates, how: str) -> None:
    async with operator(files) as server:
        channel = MssanteChannel(settings(server.port, files), TRUST)
        assert (await channel.send(PACKAGE, Commit())).verdict is Verdict.ACCEPTED
        if how == "abort":
            server.close_connections()
        else:
            server.script["mail"] = "421 4.4.2 timeout exceeded"
            asyncio.get_running_loop().call_later(0.01, server.script.clear)
        commit = Commit()
        outcome = await channel.send(PACKAGE, commit) if how == "abort" else await _eventually(channel, commit)
        await channel.aclose()
    assert outcome.verdict is Verdict.ACCEPTED
    assert commit.calls == 1


async def _eventually(channel: MssanteChannel, commit: Commit) -> Outcome:
    outcome = await channel.send(PACKAGE, commit)
    while outcome.reason == "MSS-421-4.4.2":
        await asyncio.sleep(0.02)
        outcome = await channel.send(PACKAGE, commit)
    return outcome


async def test_unused_connection_is_closed(files: Certificates) -> None:
    async with operator(files) as server:
        channel = MssanteChannel(settings(server.port, files), TRUST, idle_timeout=0.05)
        await channel.send(PACKAGE, Commit())
        await asyncio.sleep(0.2)
        await channel.send(PACKAGE, Commit())
        await channel.aclose()
    assert server.connections == 2


def test_a_channel_survives_its_event_loop(files: Certificates) -> None:
    """The synchronous facade runs one loop per call."""
    found: list[Outcome] = []
    kept: list[MssanteChannel] = []

    async def once() -> None:
        async with operator(files) as server:
            if not kept:
                kept.append(MssanteChannel(settings(server.port, files), TRUST))
            channel = kept[0]
            channel._smtp = settings(server.port, files)
            found.append(await channel.send(PACKAGE, Commit()))
            if len(found) == 2:
                await channel.aclose()

    for _ in range(2):
        asyncio.run(once())
    assert [o.verdict for o in found] == [Verdict.ACCEPTED] * 2


async def test_cancelled_while_the_answer_is_awaited(files: Certificates) -> None:
    async with operator(files, {"content": SILENT}) as server:
        channel = MssanteChannel(settings(server.port, files), TRUST)
        task = asyncio.ensure_future(channel.send(PACKAGE, Commit()))
        await server.received.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert channel._session is None or not channel._session.is_open
        await channel.aclose()


async def test_slow_upload_is_no_timeout(files: Certificates) -> None:
    """The limit runs on stalls: an upload longer than the timeout goes through while bytes move."""
    data = MESSAGE + (b"x" * 76 + b"\r\n") * 200_000
    async with operator(files) as server:
        server.pause = 0.008
        channel = MssanteChannel(settings(server.port, files, timeout=1, answer_timeout=60), TRUST)
        start = asyncio.get_running_loop().time()
        outcome = await channel.send(Package((Part("message", "message/rfc822", data),), CONTEXT), Commit())
        took = asyncio.get_running_loop().time() - start
        await channel.aclose()
    assert outcome.verdict is Verdict.ACCEPTED
    assert took > 1
    assert len(server.messages[0]) == len(data) + len(b"..\r\n")


async def test_server_that_stops_reading_has_taken_nothing(files: Certificates) -> None:
    data = MESSAGE + (b"x" * 76 + b"\r\n") * 400_000
    async with operator(files) as server:
        server.pause = 60
        channel = MssanteChannel(settings(server.port, files, timeout=0.4, max_bytes=10**9), TRUST)
        server.script["ehlo"] = "250-x\n250 SIZE 0"
        outcome = await channel.send(Package((Part("message", "message/rfc822", data),), CONTEXT), Commit())
        await channel.aclose()
    assert (outcome.verdict, outcome.reason) == (Verdict.TRANSIENT, "MSS-STALLED")


# ---------------------------------------------------------------------------------------------------- others


async def test_resolve_has_no_evidence(files: Certificates) -> None:
    channel = MssanteChannel(settings(1, files), TRUST)
    outcome = await channel.resolve(PACKAGE)
    assert (outcome.verdict, outcome.reason) == (Verdict.IN_DOUBT, "MSS-NO-EVIDENCE")


async def test_a_dmp_package_is_a_programming_error(files: Certificates) -> None:
    context = DmpContext(*["x"] * 14)  # type: ignore[arg-type]
    call: Callable[[], Awaitable[Outcome]] = lambda: MssanteChannel(settings(1, files), TRUST).resolve(  # noqa: E731
        Package((), context)
    )
    with pytest.raises(TypeError):
        await call()


def test_xtext() -> None:
    assert xtext("a+b=c d@é") == "a+2Bb+3Dc+20d@+C3+A9"
