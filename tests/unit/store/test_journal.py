from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest

from gateway.clock import FrozenClock
from gateway.store import journal
from gateway.store.outbox import Outbox
from tests.unit.store import kit


def test_canonical_form_is_that_of_rfc_8785() -> None:
    record = {"b": [1, True, None, 'é€\u001f\n\\"/'], "a": {"z": -1, "é"[:0] + "c": "x"}}
    assert journal.canonical(record) == '{"a":{"c":"x","z":-1},"b":[1,true,null,"é€\\u001f\\n\\\\\\"/"]}'.encode()


@pytest.mark.parametrize("record", [{"a": 1.5}, {"é": 1}, {"a": b"x"}, {"a": [{"b": 0.0}]}])
def test_what_has_no_canonical_form_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"canonical|ASCII"):
        journal.canonical(record)


def test_times_are_utc_with_milliseconds() -> None:
    paris = timezone(timedelta(hours=1))
    assert journal.timestamp(datetime(2026, 1, 5, 15, 30, 0, 1999, tzinfo=paris)) == "2026-01-05T14:30:00.001Z"
    assert journal.timestamp(datetime(2026, 1, 5, tzinfo=UTC)) == "2026-01-05T00:00:00.000Z"


def test_every_record_follows_the_one_before(store: Outbox) -> None:
    store.accept(kit.request())
    snapshot, number = store.snapshot(), 0
    for shard in range(store.shards):
        last = journal.GENESIS
        for seq, entry in enumerate(snapshot.records_of(shard)):
            last = journal.chain_hash(last, entry.record)
            assert entry.hash == last
            value = json.loads(entry.record)
            assert (value["seq"], value["shard"]) == (seq, shard)
            number += 1
    assert number == 4  # journal_started, the document, two deliveries


def test_a_field_that_nobody_allowed_is_refused(store: Outbox) -> None:
    with pytest.raises(ValueError, match="patient_name"), store.core.write() as work:
        work.note("x", patient_name="y")
    assert store.snapshot().size == 1


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET record = '{}' WHERE seq = 0",
        "UPDATE journal SET delivery = 'x'",
        "DELETE FROM journal",
        "INSERT OR REPLACE INTO journal (shard, seq, record, hash) VALUES (0, 0, '{}', x'00')",
        "REPLACE INTO journal (shard, seq, record, hash) VALUES (0, 0, '{}', x'00')",
        "INSERT INTO journal (shard, seq, record, hash) VALUES (0, 9, '{}', x'00')",
        "UPDATE journal_head SET size = 0",
        "DELETE FROM journal_head",
    ],
)
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_the_journal_only_grows(store: Outbox, statement: str, recursive: str) -> None:
    kit.sql(store, f"PRAGMA recursive_triggers = {recursive}")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        kit.sql(store, statement)


@pytest.mark.engine("postgres")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET record = '{}' WHERE seq = 0",
        "UPDATE journal SET delivery = 'x'",
        "DELETE FROM journal",
        "TRUNCATE journal",
        "TRUNCATE journal_head",
        "INSERT INTO journal (shard, seq, record, hash) VALUES (0, 9, '{}', '')",
        "INSERT INTO journal (shard, seq, record, hash) VALUES (1, 9, '{}', '')",
        "INSERT INTO journal (shard, seq, record, hash) VALUES (0, 1, '{}', ''), (0, 3, '{}', '')",
        "INSERT INTO journal (shard, seq, record, hash) VALUES (0, -1, '{}', '')",
        "INSERT INTO journal VALUES (0, 0, '{}', '') ON CONFLICT (shard, seq) DO UPDATE SET record = 'x'",
        "UPDATE journal_head SET size = 0",
        "UPDATE journal_head SET shard = 9, size = size + 1 WHERE shard = 0",
        "DELETE FROM journal_head",
    ],
)
def test_the_journal_only_grows_on_a_server_too(store: Outbox, statement: str) -> None:
    with pytest.raises(psycopg.IntegrityError, match="append-only"):
        kit.sql(store, statement)
    assert store.accept(kit.request()).created


def test_the_root_counts_every_record(store: Outbox) -> None:
    from gateway.store import merkle

    store.accept(kit.request())
    snapshot = store.snapshot()
    for shard, head in enumerate(snapshot.heads):
        assert head.root == merkle.root(merkle.leaf_hash(entry.record) for entry in snapshot.records_of(shard))


def test_pages_fit_together(store: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.snapshot.PAGE", 3)
    for name in "abc":
        store.accept(kit.request(name))
    snapshot = store.snapshot()
    store.accept(kit.request("later"))
    for shard, head in enumerate(snapshot.heads):
        assert [entry.seq for entry in snapshot.records_of(shard)] == list(range(head.size))
    assert snapshot.size == 10


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("550 5.1.1 <jean.dupont@mss.example>: unknown", "550 5.1.1 <<address>>: unknown"),
        ("no INS 1 85 05 78 006 084 91 here", "no INS <number> here"),
        ("INS 285052A00608491 refused", "INS <number> refused"),
        ("queued as 4F2A9C81B3 2.0.0 OK", "queued as 4F2A9C81B3 2.0.0 OK"),
        ("set 2.25.239159123877475092143818215858551848451 stored", None),
        ("a\r\nb\x00c", "a b c"),
    ],
)
def test_scrubbing_knows_shapes(text: str, clean: str | None) -> None:
    assert journal.scrub(text) == (text if clean is None else clean)


def test_codes_have_no_room_for_words() -> None:
    assert journal.code("MSS-550-5.1.1") == "MSS-550-5.1.1"
    assert journal.code("patient Jean Dupont né le 3") == "patient_Jean_Dupont_n_le_3"
    assert len(journal.code("x" * 200)) == 80


def test_one_transaction_one_time(store: Outbox, clock: FrozenClock) -> None:
    clock.advance(1.5)
    store.accept(kit.request())
    times = {json.loads(entry.record)["at"] for entry in store.snapshot().records()}
    assert times == {"2026-03-02T09:00:00.000Z", "2026-03-02T09:00:01.500Z"}
