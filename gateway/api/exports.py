"""Exports of the journal that verify offline, as the library offers them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway.api.machinery import Machinery
    from gateway.audit.exports import Export, Form
    from gateway.audit.ledger import Progress


class Exports:
    """Writes folders that an auditor verifies alone (docs/exports.md)."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def write(
        self, folder: Path, form: Form, *, by: str, period: str | None = None, progress: Progress | None = None
    ) -> Export:
        """Export into a new folder: `csv`, `jsonl`, `fhir` or `atna`; all of the journal, or a period of it.

        `by` is who asks: the export is journalled, behind its own checkpoint. Raises InputError (IND-001, DLV-003),
        StateError (IND-005 the folder is not empty), ConfigError (IND-006), StoreError (JRN-110, JRN-111).
        """
        from gateway.audit import exports
        from gateway.audit.period import parse
        from gateway.store.browsing_types import Consulted
        from gateway.store.operating import checked_name

        wanted, store = None if period is None else parse(period), self._machinery.store
        by = checked_name(by)
        try:
            made = exports.write(store, folder, form, wanted, progress)
        except OSError as fault:  # a full disk: without its signature what was written verifies nowhere
            raise ConfigError("IND-006", f"Fichier non écrit : {folder}.", fault.strerror or "") from fault
        store.note_consulted(Consulted("exported", by, f"journal_{form}", size=made.lines))
        return made
