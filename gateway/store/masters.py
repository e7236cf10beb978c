"""Master keys of a store: which one wraps what is new, how the others hand over to it, when one can be destroyed.

The keys are in the keyring (`gateway.store.keyring`), their turns in the table `master_key`. A key is on the disk and
in the journal before it wraps anything. Rotation (`rotating`) may be interrupted anywhere: what is left to do is read
off the rows themselves.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gateway.store.database import Row, Transaction
    from gateway.store.sealing import Vault

BATCH = 200
"""Documents wrapped again in one transaction: a few milliseconds in which nobody else writes."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MasterState:
    """A master key as the store knows it. `here`: it is in this machine's keyring. `made_at` None: nobody noted it.

    `turn`: 1 for the first key in use, None for one that waits. `documents` and `facts`: how many rows it still opens.
    """

    id: str
    made_at: datetime | None
    turn: int | None
    current: bool
    retired_at: datetime | None
    here: bool
    documents: int
    facts: int

    @property
    def in_use(self) -> bool:
        """Whether anything cannot be read without it."""
        return bool(self.documents or self.facts)


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch did: rows handed over, and documents whose key did not open, which stay as they are."""

    moved: int
    unreadable: tuple[str, ...] = ()


class KeyStore(Protocol):
    """What the store offers to who changes its master keys. A named person does; the journal has the key's id."""

    def master_keys(self) -> list[MasterState]:
        """Every master key of this store, in the order of their turns, and those of the keyring that wait for one."""
        ...

    def add_master_key(self, *, by: str, reason: str) -> str:
        """Make a key and put it in the keyring; it wraps nothing yet. A key that waits already is taken instead.

        Returns its id. Raises StoreError (KEY-005): the keyring cannot be written here.
        """
        ...

    def use_master_key(self, key_id: str, *, by: str, reason: str) -> None:
        """Wrap what is new with this key from now on, in every process. Raises NotFoundError (KEY-404)."""
        ...

    def rewrap(self, key_id: str, *, limit: int = BATCH, skip: frozenset[str] = frozenset()) -> Batch:
        """Hand up to `limit` rows over from this key to the one in use; `skip`: documents to leave out."""
        ...

    def retire_master_key(self, key_id: str, *, by: str, reason: str) -> None:
        """Destroy a key in this machine's keyring.

        Raises NotFoundError (KEY-404), StateError: KEY-006 it wraps what is new, KEY-007 something still needs it.
        """
        ...


def choose(tx: Transaction, vault: Vault) -> str:
    """The master key for what this transaction adds: the one in use, or, on a machine that was not given it yet, the
    newest that is here and not retired, so that no document is refused. Raises StoreError (SEA-010): there is none.
    """
    row = tx.one("master_current")
    assert row is not None  # since the store was founded
    current = str(row["id"])
    if vault.use(current):
        return current
    _LOG.error("master_key_not_here", extra={"key_id": current})  # new documents go under an older one
    for older in reversed(tx.all("master_list")):
        if older["turn"] is not None and older["retired_at"] is None and vault.knows(older["id"]):
            return str(older["id"])
    vault.check(current)
    return current


def begin(tx: Transaction, vault: Vault) -> None:
    """Take the master key in use. Raises StoreError (SEA-010): this machine was not given it."""
    row = tx.one("master_current")
    if row is not None and not vault.use(row["id"]):
        vault.check(row["id"])


def check(vault: Vault, rows: Iterable[Row]) -> None:
    """Raise StoreError (SEA-010) when one of these documents is under a key that this machine lacks.

    Whoever claims asks first: other machines can send it, and a person must give this one its keyring.
    """
    for key_id in {row["key_id"] for row in rows if row["wrapped_key"] is not None}:
        vault.check(key_id)
