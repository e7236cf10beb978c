"""What is finished and old enough to go: a look before, and erasing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.findings import Finding, warning

if TYPE_CHECKING:
    from datetime import date

    from gateway.api.machinery import Machinery
    from gateway.engine.retention import Done, Plan, Progress


@dataclass(frozen=True, slots=True)
class Standing:
    """What would go now, with what stays and why. `traces`: days whose traces go too."""

    plan: Plan
    traces: tuple[date, ...]

    def number(self, kind: str) -> int:
        """Documents of which that much goes: `mails` or `documents`."""
        return sum(one.kind == kind for one in self.plan.due)

    def size(self, kind: str) -> int:
        """Bytes of it."""
        return sum(one.size for one in self.plan.due if one.kind == kind)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready. Ids, kinds, dates and sizes only."""
        one = self.plan
        lines = [
            {
                "document": due.document_id,
                "account": due.account,
                "ended_at": due.ended_at.isoformat(),
                "kind": due.kind,
                "why": due.why,
                "bytes": due.size,
            }
            for due in one.due
        ]
        store = {"bytes": one.used, "cap": one.cap or None, "over_cap_after": one.over}
        kept = {"not_finished": one.open, "obligation_open": one.owed}
        return {"due": lines, "kept": kept, "store": store, "traces": [day.isoformat() for day in self.traces]}


class Retention:
    """Erases content whose time is over. Journal, states and frozen facts stay (`[retention]`, docs/operations.md)."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def preview(self) -> Standing:
        """What would go now. Nothing changes. Raises StoreError."""
        from gateway.engine.retention import plan

        one = self._machinery
        found = plan(one.store, one.settings.retention, one.world.rules, one.store.now())
        return Standing(found, tuple(one.trace_log.expired()))

    def apply(self, standing: Standing, *, by: str, progress: Progress | None = None) -> Done:
        """Erase what a preview showed, each document looked at again. `by` is a person's name, for the journal.

        Raises InputError (DLV-003), StoreError, OSError.
        """
        from gateway.engine.retention import carry_out

        store = self._machinery.store
        done = carry_out(store, standing.plan.due, by=by, progress=progress)
        if done.any:
            store.scrub()
        self._machinery.trace_log.prune()
        return done

    def inspect(self) -> list[Finding]:
        """Whether the store is above its cap (RET-001), for `doctor`. Raises StoreError."""
        settings = self._machinery.settings.retention
        cap, used = settings.max_megabytes, self._machinery.store.content_bytes() / 1_000_000
        if not 0 < cap < used:
            return []
        message = f"Le stockage occupe {used:.0f} Mo, plus que les {cap:.0f} Mo voulus."
        advice = "Voir ce qui peut partir : kine-gateway retention --dry-run ; sinon relever retention.max_megabytes."
        return [warning("RET-001", "/retention/max_megabytes", message, advice)]
