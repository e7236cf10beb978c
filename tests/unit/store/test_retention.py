"""What is finished goes in its time, what is not stays, and what was proven can still be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.verify import verify_store
from gateway.clock import FrozenClock
from gateway.engine import retention
from gateway.errors import NotFoundError
from gateway.settings import RetentionSettings, RulesSettings
from gateway.store.base import Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Receipt, Transport
from tests.unit.store import kit

DAY = 86400.0
SENT = Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250")
AWAITED = Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", receipt=Receipt.AWAITED)
DOUBT = Result(Event.DOUBT, Transport.IN_DOUBT, "unknown", "MSS-LOST")
DEAD = Result(Event.REFUSED, Transport.DEAD, "refused", "MSS-550")
SHORT = RetentionSettings(mails_days=90, documents_days=400, record_kept_elsewhere=True)


def finished(store: Outbox, name: str, result: Result = SENT, **changes: Any) -> str:
    document = store.accept(kit.request(name, **changes)).document_id
    for claim in store.claim(kit.wanted()):
        store.mark_transmitting(claim)
        assert store.record(claim, result)
    return document


def look(store: Outbox, settings: RetentionSettings = SHORT) -> retention.Plan:
    return retention.plan(store, settings, RulesSettings(), store.now())


def freeze_all(store: Outbox) -> None:
    """The kit's documents say nothing of care: no facts are due of them."""
    kit.sql(store, "DELETE FROM fact_due")


def events(store: Outbox, event: str) -> list[dict[str, object]]:
    found = [json.loads(entry.record) for entry in store.snapshot().records()]
    return [record for record in found if record["event"] == event]


def test_mails_go_first_and_documents_at_their_end(store: Outbox, clock: FrozenClock) -> None:
    document = finished(store, "a")
    freeze_all(store)
    assert look(store).due == ()
    clock.advance(91 * DAY)
    (due,) = look(store).due
    assert (due.document_id, due.kind, due.why, due.size > 0) == (document, "mails", "age", True)
    done = retention.carry_out(store, look(store).due)
    assert (done.mails, done.documents, done.size) == (1, 0, due.size)
    mail, dmp = sorted(store.document(document).delivery_ids, key=lambda one: store.delivery(one).row.channel)[::-1]
    with pytest.raises(NotFoundError) as caught:
        store.parts(mail)
    assert caught.value.code == "DOC-410"
    assert store.context(mail) == kit.mail_context()  # whom to tell, should the document be withdrawn
    assert len(store.parts(dmp)) == 2
    assert store.rendering(document, "cda").data
    assert look(store).due == ()

    clock.advance(310 * DAY)
    (due,) = look(store).due
    assert (due.kind, due.why) == ("documents", "age")
    assert retention.carry_out(store, look(store).due).documents == 1
    with pytest.raises(NotFoundError, match="effacé"):
        store.rendering(document, "cda")
    assert kit.sql(store, "SELECT count(*) FROM artifact") == [(0,)]
    assert look(store).due == ()
    assert [(one["by"], one["reason"]) for one in events(store, "document_erased")] == [("gateway", "age")]
    assert [one["size"] for one in events(store, "mails_erased")] == [done.size]
    assert verify_store(store).ok
    assert {str(row.state) for row in store.deliveries()} == {"sent"}


UNFINISHED: dict[str, Callable[[Outbox], str]] = {
    "waiting": lambda store: store.accept(kit.request("x")).document_id,
    "in doubt": lambda store: finished(store, "x", DOUBT),
    "refused for good": lambda store: finished(store, "x", DEAD),
    "no receipt yet": lambda store: finished(store, "x", AWAITED),
}


@pytest.mark.parametrize("case", UNFINISHED)
def test_what_is_not_finished_stays(store: Outbox, clock: FrozenClock, case: str) -> None:
    finished(store, "a")
    document = UNFINISHED[case](store)
    freeze_all(store)
    clock.advance(5000 * DAY)
    found = look(store)
    assert document not in {due.document_id for due in found.due}
    assert (len(found.due), found.open) == (1, 1)
    assert not store.retire(document, "documents", by="Anne", why="age")
    assert store.rendering(document, "cda").data


def test_held_stopped_or_replaced_it_stays(store: Outbox, clock: FrozenClock) -> None:
    held = store.accept(kit.request("held")).document_id
    for delivery in store.document(held).delivery_ids:
        store.act(delivery, "hold", by="Anne", reason="absente")
    stopped = finished(store, "stopped")
    earlier = finished(store, "earlier")
    store.accept(kit.request("later", replaces=earlier, patient=kit.request("earlier").patient))
    free = finished(store, "free")
    freeze_all(store)
    store.stop_patient(["cabinet"], kit.request("stopped").patient, reason="INS-REFUSED", by="Anne")
    # What was sent of the later version is finished with it; its own deliveries still wait here.
    kit.sql(store, "UPDATE delivery SET state = 'held' WHERE document_id NOT IN (?, ?, ?)", [stopped, earlier, free])
    clock.advance(5000 * DAY)
    assert {due.document_id for due in look(store).due} == {free}
    store.resume_patient(["cabinet"], kit.request("stopped").patient, by="Anne", release=False)
    assert {due.document_id for due in look(store).due} == {free, stopped}


def test_facts_that_are_not_frozen_are_waited_for(store: Outbox, clock: FrozenClock) -> None:
    finished(store, "a")
    clock.advance(5000 * DAY)
    assert look(store).open == 1


def test_a_receipt_counts_as_the_end(store: Outbox, clock: FrozenClock) -> None:
    document = finished(store, "a", AWAITED)
    freeze_all(store)
    clock.advance(60 * DAY)
    for number, delivery in enumerate(store.document(document).delivery_ids):
        store.record_receipt(delivery, Receipt.INTEGRATED, evidence_sha256=f"{number:064x}")
    clock.advance(60 * DAY)
    assert look(store).due == ()
    clock.advance(31 * DAY)
    assert len(look(store).due) == 1


def test_the_cap_takes_the_oldest_finished_first(store: Outbox, clock: FrozenClock) -> None:
    names = [finished(store, name) for name in "abc"]
    freeze_all(store)
    used = store.content_bytes()
    weight = store.weights(names[0])
    cap = RetentionSettings(
        record_kept_elsewhere=True, max_megabytes=(used - weight["mails"] - 1) / retention.MEGABYTE, at_least_days=30
    )
    assert look(store, cap).due == ()  # too young, whatever the cap
    assert look(store, cap).over == weight["mails"] + 1
    clock.advance(31 * DAY)
    found = look(store, cap)
    assert [(due.document_id, due.kind, due.why) for due in found.due] == [
        (names[0], "mails", "size"),
        (names[1], "mails", "size"),
    ]
    assert found.over == 0
    tiny = RetentionSettings(record_kept_elsewhere=True, max_megabytes=1e-6, at_least_days=30)
    assert [due.kind for due in look(store, tiny).due] == ["documents"] * 3
    record = RetentionSettings(max_megabytes=1e-6, at_least_days=30)  # the record itself: only its mails may go
    assert [due.kind for due in look(store, record).due] == ["mails"] * 3
    assert look(store, record).over > 0


def test_several_pages_are_read(store: Outbox, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.retaining.PAGE", 2)
    names = {finished(store, name) for name in "abcde"}
    freeze_all(store)
    clock.advance(91 * DAY)
    assert {due.document_id for due in look(store).due} == names


@pytest.mark.engine("sqlite")
def test_freed_pages_are_used_again_and_hold_nothing(tmp_path: Path, clock: FrozenClock) -> None:
    store = kit.open_store(tmp_path, clock)
    heavy = (kit.Blob("pdf", "application/pdf", bytes(60_000)),)
    for number in range(8):
        finished(store, str(number), renderings=heavy)
    freeze_all(store)
    file = tmp_path / "store" / "gateway.db"
    before, size = store.content_bytes(), file.stat().st_size
    sealed = bytes(kit.sql(store, "SELECT sealed FROM artifact ORDER BY size DESC LIMIT 1")[0][0])
    assert sealed[:40] in file.read_bytes()
    clock.advance(401 * DAY)
    retention.carry_out(store, look(store).due)
    store.scrub()
    assert sealed[:40] not in file.read_bytes()
    assert store.content_bytes() < before
    for number in range(8):
        finished(store, f"again {number}", renderings=heavy)
    assert file.stat().st_size <= size * 1.1  # the file does not shrink: it does not grow either
    store.close()


def test_a_running_gateway_does_it_by_itself(
    store: Outbox, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    told: list[str] = []
    names = [finished(store, name) for name in "abc"]
    freeze_all(store)
    settings = RetentionSettings(max_megabytes=1e-6, at_least_days=30)
    keeper = retention.Keeper(store, settings, RulesSettings(), clock, told.append)
    clock.advance(40 * DAY)
    keeper.tick()
    assert len(events(store, "mails_erased")) == 2  # a few at a time
    keeper.tick()
    assert len(events(store, "mails_erased")) == 3
    assert told == ["store_over_cap"]
    keeper.tick()
    clock.advance(2 * DAY)
    keeper.tick()
    assert told == ["store_over_cap"]  # once, however long it lasts
    assert all(store.rendering(name, "cda").data for name in names)
