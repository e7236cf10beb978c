"""What the outbox does about what is finished (how old it is, what it weighs, erasing it), and about where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store import retaining, settling

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.store.core import Core
    from gateway.store.homes import Verdict
    from gateway.store.retention import Kind, Old, Why


class KeepingOutbox:
    """What `Outbox` inherits; every method is described in RetentionStore or HomeStore."""

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

    def at_home(self) -> Verdict:
        """See HomeStore."""
        return settling.at_home(self.core)

    def settle_in(self) -> Verdict:
        """See HomeStore."""
        return settling.settle_in(self.core)

    def forked(self) -> bool:
        """See HomeStore."""
        return settling.forked(self.core)

    def adopt(self, *, by: str, reason: str, original_stopped: bool) -> int:
        """See HomeStore."""
        return settling.adopt(self.core, by, reason, original_stopped=original_stopped)
