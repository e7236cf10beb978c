"""What people answer, what a missing receipt does, whose patient it is not, and the place in the mailbox."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.verify import verify_store
from gateway.channels.outcome import Channel
from gateway.clock import FrozenClock, SeededRandomness
from gateway.engine import receipts
from gateway.engine.events import DeliveryEvent
from gateway.engine.worker import Worker
from gateway.errors import InputError, StateError
from gateway.store.base import URGENT, Result
from gateway.store.outbox import Outbox
from gateway.store.received import Cursor, Place
from gateway.store.states import Event, Receipt, Transport
from tests.unit.engine.mail_kit import deliver, last, row, sent_mail, submit, take
from tests.unit.read import report_samples as samples
from tests.unit.read.report_samples import DOCTOR, OLD_ERROR
from tests.unit.store import kit


@pytest.fixture
def sent(store: Outbox) -> str:
    delivery = submit(store)
    deliver(store, delivery)
    return delivery


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
    deliver_first = next(one for one in store.claim(kit.wanted()) if one.delivery_id == first)
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
    kit.sql(store, "UPDATE delivery SET message_mac = NULL, envid_mac = NULL, recipient_mac = NULL")
    kit.sql(store, "UPDATE delivery SET awaited_until = NULL")
    assert store.unkeyed_mails() == [delivery]
    assert take(store, samples.dsn("delayed", "4.4.1", sent=sent_mail())).verdict == "noted"
    assert store.unkeyed_mails() == []
    assert row(store, delivery).awaited_until is not None
    assert take(store, samples.mdn(sent=sent_mail())).verdict == "applied"


def test_many_mails_of_before_do_not_stop_a_worker(store: Outbox) -> None:
    store.accept_many([kit.request(str(number)) for number in range(120)])  # as they were stored before there were keys
    older = len(store.unkeyed_mails(limit=1000))
    assert older >= 120
    receipts.overdue(store, "cabinet", store.now())
    assert len(store.unkeyed_mails(limit=1000)) == older - 100
    receipts.index_older(store)
    assert store.unkeyed_mails() == []


def test_an_erased_mail_of_before_is_given_up_once(store: Outbox) -> None:
    delivery = submit(store)
    deliver(store, delivery)
    store.erase(row(store, delivery).document_id, by="Anne")
    kit.sql(store, "UPDATE delivery SET message_mac = NULL")
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
    dump = kit.dump(store)
    assert kit.SECRET not in dump
    assert DOCTOR not in dump
    assert "mail-2" not in dump


async def test_the_worker_tells_of_a_missing_receipt_once(
    store: Outbox, sent: str, clock: FrozenClock, tmp_path: Path
) -> None:
    told: list[DeliveryEvent] = []

    def none(account: str, channel: str) -> Channel:
        raise AssertionError(f"nothing is to be sent ({account}, {channel})")

    worker = Worker(
        store,
        none,
        clock=clock,
        randomness=SeededRandomness("w"),
        settings=kit.settings(tmp_path),
        subscribers=[told.append],
    )
    clock.advance(3 * 86400)
    for _ in range(2):
        assert await worker.deliver_due() == 0
    assert [(event.event, event.delivery, event.reason) for event in told] == [
        ("receipt_overdue", sent, "MSS-RCPT-OVERDUE")
    ]
    stop = asyncio.Event()
    clock.advance(10)
    take(store, samples.dsn("delayed", "4.4.1", sent=sent_mail()))
    running = asyncio.create_task(worker.run(stop))
    await asyncio.sleep(0.05)
    stop.set()
    await running
    assert len(told) == 1
