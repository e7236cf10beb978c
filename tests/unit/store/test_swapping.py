"""Sealed values put in each other's place, column by column as the schema has them: told, never read as the other's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.store import rotating
from gateway.store.outbox import Outbox
from gateway.store.sealed import HASHES, SEALED, SealedColumn
from gateway.store.sqlite import SqliteDatabase
from gateway.store.states import Transport
from tests.unit.store import kit
from tests.unit.store.test_facts import NEW as NEW_FACTS

Column = tuple[str, str]
MOST = {"sqlite": 25, "postgres": 6}
"""Pairs of rows that are swapped in one column."""


def binary_columns(store: Outbox) -> dict[Column, set[str]]:
    """Every binary column of the schema, each with all the columns of its table."""
    if isinstance(store.core.db, SqliteDatabase):
        tables = kit.sql(store, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        found = [
            (str(table), *row[1:3]) for (table,) in tables for row in kit.sql(store, f"PRAGMA table_info({table})")
        ]
    else:
        text = "SELECT table_name, column_name, data_type FROM information_schema.columns"
        text += " WHERE table_schema = current_schema()"
        found = [(str(table), name, kind) for table, name, kind in kit.sql(store, text)]
    return {
        (table, name): {other for of, other, _ in found if of == table}
        for table, name, kind in found
        if str(kind).upper() in {"BLOB", "BYTEA"}
    }


def is_hash(column: str) -> bool:
    return column in HASHES or column.endswith("_mac")


def test_every_binary_column_is_sealed_or_a_hash(store: Outbox) -> None:
    columns = binary_columns(store)
    assert {column for column in columns if not is_hash(column[1])} == {(one.table, one.column) for one in SEALED}
    by_master = {one.table for one in SEALED if one.under == "master"}
    assert by_master == {step.table for step in rotating.STEPS}  # each is handed over by a rotation
    for one in SEALED:
        assert one.under == "document" or "key_id" in columns[one.table, one.column]


@pytest.fixture
def filled(store: Outbox) -> Outbox:
    """Two patients and two accounts, two documents each, words on deliveries, and facts."""
    for number, account in enumerate(("cabinet", "cabinet", "autre", "autre")):
        patient = f"{number % 2}|{kit.SECRET}"
        made = kit.request(str(number), kit.mail(), kit.dmp(), account=account, patient=patient, facts=NEW_FACTS)
        accepted = store.accept(made)
        for text in ("une raison", "une autre raison"):
            store.act(accepted.delivery_ids[0], "hold", by="Anne", reason=f"{number} {text}")
            store.act(accepted.delivery_ids[0], "release", by="Anne", reason=f"{number} {text}")
    return store


def readings(store: Outbox) -> dict[str, object]:
    """Everything sealed that can be read, by what it is asked for; a StoreError stands for what did not open."""
    asked: dict[str, Callable[[], object]] = {}
    for row in store.deliveries():
        asked |= {
            f"{row.id} parts": lambda one=row.id: store.parts(one),
            f"{row.id} context": lambda one=row.id: store.context(one),
            f"{row.id} notes": lambda one=row.id: store.delivery(one).notes,
        }
        for name in ("submission", "cda", "pdf"):
            asked[f"{row.document_id} {name}"] = lambda one=row.document_id, name=name: store.rendering(one, name)
    for account in ("cabinet", "autre"):
        asked[f"{account} facts"] = lambda account=account: store.facts(account)
    return {name: _answer(ask) for name, ask in asked.items()}


def _answer(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except StoreError as fault:
        return fault


def values(store: Outbox, column: SealedColumn) -> list[bytes]:
    text = f"SELECT {column.column} FROM {column.table} WHERE {column.column} IS NOT NULL ORDER BY 1"
    return [bytes(value) for (value,) in kit.sql(store, text)]


def put(store: Outbox, column: SealedColumn, new: bytes, *, where: bytes) -> None:
    """Seals are all different, so a value says which row it is in."""
    kit.sql(store, f"UPDATE {column.table} SET {column.column} = ? WHERE {column.column} = ?", (new, where))


def swap(store: Outbox, column: SealedColumn, one: bytes, other: bytes) -> None:
    aside = bytes(8)
    put(store, column, aside, where=one)
    put(store, column, one, where=other)
    put(store, column, other, where=aside)


def check_told(before: dict[str, object], now: dict[str, object], what: str) -> None:
    told = {name for name, value in now.items() if isinstance(value, StoreError)}
    assert told, f"nobody noticed: {what}"
    assert {now[name].code for name in told} <= {"SEA-005", "SEA-006"}, what  # type: ignore[attr-defined]
    assert {name for name in now if now[name] != before[name]} == told, f"read as another's: {what}"


def pairs(store: Outbox, column: SealedColumn, most: int) -> Iterator[tuple[bytes, bytes]]:
    every = list(combinations(values(store, column), 2))
    assert every, f"nothing in {column}: fill the store with it"
    step = max(1, len(every) // most)
    yield from every[::step]


@pytest.mark.parametrize("column", SEALED, ids=lambda one: f"{one.table}.{one.column}")
def test_two_rows_cannot_be_swapped(filled: Outbox, column: SealedColumn, engine: str) -> None:
    before = readings(filled)
    assert not any(isinstance(value, StoreError) for value in before.values())
    for one, other in pairs(filled, column, MOST[engine]):
        swap(filled, column, one, other)
        check_told(before, readings(filled), f"{column}")
        swap(filled, column, other, one)
    assert readings(filled) == before


@pytest.mark.parametrize("column", SEALED, ids=lambda one: f"{one.table}.{one.column}")
def test_a_value_of_another_column_does_not_open(filled: Outbox, column: SealedColumn) -> None:
    before = readings(filled)
    own = values(filled, column)[0]
    foreign = [value for other in SEALED if other != column for value in values(filled, other)[:2]]
    for value in [*foreign, b"", bytes(5), bytes(60), own[:-1], own + b"\0"]:
        put(filled, column, value, where=own)
        check_told(before, readings(filled), f"{column}")
        put(filled, column, own, where=value)
    assert readings(filled) == before


def test_what_was_swapped_is_not_sent(filled: Outbox) -> None:
    column = SealedColumn("delivery", "manifest", "document")
    one, other = values(filled, column)[:2]
    swap(filled, column, one, other)
    claims = filled.claim(kit.wanted(20))
    dead = [row for row in filled.deliveries() if row.state is Transport.DEAD]
    assert (len(claims), len(dead)) == (6, 2)
    assert {row.reason for row in dead} == {"SEA-006"}
    assert not {row.id for row in dead} & {claim.delivery_id for claim in claims}


def test_words_cannot_be_given_to_somebody_else(filled: Outbox, tmp_path: Path) -> None:
    """Nor to another moment, nor to another action: the seal names them."""
    before = readings(filled)
    for column, value in (("actor", "Paul"), ("at", 5), ("action", "cancel"), ("name", None), ("name", "x")):
        [(number, was)] = kit.sql(filled, f"SELECT id, {column} FROM note ORDER BY id LIMIT 1")
        kit.sql(filled, f"UPDATE note SET {column} = ? WHERE id = ?", (value, number))
        check_told(before, readings(filled), column)
        kit.sql(filled, f"UPDATE note SET {column} = ? WHERE id = ?", (was, number))
    assert readings(filled) == before
