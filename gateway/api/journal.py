"""The journal as the library offers it: verify, export, prove, disclose, look bytes up, anchor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway.api.machinery import Machinery
    from gateway.audit.lookup import Found
    from gateway.audit.report import Report
    from gateway.audit.verify import Progress


@dataclass(frozen=True, slots=True)
class JournalState:
    """How long the journal is, its latest checkpoint and the public key, as texts to keep; None: not written yet."""

    size: int
    checkpoint: str | None
    public_key: str | None

    @property
    def signed(self) -> int:
        """Records below the latest checkpoint."""
        return int(self.checkpoint.split("\n")[1]) if self.checkpoint else 0


class Journal:
    """Reads of the journal in place. What an auditor does without the store is in `gateway.audit`."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def verify(
        self,
        *,
        public_key: Path | None = None,
        checkpoint: Path | None = None,
        tsa: Path | None = None,
        progress: Progress | None = None,
    ) -> Report:
        """Recompute chain, tree and signatures, and compare every delivery with its last record.

        `public_key` and `checkpoint` are the verifier's own files, `tsa` the roots of the time-stamping authorities
        that he trusts (PEM); the result says what could be excluded. `progress` is told (records read, records).
        """
        from gateway.audit.verify import verify_store

        store = self._machinery.store
        return verify_store(store, public_key=public_key, checkpoint=checkpoint, tsa=tsa, progress=progress)

    def state(self) -> JournalState:
        """Where the journal stands, without reading its records."""
        folder = self._machinery.settings.journal.checkpoint_dir
        size = self._machinery.store.journal_records()
        latest = max(folder.glob("checkpoint-[0-9]*.txt"), default=None)
        public = folder / "journal.pub"
        key = public.read_text(encoding="utf-8").strip() if public.exists() else None
        return JournalState(size, None if latest is None else latest.read_text(encoding="utf-8"), key)

    def export(self) -> Iterator[str]:
        """The journal as JSON lines with public key, checkpoints and anchors: ids, hashes, codes and times only."""
        from gateway.audit.export import export

        return export(self._machinery.store)

    def prove(self, delivery_id: str, progress: Progress | None = None) -> dict[str, Any]:
        """Proof of what was journalled of a delivery, checked with the public key alone. Raises NotFoundError."""
        from gateway.audit.prove import prove_delivery

        return prove_delivery(self._machinery.store, delivery_id, progress)

    def disclose(self, document_id: str) -> dict[str, Any]:
        """Proof of what was journalled of the patient of this document, and of nobody else. Raises NotFoundError."""
        from gateway.audit.prove import disclose
        from gateway.engine import stored

        store = self._machinery.store
        row = store.document(document_id)
        submission = stored.submission(store, row)
        person = None if submission is None else stored.patient_key(submission.patient)
        documents = store.same_patient(document_id)
        return disclose(store, documents, person, self._machinery.randomness.uuid().hex)

    def anchor(self) -> str | None:
        """Have the newest checkpoint stamped by the authority of `journal.timestamp`. Returns its file name, None when
        nothing is new. Raises ConfigError (CFG-014 none configured, TSA-003, TSA-004), TimestampError.
        """
        from gateway.engine.upkeep import anchor

        settings = self._machinery.settings.journal.timestamp
        if settings is None:
            raise ConfigError("CFG-014", "Aucune autorité d'horodatage.", "Compléter [journal.timestamp].")
        return anchor(self._machinery.store, settings)

    def find(self, data: bytes) -> list[Found]:
        """Which documents and receipts these bytes belong to, to whom they went and when."""
        from gateway.audit import lookup

        return lookup.in_store(self._machinery.store, lookup.pieces(data))
