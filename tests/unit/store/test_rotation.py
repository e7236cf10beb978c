"""Master keys change under a store that works; what they opened stays readable, what names people stays the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.clock import FrozenClock
from gateway.errors import InputError, NotFoundError, StateError, StoreError
from gateway.store import keyring
from gateway.store.base import Result
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Transport
from tests.integration.test_migrations import at_schema
from tests.unit.store import kit
from tests.unit.store.test_facts import NEW as NEW_FACTS

WHO = {"by": "Anne", "reason": "annuel"}


def rotate(store: Outbox) -> str:
    """A rotation from beginning to end."""
    key_id = store.add_master_key(**WHO)
    store.use_master_key(key_id, **WHO)
    for key in store.master_keys():
        while not key.current and store.rewrap(key.id, limit=2).moved:
            pass
    return key_id


def read_all(store: Outbox) -> list[bytes]:
    """Every sealed value of every document that is not erased, opened."""
    rows = [store.document(row.document_id) for row in store.deliveries()]
    kept = {row.id: row for row in rows if row.erased_at is None}
    found = [store.rendering(document, name).data for document in sorted(kept) for name in ("submission", "cda", "pdf")]
    found += [part.data for row in kept.values() for one in row.delivery_ids for part in store.parts(one)]
    notes = [note.text for row in kept.values() for one in row.delivery_ids for note in store.delivery(one).notes]
    return found + [str(note).encode() for note in notes] + [str(one.care).encode() for one in store.facts()]


def ring(folder: Path) -> keyring.Keyring:
    return keyring.load(kit.settings(folder).sealing.key_file)


def records(store: Outbox) -> list[dict[str, object]]:
    return [json.loads(entry.record) for entry in store.snapshot().records()]


def filled(store: Outbox) -> list[bytes]:
    for name in "abcde":
        store.accept(kit.request(name, facts=NEW_FACTS))
    store.act(store.deliveries()[0].id, "hold", by="Anne", reason="à relire")
    return read_all(store)


def test_everything_opens_without_the_old_key(store: Outbox, tmp_path: Path) -> None:
    before = filled(store)
    old = store.core.vault.key_id
    new = rotate(store)
    assert read_all(store) == before
    states = {key.id: key for key in store.master_keys()}
    assert not states[old].in_use
    assert (states[new].documents, states[new].facts, states[new].current) == (5, 5, True)
    store.retire_master_key(old, **WHO)
    assert [key.id for key in ring(tmp_path).keys] == [new]
    again = kit.open_store(tmp_path)
    assert read_all(again) == before
    assert not again.accept(kit.request("a", facts=NEW_FACTS)).created  # the same keyed hash of the caller's key
    again.accept(kit.request("f", facts=NEW_FACTS))
    assert len(read_all(again)) > len(before)
    again.close()


def test_names_stay(store: Outbox, tmp_path: Path) -> None:
    def names(one: Outbox) -> list[object]:
        vault = one.core.vault
        hashes = [vault.key_mac("a", "k"), vault.identity_mac("pdf", "x"), vault.mail_mac("envid", "1")]
        return [vault.pseudonym("cabinet", "p"), vault.episode_name("c", "p", "e"), vault.person_name("1"), *hashes]

    before, old = names(store), store.core.vault.key_id
    rotate(store)
    store.retire_master_key(old, **WHO)
    rotate(store)
    again = kit.open_store(tmp_path)
    assert names(store) == names(again) == before
    again.close()


def test_another_process_takes_the_new_key_by_itself(store: Outbox, tmp_path: Path, clock: FrozenClock) -> None:
    other = kit.open_store(tmp_path, clock, "other")  # opened before the rotation, keyring read then
    before = filled(store)
    new = rotate(store)
    assert read_all(other) == before
    [claim] = other.claim(kit.wanted(1))
    assert claim.parts
    accepted = other.accept(kit.request("f", facts=NEW_FACTS))
    assert kit.sql(store, "SELECT key_id FROM document WHERE id = ?", (accepted.document_id,)) == [(new,)]
    assert kit.sql(store, "SELECT key_id FROM episode_fact WHERE document_id = ?", (accepted.document_id,)) == [(new,)]
    told = [one for one in records(store) if one.get("document") == accepted.document_id and "key_id" in one]
    assert [one["key_id"] for one in told] == [new]
    other.close()


def test_a_key_is_on_the_disk_and_in_the_journal_before_it_wraps(store: Outbox, tmp_path: Path) -> None:
    new = store.add_master_key(**WHO)
    assert new in {key.id for key in ring(tmp_path).keys}
    store.accept(kit.request("a"))
    assert {key.id: key.documents for key in store.master_keys()}[new] == 0
    assert store.add_master_key(**WHO) == new  # it waits: no second one
    store.use_master_key(new, **WHO)
    store.use_master_key(new, **WHO)
    store.accept(kit.request("b"))
    events = [str(one["event"]) for one in records(store)]
    assert [event for event in events if event.startswith("master")] == ["master_key_made", "master_key_used"]
    assert events.index("master_key_used") < max(i for i, event in enumerate(events) if event == "document_accepted")


def test_a_key_that_nobody_noted_is_taken_up(store: Outbox, tmp_path: Path) -> None:
    """Killed between the keyring and the database."""
    stray = keyring.MasterKey(bytes(32))
    keyring.change(kit.settings(tmp_path).sealing.key_file, lambda now: now.with_key(stray))
    assert [key.id for key in store.master_keys() if key.turn is None] == [stray.id]
    assert store.add_master_key(**WHO) == stray.id
    assert len(ring(tmp_path).keys) == 2


def test_a_key_in_use_is_not_retired(store: Outbox) -> None:
    filled(store)
    old = store.core.vault.key_id
    with pytest.raises(StateError, match="KEY-006"):
        store.retire_master_key(old, **WHO)
    new = store.add_master_key(**WHO)
    store.use_master_key(new, **WHO)
    with pytest.raises(StateError, match="KEY-007"):
        store.retire_master_key(old, **WHO)
    assert store.rewrap(old, limit=5).moved == 5  # the documents; their facts are left
    with pytest.raises(StateError, match="KEY-007"):
        store.retire_master_key(old, **WHO)
    with pytest.raises(NotFoundError, match="KEY-404"):
        store.retire_master_key("0" * 16, **WHO)
    for wrong in ({"by": " "}, {"reason": ""}):
        with pytest.raises(InputError):
            store.retire_master_key(old, **{**WHO, **wrong})


def test_a_machine_without_the_new_key(store: Outbox, tmp_path: Path, clock: FrozenClock) -> None:
    """It takes documents over under a key that all have, claims nothing that it cannot open, and does not start."""
    file = kit.settings(tmp_path).sealing.key_file
    alone, old = file.read_bytes(), store.core.vault.key_id
    other = kit.open_store(tmp_path, clock, "other")
    filled(store)
    rotate(store)
    whole = file.read_bytes()
    file.write_bytes(alone)  # what the other machine has
    with pytest.raises(StoreError, match="SEA-010"):
        other.claim(kit.wanted(1))
    late = other.accept(kit.request("late"))
    assert kit.sql(store, "SELECT key_id FROM document WHERE id = ?", (late.document_id,)) == [(old,)]
    with pytest.raises(StoreError, match="SEA-010"):
        kit.open_store(tmp_path, clock)
    assert {row.state for row in store.deliveries()} == {Transport.PREPARED, Transport.HELD}  # nothing was given up
    file.write_bytes(whole)
    assert other.claim(kit.wanted(1))
    assert store.rewrap(old).moved == 1  # the late one
    assert store.rewrap(old).moved == 0
    store.retire_master_key(old, **WHO)
    assert other.rendering(late.document_id, "cda").data
    other.close()


def test_a_retired_key_seals_nothing_more(store: Outbox, tmp_path: Path, clock: FrozenClock) -> None:
    """What another process sealed before its transaction began goes under the key in use, or not at all."""
    file = kit.settings(tmp_path).sealing.key_file
    alone, old = file.read_bytes(), store.core.vault.key_id
    other = kit.open_store(tmp_path, clock, "other")
    rotate(store)
    store.retire_master_key(old, **WHO)
    file.write_bytes(alone)
    with pytest.raises(StoreError, match="SEA-010"):
        other.accept(kit.request("late"))
    assert store.deliveries() == []
    other.close()


def test_a_damaged_row_does_not_stop_the_others(store: Outbox) -> None:
    filled(store)
    old = store.core.vault.key_id
    damaged = store.deliveries()[0].document_id
    kit.sql(store, "UPDATE document SET wrapped_key = ? WHERE id = ?", (bytes(60), damaged))
    new = store.add_master_key(**WHO)
    store.use_master_key(new, **WHO)
    skip: frozenset[str] = frozenset()
    while (batch := store.rewrap(old, limit=2, skip=skip)).moved or batch.unreadable:
        skip |= frozenset(batch.unreadable)
    assert skip == {damaged}
    assert {key.id: key.documents for key in store.master_keys()} == {old: 1, new: 4}
    with pytest.raises(StateError, match="KEY-007"):
        store.retire_master_key(old, **WHO)


def test_an_erased_document_stays_erased_and_keeps_no_key(store: Outbox) -> None:
    filled(store)
    document = store.deliveries()[0].document_id
    for row in store.deliveries():
        if row.document_id == document:
            store.act(row.id, "cancel", by="Anne", reason="x")
    store.erase(document, by="Anne")
    old = store.core.vault.key_id
    rotate(store)
    assert kit.sql(store, "SELECT wrapped_key FROM document WHERE id = ?", (document,)) == [(None,)]
    store.retire_master_key(old, **WHO)
    assert len(store.facts()) == 5


def test_the_journal_holds_ids_only(store: Outbox, tmp_path: Path) -> None:
    filled(store)
    rotate(store)
    store.retire_master_key(ring(tmp_path).store, **WHO)
    told = [one for one in records(store) if str(one["event"]).startswith(("master_key", "documents_re", "facts_re"))]
    allowed = {"v", "shard", "seq", "at", "event", "key_id", "by", "reason", "size"}
    assert {name for one in told for name in one} == allowed
    text = json.dumps(told)
    secrets = [key.secret for key in ring(tmp_path).keys] + list(ring(tmp_path).names.values())
    assert not any(secret.hex() in text for secret in secrets)
    assert sum(int(str(one["size"])) for one in told if "size" in one) == 10


def test_sending_goes_on_while_keys_change(store: Outbox) -> None:
    filled(store)
    old = store.core.vault.key_id
    [claim] = store.claim(kit.wanted(1))
    rotate(store)
    store.retire_master_key(old, **WHO)
    store.mark_transmitting(claim)
    assert store.record(claim, Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250"))


@pytest.mark.engine("sqlite")  # both engines' scripts say the same
def test_a_store_from_before_keeps_its_names_and_its_words(tmp_path: Path, clock: FrozenClock) -> None:
    """Schema 12: one key, facts that do not say under which, words bound to their delivery alone."""
    store = kit.open_store(tmp_path, clock)
    before, name = filled(store), store.core.vault.pseudonym("cabinet", "p")
    [(delivery, sealed)] = kit.sql(store, "SELECT delivery_id, sealed FROM note")
    document = store.delivery(delivery).row.document_id
    with store.core.db.read() as tx:
        row = tx.one("document_get", id=document)
    assert row is not None
    key = store.core.document_key(row)
    assert key is not None
    words = key.seal("à relire".encode(), "note", delivery, "sealed")
    kit.sql(store, "UPDATE note SET sealed = ?, name = NULL WHERE sealed = ?", (words, sealed))
    store.close()

    database = tmp_path / "store" / "gateway.db"
    at_schema(database, tmp_path / "old.db", 12)
    (tmp_path / "old.db").replace(database)
    again = kit.open_store(tmp_path, clock, "later")
    assert read_all(again) == before
    old = again.core.vault.store_id
    assert [(key.id, key.made_at, key.documents, key.facts) for key in again.master_keys()] == [(old, None, 5, 5)]
    rotate(again)
    again.retire_master_key(old, **WHO)
    assert read_all(again) == before
    assert again.core.vault.pseudonym("cabinet", "p") == name
    again.close()
