"""What comes back, taken in: matched, believed or not, applied once, journalled; and what its absence does."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from gateway.audit.verify import verify_store
from gateway.clock import FrozenClock
from gateway.engine import plan, receipts
from gateway.errors import InputError, StateError
from gateway.package.types import MailContext, Package, context_to_json
from gateway.rules.trust_space import TrustList
from gateway.store.base import URGENT, DeliveryRow, Result
from gateway.store.outbox import Outbox
from gateway.store.received import Cursor, Place, TakenMail
from gateway.store.states import Event, Receipt, Transport
from tests.unit.read import report_samples as samples
from tests.unit.read.report_samples import DOCTOR, KINE, OLD_ERROR, Sent
from tests.unit.store import kit

TRUST = TrustList(frozenset({"example.mssante.fr", "patient.mssante.fr"}), kit.START.date(), "test")


def sent_mail(number: int = 1, to: str = DOCTOR) -> Sent:
    return Sent(f"<mail-{number}@example.mssante.fr>", f"{number:032x}", KINE, to)


def submit(store: Outbox, number: int = 1, to: str = DOCTOR, *, patient: str = "a", **changes: Any) -> str:
    """A mail to one recipient, prepared."""
    about = sent_mail(number, to)
    context = MailContext(KINE, to, about.message_id, about.envid)
    planned = kit.mail(context=context_to_json(context), keys=plan.mail_keys(Package((), context)), **changes)
    request = kit.request(f"{patient}{number}", planned, patient=f"{patient}|{kit.SECRET}")
    request = kit.replace(request, document_date=kit.START.date() - timedelta(days=number))
    return store.accept(request).delivery_ids[0]


def deliver(store: Outbox, delivery: str, event: Event = Event.TAKEN, state: Transport = Transport.SENT) -> None:
    """One attempt with this end."""
    [claim] = [one for one in store.claim(kit.wanted()) if one.delivery_id == delivery]
    store.mark_transmitting(claim)
    receipt = Receipt.AWAITED if state is Transport.SENT else Receipt.NONE
    due = 30.0 if state is Transport.RETRY else None
    assert store.record(claim, Result(event, state, "x", "MSS-X", due_in=due, receipt=receipt))


def doubt(store: Outbox, delivery: str) -> None:
    deliver(store, delivery, Event.DOUBT, Transport.IN_DOUBT)


def take(store: Outbox, raw: bytes, **more: Any) -> TakenMail:
    account = kit.settings(store.core.folder.path.parent).account[0]
    return receipts.take_in(store, account, raw, TRUST, **more)


def row(store: Outbox, delivery: str) -> DeliveryRow:
    return store.delivery(delivery).row


def last(store: Outbox, event: str = "") -> dict[str, Any]:
    """The newest record of the journal, or the newest of that event."""
    records: list[dict[str, Any]] = [json.loads(entry.record) for entry in store.snapshot().records()]
    return next(one for one in reversed(records) if event in {"", one["event"]})


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


# -------------------------------------------------------------------------------------------------- people answer


def test_a_reply_is_surfaced_until_somebody_read_it(store: Outbox, sent: str) -> None:
    place = Place("INBOX", 5, 12)
    taken = take(store, samples.reply("Patient vu hier, merci", sent=sent_mail()), place=place)
    assert (taken.kind, taken.verdict, row(store, sent).replies) == ("reply", "applied", 1)
    take(store, samples.reply("Encore", sent=sent_mail(), message_id="<r2@x.fr>"))
    assert row(store, sent).replies == 2
    first = next(one for one in store.received(sent) if one.uid is not None)
    assert (first.folder, first.uid, first.reason) == ("INBOX", 12, "MSS-RCPT-REPLY")
    assert "Patient vu" not in "".join(store.delivery(sent).records)
    after = store.attend(sent, "seen", by="Anne", reason="lu")
    assert (after.replies, last(store)["event"], last(store)["by"]) == (0, "reply_seen", "Anne")
    with pytest.raises(StateError, match="DLV-007"):
        store.attend(sent, "seen", by="Anne", reason="lu")


def test_mail_that_is_no_business_of_ours_leaves_only_the_cursor(store: Outbox, sent: str) -> None:
    size = store.snapshot().size
    for number, raw in enumerate(
        [samples.reply(sent=sent_mail(9)), samples.reply(sent=sent_mail(), sender="x@evil.example")], start=1
    ):
        assert take(store, raw, place=Place("INBOX", 5, number)).verdict == "ignored"
    assert (store.snapshot().size, row(store, sent).replies) == (size, 0)
    assert store.mail_cursor("cabinet", "INBOX") == Cursor(5, 2)


# ------------------------------------------------------------------------------------------------------ deadlines


def test_a_missing_receipt_is_told_once_and_nothing_is_sent(store: Outbox, sent: str, clock: FrozenClock) -> None:
    clock.advance(2 * 86400 - 10)
    assert receipts.overdue(store, None, clock.now()) == []
    clock.advance(20)
    [event] = receipts.overdue(store, "cabinet", clock.now())
    assert (event.event, event.delivery, event.reason) == ("receipt_overdue", sent, "MSS-RCPT-OVERDUE")
    assert receipts.overdue(store, None, clock.now()) == []
    found = row(store, sent)
    assert (found.state, found.receipt, found.alerted_at) == (Transport.SENT, Receipt.OVERDUE, clock.now())
    assert store.claim(kit.wanted()) == []
    assert verify_store(store).ok


def test_a_relayed_letter_waits_for_no_report_that_nobody_gives(store: Outbox, sent: str, clock: FrozenClock) -> None:
    urgent = submit(store, 2, priority=URGENT)
    deliver(store, urgent)
    for number in (1, 2):
        take(store, samples.dsn("relayed", sent=sent_mail(number)))
    clock.advance(9 * 86400)
    assert [event.delivery for event in receipts.overdue(store, None, clock.now())] == [urgent]
    take(store, samples.dsn("failed", "5.1.1", sent=sent_mail(), report_id="<2@x.fr>"))
    assert row(store, sent).receipt is Receipt.REFUSED


def test_a_late_receipt_still_counts(store: Outbox, sent: str, clock: FrozenClock) -> None:
    clock.advance(3 * 86400)
    receipts.overdue(store, None, clock.now())
    take(store, samples.dsn(sent=sent_mail()))
    found = row(store, sent)
    assert (found.receipt, found.alerted_at, found.receipt_reason) == (Receipt.DELIVERED, None, "MSS-RCPT-DELIVERED")


def test_an_urgent_letter_has_to_be_read_in_four_hours_or_called_about(store: Outbox, clock: FrozenClock) -> None:
    delivery = submit(store, priority=URGENT)
    deliver(store, delivery)
    take(store, samples.dsn(sent=sent_mail()))
    assert row(store, delivery).awaited_until == kit.START + timedelta(hours=4)
    clock.advance(4 * 3600 + 1)
    [event] = receipts.overdue(store, None, clock.now())
    assert event.reason == "MSS-RCPT-URGENT"
    with pytest.raises(InputError, match="DLV-004"):
        store.attend(delivery, "called", by="Anne", reason=" ")
    after = store.attend(delivery, "called", by="Anne", reason="Dr D. prévenu à 14 h")
    assert after.alerted_at is None
    record = last(store)
    assert (record["event"], record["by"]) == ("receipt_called", "Anne")
    assert "prévenu" not in json.dumps(record, ensure_ascii=False)
    assert [note.text for note in store.delivery(delivery).notes] == ["Dr D. prévenu à 14 h"]
    with pytest.raises(StateError, match="DLV-007"):
        store.attend(delivery, "called", by="Anne", reason="encore")


def test_an_urgent_letter_in_the_box_is_not_read_yet(store: Outbox, clock: FrozenClock) -> None:
    delivery = submit(store, priority=URGENT)
    deliver(store, delivery)
    clock.advance(5 * 3600)
    receipts.overdue(store, None, clock.now())
    take(store, samples.dsn(sent=sent_mail()))
    assert row(store, delivery).alerted_at is not None
    take(store, samples.mdn(sent=sent_mail()))
    assert (row(store, delivery).alerted_at, row(store, delivery).receipt) == (None, Receipt.PROCESSED)


def test_a_proof_of_reading_is_asked_of_others_only_by_the_setting(tmp_path: Any, clock: FrozenClock) -> None:
    store = kit.open_store(tmp_path / "other", clock, receipts={"processed": 600})
    delivery = submit(store)
    deliver(store, delivery)
    take(store, samples.dsn(sent=sent_mail()))
    clock.advance(601)
    assert [event.delivery for event in receipts.overdue(store, None, clock.now())] == [delivery]
    store.close()


# ---------------------------------------------------------------------------------------------- not his patient


@pytest.mark.parametrize("by_receipt", [True, False])
def test_a_stranger_to_the_doctor_holds_what_else_goes_to_him(store: Outbox, by_receipt: bool) -> None:
    first = submit(store, 1)
    deliver(store, first)
    queued, other_doctor = submit(store, 2), submit(store, 3, to="autre@example.mssante.fr")
    other_patient = submit(store, 4, patient="b")
    if by_receipt:
        held = [one.id for one in take(store, samples.mdn(error=OLD_ERROR, sent=sent_mail())).held]
        reason = "MSS-RCPT-902"
    else:
        held = [one.id for one in store.hold_pair(first, by="Anne", reason="il a téléphoné")]
        reason = "MSS-RCPT-NOT-PATIENT"
    assert held == [queued]
    later = submit(store, 5)
    assert {(row(store, one).state, row(store, one).reason) for one in (queued, later)} == {(Transport.HELD, reason)}
    assert {one.delivery_id for one in store.claim(kit.wanted())} == {other_doctor, other_patient}
    assert [(one.delivery_id, one.reason) for one in store.pair_holds()] == [(first, reason)]
    released = store.release_pair(first, by="Anne", reason="c'est bien son patient")
    assert {one.id for one in released} == {queued, later}
    assert {one.delivery_id for one in store.claim(kit.wanted())} == {queued, later}
    assert row(store, submit(store, 6)).state is Transport.PREPARED
    with pytest.raises(StateError, match="DLV-009"):
        store.release_pair(first, by="Anne", reason="encore")
    assert verify_store(store).ok


def test_what_was_under_way_is_held_when_it_comes_back(store: Outbox) -> None:
    first, second = submit(store, 1), submit(store, 2)
    deliver_first = [one for one in store.claim(kit.wanted()) if one.delivery_id == first][0]
    store.mark_transmitting(deliver_first)
    store.record(deliver_first, Result(Event.TAKEN, Transport.SENT, "x", "MSS-250", receipt=Receipt.AWAITED))
    store.hold_pair(first, by="Anne", reason="autre médecin")
    assert row(store, second).state is Transport.SENDING
    store.recover(owner_gone=True)
    assert (row(store, second).state, row(store, second).reason) == (Transport.HELD, "MSS-RCPT-NOT-PATIENT")


def test_only_a_mail_has_a_pair(store: Outbox) -> None:
    delivery = store.accept(kit.request("z", kit.dmp())).delivery_ids[0]
    with pytest.raises(StateError, match="DLV-008"):
        store.hold_pair(delivery, by="Anne", reason="non")


# ------------------------------------------------------------------------------------------- older mails, cursor


def test_mails_accepted_before_keys_were_kept_are_still_found(store: Outbox) -> None:
    delivery = submit(store)
    deliver(store, delivery)
    connection = store.core.db._connection  # type: ignore[attr-defined]
    connection.execute("UPDATE delivery SET message_mac = NULL, envid_mac = NULL, recipient_mac = NULL")
    connection.execute("UPDATE delivery SET awaited_until = NULL")
    assert store.unkeyed_mails() == [delivery]
    assert take(store, samples.dsn("delayed", "4.4.1", sent=sent_mail())).verdict == "noted"
    assert store.unkeyed_mails() == []
    assert row(store, delivery).awaited_until is not None
    assert take(store, samples.mdn(sent=sent_mail())).verdict == "applied"


def test_an_erased_mail_of_before_is_given_up_once(store: Outbox) -> None:
    delivery = submit(store)
    deliver(store, delivery)
    store.erase(row(store, delivery).document_id, by="Anne")
    store.core.db._connection.execute("UPDATE delivery SET message_mac = NULL")  # type: ignore[attr-defined]
    receipts.index_older(store)
    assert store.unkeyed_mails() == []


def test_an_erased_document_still_gets_its_receipts(store: Outbox, sent: str) -> None:
    store.erase(row(store, sent).document_id, by="Anne")
    assert take(store, samples.mdn(sent=sent_mail())).verdict == "applied"


def test_the_cursor_goes_forward_and_begins_anew_with_the_box(store: Outbox) -> None:
    assert store.mail_cursor("cabinet", "INBOX") is None
    for place, cursor in [
        (Place("INBOX", 5, 9), Cursor(5, 9)),
        (Place("INBOX", 5, 3), Cursor(5, 9)),
        (Place("INBOX", 6, 1), Cursor(6, 1)),
    ]:
        store.move_cursor("cabinet", place)
        assert store.mail_cursor("cabinet", "INBOX") == cursor
    assert store.mail_cursor("autre", "INBOX") is None


def test_cursor_and_change_commit_together(store: Outbox, sent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.store import journal

    def broken(*_: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(journal, "append", broken)
    with pytest.raises(RuntimeError):
        take(store, samples.mdn(sent=sent_mail()), place=Place("INBOX", 1, 4))
    monkeypatch.undo()
    assert (store.mail_cursor("cabinet", "INBOX"), row(store, sent).receipt) == (None, Receipt.AWAITED)
    assert take(store, samples.mdn(sent=sent_mail()), place=Place("INBOX", 1, 4)).verdict == "applied"
    assert store.mail_cursor("cabinet", "INBOX") == Cursor(1, 4)


def test_nobodys_address_is_in_clear(store: Outbox, sent: str) -> None:
    to = f"{kit.SECRET}@patient.mssante.fr"
    delivery = submit(store, 2, to=to)
    deliver(store, delivery)
    take(store, samples.dsn("failed", "5.1.1", sent=sent_mail(2, to)))
    take(store, samples.bounce(f"La boîte de {kit.SECRET} est fermée", sent=sent_mail(2, to)))
    store.hold_pair(delivery, by="Anne", reason=f"pas {kit.SECRET}")
    assert row(store, delivery).receipt is Receipt.REFUSED
    dump = "\n".join(store.core.db._connection.iterdump())  # type: ignore[attr-defined]
    assert kit.SECRET not in dump
    assert DOCTOR not in dump
    assert "mail-2" not in dump
