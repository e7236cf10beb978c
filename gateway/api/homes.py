"""Whether the store is where it works, and the word of a person that a copy is the one that goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import wording
from gateway.findings import Finding, error

if TYPE_CHECKING:
    from gateway.api.machinery import Machinery
    from gateway.store.homes import Verdict


class Homes:
    """Copies of a store are recognised and send nothing until somebody decides (docs/operations.md)."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def verdict(self) -> Verdict:
        """What the present place says. Changes nothing. Raises StoreError."""
        return self._machinery.store.at_home()

    def inspect(self) -> list[Finding]:
        """An error (STO-014) where this is a copy, for `doctor`. Raises StoreError."""
        verdict = self.verdict()
        if not verdict.copied:
            return []
        advice = "Arrêter celle des deux qui ne doit plus servir ; ici, si c'est celle-ci qui continue : store adopt."
        return [error("STO-014", "/store/url", f"Cette base est une copie : {wording.copied(verdict)}.", advice)]

    def adopt(self, *, by: str, reason: str, original_stopped: bool) -> int:
        """This copy goes on; see `HomeStore.adopt`. Returns how many deliveries became in doubt.

        Raises StateError (STO-016: it is no copy), InputError (DLV-003, DLV-004), StoreError.
        """
        found = self._machinery.store.adopt(by=by, reason=reason, original_stopped=original_stopped)
        self._machinery.wake()
        return found
