"""The mailbox and the self-copy against a real Postfix and Dovecot: receipts come home, doubts are settled by proof."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.api import Gateway
from gateway.channels.mssante.imap import Mailbox
from gateway.channels.mssante.mailbox_faults import MailboxError
from gateway.channels.outcome import Verdict
from gateway.clock import SystemClock
from gateway.settings import ImapSettings, TlsSettings
from gateway.views import DeliveryView
from tests.integration.imapserver import by_certificate
from tests.integration.real_practice import DOCTOR_DOMAIN, RealPractice, cutting, letter, open_real, post

if TYPE_CHECKING:
    from gateway.channels.tokens import TokenSource
    from tests.integration.mailserver import RealMail


class Later(SystemClock):
    """An hour and a minute from now."""

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=3660)


def mail_of(gateway: Gateway) -> DeliveryView:
    """The one mail of the practice."""
    (found,) = [one for one in gateway.deliveries() if one.channel == "mssante"]
    return found


def journal(gateway: Gateway) -> list[str]:
    return list(gateway.export_journal())


def receptions(mail: RealMail, box: str) -> int:
    """How many times the doctor got the mail."""
    return len(mail.messages(f"{box}@{DOCTOR_DOMAIN}"))


def deliver_until(gateway: Gateway, states: set[str], seconds: float = 15.0) -> DeliveryView:
    deadline = time.monotonic() + seconds
    while (found := mail_of(gateway)).transport not in states and time.monotonic() < deadline:
        gateway.deliver_due()
        time.sleep(0.1)
    assert found.transport in states, found
    return found


def poll_until(gateway: Gateway, receipt: str, seconds: float = 15.0) -> DeliveryView:
    deadline = time.monotonic() + seconds
    while (found := mail_of(gateway)).receipt != receipt and time.monotonic() < deadline:
        assert [one.reason for one in gateway.mail.poll()] == [""]
        time.sleep(0.1)
    assert found.receipt == receipt, found
    return found


def mdn(message_id: str, doctor: str, box: str) -> bytes:
    """What a doctor's software answers (RFC 8098)."""
    return (
        f"From: <{doctor}>\r\nTo: <{box}>\r\nSubject: Lu\r\nMessage-ID: <mdn-{time.time_ns()}@{DOCTOR_DOMAIN}>\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nLu.\r\n"
        "--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
        f"Final-Recipient: rfc822;{doctor}\r\nOriginal-Recipient: rfc822;{doctor}\r\n"
        f"Original-Message-ID: {message_id}\r\n"
        "Disposition: automatic-action/MDN-sent-automatically; processed\r\n\r\n--b--\r\n"
    ).encode()


def answer(real_mail: RealMail, practice: RealPractice, doctor: str) -> None:
    """The doctor's software takes the mail in and says so."""
    address = f"{doctor}@{DOCTOR_DOMAIN}"
    (raw,) = real_mail.wait_for(address)
    post(
        real_mail, address, practice.mailbox, mdn(str(message_from_bytes(raw)["Message-ID"]), address, practice.mailbox)
    )


def test_receipts_come_home_and_nothing_is_sent_twice(real_mail: RealMail, tmp_path: Path) -> None:
    practice = open_real(tmp_path, real_mail, "retour")
    with practice.open() as gateway:
        gateway.submit(letter("retour.medecin"))
        deliver_until(gateway, {"sent"})
        real_mail.wait_for(practice.mailbox)  # the delivery report of our own operator
        answer(real_mail, practice, "retour.medecin")
        real_mail.wait_for(practice.mailbox, 2)
        found = poll_until(gateway, "processed")
        assert (found.transport, found.attempts) == ("sent", 1)
        assert gateway.mail.poll()[0].read <= 2  # read again at most, and known
        assert gateway.verify_journal().ok
        lines = "".join(journal(gateway))
    assert receptions(real_mail, "retour.medecin") == 1
    assert "retour.medecin" not in lines


def test_the_cursor_survives_restarts(real_mail: RealMail, tmp_path: Path) -> None:
    practice = open_real(tmp_path, real_mail, "curseur")
    with practice.open() as gateway:
        gateway.submit(letter("curseur.medecin"))
        deliver_until(gateway, {"sent"})
        answer(real_mail, practice, "curseur.medecin")
        poll_until(gateway, "processed")
        cursor = gateway.store.mail_cursor(practice.account, "INBOX")
        assert cursor is not None
    with practice.open() as gateway:
        assert gateway.store.mail_cursor(practice.account, "INBOX") == cursor
        before = len(journal(gateway))
        polled = gateway.mail.poll()[0]
        assert (polled.reason, polled.odd) == ("", ())
        assert set(polled.kinds) <= {"dsn known", "mdn known"}
        assert len(journal(gateway)) == before  # what is read again leaves no trace
        assert mail_of(gateway).receipt == "processed"


def test_the_box_is_left_as_it_is(real_mail: RealMail, tmp_path: Path) -> None:
    practice = open_real(tmp_path, real_mail, "intacte")
    post(real_mail, f"ami@{DOCTOR_DOMAIN}", practice.mailbox, b"From: <ami@x>\r\nSubject: Bonjour\r\n\r\nUn mot.\r\n")
    real_mail.wait_for(practice.mailbox)
    with practice.open() as gateway:
        assert gateway.mail.poll()[0].read == 1
        (state,) = gateway.mail.check()
    assert (state.ok, state.unseen, state.idle) == (True, 1, True)
    with real_mail.imap(practice.mailbox) as box:
        box.select("INBOX", readonly=True)
        assert box.search(None, "UNSEEN")[1] == [b"1"]


async def test_idle_brings_a_receipt_within_seconds(real_mail: RealMail, tmp_path: Path) -> None:
    practice = open_real(tmp_path, real_mail, "veille", poll_every=3600)
    gateway = practice.open()
    stop = asyncio.Event()
    try:
        await asyncio.to_thread(gateway.submit, letter("veille.medecin"))
        running = asyncio.create_task(gateway.arun(stop))
        await wait_until(lambda: mail_of(gateway).transport == "sent" and gateway.mail.looked)
        await asyncio.sleep(0.5)  # it idles by now
        await asyncio.to_thread(answer, real_mail, practice, "veille.medecin")
        started = time.monotonic()
        await wait_until(lambda: mail_of(gateway).receipt == "processed")
        assert time.monotonic() - started < 5
        stop.set()
        began = time.monotonic()
        await running
        assert time.monotonic() - began < 3
    finally:
        stop.set()
        await asyncio.to_thread(gateway.close)


async def wait_until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.05)


# --------------------------------------------------------------------------------------------------- self-copy


def test_answer_lost_after_acceptance_is_settled_by_the_copy(real_mail: RealMail, tmp_path: Path) -> None:
    with cutting(real_mail.smtps_port, "after") as port:
        practice = open_real(tmp_path, real_mail, "preuve", smtp_port=port, self_copy=True)
        with practice.open() as gateway:
            gateway.submit(letter("preuve.medecin"))
            gateway.deliver_due()
            real_mail.wait_for(practice.mailbox)
            found = deliver_until(gateway, {"sent"})
            (_, *rest) = gateway.store.delivery(found.id).attempts
            lines = "".join(journal(gateway))
            assert gateway.verify_journal().ok
    assert receptions(real_mail, "preuve.medecin") == 1
    assert '"event":"doubt"' in lines
    assert "MSS-COPY-FOUND" in lines or "MSS-RCPT-COPY" in lines  # who looks first: the question or the watch
    assert all(attempt.kind == "resolve" for attempt in rest)


def test_content_that_never_got_there_stays_in_doubt(real_mail: RealMail, tmp_path: Path) -> None:
    """That no copy is found proves nothing: without a policy that says so, nothing is sent again."""
    with cutting(real_mail.smtps_port, "before") as port:
        practice = open_real(tmp_path, real_mail, "doute", smtp_port=port, self_copy=True)
        with practice.open() as gateway:
            gateway.submit(letter("doute.medecin"))
            for _ in range(6):
                gateway.deliver_due()
                time.sleep(0.3)
            found = mail_of(gateway)
            reasons = [attempt.reason for attempt in gateway.store.delivery(found.id).attempts]
    assert (found.transport, found.reason) == ("in_doubt", "MSS-DOUBT-LOST")
    assert reasons[0] == "MSS-DOUBT-LOST"
    assert set(reasons[1:]) == {"MSS-COPY-ABSENT"}
    assert receptions(real_mail, "doute.medecin") == 0


def test_the_policy_resend_sends_again_what_is_not_found(real_mail: RealMail, tmp_path: Path) -> None:
    with cutting(real_mail.smtps_port, "before") as port:
        practice = open_real(tmp_path, real_mail, "renvoi", smtp_port=port, self_copy=True, in_doubt="resend")
        text = practice.config.read_text().replace("[account.imap]", "[account.imap]\nresend_after = 60")
        practice.config.write_text(text)
        with practice.open() as gateway:
            gateway.submit(letter("renvoi.medecin"))
            for _ in range(4):
                gateway.deliver_due()
                time.sleep(0.3)
            assert mail_of(gateway).transport == "in_doubt"  # too early
        with practice.open(clock=Later()) as gateway:
            found = deliver_until(gateway, {"sent"})
            assert "resend_decided" in "".join(journal(gateway))
            assert gateway.store.delivery(found.id).attempts[-1].verdict == "accepted"
    real_mail.wait_for(f"renvoi.medecin@{DOCTOR_DOMAIN}")
    time.sleep(0.5)
    assert receptions(real_mail, "renvoi.medecin") == 1


def test_the_copy_is_hidden_and_asks_for_no_report(real_mail: RealMail, tmp_path: Path) -> None:
    practice = open_real(tmp_path, real_mail, "cachee", self_copy=True)
    with practice.open() as gateway:
        gateway.submit(letter("cachee.medecin"))
        deliver_until(gateway, {"sent"})
        found = real_mail.wait_for(practice.mailbox, 2)
        copies = [raw for raw in found if b"multipart/report" not in raw]
        reports = [raw for raw in found if b"multipart/report" in raw]
        (received,) = real_mail.wait_for(f"cachee.medecin@{DOCTOR_DOMAIN}")
        assert (len(copies), len(reports)) == (1, 1)
        assert reports[0].count(b"Final-Recipient:") == 1
        assert practice.mailbox.encode() not in message_from_bytes(received)["To"].encode()
        assert message_from_bytes(copies[0])["Message-ID"] == message_from_bytes(received)["Message-ID"]
        polled = gateway.mail.poll()[0]
        assert not any("reply" in kind for kind in polled.kinds), polled.kinds
        assert mail_of(gateway).attempts == 1


def test_no_mail_goes_where_the_recipient_is_refused(real_mail: RealMail, tmp_path: Path) -> None:
    practice = open_real(tmp_path, real_mail, "refus", self_copy=True)
    with practice.open() as gateway:
        gateway.submit(letter("inconnu"))
        assert deliver_until(gateway, {"dead"}).reason == "MSS-550-5.1.1"
    time.sleep(0.3)
    assert real_mail.messages(practice.mailbox) == []


def test_a_refused_copy_does_not_stop_the_mail(real_mail: RealMail, tmp_path: Path) -> None:
    practice = open_real(tmp_path, real_mail, "inconnu", self_copy=True)
    with practice.open() as gateway:
        gateway.submit(letter("seul.medecin"))
        found = deliver_until(gateway, {"sent"})
        assert "self-copy refused: 550" in (gateway.store.delivery(found.id).attempts[0].text or "")
    real_mail.wait_for(f"seul.medecin@{DOCTOR_DOMAIN}")


def test_a_refused_login_is_told_and_sending_goes_on(real_mail: RealMail, tmp_path: Path) -> None:
    practice = open_real(tmp_path, real_mail, "ferme")
    (tmp_path / "password").write_text("autre")
    events: list[str] = []
    with practice.open() as gateway:
        gateway.subscribe(lambda event: events.append(event.event))
        gateway.submit(letter("ferme.medecin"))
        deliver_until(gateway, {"sent"})
        (state,) = gateway.mail.check()
        assert (state.ok, state.reason, state.verdict) == (False, "IMAP-LOGIN", "configuration")
        assert "account.imap" in state.advice
    assert "mailbox_misconfigured" in events


# ------------------------------------------------------------------------------------------- by certificate alone


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("mechanisms", ["plain external", "plain"])
async def test_the_certificate_alone_opens_the_box(real_mail: RealMail, security: str, mechanisms: str) -> None:
    box = "certifiee@kine.test.mssante.fr"
    post(real_mail, f"ami@{DOCTOR_DOMAIN}", box, b"Subject: Bonjour\r\n\r\nUn mot.\r\n")
    real_mail.wait_for(box)
    with by_certificate(real_mail, box, mechanisms) as server:
        tls = TlsSettings(ca_file=server.ca, cert_file=server.cert, key_file=server.key)
        port = server.tls_port if security == "tls" else server.starttls_port
        settings = ImapSettings.model_validate(
            {"host": "localhost", "port": port, "security": security, "tls": tls, "timeout": 10}
        )
        mailbox = Mailbox(settings, box, account="a", clock=SystemClock())
        try:
            assert (await mailbox.unseen())[0] >= 1
        finally:
            await mailbox.aclose()
        stranger = TlsSettings(ca_file=server.ca, cert_file=real_mail.client_cert, key_file=real_mail.client_key)
        mailbox = Mailbox(settings.model_copy(update={"tls": stranger}), box, account="a", clock=SystemClock())
        with pytest.raises(MailboxError) as caught:
            await mailbox.unseen()
        await mailbox.aclose()
        assert caught.value.verdict is Verdict.CONFIGURATION


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_revocation_list_holds_for_reading_too(real_mail: RealMail, security: str) -> None:
    box = "revoquee@kine.test.mssante.fr"
    with by_certificate(real_mail, box) as server:
        for crl, refused in ((server.crl_empty, ""), (server.crl_revoked, "IMAP-TLS-VERIFY")):
            tls = TlsSettings(ca_file=server.ca, cert_file=server.cert, key_file=server.key, crl_file=crl)
            port = server.tls_port if security == "tls" else server.starttls_port
            settings = {"host": "localhost", "port": port, "security": security, "tls": tls, "timeout": 10}
            assert await looked(ImapSettings.model_validate(settings), box) == refused


# -------------------------------------------------------------------------------------------------- by a token


async def looked(settings: ImapSettings, box: str, token: TokenSource | None = None) -> str:
    """Look at a box once; the code of what went wrong, or nothing."""
    mailbox = Mailbox(settings, box, account="a", token=token, clock=SystemClock())
    try:
        await mailbox.unseen()
    except MailboxError as fault:
        return fault.reason
    finally:
        await mailbox.aclose()
    return ""


async def test_a_token_opens_the_box_and_a_stale_one_asks_for_a_person(real_mail: RealMail) -> None:
    made, box = real_mail.tokens, "jeton@kine.test.mssante.fr"
    assert made is not None
    settings = ImapSettings.model_validate(
        {
            "host": "localhost",
            "port": made.imap_port,
            "auth": "xoauth2",
            "tls": TlsSettings(ca_file=real_mail.ca),
            "timeout": 10,
        }
    )
    assert await looked(settings, box, lambda _: made.token(box)) == ""
    assert await looked(settings, box, lambda _: made.token(box, lives=-5)) == "IMAP-SESSION"
    assert await looked(settings, box, lambda _: made.token("autre@kine.test.mssante.fr")) == "IMAP-SESSION"
