from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.clock import FrozenClock
from gateway.store import journal
from gateway.store.outbox import Outbox
from tests.unit.store import kit


def connection(store: Outbox) -> sqlite3.Connection:
    found = store.core.db._connection  # type: ignore[attr-defined]
    assert isinstance(found, sqlite3.Connection)
    return found


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
    last, number = journal.GENESIS, 0
    for entry in store.snapshot().records():
        last = journal.chain_hash(last, entry.record)
        assert entry.hash == last
        assert json.loads(entry.record)["seq"] == number
        number += 1
    assert number == 4  # journal_started, the document, two deliveries


def test_a_field_that_nobody_allowed_is_refused(store: Outbox) -> None:
    with pytest.raises(ValueError, match="patient_name"), store.core.write() as work:
        work.note("x", patient_name="y")
    assert store.snapshot().size == 1


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
    connection(store).execute(f"PRAGMA recursive_triggers = {recursive}")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection(store).execute(statement)


def test_the_root_counts_every_record(store: Outbox) -> None:
    from gateway.store import merkle

    store.accept(kit.request())
    snapshot = store.snapshot()
    assert snapshot.root == merkle.root(merkle.leaf_hash(entry.record) for entry in snapshot.records())


def test_pages_fit_together(store: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.snapshot.PAGE", 3)
    for name in "abc":
        store.accept(kit.request(name))
    snapshot = store.snapshot()
    store.accept(kit.request("later"))
    assert [entry.seq for entry in snapshot.records()] == list(range(10))


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
