"""Cursors of `/changes`: a place in an account's journal, as an opaque text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.web.api.problems import RefusedError

if TYPE_CHECKING:
    from gateway.store.base import Store
    from gateway.store.following import Moved

_FORM = re.compile(r"c1-([0-9]{1,18})-([0-9a-f]{1,12})")
_LOOKS = 20
"""Windows without anything for this account that one question passes over."""


def text(store: Store, account: str, place: int) -> str:
    """A place as callers see it: with a mark of what stood before it."""
    return f"c1-{place}-{store.journal_mark(account, place)}"


def now(store: Store, account: str) -> str:
    """The cursor of who wants only what moves from here on."""
    return text(store, account, store.journal_size(account))


def read(store: Store, account: str, cursor: str | None) -> int:
    """The place of a cursor; the beginning where there is none. Raises RefusedError (422, WEB-424).

    A cursor that the journal does not bear out is from another store, or from before a backup was restored: to go on
    from it would skip what happened since.
    """
    if cursor is None:
        return 0
    found = _FORM.fullmatch(cursor)
    if found is None or store.journal_mark(account, int(found[1])) != found[2]:
        raise unknown()
    return int(found[1])


def unknown() -> RefusedError:
    """The refusal of a cursor."""
    message = "Ce curseur n'est pas de cette passerelle, ou la base a été restaurée depuis."
    return RefusedError(422, "WEB-424", message, "Reprendre sans curseur, ou avec updated_since=now.")


def follow(store: Store, account: str, after: int) -> Moved:
    """The next deliveries of an account that moved; windows of nothing but others' records are passed over."""
    moved = store.moved(account, after)
    for _ in range(_LOOKS):
        if moved.rows or not moved.more:
            break
        moved = store.moved(account, moved.upto)
    return moved
