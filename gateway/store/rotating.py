"""Changing master keys while other processes work. See `gateway.store.masters.KeyStore`.

A batch holds every lock of the store, so that nothing is added under a key while its last rows are counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import NotFoundError, StateError, StoreError
from gateway.store import journal, keyring
from gateway.store.core import from_ms
from gateway.store.freezing import FACTS
from gateway.store.keyring import KEY_BYTES, MasterKey
from gateway.store.masters import Batch, MasterState
from gateway.store.operating import check_reason, checked_name
from gateway.store.sealing import Wrapped

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from gateway.store.core import Core, Work
    from gateway.store.database import Row, Transaction
    from gateway.store.sealing import Vault


@dataclass(frozen=True, slots=True)
class Step:
    """How the rows of a table go from one master key to another: what counts, reads and writes them."""

    table: str
    count: str
    under: str
    write: str
    event: str
    reseal: Callable[[Vault, str, Wrapped, str], bytes]


def _rewrap(vault: Vault, document: str, wrapped: Wrapped, key_id: str) -> bytes:
    return vault.rewrap(document, wrapped, key_id).data


def _reseal_facts(vault: Vault, document: str, sealed: Wrapped, key_id: str) -> bytes:
    clear = vault.fact_key(document, sealed.key_id).open(sealed.data, FACTS.table, document, FACTS.column)
    return vault.fact_key(document, key_id).seal(clear, FACTS.table, document, FACTS.column)


STEPS = (
    Step("document", "documents_by_master", "documents_under", "document_rewrap", "documents_rewrapped", _rewrap),
    Step("episode_fact", "facts_by_master", "facts_under", "fact_reseal", "facts_resealed", _reseal_facts),
)
"""Every table with something that a master key seals (`gateway.store.sealed`)."""


def listing(core: Core) -> list[MasterState]:
    """See KeyStore."""
    ring = {key.id: key for key in keyring.load(_path(core)).keys}
    with core.db.read() as tx:
        rows = tx.all("master_list")
        documents, facts = ({row["key_id"]: row["number"] for row in tx.all(step.count)} for step in STEPS)
    current = max((row["turn"] for row in rows if row["turn"] is not None), default=None)
    known = [_state(row, current, row["id"] in ring, documents, facts) for row in rows]
    strays = ring.keys() - {row["id"] for row in rows}
    return known + [MasterState(one, _made(ring[one]), None, False, None, True, 0, 0) for one in sorted(strays)]


def _state(row: Row, current: int | None, here: bool, documents: dict[str, int], facts: dict[str, int]) -> MasterState:
    return MasterState(
        row["id"],
        None if row["made_at"] is None else from_ms(row["made_at"]),
        row["turn"],
        row["turn"] is not None and row["turn"] == current,
        None if row["retired_at"] is None else from_ms(row["retired_at"]),
        here,
        documents.get(row["id"], 0),
        facts.get(row["id"], 0),
    )


def add(core: Core, by: str, reason: str) -> str:
    """See KeyStore."""
    by = checked_name(by)
    check_reason(reason)
    with core.db.read() as tx:
        known = {row["id"]: row for row in tx.all("master_list")}
    made = MasterKey(core.ids.token(KEY_BYTES), journal.timestamp(core.now()))

    def with_one(ring: keyring.Keyring) -> keyring.Keyring:
        return ring if _waiting(ring, known) else ring.with_key(made)

    waiting = _waiting(keyring.change(_path(core), with_one), known)
    assert waiting is not None  # `made`, or one that was there
    if not core.vault.knows(waiting.id):
        raise StoreError("SEA-010", f"Clé maîtresse {waiting.id} absente du trousseau relu.", "Réessayer.")
    with core.write() as work:
        if work.tx.one("master_get", id=waiting.id) is None:
            work.tx.run("master_insert", id=waiting.id, made_at=work.ms)
            work.note("master_key_made", key_id=waiting.id, by=by, reason=journal.code(reason))
    return waiting.id


def _waiting(ring: keyring.Keyring, known: dict[str, Row]) -> MasterKey | None:
    """A key of the keyring that had no turn yet: made for this, or left by a rotation that was cut short."""
    return next((key for key in ring.keys if key.id not in known or known[key.id]["turn"] is None), None)


def use(core: Core, key_id: str, by: str, reason: str) -> None:
    """See KeyStore."""
    by = checked_name(by)
    check_reason(reason)
    core.vault.check(key_id)
    with core.write() as work:
        _known(work.tx, key_id)
        if work.tx.run("master_use", id=key_id):
            work.note("master_key_used", key_id=key_id, by=by, reason=journal.code(reason))
    core.vault.use(key_id)


def rewrap(core: Core, key_id: str, limit: int, skip: frozenset[str]) -> Batch:
    """See KeyStore."""
    for step in STEPS:
        with core.write() as work:
            batch = _hand_over(work, step, key_id, limit, skip)
        if batch.moved or batch.unreadable:
            return batch
    return Batch(0)


def _hand_over(work: Work, step: Step, old: str, limit: int, skip: frozenset[str]) -> Batch:
    vault, new = work.core.vault, work.master_key()
    if new == old:
        return Batch(0)
    made, unreadable = [], []
    for row in work.tx.all(step.under, key_id=old, limit=limit + len(skip)):
        document = row["document_id"]
        if document in skip:
            continue
        try:
            sealed = step.reseal(vault, document, Wrapped(old, row["sealed"]), new)
        except StoreError as fault:
            if fault.code not in {"SEA-005", "SEA-006"}:
                raise
            unreadable.append(document)  # damaged: one row must not keep all the others
        else:
            made.append({"document_id": document, "key_id": new, "sealed": sealed})
    if made:
        work.tx.many(step.write, made)
        work.note(step.event, key_id=new, size=len(made))
    return Batch(len(made), tuple(unreadable))


def retire(core: Core, key_id: str, by: str, reason: str) -> None:
    """See KeyStore."""
    by = checked_name(by)
    check_reason(reason)
    with core.write() as work:
        row = _known(work.tx, key_id)
        _check_free(work, key_id)
        if row["retired_at"] is None:
            work.tx.run("master_retire", id=key_id, now=work.ms)
            work.note("master_key_retired", key_id=key_id, by=by, reason=journal.code(reason))
    keyring.change(_path(core), lambda ring: ring.without(key_id))


def _check_free(work: Work, key_id: str) -> None:
    current = work.tx.one("master_current")
    if current is not None and current["id"] == key_id:
        advice = "En faire d'abord une autre : kine-gateway keys rotate."
        raise StateError("KEY-006", f"La clé {key_id} protège ce qui arrive.", advice)
    for step in STEPS:
        if work.tx.all(step.under, key_id=key_id, limit=1):
            advice = "Terminer la rotation : kine-gateway keys rotate ; keys list dit ce qui reste."
            raise StateError("KEY-007", f"La clé {key_id} protège encore des documents.", advice)


def _known(tx: Transaction, key_id: str) -> Row:
    row = tx.one("master_get", id=key_id)
    if row is None:
        raise NotFoundError("KEY-404", f"Aucune clé maîtresse {key_id} dans ce stockage.", "Voir keys list.")
    return row


def _path(core: Core) -> Path:
    if core.vault.path is None:
        raise ValueError("this vault has no keyring file")
    return core.vault.path


def _made(key: MasterKey) -> datetime | None:
    from datetime import datetime

    return None if key.made_at is None else datetime.fromisoformat(key.made_at)
