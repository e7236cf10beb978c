"""What comes back, taken in: matched, believed or not, applied once, journalled; a doubt ends with it."""

from __future__ import annotations

import pytest

from gateway.audit.verify import verify_store
from gateway.clock import FrozenClock
from gateway.engine import receipts
from gateway.store.base import Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Receipt, Transport
from tests.unit.engine.mail_kit import TRUST, deliver, doubt, last, row, sent_mail, submit, take
from tests.unit.read import report_samples as samples
from tests.unit.read.report_samples import DOCTOR, OLD_ERROR, Sent
from tests.unit.store import kit


@pytest.fixture
def sent(store: Outbox) -> str:
    delivery = submit(store)
    deliver(store, delivery)
    return delivery


# --------------------------------------------------------------------------------------------------- applied


@pytest.mark.parametrize(
    ("raw", "receipt", "reason", "asks"),
    [
        (samples.dsn(sent=sent_mail()), Receipt.DELIVERED, "MSS-RCPT-DELIVERED", False),
        (samples.dsn("relayed", sent=sent_mail()), Receipt.AWAITED, "MSS-RCPT-RELAYED", False),
        (samples.dsn("delayed", "4.4.1", sent=sent_mail()), Receipt.AWAITED, "MSS-RCPT-DELAYED", False),
        (samples.dsn("failed", "5.1.1", sent=sent_mail()), Receipt.REFUSED, "MSS-RCPT-5-1-1", True),
        (samples.mdn(sent=sent_mail()), Receipt.PROCESSED, "MSS-RCPT-PROCESSED", False),
        (samples.mdn("a/b; displayed", sent=sent_mail()), Receipt.PROCESSED, "MSS-RCPT-DISPLAYED", False),
        (samples.mdn("a/b; deleted", sent=sent_mail()), Receipt.DELIVERED, "MSS-RCPT-DELETED", True),
        (samples.mdn(error="0^ok", sent=sent_mail()), Receipt.INTEGRATED, "MSS-RCPT-0", False),
        (samples.mdn(error=OLD_ERROR, sent=sent_mail()), Receipt.REFUSED, "MSS-RCPT-902", True),
        (samples.mdn(f"a/b; processed/Error: {OLD_ERROR}", sent=sent_mail()), Receipt.REFUSED, "MSS-RCPT-902", True),
        (samples.standard_failure(sent=sent_mail()), Receipt.REFUSED, "MSS-RCPT-902", True),
        (samples.bounce("Boîte fermée", sent=sent_mail()), Receipt.REFUSED, "MSS-RCPT-CLOSED", True),
    ],
)
def test_a_receipt_says_what_it_says(
    store: Outbox, sent: str, raw: bytes, receipt: Receipt, reason: str, asks: bool
) -> None:
    taken = take(store, raw)
    assert (taken.verdict in {"applied", "noted"}, taken.reason) == (True, reason)
    found = row(store, sent)
    assert (found.state, found.receipt, found.receipt_reason) == (Transport.SENT, receipt, reason)
    assert (found.alerted_at is not None) is asks
    assert (found.awaited_until is None) is (reason != "MSS-RCPT-DELAYED")
    record = last(store, "receipt")
    assert (record["text"], record["receipt"], record["delivery"]) == (reason, receipt, sent)
    assert verify_store(store).ok


def test_the_very_same_mail_twice_leaves_no_trace(store: Outbox, sent: str) -> None:
    raw = samples.dsn(sent=sent_mail())
    assert take(store, raw).verdict == "applied"
    size = store.snapshot().size
    again = take(store, raw)
    assert (again.verdict, store.snapshot().size) == ("known", size)
    assert receipts.events(again, kit.START) == []


def test_another_copy_of_the_same_report_is_doubled(store: Outbox, sent: str) -> None:
    take(store, samples.dsn(sent=sent_mail()))
    again = take(store, b"Received: from elsewhere\r\n" + samples.dsn(sent=sent_mail()))
    assert (again.verdict, row(store, sent).receipt) == ("doubled", Receipt.DELIVERED)
    assert last(store)["verdict"] == "doubled"


def test_reports_come_in_any_order(store: Outbox, sent: str) -> None:
    take(store, samples.mdn(sent=sent_mail()))
    late = take(store, samples.dsn(sent=sent_mail()))
    assert (late.verdict, row(store, sent).receipt) == ("noted", Receipt.PROCESSED)
    take(store, samples.dsn("delayed", "4.4.1", sent=sent_mail(), report_id="<2@x.fr>"))
    assert row(store, sent).receipt is Receipt.PROCESSED
    assert row(store, sent).receipt_reason == "MSS-RCPT-PROCESSED"


@pytest.mark.parametrize("first", [samples.dsn("relayed", sent=sent_mail()), samples.dsn(sent=sent_mail())])
def test_a_late_failure_surfaces(store: Outbox, sent: str, first: bytes) -> None:
    take(store, first)
    take(store, samples.dsn("failed", "5.2.1", sent=sent_mail(), report_id="<2@x.fr>"))
    found = row(store, sent)
    assert (found.receipt, found.receipt_reason) == (Receipt.REFUSED, "MSS-RCPT-5-2-1")
    assert found.alerted_at is not None


def test_a_failure_after_integration_is_a_contradiction_that_a_person_sees(store: Outbox, sent: str) -> None:
    take(store, samples.mdn(error="0^ok", sent=sent_mail()))
    take(store, samples.dsn("failed", "5.1.1", sent=sent_mail()))
    found = row(store, sent)
    assert (found.receipt, found.receipt_reason) == (Receipt.INTEGRATED, "MSS-RCPT-CONTRADICTS")
    assert found.alerted_at is not None


def test_an_error_is_mended_by_a_later_success(store: Outbox, sent: str) -> None:
    take(store, samples.mdn(error="906^Autre", sent=sent_mail()))
    take(store, samples.mdn(sent=sent_mail(), report_id="<2@x.fr>"))
    found = row(store, sent)
    assert (found.receipt, found.alerted_at) == (Receipt.PROCESSED, None)


def test_one_report_that_says_both_is_bad_news(store: Outbox, sent: str) -> None:
    take(store, samples.dsn("failed", "5.1.1", sent=sent_mail(), more=samples.group(DOCTOR, "delivered", "2.0.0")))
    assert row(store, sent).receipt is Receipt.REFUSED


def test_a_forwarded_mail_is_told_by_its_original_recipient(store: Outbox, sent: str) -> None:
    taken = take(store, samples.mdn(sent=sent_mail(), final="rfc822;secretariat@example.mssante.fr"))
    assert (taken.verdict, row(store, sent).receipt) == ("applied", Receipt.PROCESSED)


# -------------------------------------------------------------------------------------------------- not believed


@pytest.mark.parametrize(
    ("raw", "verdict", "reason"),
    [
        (samples.mdn(sent=sent_mail(), sender="x@evil.example"), "forged", "MSS-RCPT-FORGED"),
        (samples.dsn(sent=sent_mail(), sender="mailer-daemon@evil.example"), "forged", "MSS-RCPT-FORGED"),
        (samples.dsn(sent=sent_mail(), path="<x@example.mssante.fr>"), "forged", "MSS-RCPT-FORGED"),
        (samples.dsn(sent=sent_mail(), sender="x@example.mssante.fr.evil.example"), "forged", "MSS-RCPT-FORGED"),
        (samples.dsn(sent=sent_mail(), sender="x@notexample.mssante.fr"), "forged", "MSS-RCPT-FORGED"),
        (
            samples.mdn(sent=sent_mail(), original="rfc822;x@example.mssante.fr", final="rfc822;y@example.mssante.fr"),
            "wrong_recipient",
            "MSS-RCPT-OTHER-RECIPIENT",
        ),
        (
            samples.dsn(sent=sent_mail(), original="x@example.mssante.fr", final="y@example.mssante.fr"),
            "wrong_recipient",
            "MSS-RCPT-OTHER-RECIPIENT",
        ),
        (samples.dsn(sent=sent_mail(7)), "unmatched", "MSS-RCPT-UNMATCHED"),
        (samples.mdn(sent=sent_mail(7)), "unmatched", "MSS-RCPT-UNMATCHED"),
        (b"\x00" + b"--B\n" * 3000, "forged", "MSS-RCPT-UNREADABLE"),
    ],
)
def test_what_is_not_believed_is_journalled_and_changes_nothing(
    store: Outbox, sent: str, raw: bytes, verdict: str, reason: str
) -> None:
    before = row(store, sent)
    taken = take(store, raw)
    assert (taken.verdict, taken.reason) == (verdict, reason)
    assert row(store, sent) == before
    record = last(store)
    assert (record["event"], record["verdict"], record["reason"]) == ("receipt_refused", verdict, reason)
    size = store.snapshot().size
    assert (take(store, raw).verdict, store.snapshot().size) == ("known", size)
    assert verify_store(store).ok


def test_a_report_that_means_two_mails_is_not_believed(store: Outbox, sent: str) -> None:
    submit(store, 2)
    mixed = Sent(sent_mail(2).message_id, sent_mail(1).envid)
    assert take(store, samples.dsn(sent=mixed)).verdict == "ambiguous"
    assert row(store, sent).receipt is Receipt.AWAITED


@pytest.mark.parametrize(
    ("text", "sender", "verdict"),
    [
        ("Boîte fermée", "mailer-daemon@patient.mssante.fr", "applied"),
        (f"La boîte {DOCTOR} est fermée.", "ne-pas-repondre@patient.mssante.fr", "applied"),
        ("La boîte x@example.mssante.fr est fermée.", "mailer-daemon@patient.mssante.fr", "wrong_recipient"),
        ("Boîte fermée", "ne-pas-repondre@patient.mssante.fr", "wrong_recipient"),
        ("Boîte fermée", "mailer-daemon@evil.example", "forged"),
    ],
)
def test_a_bounce_that_quotes_nothing_answers_in_its_thread(
    store: Outbox, sent: str, text: str, sender: str, verdict: str
) -> None:
    taken = take(store, samples.bounce(text, sent=sent_mail(), sender=sender, returned=False))
    assert taken.verdict == verdict
    assert (row(store, sent).receipt is Receipt.REFUSED) is (verdict == "applied")
    assert [one.delivery_id for one in store.loose_mails("cabinet")] == ([] if verdict == "applied" else [sent])


def test_another_account_has_nothing_to_do_with_it(store: Outbox, sent: str) -> None:
    other = kit.settings(store.core.folder.path.parent).account[1]
    assert receipts.take_in(store, other, samples.mdn(sent=sent_mail()), TRUST).verdict == "unmatched"
    assert row(store, sent).receipt is Receipt.AWAITED


@pytest.mark.parametrize(
    ("sender", "reporters"),
    [
        ("mailer-daemon@mx1.example.mssante.fr", ()),
        ("mailer-daemon@relais.operateur.example", ("operateur.example",)),
        ("mailer-daemon@relais.operateur.example", ("relais.operateur.example",)),
    ],
)
def test_a_host_of_the_operator_may_report(store: Outbox, sent: str, sender: str, reporters: tuple[str, ...]) -> None:
    raw = samples.dsn(sent=sent_mail(), sender=sender)
    assert take(store, raw, reporters=reporters).verdict == "applied"
    raw = samples.mdn(sent=sent_mail(), sender=sender)
    assert take(store, raw, reporters=reporters).verdict == "forged", "a host reads no mail"


def test_a_reporter_named_later_is_believed_then(store: Outbox, sent: str) -> None:
    raw = samples.dsn(sent=sent_mail(), sender="mailer-daemon@relais.operateur.example")
    assert take(store, raw).verdict == "forged"
    assert take(store, raw, reporters=("operateur.example",)).verdict == "applied"
    assert [line.verdict for line in store.received(sent)] == ["applied"]


# --------------------------------------------------------------------------------------------------------- doubt


@pytest.mark.parametrize(
    ("raw", "receipt"),
    [
        (samples.dsn(sent=sent_mail()), Receipt.DELIVERED),
        (samples.dsn("delayed", "4.4.1", sent=sent_mail()), Receipt.AWAITED),
        (samples.dsn("failed", "5.1.1", sent=sent_mail()), Receipt.REFUSED),
        (samples.mdn(sent=sent_mail()), Receipt.PROCESSED),
        (samples.reply(sent=sent_mail()), Receipt.AWAITED),
    ],
)
def test_a_receipt_ends_a_doubt(store: Outbox, raw: bytes, receipt: Receipt) -> None:
    delivery = submit(store)
    doubt(store, delivery)
    assert take(store, raw).verdict == "applied"
    found = row(store, delivery)
    assert (found.state, found.receipt, found.reason) == (Transport.SENT, receipt, "ENG-RECEIPT")
    assert (found.awaited_until is not None) is (receipt is Receipt.AWAITED)
    assert store.claim(kit.wanted()) == []
    assert verify_store(store).ok


def test_a_receipt_stops_a_resending_that_was_decided(store: Outbox, clock: FrozenClock) -> None:
    delivery = submit(store)
    doubt(store, delivery)
    store.act(delivery, "retry", by="Anne", reason="pas de nouvelles")
    take(store, samples.dsn(sent=sent_mail()))
    clock.advance(3600)
    assert store.claim(kit.wanted()) == []
    assert row(store, delivery).state is Transport.SENT


def test_a_copy_of_our_own_proves_only_where_the_setting_says_so(store: Outbox) -> None:
    delivery = submit(store)
    doubt(store, delivery)
    copy = sent_mail().original().replace("\n", "\r\n").encode()
    assert take(store, copy).verdict == "ignored"
    assert row(store, delivery).state is Transport.IN_DOUBT
    assert take(store, copy, self_copy=True).verdict == "applied"
    assert (row(store, delivery).state, row(store, delivery).receipt) == (Transport.SENT, Receipt.AWAITED)


def test_a_receipt_that_overtakes_the_answer_ends_the_doubt_at_once(store: Outbox) -> None:
    delivery = submit(store)
    [claim] = store.claim(kit.wanted())
    store.mark_transmitting(claim)
    take(store, samples.dsn(sent=sent_mail()))
    assert row(store, delivery).state is Transport.TRANSMITTING
    store.record(claim, Result(Event.DOUBT, Transport.IN_DOUBT, "in_doubt", "MSS-DOUBT-LOST"))
    assert (row(store, delivery).state, row(store, delivery).receipt) == (Transport.SENT, Receipt.DELIVERED)


def test_a_receipt_that_overtakes_a_dead_worker_is_found_by_recovery(store: Outbox) -> None:
    delivery = submit(store)
    [claim] = store.claim(kit.wanted())
    store.mark_transmitting(claim)
    take(store, samples.mdn(sent=sent_mail()))
    store.recover(owner_gone=True)
    assert (row(store, delivery).state, row(store, delivery).receipt) == (Transport.SENT, Receipt.PROCESSED)
