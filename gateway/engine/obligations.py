"""Obligations of the whole store, and telling once that one is late."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from gateway.engine import facts
from gateway.rules import obligations
from gateway.rules.obligations import Obligation
from gateway.store.base import Filter
from gateway.store.facts import LateObligation

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.settings import RulesSettings
    from gateway.store.base import DeliveryRow, Store

EVERYTHING = 10**9
"""More deliveries than a store holds: the list is not cut."""


def listing(store: Store, rules: RulesSettings, now: datetime, account: str | None = None) -> list[Obligation]:
    """Every obligation of the documents in the store, of one account or all. Raises StoreError."""
    facts.complete(store)
    rows: defaultdict[str, list[DeliveryRow]] = defaultdict(list)
    for row in store.deliveries(Filter(account=account, limit=EVERYTHING)):
        rows[row.document_id].append(row)
    return obligations.assess(store.facts(account), rows, obligations.setting(now, rules.episode_months))


def tell_late(store: Store, found: list[Obligation]) -> list[Obligation]:
    """Journal those of `found` that are late and were never told to be. Returns them: each is told once ever."""
    late = {one.key: one for one in found if one.state == "late"}
    return [late[_key(one)] for one in store.note_late([_late(one) for one in late.values()])]


def _late(one: Obligation) -> LateObligation:
    _, episode, subject, reader = one.key
    return LateObligation(one.account, episode, subject, reader, one.near, one.document, one.due_by, one.reason)


def _key(late: LateObligation) -> tuple[str, str, str, str]:
    return late.account, late.episode, late.subject, late.reader
