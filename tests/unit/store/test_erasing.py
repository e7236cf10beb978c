"""What is left of an erased document in the files of a database: every key is tried at every byte."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gateway.errors import StateError, StoreError
from gateway.store.holdings import Disclosed
from gateway.store.oppositions import Person
from gateway.store.outbox import Outbox
from gateway.store.sealing import Wrapped
from tests.unit.store import kit

WRAPPED = 60
"""Bytes of a wrapped key: nonce, key and tag."""


def files(folder: Path) -> dict[str, bytes]:
    """The database and its journal files, while the store is open."""
    found = (path for path in (folder / "store").iterdir() if path.name.startswith("gateway.db"))
    return {path.name: path.read_bytes() for path in found}


def opening(store: Outbox, document: str, data: bytes) -> Iterator[int]:
    """Where bytes lie that this store's master keys open as the key of this document."""
    vault = store.core.vault
    for at in range(len(data) - WRAPPED + 1):
        try:
            vault.open_key(document, Wrapped(vault.key_id, data[at : at + WRAPPED]))
        except StoreError:
            continue
        yield at


def ended(store: Outbox, name: str) -> str:
    """A document of which everything was given up."""
    accepted = store.accept(kit.request(name, document_type=f"type-{name}"))
    for delivery in accepted.delivery_ids:
        store.act(delivery, "cancel", by="Anne", reason="demande du patient")
    return accepted.document_id


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("wal", [True, False])
def test_no_file_holds_the_key_or_the_content_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wal: bool
) -> None:
    monkeypatch.setattr("gateway.store.sqlite.WAL_SAFE", (3, 0, 0) if wal else (9, 0, 0))
    store = kit.open_store(tmp_path)
    first, second = ended(store, "a"), ended(store, "b")
    names = set(files(tmp_path))
    assert ("gateway.db-wal" in names) == wal
    before = b"".join(files(tmp_path).values())
    assert next(opening(store, first, before), None) is not None, "the search finds a key that is there"
    with store.core.db.read() as tx:
        sealed = [bytes(row["sealed"]) for row in kit_artifacts(store, first)]
        row = tx.one("document_get", id=first)
    assert row is not None
    assert sealed
    assert all(one in before for one in sealed)

    assert store.erase(first, by="Anne", reason="patient_request")
    assert store.scrub()
    after = files(tmp_path)
    assert after.get("gateway.db-wal", b"") == b""
    whole = b"".join(after.values())
    assert list(opening(store, first, whole)) == []
    assert bytes(row["wrapped_key"]) not in whole
    assert bytes(row["manifest"]) not in whole
    assert not [one for one in sealed if one in whole], "the sealed content is gone too"
    assert next(opening(store, second, whole), None) is not None
    assert store.rendering(second, "pdf").data
    store.close()


def kit_artifacts(store: Outbox, document: str) -> list[dict[str, bytes]]:
    return [
        {"sealed": row[0]} for row in kit.sql(store, "SELECT sealed FROM artifact WHERE document_id = ?", (document,))
    ]


@pytest.mark.engine("sqlite")
def test_many_erased_among_others_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that split and fill again copy no erased key to a place where it stays."""
    monkeypatch.setattr("gateway.store.sqlite.WAL_SAFE", (3, 0, 0))
    store = kit.open_store(tmp_path)
    keys: dict[str, bytes] = {}
    gone = []
    for number in range(60):
        document = ended(store, f"n{number}")
        [(wrapped,)] = kit.sql(store, "SELECT wrapped_key FROM document WHERE id = ?", (document,))
        keys[document] = bytes(wrapped)
        if number % 3 == 2:
            victim = min(keys)
            store.erase(victim, by="Anne")
            gone.append(keys.pop(victim))
    store.scrub()
    whole = b"".join(files(tmp_path).values())
    assert [one for one in gone if one in whole] == []
    assert all(one in whole for one in keys.values())


FILES = """
SELECT pg_relation_filepath(file) FROM pg_class AS own, unnest(ARRAY[own.oid, own.reltoastrelid]) AS file
WHERE own.relnamespace = current_schema()::regnamespace AND own.relkind IN ('r', 'i') AND file <> 0
"""


def on_the_server(store: Outbox) -> bytes:
    """The tables and indexes of this store as they lie on its server's disk: others there may have the same keys."""
    kit.sql(store, "CHECKPOINT")
    names = [name for (name,) in kit.sql(store, FILES)]
    found = [path for folder in kit.server_folders() for name in names for path in (folder / "data").glob(f"{name}*")]
    assert len(found) >= len(names) > 20
    return b"".join(path.read_bytes() for path in found)


@pytest.mark.engine("postgres")
def test_the_tables_of_a_server_hold_it_no_more(store: Outbox) -> None:
    first = ended(store, "a")
    wrapped = bytes(kit.sql(store, "SELECT wrapped_key FROM document WHERE id = ?", (first,))[0][0])
    assert wrapped in on_the_server(store)
    assert store.erase(first, by="Anne")
    assert store.scrub()
    assert wrapped not in on_the_server(store), "the WAL of the server may still hold it: docs/scale.md"


@pytest.mark.engine("postgres")
def test_the_statistics_of_a_server_never_hold_a_key(store: Outbox) -> None:
    """ANALYZE, which the server runs by itself, keeps values of each column, for as long as it likes."""
    for number in range(5):
        ended(store, f"n{number}")
    kit.sql(store, "ANALYZE document")
    kept = "SELECT attname FROM pg_stats WHERE schemaname = current_schema() AND tablename = 'document'"
    columns = {name for (name,) in kit.sql(store, kept)}
    assert "content_sha256" in columns
    assert "wrapped_key" not in columns


@pytest.mark.engine("postgres")
def test_a_transaction_of_before_keeps_the_old_row(store: Outbox, tmp_path: Path) -> None:
    first = ended(store, "a")
    with psycopg.connect(kit.url_of(tmp_path)) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1")
        assert store.erase(first, by="Anne")
        assert not store.scrub(), "and the command says that the bytes are still there"
    assert store.scrub()


def test_erasing_twice_and_too_early(store: Outbox) -> None:
    accepted = store.accept(kit.request())
    with pytest.raises(StateError, match="DOC-001"):
        store.erase(accepted.document_id, by="Anne")
    for delivery in accepted.delivery_ids:
        store.act(delivery, "cancel", by="Anne", reason="x")
    assert store.erase(accepted.document_id, by="Anne", reason="le patient Untel")
    assert not store.erase(accepted.document_id, by="Anne")
    records = [entry.record.decode() for entry in store.snapshot().records()]
    [told] = [record for record in records if '"document_erased"' in record]
    assert '"reason":"le_patient_Untel"' in told, "reduced to a code: the faces take theirs from a list"


def test_what_is_held_of_a_patient_and_of_nobody_else(store: Outbox) -> None:
    mine = store.accept(kit.request("a")).document_id
    store.accept(kit.request("b"))
    person = Person("cabinet", patient=kit.request("a").patient)
    store.oppose(person, "dmp", by="Anne")
    found = store.holding(person)
    assert [row.id for row in found.documents] == [mine]
    assert [(one.target, one.by) for one in found.oppositions] == [("dmp", "Anne")]
    assert store.holding(Person("cabinet", document=mine)) == found
    assert store.holding(Person("autre", patient=kit.request("a").patient)).documents == ()
    store.note_disclosed(Disclosed("cabinet", found.patient, "Anne", 1))
    last = list(store.snapshot().records())[-1].record.decode()
    assert '"event":"patient_disclosed"' in last
    assert base64.b64encode(kit.SECRET.encode()).decode() not in last
