"""The operator on a real port, spoken to by aiosmtplib (spec mssante §7: what Postfix answered)."""

from __future__ import annotations

import gc
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import aiosmtplib
import pytest

from gateway.clock import FrozenClock
from gateway.sandbox import Sandbox
from gateway.sandbox.mssante import MailOptions
from tests.unit.sandbox.builders import Identity

from .conftest import DOCTOR, NOW, SENDER, Site

# aiosmtplib.send leaves the socket of a refused connection to the garbage collector (the product's own client closes
# it): collect it within the test that made it, where it may be said, not in whatever test comes next.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    yield
    gc.collect()


def mail(size: int = 0, *, to: str = DOCTOR, message_id: str = "<1@kine.mssante.example>") -> bytes:
    lines = "".join("x" * 70 + "\r\n" for _ in range(size // 72))
    return (
        f"From: Gwenael TESTOU <{SENDER}>\r\nTo: {to}\r\nSubject: essai\r\nMessage-ID: {message_id}\r\n"
        f"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nX-MSS-NIL: 1\r\n\r\nBonjour\r\n.point\r\n{lines}"
    ).encode()


async def send(site: Site, content: bytes | None = None, **changes: Any) -> tuple[dict[str, Any], str]:
    client = changes.pop("client", site.mail)
    settings: dict[str, Any] = {
        "sender": SENDER,
        "recipients": [DOCTOR],
        "hostname": "127.0.0.1",
        "port": site.box.smtp_port,
        "use_tls": True,
        "tls_context": site.tls(client),
        "timeout": 10,
        **changes,
    }
    return await aiosmtplib.send(content or mail(), **settings)


async def test_a_mail_is_accepted_stored_and_read_back(site: Site) -> None:
    errors, reply = await send(site)
    assert errors == {}
    (stored,) = site.box.mail.messages(DOCTOR)
    assert stored.bytes == mail()
    assert (stored.envelope_from, stored.rcpt) == (SENDER, DOCTOR)
    assert stored.message_id == "<1@kine.mssante.example>"
    assert stored.id in reply
    assert site.box.mail.messages(SENDER) == []


async def test_what_the_operator_announces(site: Site) -> None:
    client = aiosmtplib.SMTP(
        hostname="127.0.0.1", port=site.box.smtp_port, use_tls=True, tls_context=site.tls(site.mail)
    )
    async with client:
        await client.ehlo()
        assert client.esmtp_extensions["size"] == "26214400"
        assert "8bitmime" in client.esmtp_extensions
        assert "dsn" not in client.esmtp_extensions
        assert "starttls" not in client.esmtp_extensions


async def test_no_client_certificate_is_a_421_4_7_1(site: Site) -> None:
    with pytest.raises(aiosmtplib.SMTPConnectResponseError) as caught:
        await send(site, client=None)
    assert caught.value.code == 421
    assert caught.value.message.startswith("4.7.1")


async def test_a_signature_certificate_is_not_an_authentication_certificate(site: Site) -> None:
    with pytest.raises(aiosmtplib.SMTPConnectResponseError) as caught:
        await send(site, client=site.sign)
    assert caught.value.message.startswith("4.7.1")


async def test_a_certificate_of_another_authority_fails_in_tls(site: Site, tmp_path_factory: Any) -> None:
    other = Sandbox(tmp_path_factory.mktemp("rogue"), clock=FrozenClock(NOW))
    pair = other.issue_client("kine", kind="mail", structure_id="1", mailboxes=(SENDER,))
    other.close()
    with pytest.raises((aiosmtplib.SMTPException, OSError)):
        await send(site, client=Identity.load(pair.cert_path, pair.key_path))
    assert site.box.mail.all_messages() == []


async def test_cleartext_gets_nothing(site: Site) -> None:
    with pytest.raises((aiosmtplib.SMTPException, OSError)):
        await send(site, use_tls=False, start_tls=False, tls_context=None, timeout=3)


async def test_tls_1_1_is_refused(site: Site) -> None:
    context = site.tls(site.mail)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((aiosmtplib.SMTPException, OSError)):
        await send(site, tls_context=context)


@pytest.mark.parametrize(
    ("address", "code", "text"),
    [
        ("ami@gmail.com", 550, "5.1.2"),
        ("inconnu.docteur@medecin.mssante.example", 550, "5.1.1"),
        ("123@patient.mssante.fr", 550, "5.1.1"),
    ],
)
async def test_recipients_that_are_refused(site: Site, address: str, code: int, text: str) -> None:
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as caught:
        await send(site, recipients=[address])
    refused = caught.value.recipients[0]
    assert refused.code == code
    assert refused.message.startswith(text)
    assert site.box.mail.all_messages() == []
    assert site.box.mail.refusals()[0][0] == address


async def test_a_listed_domain_knows_its_mailboxes_only(make_site: Callable[..., Site]) -> None:
    site = make_site(mailboxes={"medecin.mssante.example": ["helene.modele"]})
    await send(site)
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await send(site, recipients=["autre@medecin.mssante.example"])


async def test_one_good_and_one_bad_recipient(site: Site) -> None:
    bad = "ami@gmail.com"
    errors, _ = await send(site, recipients=[DOCTOR, bad])
    assert errors[bad].code == 550
    assert len(site.box.mail.messages(DOCTOR)) == 1


async def test_a_patients_mailbox_is_a_matricule(site: Site) -> None:
    await send(site, recipients=["279035121518989@patient.mssante.fr"])
    assert len(site.box.mail.messages("279035121518989@patient.mssante.fr")) == 1


@pytest.mark.parametrize("sender", ["autre@kine.mssante.example", "ami@gmail.com"])
async def test_a_sender_that_the_certificate_may_not_use(site: Site, sender: str) -> None:
    with pytest.raises(aiosmtplib.SMTPSenderRefused) as caught:
        await send(site, sender=sender)
    assert (caught.value.code, caught.value.message[:5]) == (550, "5.7.1")


async def test_a_mail_announced_too_big_is_refused_before_its_data(make_site: Callable[..., Site]) -> None:
    site = make_site(mail_options=MailOptions(max_bytes=20_000))
    with pytest.raises(aiosmtplib.SMTPSenderRefused) as caught:
        await send(site, mail(30_000))
    assert (caught.value.code, caught.value.message[:5]) == (552, "5.3.4")


async def test_a_mail_that_proves_too_big(make_site: Callable[..., Site]) -> None:
    """A client that does not announce its size meets the limit at the end of the data."""
    site = make_site(mail_options=MailOptions(max_bytes=20_000))
    client = aiosmtplib.SMTP(
        hostname="127.0.0.1", port=site.box.smtp_port, use_tls=True, tls_context=site.tls(site.mail)
    )
    async with client:
        await client.ehlo()
        await client.mail(SENDER)
        await client.rcpt(DOCTOR)
        with pytest.raises(aiosmtplib.SMTPDataError) as caught:
            await client.data(mail(30_000))
    assert (caught.value.code, caught.value.message[:5]) == (552, "5.3.4")
    assert site.box.mail.all_messages() == []


async def test_duplicates_are_kept_and_counted(site: Site) -> None:
    for _ in range(3):
        await send(site)
    await send(site, mail(message_id="<2@kine.mssante.example>"))
    assert site.box.mail.receptions("<1@kine.mssante.example>") == 3
    assert site.box.mail.duplicates() == {(DOCTOR, "<1@kine.mssante.example>"): 3}
    ids = [item.message_id for item in site.box.mail.messages(DOCTOR)]
    assert ids[-1] == "<2@kine.mssante.example>", "order of arrival"


async def test_an_injected_refusal_is_transient(site: Site) -> None:
    site.box.faults.set("mssante", "refuse")
    with pytest.raises(aiosmtplib.SMTPDataError) as caught:
        await send(site)
    assert (caught.value.code, caught.value.message[:5]) == (451, "4.3.0")
    await send(site)
    assert len(site.box.mail.messages(DOCTOR)) == 1


async def test_an_injected_rejection_is_permanent(site: Site) -> None:
    site.box.faults.set("mssante", "reject")
    with pytest.raises(aiosmtplib.SMTPDataError) as caught:
        await send(site)
    assert caught.value.code == 554


async def test_busy_greets_with_a_421(site: Site) -> None:
    site.box.faults.set("mssante", "busy")
    with pytest.raises(aiosmtplib.SMTPConnectResponseError) as caught:
        await send(site)
    assert (caught.value.code, caught.value.message[:5]) == (421, "4.3.2")


async def test_unavailable_says_nothing(site: Site) -> None:
    site.box.faults.set("mssante", "unavailable")
    with pytest.raises((aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError)):
        await send(site)
    await send(site)


@pytest.mark.parametrize(("kind", "stored"), [("drop_after_data", 1), ("drop_before_store", 0)])
async def test_a_lost_answer(site: Site, kind: str, stored: int) -> None:
    site.box.faults.set("mssante", kind)
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(site)
    assert len(site.box.mail.messages(DOCTOR)) == stored


async def test_delay(site: Site) -> None:
    site.box.faults.set("mssante", "delay", seconds=0.3)
    start = time.monotonic()
    await send(site)
    assert time.monotonic() - start >= 0.3


async def test_a_strict_operator_refuses_a_defective_mail(make_site: Callable[..., Site]) -> None:
    site = make_site(mail_options=MailOptions(strict=True))
    with pytest.raises(aiosmtplib.SMTPDataError) as caught:
        await send(site, mail().replace(b"X-MSS-NIL: 1\r\n", b""))
    assert (caught.value.code, caught.value.message[:5]) == (554, "5.6.0")
    await send(site)


async def test_a_lenient_operator_notes_the_defect(site: Site) -> None:
    await send(site, mail().replace(b"X-MSS-NIL: 1\r\n", b""))
    (stored,) = site.box.mail.messages(DOCTOR)
    assert [(item.code, item.location) for item in stored.findings] == [("MSS-HEADER", "X-MSS-NIL")]


async def test_mails_survive_a_restart(site: Site) -> None:
    await send(site)
    site.box.stop()
    site.box.start()
    await send(site)
    assert len(site.box.mail.messages(DOCTOR)) == 2
