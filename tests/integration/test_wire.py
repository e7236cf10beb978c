"""Every fault of the wire, through store and worker: right class, nothing lost, nothing in clear, nothing twice."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.channels.mssante import MssanteChannel
from gateway.channels.outcome import Verdict
from gateway.channels.trace import Trace, Tracer
from gateway.clock import SeededRandomness
from gateway.engine.worker import Worker
from gateway.package.types import MailContext, context_to_json
from gateway.rules.trust_space import TrustList
from gateway.settings import SmtpSettings, TlsSettings
from gateway.store.outbox import Outbox
from tests.integration.wire import Action, Authority, Drop, Flood, Operator, Slow, running
from tests.unit.store import kit

DOCTOR, SENDER = "helene.modele@medecin.example", "kine@kine.example"
NAME = "MARTINEZ-LEFEVRE"
BODY = f"Subject: XDM/1.0/DDM+CR {NAME}\r\n\r\n".encode() + b"Bonjour, voici le bilan.\r\n" * 4000
SECRETS = (DOCTOR.encode(), SENDER.encode(), NAME.encode(), b"Bonjour", b"MAIL", b"RCPT", b"DATA")
TRUST = TrustList(frozenset({"medecin.example"}), date(2026, 11, 1), "test")
C, T, P, D = Verdict.CONFIGURATION, Verdict.TRANSIENT, Verdict.PERMANENT, Verdict.IN_DOUBT


@dataclass(frozen=True)
class Case:
    """A fault, the verdict and the reason that it must get."""

    name: str
    verdict: Verdict
    reason: str
    script: dict[str, Action]
    security: str = "tls"
    certificate: str = "good"


def at(step: str, action: Action, verdict: Verdict, reason: str, security: str = "tls") -> Case:
    return Case(f"{security} {step} {str(action)[:50]}", verdict, reason, {step: action}, security)


SLOW, STEPS = Slow(1.2), ("banner", "tls-ehlo", "mail", "rcpt", "data")
GARBAGE, ENDLESS = b"\x16\xff\x00 garbage \xfe\r\n", Flood(b"250-encore\r\n")
CASES = [
    # A slow server: each step, and the answer to the whole message.
    *(at(step, SLOW, T, "MSS-TIMEOUT") for step in STEPS),
    at("dot", SLOW, D, "MSS-DOUBT-TIMEOUT"),
    # A lost connection, at each step. After the end of the message nobody knows; before it, nothing was taken.
    at("connect", Drop(), T, "MSS-CONNECT"),
    at("banner", Drop(), T, "MSS-CONNECT"),
    *(at(step, Drop(), T, "MSS-LOST") for step in ("tls-ehlo", "mail", "rcpt", "data")),
    at("inside", Drop(), T, "MSS-CUT"),
    at("dot", Drop(stored=False), D, "MSS-DOUBT-LOST"),
    at("dot", Drop(stored=True), D, "MSS-DOUBT-LOST"),
    at("ehlo", Drop(), T, "MSS-LOST", "starttls"),
    at("starttls", Drop(), T, "MSS-LOST", "starttls"),
    # What is no SMTP.
    *(at(step, GARBAGE, T, "MSS-PROTOCOL") for step in STEPS),
    at("dot", GARBAGE, D, "MSS-DOUBT-LOST"),
    at("dot", "999 nothing", D, "MSS-DOUBT-LOST"),
    at("inside", "250 2.0.0 Ok: queued as LIE", T, "MSS-CUT"),
    at("inside", "552 5.3.4 too big", P, "MSS-552-5.3.4"),
    # A huge reply: one line without end, and lines without end.
    *(at(step, Flood(b"2" * 65536), T, "MSS-PROTOCOL") for step in ("banner", "tls-ehlo", "rcpt")),
    *(at(step, ENDLESS, T, "MSS-PROTOCOL") for step in ("tls-ehlo", "rcpt")),
    at("dot", ENDLESS, D, "MSS-DOUBT-LOST"),
    # 421 at any time.
    *(at(step, "421 4.3.2 shutting down", T, "MSS-421-4.3.2") for step in (*STEPS, "dot")),
    at("banner", "421 4.7.1 No client certificate presented", C, "MSS-421-4.7.1"),
    # Full mailbox, greylisting.
    *(at(step, "452 4.2.2 mailbox full", T, "MSS-452-4.2.2") for step in ("rcpt", "dot")),
    *(at(step, "552 5.2.2 mailbox full", T, "MSS-552-5.2.2") for step in ("rcpt", "dot")),
    at("rcpt", "450 4.7.1 greylisted", T, "MSS-450-4.7.1"),
    at("rcpt", "451 4.7.1 greylisted, see you in 300 s", T, "MSS-451-4.7.1"),
    # Certificates and versions.
    *(
        Case(f"{security} {kind}", C, "MSS-TLS-VERIFY", {}, security, kind)
        for kind in ("expired", "wrong host", "unknown ca", "revoked")
        for security in ("tls", "starttls")
    ),
    *(Case(f"{security} TLS 1.1", C, "MSS-TLS", {}, security, "tls1.1") for security in ("tls", "starttls")),
    # Somebody between: no TLS where TLS is due, STARTTLS taken out, refused, answered with lies, or with more.
    Case("tls downgrade to clear", C, "MSS-TLS", {"plain": ""}),
    Case("starttls stripped", C, "MSS-NO-STARTTLS", {"stripped": ""}, "starttls"),
    at("starttls", "502 5.5.1 what?", C, "MSS-502-5.5.1", "starttls"),
    at("starttls", "454 4.7.0 TLS not available", C, "MSS-454-4.7.0", "starttls"),
    at("starttls", "454 not now", T, "MSS-454", "starttls"),
    at("starttls", b"220 ready\r\n250-operateur.example\r\n250 SIZE 1000\r\n", C, "MSS-INJECTED", "starttls"),
    at("starttls", b"220 ready\r\n\x16\x03\x01", C, "MSS-INJECTED", "starttls"),
    at("ehlo", "550 5.7.1 no", C, "MSS-550-5.7.1", "starttls"),
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("wire"))


class Road:
    """A store with one mail in it, and workers that send to the operator."""

    def __init__(self, folder: Path, authority: Authority, operator: Operator, *, crl: bool) -> None:
        # What is cut inside must not fit into the buffers of the system: else its end has left before the cut is seen.
        self.body = BODY * 120 if "inside" in operator.script else BODY
        self.clock = kit.clock()
        self.store: Outbox = kit.open_store(folder, self.clock)
        self.traces: list[Trace] = []
        tls = TlsSettings(
            ca_file=authority.ca_file,
            cert_file=authority.folder / "client.pem",
            key_file=authority.folder / "client.key",
            crl_file=authority.crl_file if crl else None,
        )
        values = {"host": "localhost", "port": operator.port, "timeout": 0.6, "answer_timeout": 0.6, "tls": tls}
        self.smtp = SmtpSettings.model_validate({**values, "security": operator.security})
        account = kit.settings(folder).account[0].model_dump() | {"smtp": self.smtp.model_dump()}
        self.settings = kit.settings(folder, account=[account], retry={"jitter": False, "breaker_failures": 99})
        message = kit.Blob("message", "message/rfc822", self.body)
        context = context_to_json(MailContext(SENDER, DOCTOR, "<1@kine.example>", "envid1"))
        self.store.accept(kit.request("a", kit.mail(parts=(message,), context=context)))

    def deliver(self) -> tuple[str, str | None]:
        """One pass of a fresh worker; where the delivery stands after it."""

        def way(_account: str, _channel: str) -> Any:
            return MssanteChannel(self.smtp, TRUST, attempts=1, pause=0.01, tracer=Tracer(self.traces.append))

        async def once() -> None:
            more = {"clock": self.clock, "randomness": SeededRandomness("w"), "settings": self.settings}
            worker = Worker(self.store, way, subscribers=(), **more)  # type: ignore[arg-type]
            try:
                await worker.deliver_due()
            finally:
                await worker.aclose()

        asyncio.run(once())
        (row,) = self.store.deliveries()
        return row.state, row.reason


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_fault(tmp_path: Path, authority: Authority, case: Case) -> None:
    operator = Operator(authority.server(case.certificate), dict(case.script), case.security)
    with running(operator):
        road = Road(tmp_path, authority, operator, crl=case.certificate == "revoked")
        state, reason = road.deliver()
        stored = len(operator.stored)
        assert (state, reason) == (STATES[case.verdict], case.reason)
        attempt = road.store.delivery(road.store.deliveries()[0].id).attempts[-1]
        assert attempt.verdict == case.verdict
        assert bool(road.store.pauses()) is (case.verdict is C)
        if operator.connections:
            assert road.traces, "an exchange left no trace"
        said = repr((attempt, road.traces))
        assert not any(secret.decode() in said for secret in SECRETS[:4])
        nothing_in_clear(operator)
        mended(road, operator, authority, case, stored)
        road.store.close()


STATES = {T: "retry", C: "retry", P: "dead", D: "in_doubt"}


def nothing_in_clear(operator: Operator) -> None:
    for secret in SECRETS:
        assert secret not in operator.raw, f"{secret!r} crossed the wire in clear"


def mended(road: Road, operator: Operator, authority: Authority, case: Case, stored: int) -> None:
    """The fault is over: the mail arrives once, or stays where a person must look; it is never sent twice."""
    operator.mend()
    operator.context = authority.server("good")
    road.clock.advance(700)
    for pause in road.store.pauses():
        road.store.resume(pause.account, pause.channel, by="Anne Test")
    state, _ = road.deliver()
    if case.verdict in {T, C}:
        assert state == "sent"
        assert len(operator.stored) == 1
        assert operator.stored[0] == road.body + b".\r\n"
    else:
        assert state == STATES[case.verdict]
        assert len(operator.stored) == stored <= 1
    nothing_in_clear(operator)


def test_a_connection_lost_at_quit_costs_nothing(tmp_path: Path, authority: Authority) -> None:
    for action in (Drop(), SLOW, GARBAGE):
        folder = tmp_path / type(action).__name__
        folder.mkdir()
        operator = Operator(authority.server("good"), {"quit": action})
        with running(operator):
            road = Road(folder, authority, operator, crl=False)
            assert road.deliver() == ("sent", "MSS-250")
            assert len(operator.stored) == 1
            road.store.close()


def test_slow_but_alive_is_no_fault(tmp_path: Path, authority: Authority) -> None:
    script: dict[str, Action] = dict.fromkeys((*STEPS, "dot"), Slow(0.2))
    operator = Operator(authority.server("good"), script)
    with running(operator):
        road = Road(tmp_path, authority, operator, crl=False)
        assert road.deliver() == ("sent", "MSS-250")
        road.store.close()
