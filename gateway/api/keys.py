"""Master keys: which there are, a new one while everything works, the end of an old one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from gateway.errors import NotFoundError, StateError
from gateway.store.masters import BATCH, MasterState

if TYPE_CHECKING:
    from gateway.api.machinery import Machinery

Progress = Callable[[int, int], None]
"""Told how many rows are done, of how many."""
BREATH = 0.005
"""Seconds at least between two batches, so that whoever waits for the store gets it."""


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """What a rotation would do: make a `new` key, take the one that is `waiting`, or go on where one was `cut` short.

    `key_id` is None for a key that is yet to be made; `rows` are the documents and facts to hand over.
    """

    kind: Literal["new", "waiting", "cut"]
    key_id: str | None
    rows: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did. `moved`: rows handed over; `unreadable`: documents whose key is damaged, left as they were;
    `idle`: older keys that nothing needs any more.
    """

    kind: Literal["new", "waiting", "cut"]
    key_id: str
    moved: int
    unreadable: tuple[str, ...]
    idle: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


class Keys:
    """The master keys of a gateway's store. Other processes go on, and take a new key by themselves."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def listing(self) -> list[MasterState]:
        """Every master key, in the order in which they came into use."""
        return self._machinery.store.master_keys()

    def plan(self) -> RotationPlan:
        """What `rotate` would do now."""
        known = self.listing()
        rows = sum(key.documents + key.facts for key in known)
        waiting = [key for key in known if key.turn is None and key.here]
        current = next(key for key in known if key.current)
        left = rows - current.documents - current.facts
        if waiting:
            return RotationPlan("waiting", waiting[0].id, rows)
        return RotationPlan("cut", current.id, left) if left else RotationPlan("new", None, rows)

    def stage(self, *, by: str, reason: str) -> str:
        """Make a key that wraps nothing yet, for a store with several machines: each has to get the keyring first.

        Returns its id. Raises StoreError (KEY-005): the keyring cannot be written here.
        """
        return self._machinery.store.add_master_key(by=by, reason=reason)

    def rotate(self, *, by: str, reason: str, progress: Progress | None = None) -> Rotated:
        """Make a key (or take the one that waits), wrap everything with it, batch by batch.

        Interrupted anywhere, called again it goes on. Raises StoreError (KEY-005), InputError (no name, no reason).
        """
        store, plan = self._machinery.store, self.plan()
        key_id = plan.key_id
        if key_id is None or plan.kind == "waiting":  # one that waits may be in the keyring and not in the store yet
            key_id = store.add_master_key(by=by, reason=reason)
            store.use_master_key(key_id, by=by, reason=reason)
        moved, unreadable = self._hand_over(plan.rows, progress)
        idle = tuple(key.id for key in self.listing() if _idle(key))
        return Rotated(plan.kind, key_id, moved, unreadable, idle)

    def _hand_over(self, total: int, progress: Progress | None) -> tuple[int, tuple[str, ...]]:
        moved, unreadable = 0, frozenset[str]()
        while older := [key.id for key in self.listing() if not key.current and key.in_use]:
            before = moved
            for key_id in older:
                done, unreadable = self._drain(key_id, unreadable, moved, total, progress)
                moved += done
            if moved == before:  # what is left does not open
                break
        return moved, tuple(sorted(unreadable))

    def _drain(
        self, key_id: str, skip: frozenset[str], before: int, total: int, progress: Progress | None
    ) -> tuple[int, frozenset[str]]:
        """Hand over all that a key wraps. Between batches the store is left to others as long as the batch took."""
        clock, moved = self._machinery.clock, 0
        while True:
            started = clock.elapsed()
            batch = self._machinery.store.rewrap(key_id, limit=BATCH, skip=skip)
            skip |= frozenset(batch.unreadable)
            moved += batch.moved
            if progress is not None:
                progress(before + moved, max(total, before + moved))
            if not batch.moved and not batch.unreadable:
                return moved, skip
            time.sleep(max(BREATH, clock.elapsed() - started))

    def look(self, key_id: str) -> MasterState:
        """A key as `retire` would find it.

        Raises NotFoundError (KEY-404), StateError: KEY-006 it wraps what is new, KEY-007 something still needs it.
        """
        found = next((key for key in self.listing() if key.id == key_id and key.turn is not None), None)
        if found is None:
            raise NotFoundError("KEY-404", f"Aucune clé maîtresse {key_id} dans ce stockage.", "Voir keys list.")
        if found.current:
            advice = "En faire d'abord une autre : kine-gateway keys rotate."
            raise StateError("KEY-006", f"La clé {key_id} protège ce qui arrive.", advice)
        if found.in_use:
            advice = f"Il reste {found.documents} documents et {found.facts} faits : kine-gateway keys rotate."
            raise StateError("KEY-007", f"La clé {key_id} protège encore des documents.", advice)
        return found

    def retire(self, key_id: str, *, by: str, reason: str) -> None:
        """Destroy a key that nothing needs any more in this machine's keyring. Raises like `look`."""
        self.look(key_id)
        self._machinery.store.retire_master_key(key_id, by=by, reason=reason)


def _idle(key: MasterState) -> bool:
    return key.here and key.turn is not None and not key.current and not key.in_use
