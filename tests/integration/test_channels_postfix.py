"""The MSSanté channel against a real Postfix: every row of spec mssante §7."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.channels.mssante import MssanteChannel
from gateway.channels.outcome import Outcome, Verdict
from gateway.clock import SystemClock, SystemRandomness
from gateway.package import mail
from gateway.package.types import MailContext, Package, Part
from gateway.rules.trust_space import TrustList
from gateway.settings import SmtpSettings, TlsSettings
from tests.unit.package.samples import ADDRESSEE, CDA, DOCTOR, PDF, account, document

if TYPE_CHECKING:
    from tests.integration.mailserver import RealMail

SENDER = "cabinet@kine.test.mssante.fr"
BOX = "helene.modele@medecin.test.mssante.fr"
# gmail.com stands in the list: here the operator's own refusal is what is looked at.
TRUST = TrustList(
    frozenset({"medecin.test.mssante.fr", "kine.test.mssante.fr", "patient.mssante.fr", "gmail.com"}),
    date(2026, 11, 1),
    "test",
)


def settings(server: RealMail, **changes: Any) -> SmtpSettings:
    tls = TlsSettings(ca_file=server.ca, cert_file=server.client_cert, key_file=server.client_key)
    values = {"host": "localhost", "port": server.smtps_port, "tls": tls, "timeout": 10, "max_bytes": 10**9}
    return SmtpSettings.model_validate({**values, **changes})


def message(to: str = BOX) -> Package:
    box = replace(DOCTOR.telecoms[0], value=f"mailto:{to}")
    return mail.mail_package(
        document(),
        recipient=replace(ADDRESSEE, professional=replace(DOCTOR, telecoms=(box,))),
        account=account(mailbox=SENDER),
        cda=CDA,
        pdf=PDF,
        xdm=CDA,
        now=SystemClock().now(),
        ids=SystemRandomness(),
    )


async def no_commit() -> None:
    return


async def send(server: RealMail, package: Package, **changes: Any) -> Outcome:
    channel = MssanteChannel(settings(server, **changes), TRUST, pause=0.01)
    try:
        return await channel.send(package, no_commit)
    finally:
        await channel.aclose()


def context(package: Package) -> MailContext:
    assert isinstance(package.context, MailContext)
    return package.context


def find(server: RealMail, box: str, wanted: Callable[[email.message.Message], bool], tries: int = 200) -> bytes:
    import time

    for _ in range(tries):
        for raw in server.messages(box):
            if wanted(email.message_from_bytes(raw, policy=email.policy.default)):
                return raw
        time.sleep(0.05)
    raise AssertionError(f"nothing of that kind in {box}")


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_delivered_unchanged(real_mail: RealMail, security: str) -> None:
    package = message()
    port = real_mail.smtps_port if security == "tls" else real_mail.starttls_port
    outcome = await send(real_mail, package, security=security, port=port)
    assert (outcome.verdict, outcome.reason) == (Verdict.ACCEPTED, "MSS-250")
    assert outcome.reference is not None
    assert outcome.reference in real_mail.log.read_text(encoding="utf-8", errors="replace")
    wanted = context(package).message_id
    raw = find(real_mail, BOX, lambda m: m["Message-ID"] == wanted)
    assert raw.replace(b"\r\n", b"\n").endswith(package.part("message").data.replace(b"\r\n", b"\n"))
    head = email.message_from_bytes(raw)
    assert head["Return-Path"] == f"<{SENDER}>"
    assert head["X-MSS-CODECDA"] == "47420-5"


async def test_delivery_report_comes_back_under_our_envid(real_mail: RealMail) -> None:
    package = message()
    await send(real_mail, package)
    envid = context(package).envid
    raw = find(real_mail, SENDER, lambda m: envid in m.as_string())
    report = email.message_from_bytes(raw, policy=email.policy.default)
    assert report.get_content_type() == "multipart/report"
    text = report.as_string()
    assert f"Original-Envelope-Id: {envid}" in text
    assert f"Original-Recipient: rfc822;{BOX}" in text
    # `relayed` where the last hop (here LMTP) does not speak DSN (RFC 3464 §2.3.3).
    assert re.search(r"^Action: (delivered|relayed)\s*$", text, re.MULTILINE)


async def test_no_client_certificate(real_mail: RealMail) -> None:
    outcome = await send(real_mail, message(), tls=TlsSettings(ca_file=real_mail.ca))
    assert (outcome.verdict, outcome.reason) == (Verdict.CONFIGURATION, "MSS-421-4.7.1")


async def test_certificate_of_a_stranger(real_mail: RealMail) -> None:
    tls = TlsSettings(ca_file=real_mail.ca, cert_file=real_mail.rogue_cert, key_file=real_mail.rogue_key)
    outcome = await send(real_mail, message(), tls=tls)
    assert (outcome.verdict, outcome.reason) == (Verdict.CONFIGURATION, "MSS-421-4.7.1")


async def test_server_of_another_authority(real_mail: RealMail) -> None:
    tls = TlsSettings(ca_file=real_mail.other_ca, cert_file=real_mail.client_cert, key_file=real_mail.client_key)
    outcome = await send(real_mail, message(), tls=tls)
    assert (outcome.verdict, outcome.reason) == (Verdict.CONFIGURATION, "MSS-TLS-VERIFY")


async def test_unknown_recipient(real_mail: RealMail) -> None:
    outcome = await send(real_mail, message("inconnu@medecin.test.mssante.fr"))
    assert (outcome.verdict, outcome.reason) == (Verdict.PERMANENT, "MSS-550-5.1.1")
    assert "inconnu" not in outcome.text


async def test_domain_the_operator_does_not_serve(real_mail: RealMail) -> None:
    outcome = await send(real_mail, message("x@gmail.com"))
    assert outcome.verdict is Verdict.PERMANENT
    assert outcome.reason in {"MSS-550-5.1.2", "MSS-554-5.7.1"}


async def test_domain_outside_the_list_never_reaches_the_operator(real_mail: RealMail) -> None:
    before = real_mail.log.read_text(encoding="utf-8", errors="replace")
    outcome = await send(real_mail, message("x@hotmail.com"))
    assert (outcome.verdict, outcome.reason) == (Verdict.PERMANENT, "MSS-TRUST-SPACE")
    assert "hotmail" not in real_mail.log.read_text(encoding="utf-8", errors="replace")[len(before) :]


async def test_too_big(real_mail: RealMail) -> None:
    big = replace(message(), parts=(Part("message", "message/rfc822", b"x" * 26_300_000),))
    outcome = await send(real_mail, big)
    assert (outcome.verdict, outcome.reason) == (Verdict.PERMANENT, "MSS-SIZE-SERVER")


async def test_large_message_passes(real_mail: RealMail) -> None:
    package = message()
    data = package.part("message").data
    padded = data + (b"X" * 76 + b"\r\n") * 150_000
    outcome = await send(real_mail, replace(package, parts=(Part("message", "message/rfc822", padded),)))
    assert outcome.verdict is Verdict.ACCEPTED


async def test_one_connection_carries_twenty_messages(real_mail: RealMail) -> None:
    channel = MssanteChannel(settings(real_mail), TRUST)
    before = real_mail.log.read_text(encoding="utf-8", errors="replace").count("connect from")
    outcomes = [await channel.send(message(), no_commit) for _ in range(20)]
    await channel.aclose()
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    assert len({outcome.reference for outcome in outcomes}) == 20
    log = real_mail.log.read_text(encoding="utf-8", errors="replace")
    assert log.count(": connect from") - before <= 1


async def test_revocation_list_is_checked(real_mail: RealMail, tmp_path: Path) -> None:
    """A list that is no list stops everything; nobody is trusted by default."""
    empty = tmp_path / "crl.pem"
    empty.write_text("")
    tls = TlsSettings(
        ca_file=real_mail.ca, cert_file=real_mail.client_cert, key_file=real_mail.client_key, crl_file=empty
    )
    outcome = await send(real_mail, message(), tls=tls)
    assert outcome.verdict is Verdict.CONFIGURATION
