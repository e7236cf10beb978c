"""Erases the content of what is finished once its time is over, or for want of room, the oldest first.

The store says what is finished (`gateway.store.retention`); what is owed to somebody is known here: an episode with an
open obligation keeps all its documents. Journal, states and frozen facts stay, so every figure and proof stays too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gateway.engine import obligations
from gateway.errors import GatewayError
from gateway.store.states import GATEWAY

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.settings import RetentionSettings, RulesSettings
    from gateway.store.base import Store
    from gateway.store.retention import Ended, Kind, Why

_LOG = logging.getLogger("gateway.engine")
MEGABYTE = 1_000_000
BATCH = 200
"""Documents that a running gateway erases between two other chores."""
FIRST = 300.0
"""Seconds after a start before the first look: a start has better things to do."""

Progress = Callable[[int, int], None]
"""Called with the documents done and the documents in all."""


@dataclass(frozen=True, slots=True)
class Due:
    """Content that goes: `kind` how much of the document, `why` its age or want of room, `size` in bytes."""

    document_id: str
    account: str
    ended_at: datetime
    kind: Kind
    why: Why
    size: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go. `open` documents are old enough and not finished, `owed` finished but of an open obligation.

    `used` and `cap` in bytes (0: no cap); `over`: what stays above the cap although everything that may go is gone.
    """

    due: tuple[Due, ...]
    open: int
    owed: int
    used: int
    cap: int
    over: int


@dataclass(slots=True)
class Done:
    """What was erased. `kept`: documents on which something happened since they were chosen."""

    mails: int = 0
    documents: int = 0
    size: int = 0
    kept: int = 0

    @property
    def any(self) -> bool:
        """Whether anything was."""
        return self.mails + self.documents > 0


def plan(store: Store, settings: RetentionSettings, rules: RulesSettings, now: datetime) -> Plan:
    """What is due now. Nothing changes. Raises StoreError."""
    mails, documents, latest = (
        now - timedelta(days=days) for days in (settings.mails_days, settings.documents_days, settings.at_least_days)
    )
    used, cap = store.content_bytes(), round(settings.max_megabytes * MEGABYTE)
    room = used > cap > 0
    old = (
        store.old(latest, latest if settings.record_kept_elsewhere else documents)
        if room
        else store.old(mails, documents)
    )
    owed = _owed(store, rules, now) if old.ended else set()
    free = sorted((one for one in old.ended if one.document_id not in owed), key=lambda one: one.ended_at)
    chosen = _Chosen(store, used - cap if room else 0)
    for one in free:
        if one.ended_at <= documents:
            chosen.add(one, "documents", "age")
        elif one.ended_at <= mails and one.mails:
            chosen.add(one, "mails", "age")
    if room:
        chosen.make_room([one for one in free if one.ended_at <= latest], whole=settings.record_kept_elsewhere)
    kept = sum(one.document_id in owed for one in old.ended)
    return Plan(tuple(chosen.due.values()), old.open, kept, used, cap, max(0, chosen.over))


@dataclass(slots=True)
class _Chosen:
    """What goes, by document; `over`: bytes still above the cap."""

    store: Store
    over: int
    due: dict[str, Due] = field(default_factory=dict)

    def add(self, one: Ended, kind: Kind, why: Why) -> None:
        before = self.due.get(one.document_id)
        size = self.store.weights(one.document_id)[kind]
        self.due[one.document_id] = Due(one.document_id, one.account, one.ended_at, kind, why, size)
        self.over -= size - (0 if before is None else before.size)

    def make_room(self, ended: Iterable[Ended], *, whole: bool) -> None:
        """Mails of the oldest first; only then whole documents, where the record is kept elsewhere."""
        ended = list(ended)
        for one in ended:
            if self.over > 0 and one.mails and one.document_id not in self.due:
                self.add(one, "mails", "size")
        for one in ended if whole else ():
            known = self.due.get(one.document_id)
            if self.over > 0 and (known is None or known.kind == "mails"):
                self.add(one, "documents", "size")


def _owed(store: Store, rules: RulesSettings, now: datetime) -> set[str]:
    """Documents of every episode in which something is left to do for somebody."""
    missing = [one for one in obligations.listing(store, rules, now) if one.open]
    episodes = {(one.account, one.episode) for one in missing if one.episode is not None}
    found = {one.near for one in missing} | {one.document_id for one in missing if one.document_id is not None}
    return found | {one.document_id for one in store.facts() if (one.account, one.episode) in episodes}


def carry_out(
    store: Store, due: Iterable[Due], *, by: str = GATEWAY, progress: Progress | None = None, done: Done | None = None
) -> Done:
    """Erase, one transaction for each document, each looked at again. Can be stopped and begun again at any point."""
    due, done = list(due), done or Done()
    for number, one in enumerate(due, 1):
        if not store.retire(one.document_id, one.kind, by=by, why=one.why):
            done.kept += 1
        else:
            done.mails += one.kind == "mails"
            done.documents += one.kind == "documents"
            done.size += one.size
        if progress is not None:
            progress(number, len(due))
    return done


class Keeper:
    """Does it now and then while the gateway runs, a few documents at a time, and says when the cap cannot be kept."""

    def __init__(
        self,
        store: Store,
        settings: RetentionSettings,
        rules: RulesSettings,
        clock: Clock,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._rules = rules
        self._clock = clock
        self._tell = tell
        self._next = clock.elapsed() + FIRST
        self._left: list[Due] = []
        self._done = Done()
        self._over = False

    def tick(self) -> None:
        """Do what is due. A failure is logged and tried again at the next look; it never hurts a delivery."""
        try:
            if not self._left and self._clock.elapsed() >= self._next:
                self._next = self._clock.elapsed() + self._settings.every_hours * 3600
                self._look()
            if self._left:
                self._erase()
        except GatewayError as fault:
            self._left = []
            _LOG.error("retention_failed", extra={"code": fault.code})

    def _look(self) -> None:
        found = plan(self._store, self._settings, self._rules, self._store.now())
        self._left, self._done = list(found.due), Done()
        if (found.over > 0) != self._over:
            self._over = found.over > 0
            event = "store_over_cap" if self._over else "store_within_cap"
            _LOG.warning(event, extra={"bytes": found.used, "over": found.over})
            if self._tell is not None:
                self._tell(event)

    def _erase(self) -> None:
        batch, self._left = self._left[:BATCH], self._left[BATCH:]
        carry_out(self._store, batch, done=self._done)
        if not self._left and self._done.any:
            self._store.scrub()
            done = self._done
            _LOG.info("retention_applied", extra={"mails": done.mails, "documents": done.documents, "bytes": done.size})
