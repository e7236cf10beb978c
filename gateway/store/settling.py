"""Comparing where a store is with where it was, and what a copy may do. See `gateway.store.homes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import StateError
from gateway.store import journal
from gateway.store.homes import FLAG, Home, Verdict
from gateway.store.operating import check_reason, checked_name
from gateway.store.states import GATEWAY, Event, Transport

if TYPE_CHECKING:
    from gateway.store.core import Core, Work
    from gateway.store.database import Transaction

COPIED = "ENG-COPIED"
_HOME, _COPIED = "home", FLAG
_EVERYTHING = {"account": journal.EVERY, "channel": journal.EVERY}


def remember(core: Core) -> None:
    """Note the place of a store that has none: a new one, or one that an earlier release made."""
    with core.db.read() as tx:
        if tx.one("home_get", name=_HOME) is not None:
            return
    with core.write() as work:
        work.tx.run("home_set", name=_HOME, value=core.db.home().dump())


def at_home(core: Core) -> Verdict:
    """See HomeStore."""
    with core.db.read() as tx:
        known, flagged = tx.one("home_get", name=_HOME), tx.one("home_get", name=_COPIED)
        epoch = tx.one("meta_get", name="epoch")
    if flagged is not None:
        return Verdict(flagged["value"])
    home = core.db.home()
    if known is None or known["value"] == home.dump():
        return Verdict.AT_HOME
    return core.db.compare(Home.load(known["value"]), home, "" if epoch is None else epoch["value"])


def settle_in(core: Core) -> Verdict:
    """See HomeStore."""
    verdict = at_home(core)
    if verdict is Verdict.MOVED:
        with core.write() as work:
            work.tx.run("home_set", name=_HOME, value=core.db.home().dump())
            work.note("store_moved")
    elif verdict.copied:
        _stop(core, verdict)
    return verdict


def _stop(core: Core, verdict: Verdict) -> None:
    with core.write() as work:
        if work.tx.one("home_get", name=_COPIED) is None:
            work.tx.run("home_set", name=_COPIED, value=verdict)
            work.note("store_copied", kind=verdict)
        if work.tx.run("pause_put", reason=COPIED, actor=GATEWAY, now=work.ms, **_EVERYTHING):
            work.note("paused", by=GATEWAY, reason=COPIED, **_EVERYTHING)


def forked(core: Core) -> bool:
    """See HomeStore. The folder is read before the journal: a checkpoint is written after its commit."""
    signed = core.folder.latest_of_each()
    with core.db.read() as tx:
        strange = any(
            _strange(tx, shard, latest.size, latest.root) for shard, latest in signed.items() if shard < core.shards
        )
    if strange:
        _stop(core, Verdict.FORKED)
    return strange


def _strange(tx: Transaction, shard: int, size: int, root: bytes) -> bool:
    own_size, own_root = journal.head(tx, shard)
    if size < own_size or (size == own_size and root == own_root):
        return False
    return tx.one("meta_get", name=restored_name(shard, size, root)) is None  # known: what a backup lost


def restored_name(shard: int, size: int, root: bytes) -> str:
    """Under which the store remembers that it was restored, and misses what this checkpoint counts."""
    return f"restored:{size}:{root.hex()[:16]}" + (f":{shard}" if shard else "")


def adopt(core: Core, by: str, reason: str, *, original_stopped: bool) -> int:
    """See HomeStore."""
    by = checked_name(by)
    check_reason(reason)
    verdict = at_home(core)
    if not verdict.copied:
        raise StateError("STO-016", "Cette base n'est pas une copie : elle est à sa place.", "Rien à faire.")
    with core.write() as work:
        work.note(
            "store_adopted",
            by=by,
            reason=journal.code(reason),
            kind=verdict,
            verdict="original_stopped" if original_stopped else "original_may_have_sent",
        )
        doubtful = 0 if original_stopped else _doubt(work, by)
        work.tx.run("home_delete", name=_COPIED)
        work.tx.run("home_set", name=_HOME, value=core.db.home().dump())
        _resume(work, by)
    return doubtful


def _doubt(work: Work, by: str) -> int:
    unsent = work.tx.all("deliveries_unsent")
    for row in unsent:
        work.move(row, Event.RESTORED, Transport.IN_DOUBT, due_in=0, reason=COPIED, actor=by)
    return len(unsent)


def _resume(work: Work, by: str) -> None:
    """End this pause alone: that of a restored backup stays until somebody ends it."""
    if any(row["reason"] == COPIED for row in work.tx.all("pause_all")):
        work.tx.run("pause_delete", **_EVERYTHING)
        work.note("resumed", by=by, **_EVERYTHING)
