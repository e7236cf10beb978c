"""The Submission: one document with everything needed to send it, and how bad input becomes findings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from gateway.findings import Finding, error
from gateway.records.access import Access
from gateway.records.base import Line, Record
from gateway.records.clinical import Assessment, TreatmentSummary
from gateway.records.people import Author, Organization, Patient, Recipient, Visibility

FORMAT = "kine-gateway/submission/1"
MAX_BYTES = 5_000_000
"""Size limit of a submission file in bytes: far above any real one, far below what hurts."""

AccountId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Submission(Record):
    """What the billing software hands over: one document, its patient, author and recipients."""

    format: Literal["kine-gateway/submission/1"]
    account: AccountId
    key: Line | None = Field(default=None, description="Idempotency key; the content's hash stands in when absent.")
    patient: Patient
    author: Author
    organization: Organization
    recipients: tuple[Recipient, ...] = Field(max_length=10)
    visibility: Visibility = Visibility()
    access: Access
    document: Annotated[Assessment | TreatmentSummary, Field(discriminator="kind")]


def canonical(submission: Submission) -> bytes:
    """The submission as canonical JSON (sorted keys, no spaces, UTF-8): what is hashed and sealed."""
    value = submission.model_dump(mode="json", exclude_none=True)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse(data: bytes) -> tuple[Submission | None, list[Finding]]:
    """Read a submission from JSON bytes. Never raises on bad input.

    Returns the submission and no finding, or `None` and every fault found, each with its JSON Pointer.
    """
    if len(data) > MAX_BYTES:
        return None, [error("INP-002", "", f"Fichier trop gros ({len(data)} octets).", "La limite est de 5 Mo.")]
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    try:
        value = json.loads(data, object_pairs_hook=_no_duplicate)
    except (ValueError, RecursionError) as fault:
        return None, [_not_json(fault)]
    try:
        return Submission.model_validate(value), []
    except ValidationError as fault:
        return None, [_finding(detail) for detail in fault.errors(include_url=False)]


def _no_duplicate(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate key")
    return value


def _not_json(fault: Exception) -> Finding:
    where = f" (ligne {fault.lineno}, colonne {fault.colno})" if isinstance(fault, json.JSONDecodeError) else ""
    return error(
        "INP-001",
        "",
        f"Le fichier n'est pas un JSON lisible{where}.",
        "Vérifier l'export du logiciel : JSON en UTF-8, sans clé répétée, écrit en entier avant d'être renommé.",
        "RFC 8259",
    )


_ADVICE = {
    "extra_forbidden": (
        "INP-003",
        "Champ inconnu.",
        "Retirer le champ ou corriger son nom (voir le schéma JSON).",
    ),
    "missing": ("INP-004", "Champ obligatoire absent.", "Renseigner ce champ."),
    "control_character": (
        "INP-006",
        "Caractère de contrôle interdit dans un texte.",
        "Retirer les retours à la ligne et caractères invisibles de ce champ.",
    ),
    "naive_datetime": (
        "INP-007",
        "Date et heure sans fuseau.",
        "Écrire le décalage, par exemple 2026-01-05T14:30:00+01:00.",
    ),
}


def _finding(detail: ErrorDetails) -> Finding:
    path = "/" + "/".join(
        str(step).replace("~", "~0").replace("/", "~1")
        for step in detail["loc"]
        if step not in ("assessment", "treatment_summary")
    )
    kind = detail["type"]
    if kind == "value_error":
        kind = str(detail.get("ctx", {}).get("error", ""))
    if kind in _ADVICE:
        code, message, advice = _ADVICE[kind]
        return error(code, path, message, advice)
    return error("INP-005", path, f"Valeur refusée ({kind}).", f"Attendu : {_expected(detail)}.")


def _expected(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    shown = {
        key: context[key] for key in ("pattern", "expected", "ge", "le", "min_length", "max_length") if key in context
    }
    return ", ".join(f"{key} {value}" for key, value in shown.items()) or detail["type"]
