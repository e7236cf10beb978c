"""What the outbox does about what is finished: how old it is, what it weighs, erasing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store import retaining

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.store.core import Core
    from gateway.store.retention import Kind, Old, Why


class KeepingOutbox:
    """What `Outbox` inherits; every method is described in RetentionStore."""

    core: Core

    def old(self, before: datetime, all_before: datetime | None = None) -> Old:
        """See RetentionStore."""
        return retaining.old(self.core, before, all_before)

    def weights(self, document_id: str) -> dict[Kind, int]:
        """See RetentionStore."""
        return retaining.weights(self.core, document_id)

    def content_bytes(self) -> int:
        """See RetentionStore."""
        return retaining.content_bytes(self.core)

    def retire(self, document_id: str, kind: Kind, *, by: str, why: Why) -> bool:
        """See RetentionStore."""
        return retaining.retire(self.core, document_id, kind, by, why)
