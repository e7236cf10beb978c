"""A wrong address against the real operator: refused or returned, sent to the doctor's other box, taken back."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.api import Gateway
from gateway.errors import InputError
from tests.integration.mailserver import DOMAINS, GONE, UNKNOWN
from tests.integration.test_receipts import letter, practice, report, sent, view

if TYPE_CHECKING:
    from tests.integration.mailserver import RealMail


def readdress(gateway: Gateway, delivery: str, to: str) -> Any:
    return gateway.readdress(delivery, to=to, name="Dr MODELE", by="Mme Martin", reason="boîte fermée").delivery


def last_mail(mail: RealMail, box: str, count: int) -> EmailMessage:
    read = message_from_bytes(mail.wait_for(box, count)[-1], policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


def test_refused_at_once_then_delivered_to_the_other_box(real_mail: RealMail, tmp_path: Path) -> None:
    config, _ = practice(tmp_path, real_mail, "readresse.direct")
    box = f"dr.readresse@{DOMAINS[1]}"
    with Gateway.open(config) as gateway:
        document = gateway.submit(letter(UNKNOWN)).document_id
        gateway.deliver_due()
        [old] = [one for one in gateway.status(document).deliveries if one.channel == "mssante"]
        assert (old.transport, old.reason) == ("dead", "MSS-550-5.1.1")
        new = readdress(gateway, old.id, box)
        gateway.deliver_due()
        assert view(gateway, new.id).transport == "sent"
        mail = last_mail(real_mail, box, 1)
        [archive] = [part for part in mail.iter_attachments() if part.get_filename() == "IHE_XDM.ZIP"]
        assert archive.get_payload(decode=True) == gateway.rendering(document, "xdm")
        assert mail["To"] == box


def test_returned_later_then_readdressed_then_withdrawn(real_mail: RealMail, tmp_path: Path) -> None:
    config, mailbox = practice(tmp_path, real_mail, "readresse.rebond")
    box = f"dr.retour@{DOMAINS[1]}"
    with Gateway.open(config) as gateway:
        old = sent(gateway, GONE)
        with pytest.raises(InputError) as refused:
            readdress(gateway, old, box)
        assert [one.code for one in refused.value.findings] == ["LNK-SENT"]
        raw = report(real_mail, mailbox)
        account = view(gateway, old).account
        assert gateway.receipts.take_in(account, raw).reason == "MSS-RCPT-5-1-1"
        new = readdress(gateway, old, box)
        gateway.deliver_due()
        first = last_mail(real_mail, box, 1)
        gone = view(gateway, old)
        assert (gone.transport, gone.receipt, gone.succeeded_by, gone.alerted_at) == (
            "superseded",
            "refused",
            new.id,
            None,
        )
        # A late report still finds the delivery that it is about.
        again = raw.replace(b"Status: 5.1.1", b"Status: 5.2.1")
        taken = gateway.receipts.take_in(account, again)
        assert taken.delivery is not None
        assert taken.delivery.id == old
        document = gone.document_id
        gateway.withdraw(document, reason="error", by="Mme Martin", note="mauvaise mesure")
        gateway.deliver_due()
        back = last_mail(real_mail, box, 2)
        assert back["In-Reply-To"] == first["Message-ID"]
        assert back["Subject"].startswith("[Annulation] ")
        [line] = [one for one in gateway.linked.withdrawal(document).lines if one.purpose == "retraction"]
        assert (line.transport, line.confirmed) == ("sent", True)
        assert gateway.verify_journal().ok
