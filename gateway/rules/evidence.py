"""What a delivery proves: an electronic receipt, a person's word, the operator's alone, or nothing yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway import wording
from gateway.store.rows import DeliveryRow
from gateway.store.states import Receipt, Transport

Proof = Literal["electronic", "person", "operator"]
_RECEIPTS = {Receipt.DELIVERED: "dsn", Receipt.PROCESSED: "mdn", Receipt.INTEGRATED: "integrated"}
_BY_OPERATOR = "ENG-OPERATOR"
_PATIENT = frozenset({"patient", "hand", "post", "sip"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proves that a document reached its reader.

    `proof`: `electronic` (a receipt, or the registry's answer), `person` (`by` did it and says so), `operator` (taken
    over by the mail operator, and nothing more can come). `how`: dsn, mdn, integrated, registry, accepted, call,
    confirmed, declared, or the means of the person's handing over. `reference` is that of the other side.
    """

    proof: Proof
    how: str
    at: datetime | None
    by: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Where the delivery to one reader stands. `until`: when a receipt that is awaited becomes overdue."""

    delivery_id: str
    reason: str | None
    evidence: Evidence | None = None
    impossible: bool = False
    until: datetime | None = None


def to_reader(rows: Sequence[DeliveryRow], to: str) -> Found | None:
    """The delivery that counts for a reader (`medecin_traitant`, `patient`, `dmp`, `prescripteur`, `delegant`).

    The médecin traitant usually is the prescriber: without a prescriber of its own, his delivery counts. Where one
    delivery took the place of another, the last one counts. None: nothing was planned for that reader.
    """
    mine = [row for row in rows if row.purpose == "document" and row.succeeded_by is None]
    own = [row for row in mine if _reads(row, to)]
    if not own and to == "prescripteur":
        own = [row for row in mine if row.destination == "medecin_traitant"]
    return _best(standing(row) for row in own)


def _reads(row: DeliveryRow, to: str) -> bool:
    if to == "patient":
        return row.destination in _PATIENT
    if to in {"prescripteur", "delegant"}:
        return row.role == to or row.role.startswith(f"{to}_")
    return row.destination == to


def _best(found: Iterable[Found]) -> Found | None:
    order = sorted(found, key=lambda one: (one.evidence is None, one.impossible))
    return order[0] if order else None


def standing(row: DeliveryRow) -> Found:
    """What one delivery proves, and why not where it does not."""
    if row.state is Transport.HANDED_OVER:
        return Found(row.id, None, Evidence("person", row.means or "other", row.handed_at, row.actor))
    if row.state is Transport.IMPOSSIBLE:
        return Found(row.id, row.reason, impossible=True)
    if row.state is Transport.SENT:
        return _sent(row)
    if row.state in {Transport.CANCELLED, Transport.SUPERSEDED}:
        return Found(row.id, "OBL-STOPPED")
    return Found(row.id, row.reason or "OBL-UNDER-WAY")


def _sent(row: DeliveryRow) -> Found:
    if row.receipt in _RECEIPTS:
        return Found(row.id, None, _evidence(row, "electronic", _RECEIPTS[row.receipt]))
    if row.receipt in {Receipt.REFUSED, Receipt.OVERDUE}:
        called = row.alerted_at is None and not wording.returned(row.receipt_reason)
        word = _evidence(row, "person", "call") if called else None
        return Found(row.id, row.receipt_reason or "OBL-OVERDUE", word)
    if row.reason == _BY_OPERATOR:
        return Found(row.id, None, _evidence(row, "person", "confirmed"))
    if row.channel == "dmp":
        return Found(row.id, None, _evidence(row, "electronic", "registry"))
    if row.receipt is Receipt.AWAITED and row.awaited_until is not None:
        return Found(row.id, "OBL-AWAITED", until=row.awaited_until)
    return Found(row.id, None, _evidence(row, "operator", "accepted"))


def _evidence(row: DeliveryRow, proof: Proof, how: str) -> Evidence:
    by = row.actor if proof == "person" else None
    return Evidence(proof, how, row.changed_at, by, row.reference)
