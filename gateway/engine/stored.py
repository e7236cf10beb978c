"""Records read back from the store, and what names a patient there."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.errors import NotFoundError
from gateway.records.submission import Submission, canonical

if TYPE_CHECKING:
    from gateway.records.people import Patient
    from gateway.store.base import DocumentRow, Store


def content_hash(submission: Submission) -> str:
    """SHA-256 of the canonical submission, hex: two files that mean the same hash the same."""
    return sha256(canonical(submission)).hexdigest()


def patient_key(patient: Patient) -> str:
    """What tells this patient from the others of the account: matricule, else local number, else birth traits.

    It becomes a keyed pseudonym in the store and is never written itself.
    """
    if patient.ins is not None:
        return f"ins|{patient.ins.matricule}"
    if patient.identifiers:
        return f"id|{patient.identifiers[0].root}|{patient.identifiers[0].value}"
    traits = (patient.birth_family, patient.used_family, *patient.birth_given, patient.used_given, patient.birth_date)
    return "traits|" + "|".join(str(trait or "") for trait in traits).casefold()


def submission(store: Store, row: DocumentRow) -> Submission | None:
    """The submission of a document; None once it is erased, or when another version of the schema wrote it."""
    if row.erased_at is not None:
        return None
    try:
        return Submission.model_validate_json(store.rendering(row.id, "submission").data)
    except (NotFoundError, ValueError):
        return None
