"""Deliveries page by page: every row once, whatever the filter; readings in the journal."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from gateway.clock import FrozenClock
from gateway.errors import InputError
from gateway.store.browsing import cursor_text, parse_cursor
from gateway.store.browsing_types import Consulted, PageFilter
from gateway.store.outbox import Outbox
from gateway.store.states import Transport
from tests.unit.store import kit


@pytest.fixture
def filled(store: Outbox, clock: FrozenClock) -> Outbox:
    for number in range(12):
        account = "cabinet" if number % 3 else "autre"
        store.accept(kit.request(str(number), account=account, patient=f"p{number % 4}|{kit.SECRET}"))
        if number % 2:  # pairs of documents of the same millisecond
            clock.at += timedelta(hours=1)
    return store


def walk(store: Outbox, wanted: PageFilter) -> list[str]:
    from dataclasses import replace

    found: list[str] = []
    while rows := store.page(wanted):
        found += [one.row.id for one in rows]
        wanted = replace(wanted, after=parse_cursor(cursor_text(rows[-1].cursor)))
    return found


@pytest.mark.parametrize("limit", [1, 3, 5, 100])
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"accounts": ("autre",)},
        {"states": (Transport.PREPARED,)},
        {"destination": "dmp"},
        {"since": kit.START + timedelta(hours=2), "until": kit.START + timedelta(hours=4)},
    ],
)
def test_pages_give_each_row_once_newest_first(filled: Outbox, limit: int, filters: dict[str, Any]) -> None:
    wanted = PageFilter(limit=limit, **filters)
    found = walk(filled, wanted)
    rows = {one.id: one for one in filled.deliveries()}
    since, until = filters.get("since"), filters.get("until")
    expected = {
        identity
        for identity, one in rows.items()
        if one.account in (filters.get("accounts") or {one.account})
        and one.state in (filters.get("states") or (one.state,))
        and one.destination == filters.get("destination", one.destination)
        and (since is None or one.created_at >= since)
        and (until is None or one.created_at < until)
    }
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert expected
    times = [rows[identity].created_at for identity in found]
    assert times == sorted(times, reverse=True)


def test_a_pseudonym_is_looked_for_in_its_accounts_alone(filled: Outbox) -> None:
    mine = filled.page(PageFilter())[0]
    both = filled.page(PageFilter(patient=mine.patient, accounts=("cabinet", "autre")))
    assert {one.patient for one in both} == {mine.patient}
    other = "autre" if mine.row.account == "cabinet" else "cabinet"
    assert filled.page(PageFilter(patient=mine.patient, accounts=(other,))) == []


def test_a_reference_is_the_delivery_the_document_or_the_cda(store: Outbox) -> None:
    accepted = store.accept(kit.request("a", unique_id="2.25.42"))
    store.accept(kit.request("b"))
    for name in (accepted.document_id, "2.25.42"):
        assert {one.row.id for one in store.page(PageFilter(reference=name))} == set(accepted.delivery_ids)
    one = accepted.delivery_ids[0]
    assert [found.row.id for found in store.page(PageFilter(reference=one))] == [one]
    assert store.page(PageFilter(reference="unknown")) == []


def test_attention_leaves_out_what_asks_for_nobody(store: Outbox) -> None:
    impossible: dict[str, Any] = {"state": Transport.IMPOSSIBLE, "parts": (), "context": None}
    closed = kit.mail(reason="DST-NO-DMP", **impossible)
    asking = kit.mail(role="patient", reason="DST-NO-MT", **impossible)
    accepted = store.accept(kit.request("a", kit.mail(role="other"), closed, asking))
    found = store.page(PageFilter(attention=True, closed=("DST-NO-DMP",)))
    assert [one.row.id for one in found] == [accepted.delivery_ids[2]]


def test_a_reading_is_journalled_and_changes_nothing(filled: Outbox) -> None:
    before = filled.journal_records()
    row = filled.page(PageFilter())[0].row
    filled.note_consulted(Consulted("consulted", "Auditrice", "delivery", delivery=row.id, document=row.document_id))
    assert filled.journal_records() == before + 1
    last = json.loads(filled.delivery(row.id).records[-1])
    assert {key: last[key] for key in ("event", "by", "kind")} == {
        "event": "consulted",
        "by": "Auditrice",
        "kind": "delivery",
    }
    assert filled.delivery(row.id).row == row


def test_a_reader_has_a_name(store: Outbox) -> None:
    with pytest.raises(InputError):
        store.note_consulted(Consulted("consulted", " ", "delivery"))


@pytest.mark.parametrize("text", ["", ".", "x.y", "1", "1\u0663.x", "99999999999999999.x"])
def test_a_forged_cursor_is_none(text: str) -> None:
    assert parse_cursor(text) is None
