"""Delivery reports of a real Postfix, taken in by a program that reads the mailbox itself."""

from __future__ import annotations

import json
from email import message_from_bytes
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.api import Gateway
from tests.integration.mailserver import CLOSED, DOMAINS, GONE
from tests.integration.practice import case

if TYPE_CHECKING:
    from tests.integration.mailserver import RealMail

CASE = "01_entorse_cheville_bilan"
HOST = "operateur.test.mssante.fr"


def practice(folder: Path, mail: RealMail, name: str, *, reporters: tuple[str, ...] = (HOST,)) -> tuple[Path, str]:
    """A configuration that sends by the real operator and reads no mailbox by itself."""
    folder.mkdir(exist_ok=True)
    (folder / "trust.txt").write_text("# source: tests\n# date: 2026-11-01\n" + "\n".join(DOMAINS) + "\n")
    submission, mailbox = case(CASE), f"{name}@{DOMAINS[0]}"
    tls = f'{{ ca_file = "{mail.ca}", cert_file = "{mail.client_cert}", key_file = "{mail.client_key}" }}'
    text = f"""
store = {{ url = "sqlite:///gateway.sqlite" }}
sealing = {{ key_file = "sealing.key" }}
journal = {{ checkpoint_dir = "checkpoints", key_file = "journal.key" }}
trust_space = {{ file = "trust.txt" }}
receipts = {{ reporters = {json.dumps(reporters)} }}
[[account]]
id = "{submission["account"]}"
rpps = "{submission["author"]["rpps"]}"
mailbox = "{mailbox}"
display_name = "M_Test_TEST_Cabinet"
oid_root = "1.2.250.1.99999.1"
nil = "DEV1"
smtp = {{ host = "localhost", port = {mail.smtps_port}, timeout = 10, tls = {tls} }}
"""
    (folder / "gateway.toml").write_text(text, encoding="utf-8")
    return folder / "gateway.toml", mailbox


def letter(to: str) -> bytes:
    value = case(CASE)
    value["recipients"] = [{**value["recipients"][0], "mssante": to}]
    value["patient"]["delivery"] = "hand"
    return json.dumps(value).encode()


def sent(gateway: Gateway, to: str) -> str:
    """Send one letter. Returns its delivery."""
    document = gateway.submit(letter(to)).document_id
    gateway.deliver_due()
    [found] = [one for one in gateway.status(document).deliveries if one.channel == "mssante"]
    assert found.transport == "sent", found
    return found.id


def report(mail: RealMail, mailbox: str) -> bytes:
    [raw] = mail.wait_for(mailbox)
    assert message_from_bytes(raw).get_content_type() == "multipart/report"
    return raw


def view(gateway: Gateway, delivery: str) -> Any:
    return gateway.delivery(delivery).view


def test_a_success_report_of_postfix_is_taken_in(real_mail: RealMail, tmp_path: Path) -> None:
    config, mailbox = practice(tmp_path, real_mail, "accuse.bon")
    with Gateway.open(config) as gateway:
        delivery = sent(gateway, f"dr.accuse@{DOMAINS[1]}")
        assert view(gateway, delivery).receipt == "awaited"
        raw = report(real_mail, mailbox)
        taken = gateway.receipts.take_in(view(gateway, delivery).account, raw)
        # The hop to the mailbox (LMTP) knows no reports, so Postfix says "relayed": taken, not yet delivered.
        assert (taken.kind, taken.verdict, taken.reason) == ("dsn", "noted", "MSS-RCPT-RELAYED")
        found = view(gateway, delivery)
        assert (found.transport, found.receipt, found.awaited_until, found.alerted_at) == (
            "sent",
            "awaited",
            None,
            None,
        )
        assert "n'est pas prouvée" in found.receipt_meaning
        assert gateway.receipts.take_in(found.account, raw).verdict == "known"
        [mail] = [message_from_bytes(one) for one in real_mail.messages(f"dr.accuse@{DOMAINS[1]}")]
        answered = parseaddr(str(mail["Reply-To"] or mail["From"]))[1]
        assert (answered, mail["Disposition-Notification-To"]) == (mailbox, mailbox), "answers go where they are read"
        assert gateway.verify_journal().ok


@pytest.mark.parametrize(
    ("to", "reason", "step"),
    [(GONE, "MSS-RCPT-5-1-1", "queue readdress"), (CLOSED, "MSS-RCPT-5-2-1", "annuaire find")],
)
def test_a_later_bounce_of_postfix_is_a_refusal_that_says_what_to_do(
    real_mail: RealMail, tmp_path: Path, to: str, reason: str, step: str
) -> None:
    config, mailbox = practice(tmp_path, real_mail, f"rebond.{to.partition('@')[0]}")
    with Gateway.open(config) as gateway:
        delivery = sent(gateway, to)
        taken = gateway.receipts.take_in(view(gateway, delivery).account, report(real_mail, mailbox))
        found = view(gateway, delivery)
        assert (taken.verdict, found.transport, found.receipt, found.receipt_reason) == (
            "applied",
            "sent",
            "refused",
            reason,
        )
        assert step in found.receipt_next
        assert gateway.deliver_due() == 0
        journal = "".join(gateway.export_journal())
        assert to not in journal
        assert gateway.verify_journal().ok


def test_a_report_of_a_host_that_nobody_named_is_shown_and_not_believed(real_mail: RealMail, tmp_path: Path) -> None:
    config, mailbox = practice(tmp_path, real_mail, "accuse.inconnu", reporters=())
    with Gateway.open(config) as gateway:
        delivery = sent(gateway, f"dr.inconnu2@{DOMAINS[1]}")
        taken = gateway.receipts.take_in(view(gateway, delivery).account, report(real_mail, mailbox))
        assert (taken.verdict, taken.reason) == ("forged", "MSS-RCPT-FORGED")
        assert view(gateway, delivery).receipt == "awaited"
        [line] = gateway.delivery(delivery).received
        assert "espace de confiance" in line["meaning"]
