"""The Submission: one document with everything needed to send it, and how bad input becomes findings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from gateway.findings import Finding, error
from gateway.records import faults
from gateway.records.access import Access
from gateway.records.base import Line, Record
from gateway.records.clinical import Clinical
from gateway.records.people import Author, Organization, Patient, Recipient, Visibility

FORMAT = "kine-gateway/submission/1"
MAX_BYTES = 5_000_000
"""Size limit of a submission file in bytes: far above any real one, far below what hurts."""
PREVIOUS = "@previous"
"""What a file in the folder writes in `replaces` to mean the document that its own name stood for."""

R = TypeVar("R", bound=Record)
AccountId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Submission(Record):
    """What the billing software hands over: one document, its patient, author and recipients."""

    format: Literal["kine-gateway/submission/1"]
    account: AccountId
    key: Line | None = Field(default=None, description="Idempotency key; the content's hash stands in when absent.")
    replaces: Line | None = Field(
        default=None, description="Document that this one corrects: its document_id, or the identifier of its CDA."
    )
    patient: Patient
    author: Author
    organization: Organization
    recipients: tuple[Recipient, ...] = Field(max_length=10)
    visibility: Visibility = Visibility()
    access: Access
    document: Annotated[Clinical, Field(discriminator="kind")]


def canonical(submission: Record) -> bytes:
    """The submission as canonical JSON (sorted keys, no spaces, UTF-8): what is hashed and sealed."""
    value = submission.model_dump(mode="json", exclude_none=True)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse(data: bytes) -> tuple[Submission | None, list[Finding]]:
    """Read a submission from JSON bytes. Never raises on bad input.

    Returns the submission and no finding, or `None` and every fault found, each with its JSON Pointer. A UTF-8
    byte order mark is accepted (Windows programs write it); any other encoding than UTF-8 is refused (RFC 8259 §8.1).
    """
    return parse_as(Submission, data)


def parse_as(model: type[R], data: bytes) -> tuple[R | None, list[Finding]]:
    """Read a record of any kind, like `parse`."""
    text = _text(data)
    if isinstance(text, Finding):
        return None, [text]
    try:
        # Decimal: 51.20 says more than 51.2, and the documents write it as it was given.
        value = json.loads(
            text,
            object_pairs_hook=_no_duplicate,
            parse_float=Decimal,
            parse_int=_whole,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError) as refused:
        return None, [_not_json(refused)]
    try:
        return model.model_validate(value), []
    except ValidationError as refused:
        return None, faults.findings(refused.errors(include_url=False, include_input=False))


def _text(data: bytes) -> str | Finding:
    if len(data) > MAX_BYTES:
        limit = f"La limite est de {MAX_BYTES // 1_000_000} Mo."
        return error("INP-002", "", f"Fichier trop gros ({len(data)} octets).", limit)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        # Cut in the middle of a character: the file is perhaps still being written, like any unfinished JSON.
        return _not_json(fault) if fault.reason == "unexpected end of data" else _not_utf8()
    if not text.strip():
        return error("INP-001", "", "Fichier vide.", "Écrire le fichier en entier avant de le renommer.")
    # UTF-16 without accents is valid UTF-8 full of NUL characters.
    return _not_utf8() if "\x00" in text[:4] else text


def _not_utf8() -> Finding:
    message = "Le fichier n'est pas en UTF-8."
    return error("INP-010", "", message, "Régler l'export du logiciel : JSON en UTF-8.", "RFC 8259 §8.1")


class _DuplicateKeyError(ValueError):
    """The same key stands twice in one object: nobody can say which value was meant."""


class _HugeNumberError(ValueError):
    """A whole number that no field can hold."""


def _no_duplicate(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _DuplicateKeyError
    return value


def _whole(digits: str) -> int:
    if len(digits) > 30:
        raise _HugeNumberError
    return int(digits)


def _no_constant(_name: str) -> None:
    # NaN and Infinity are no JSON (RFC 8259 §6), though Python's reader takes them.
    raise _HugeNumberError


def _not_json(fault: Exception) -> Finding:
    if isinstance(fault, _DuplicateKeyError):
        advice = "Garder une seule fois chaque champ d'un même objet."
        return error("INP-011", "", "Une clé est répétée dans le fichier.", advice, "RFC 8259 §4")
    if isinstance(fault, _HugeNumberError):
        advice = "Corriger la valeur : un nombre décimal ordinaire est attendu."
        return error("INP-005", "", "Nombre démesuré, infini ou indéfini (NaN).", advice, "RFC 8259 §6")
    where = f" (ligne {fault.lineno}, colonne {fault.colno})" if isinstance(fault, json.JSONDecodeError) else ""
    return error(
        "INP-001",
        "",
        f"Le fichier n'est pas un JSON lisible{where}.",
        "Vérifier l'export du logiciel : JSON en UTF-8, écrit en entier avant d'être renommé.",
        "RFC 8259",
    )
