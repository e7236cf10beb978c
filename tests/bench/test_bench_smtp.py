"""Sending against the local Postfix: over one reused TLS connection, and beside Postfix's own smtp-source."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from gateway.channels.mssante import MssanteChannel
from gateway.channels.mssante.client import TracedClient
from gateway.channels.mssante.session import Session
from gateway.channels.outcome import Outcome, Verdict
from gateway.channels.trace import Tracer
from gateway.clock import SystemClock, SystemRandomness
from gateway.engine.traces import TraceLog
from gateway.engine.worker import Worker
from gateway.package.types import MailContext, Package, Part, context_to_json
from gateway.rules.trust_space import TrustList
from gateway.settings import SmtpSettings, TlsSettings
from tests.unit.store import kit

if TYPE_CHECKING:
    from tests.integration.mailserver import RealMail

pytestmark = [pytest.mark.bench, pytest.mark.needs("postfix", "dovecot")]

SIZE, MESSAGES, ROUNDS = 250_000, 150, 5
LEAST_A_SECOND, LEAST_RATIO = 50.0, 0.5
LEAST_WHOLE = 5.0
SENDER, DOCTOR = "cabinet@kine.test.mssante.fr", "helene.modele@medecin.test.mssante.fr"
TRUST = TrustList(frozenset({"medecin.test.mssante.fr"}), date(2026, 11, 1), "bench")
DATA = b"Subject: XDM/1.0/DDM+CR\r\n\r\n" + (b"QUJD" * 19 + b"\r\n") * (SIZE // 78)
# Everything but TLS as on the ports of the product: smtp-source speaks none. No setting of the gateway leads here.
PLAIN = """\
127.0.0.1:{port} inet n - n - - smtpd
  -o smtpd_tls_security_level=none
  -o mynetworks=127.0.0.0/8
  -o smtpd_client_restrictions=permit_mynetworks,reject
  -o smtpd_relay_restrictions=permit_mynetworks,reject
  -o smtpd_recipient_restrictions=reject_unlisted_recipient,permit_mynetworks,reject
"""


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[RealMail, int]]:
    from tests.integration import mailserver

    (port,) = mailserver.free_ports(1)
    with mailserver.running(PLAIN.format(port=port)) as mail:
        yield mail, port


class PlainSession(Session):
    """The same session without its TLS."""

    async def _secure(self, client: TracedClient) -> None:
        """Nothing to secure: loopback, synthetic data."""


class PlainChannel(MssanteChannel):
    _session_type = PlainSession


def settings(server: RealMail, port: int, security: str = "tls") -> SmtpSettings:
    tls = TlsSettings(ca_file=server.ca, cert_file=server.client_cert, key_file=server.client_key)
    return SmtpSettings.model_validate({"host": "localhost", "port": port, "security": security, "tls": tls})


def package(number: int) -> Package:
    context = MailContext(SENDER, DOCTOR, f"<{number}@kine.test.mssante.fr>", f"envid{number}")
    return Package((Part("message", "message/rfc822", DATA),), context)


async def no_commit() -> None:
    return


def rate(make: Callable[[], MssanteChannel]) -> float:
    """Messages a second over one connection, its opening not counted."""

    async def run() -> float:
        channel = make()
        assert (await channel.send(package(0), no_commit)).verdict is Verdict.ACCEPTED
        start = time.perf_counter()
        outcomes: list[Outcome] = [await channel.send(package(n), no_commit) for n in range(1, MESSAGES + 1)]
        took = time.perf_counter() - start
        await channel.aclose()
        assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
        return MESSAGES / took

    return asyncio.run(run())


def smtp_source(port: int) -> float:
    """What Postfix's own generator does: one session, one connection, the same number and size."""
    program = shutil.which("smtp-source", path="/usr/sbin:/sbin:/usr/bin")
    if program is None:
        pytest.skip("smtp-source is not installed")
    options = ["-d", "-s", "1", "-m", str(MESSAGES), "-l", str(len(DATA)), "-f", SENDER, "-t", DOCTOR]
    start = time.perf_counter()
    subprocess.run([program, *options, f"127.0.0.1:{port}"], check=True, capture_output=True, timeout=120)
    return MESSAGES / (time.perf_counter() - start)


def report(figures: dict[str, Any], name: str = "smtp") -> None:
    path = Path(f"build/bench/{name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(json.dumps(figures))


def test_sending_keeps_up(server: tuple[RealMail, int], tmp_path: Path) -> None:
    mail, port = server
    traces = TraceLog(tmp_path / "traces", 184, SystemClock())
    tracer = Tracer(traces, account="bench", author="99700001011", channel="smtp", host="localhost")

    def encrypted() -> MssanteChannel:
        return MssanteChannel(settings(mail, mail.smtps_port), TRUST, tracer=tracer)

    def plain() -> MssanteChannel:
        return PlainChannel(settings(mail, port, "starttls"), TRUST, tracer=tracer)

    rounds = [(rate(encrypted), rate(plain), smtp_source(port)) for _ in range(ROUNDS)]
    ratios = [ours / theirs for _, ours, theirs in rounds]
    tls, clear, source = (median(column) for column in zip(*rounds, strict=True))
    report(
        {
            "message_bytes": len(DATA),
            "tls_per_second": round(tls, 1),
            "plain_per_second": round(clear, 1),
            "smtp_source_per_second": round(source, 1),
            "ratio": round(median(ratios), 2),
        }
    )
    assert tls >= LEAST_A_SECOND
    assert median(ratios) >= LEAST_RATIO
    assert sum(1 for _ in traces.read()) == 2 * ROUNDS * (MESSAGES + 2)


def test_whole_deliveries_keep_up(server: tuple[RealMail, int], tmp_path: Path) -> None:
    """Claimed from the store, unsealed, sent over TLS, recorded and journalled: what a practice sees. Three durable
    commits for each: how fast that goes is the disk's affair, so the figure is told and only its fall is caught.
    """
    mail, _ = server
    with closing(kit.open_store(tmp_path, SystemClock())) as store:  # type: ignore[arg-type]
        for number in range(MESSAGES):
            message = kit.Blob("message", "message/rfc822", DATA)
            planned = kit.mail(parts=(message,), context=context_to_json(package(number).context))
            store.accept(kit.request(str(number), planned))
        account = kit.settings(tmp_path).account[0].model_dump() | {
            "smtp": settings(mail, mail.smtps_port).model_dump()
        }
        configured = kit.settings(tmp_path, account=[account])
        channel = MssanteChannel(settings(mail, mail.smtps_port), TRUST)

        async def deliver() -> int:
            clock, chance = SystemClock(), SystemRandomness()
            worker = Worker(
                store, lambda *_: channel, clock=clock, randomness=chance, settings=configured, subscribers=()
            )
            try:
                return await worker.deliver_due()
            finally:
                await worker.aclose()

        start = time.perf_counter()
        assert asyncio.run(deliver()) == MESSAGES
        took = time.perf_counter() - start
        assert {row.state for row in store.deliveries()} == {"sent"}
    report({"deliveries_per_second": round(MESSAGES / took, 1)}, "smtp_deliveries")
    assert MESSAGES / took >= LEAST_WHOLE
