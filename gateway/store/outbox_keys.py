"""The master keys of the outbox: implements `gateway.store.masters.KeyStore`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store import rotating
from gateway.store.masters import BATCH

if TYPE_CHECKING:
    from gateway.store.core import Core
    from gateway.store.masters import Batch, MasterState


class KeyOutbox:
    """What `Outbox` inherits; every method is described in KeyStore."""

    core: Core

    def master_keys(self) -> list[MasterState]:
        """See KeyStore."""
        return rotating.listing(self.core)

    def add_master_key(self, *, by: str, reason: str) -> str:
        """See KeyStore."""
        return rotating.add(self.core, by, reason)

    def use_master_key(self, key_id: str, *, by: str, reason: str) -> None:
        """See KeyStore."""
        rotating.use(self.core, key_id, by, reason)

    def rewrap(self, key_id: str, *, limit: int = BATCH, skip: frozenset[str] = frozenset()) -> Batch:
        """See KeyStore."""
        return rotating.rewrap(self.core, key_id, limit, skip)

    def retire_master_key(self, key_id: str, *, by: str, reason: str) -> None:
        """See KeyStore."""
        rotating.retire(self.core, key_id, by, reason)
