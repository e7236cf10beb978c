"""Obligations that became late: told once as an event, and kept on the to-do page until they are met.

What the page already asks for (a delivery that waits for a person) is not asked for twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway import wording
from gateway.sidecar.status import Task, needs_person

if TYPE_CHECKING:
    from gateway.api import Gateway
    from gateway.api.obligations import ObligationView
    from gateway.views import DocumentView


AGAIN = 60.0
"""Seconds after which something that changed is worth another look, while an obligation is late."""


@dataclass(slots=True)
class Overdue:
    """The late obligations of one account, looked for every `every` seconds and after what may have met one."""

    account: str
    every: float
    lines: tuple[ObligationView, ...] = ()
    _looked: float | None = field(default=None, init=False)
    _changed: bool = field(default=False, init=False)

    def look(self, gateway: Gateway, *, changed: bool) -> None:
        """Ask the store when it is time. New ones are journalled and told. Raises StoreError."""
        now = gateway.clock.elapsed()
        self._changed = self._changed or changed
        wait = min(self.every, AGAIN) if self._changed and self.lines else self.every
        if self._looked is not None and now - self._looked < wait:
            return
        self._looked, self._changed = now, False
        self.lines = gateway.obligations.late(self.account, tell=True).lines

    def tasks(self, documents: Mapping[str, DocumentView]) -> list[Task]:
        """Lines of the to-do page: one for each document that is late or missing, with those it is due to."""
        names = {view.id: name for name, view in documents.items()}
        asked = {d.id for view in documents.values() for d in view.deliveries if needs_person(d)}
        grouped: dict[tuple[str, str, str], list[ObligationView]] = {}
        for line in self.lines:
            one = line.obligation
            if one.delivery_id is None or one.delivery_id not in asked:
                key = (one.document_id or one.episode or one.near, one.document, one.reason or "")
                grouped.setdefault(key, []).append(line)
        return [_task(lines, names) for lines in grouped.values()]


def _task(lines: list[ObligationView], names: Mapping[str, str]) -> Task:
    one = lines[0].obligation
    name = names.get(one.near) or f"épisode {(one.episode or one.near)[:12]}"
    what = f"{lines[0].document_label} : {_readers(lines)}"
    due = f" depuis le {one.due_by.astimezone():%d/%m/%Y}" if one.due_by else ""
    return Task(name, what, f"en retard{due}. {lines[0].why}", wording.obligation_step(one.reason), one.reason or "")


def _readers(lines: Iterable[ObligationView]) -> str:
    return ", ".join(dict.fromkeys(line.reader_label for line in lines))
