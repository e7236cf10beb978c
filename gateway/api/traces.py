"""Traces of what was said with the servers: who, when, which server, what was asked, which code it answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.api.machinery import Machinery


class Traces:
    """Reads the traces of this machine (ANS FAQ 10217). They hold codes only, never content nor identity."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def read(self, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[dict[str, Any]]:
        """Every action on a server, oldest first; `since` and `until` are aware."""
        return self._machinery.trace_log.read(since=since, until=until)

    def of_delivery(self, delivery_id: str) -> list[dict[str, Any]]:
        """The actions of one delivery. Raises NotFoundError when there is no such delivery."""
        since = self._machinery.store.delivery(delivery_id).row.created_at
        return list(self._machinery.trace_log.read(since=since, delivery=delivery_id))
