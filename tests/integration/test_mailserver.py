"""The real operator behaves as an MSSanté operator does; what channels rely on is seen here without them."""

from __future__ import annotations

import imaplib
import ssl
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

import aiosmtplib
import pytest

from tests.integration import mailserver
from tests.integration.mailserver import RealMail

SENDER = "cabinet@kine.test.mssante.fr"


def _message(recipient: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = SENDER
    message["To"] = recipient
    message["Subject"] = "Bilan initial"
    message["Message-ID"] = f"<{uuid4()}@kine.test.mssante.fr>"
    message["X-MSS-INS"] = "N"
    message.set_content("Texte accentué")
    return message


def _recipient(domain: str = "medecin.test.mssante.fr") -> str:
    return f"dr.{uuid4().hex[:8]}@{domain}"


async def _send(mail: RealMail, message: EmailMessage, context: ssl.SSLContext, *, starttls: bool = False) -> str:
    port = mail.starttls_port if starttls else mail.smtps_port
    client = aiosmtplib.SMTP(
        hostname=mail.host, port=port, use_tls=not starttls, start_tls=starttls, tls_context=context, timeout=15
    )
    async with client:
        refused, reply = await client.send_message(message)
    assert refused == {}
    return reply


@pytest.mark.parametrize("starttls", [False, True], ids=["tls", "starttls"])
async def test_mail_goes_in_with_the_certificate_and_is_read_back(real_mail: RealMail, *, starttls: bool) -> None:
    message = _message(_recipient())
    reply = await _send(real_mail, message, real_mail.tls(), starttls=starttls)
    assert "queued as" in reply
    (stored,) = real_mail.wait_for(message["To"])
    assert b"X-MSS-INS: N" in stored
    assert b"verified OK" in stored  # the Received header proves which client certificate was shown
    box = real_mail.imap(message["To"])
    try:
        box.select("INBOX", readonly=True)
        status, found = box.search(None, "HEADER", "Message-ID", message["Message-ID"])
    finally:
        box.logout()
    assert (status, found) == ("OK", [b"1"])


async def test_every_served_domain_takes_mail(real_mail: RealMail) -> None:
    for domain in mailserver.DOMAINS:
        message = _message(_recipient(domain))
        await _send(real_mail, message, real_mail.tls())
        assert len(real_mail.wait_for(message["To"])) == 1


@pytest.mark.parametrize("rogue", [False, True], ids=["none", "rogue"])
async def test_without_the_right_certificate_the_operator_answers_421(real_mail: RealMail, *, rogue: bool) -> None:
    bad = real_mail.tls(cert=real_mail.rogue_cert, key=real_mail.rogue_key) if rogue else real_mail.tls_without_cert()
    with pytest.raises(aiosmtplib.SMTPResponseException) as caught:
        await _send(real_mail, _message(_recipient()), bad)
    assert caught.value.code == 421
    assert caught.value.message.startswith("4.7.1")


async def test_an_operator_of_another_authority_is_not_trusted(real_mail: RealMail) -> None:
    context = ssl.create_default_context(cafile=str(real_mail.other_ca))
    context.load_cert_chain(real_mail.client_cert, real_mail.client_key)
    with pytest.raises(aiosmtplib.SMTPConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        await _send(real_mail, _message(_recipient()), context)


@pytest.mark.parametrize(
    ("recipient", "status"), [("qui@ailleurs.example.org", "5.1.2"), (mailserver.UNKNOWN, "5.1.1")]
)
async def test_recipients_that_are_refused(real_mail: RealMail, recipient: str, status: str) -> None:
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as caught:
        await _send(real_mail, _message(recipient), real_mail.tls())
    (refusal,) = caught.value.recipients
    assert (refusal.code, refusal.message.split()[0]) == (550, status)


def test_imap_wants_a_certificate_too(real_mail: RealMail) -> None:
    context = real_mail.tls_without_cert()
    connection = imaplib.IMAP4_SSL(real_mail.host, real_mail.imaps_port, ssl_context=context, timeout=10)
    with pytest.raises(imaplib.IMAP4.error):
        connection.login(SENDER, mailserver.PASSWORD)
    connection.shutdown()


@pytest.mark.slow
@pytest.mark.needs("postfix", "dovecot")
def test_the_harness_cleans_up_behind_itself() -> None:
    with mailserver.running() as mail:
        base = mail.log.parent
        master = int((base / "queue" / "pid" / "master.pid").read_text())
        assert Path(f"/proc/{master}").exists()
    assert not base.exists()
    assert not Path(f"/proc/{master}").exists()
