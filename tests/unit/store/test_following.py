"""Following an account through the journal: every move is seen, once, and only its own; a restored store is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.clock import FrozenClock
from gateway.store.outbox import Outbox
from tests.unit.store import kit
from tests.unit.store.test_restored import restored

ACCOUNT = kit.request("a").account


def ids(store: Outbox, after: int, account: str = ACCOUNT) -> set[str]:
    return {row.id for row in store.moved(account, after).rows}


def test_what_moves_is_seen_once_and_as_it_stands_now(store: Outbox) -> None:
    first = store.accept(kit.request("a"))
    place = store.moved(ACCOUNT, 0).upto
    assert ids(store, 0) == set(first.delivery_ids)
    assert place == store.journal_size(ACCOUNT)
    assert ids(store, place) == set()
    one = first.delivery_ids[0]
    store.act(one, "hold", by="Mme Martin", reason="attendre")
    store.act(one, "cancel", by="Mme Martin", reason="doublon")
    [row] = store.moved(ACCOUNT, place).rows
    assert (row.id, row.state) == (one, "cancelled")


def test_small_windows_reach_everything(store: Outbox) -> None:
    made = {one for name in "abcdef" for one in store.accept(kit.request(name)).delivery_ids}
    seen: set[str] = set()
    place, more = 0, True
    while more:
        moved = store.moved(ACCOUNT, place, window=3)
        assert place < moved.upto <= place + 3
        seen |= {row.id for row in moved.rows}
        place, more = moved.upto, moved.more
    assert seen == made


def test_another_accounts_moves_are_its_own(store: Outbox) -> None:
    store.accept(kit.request("a"))
    theirs = store.accept(kit.request("b", account="autre"))
    assert not ids(store, 0) & set(theirs.delivery_ids)
    assert ids(store, 0, "autre") == set(theirs.delivery_ids)


def test_a_mark_tells_a_restored_store_from_the_one_that_was_followed(tmp_path: Path, clock: FrozenClock) -> None:
    store = kit.open_store(tmp_path, clock)
    store.accept(kit.request("0"))
    before = store.journal_size(ACCOUNT)
    mark = store.journal_mark(ACCOUNT, before)
    assert mark == store.journal_mark(ACCOUNT, before) != store.journal_mark(ACCOUNT, before - 1)
    assert store.journal_mark(ACCOUNT, 0) == "0"
    assert store.journal_mark(ACCOUNT, before + 1) is None
    store.close()


def test_the_same_place_of_a_restored_store_has_another_mark(
    tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks: list[str | None] = []
    original = Outbox.close

    def noting(self: Outbox) -> None:
        marks.append(self.journal_mark(ACCOUNT, self.journal_size(ACCOUNT)))
        marks.append(str(self.journal_size(ACCOUNT)))
        original(self)

    monkeypatch.setattr(Outbox, "close", noting)
    again = restored(tmp_path, clock)
    monkeypatch.undo()
    mark, place = marks[-2], int(marks[-1] or 0)
    while again.journal_size(ACCOUNT) < place:
        again.accept(kit.request(f"later-{again.journal_size(ACCOUNT)}"))
    assert again.journal_mark(ACCOUNT, place) != mark
    again.close()
