"""A patient whose INS turned out wrong: what is queued is held, what comes later too, until a named person resumes it.

The stop is by the pseudonym of the INS, in every account that the caller names: an INS is wrong for everybody. What
withdraws a document (a deletion, a retraction) is never stopped: it mends what went out wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from gateway.errors import StateError
from gateway.store.states import GATEWAY, TRANSITIONS, Event, Transport

if TYPE_CHECKING:
    from gateway.store.core import Work
    from gateway.store.database import Row, Transaction

PREFIX = "TSI-STOP-"
"""What the reason of every stop begins with."""
_QUEUED = (Transport.PREPARED, Transport.RETRY)
OPPOSED = "DST-OPPOSITION"
"""Reason of a delivery that its patient objects to."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a stop did: deliveries held now, deliveries that were held already, and those that left before it.

    `gone` counts what is under way or in doubt as gone: nobody can say that it did not arrive.
    """

    held: tuple[str, ...]
    waiting: tuple[str, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PatientStop:
    """A stop in force. `patient` is the pseudonym, `by` who stopped."""

    account: str
    patient: str
    reason: str
    by: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Access:
    """A question to the national identity service, for the journal: who, which operation, with what outcome.

    `kind` and `outcome` are codes, `calls` how many requests were made; no trait and no matricule.
    """

    account: str
    by: str
    kind: str
    outcome: str
    calls: int
    host: str | None = None


class PatientStore(Protocol):
    """What the store does about a patient's identity."""

    def note_access(self, access: Access, patient: str | None = None) -> None:
        """Journal a question to INSi; `patient` (as in AcceptRequest) names the patient by his pseudonym."""
        ...

    def stop_patient(self, accounts: Sequence[str], patient: str, *, reason: str, by: str) -> Stopped:
        """Hold what is queued for a patient in these accounts, and what comes later. `reason` is a code."""
        ...

    def resume_patient(self, accounts: Sequence[str], patient: str, *, by: str, release: bool) -> tuple[str, ...]:
        """End a stop. With `release`, what the stop held goes; its deliveries are returned. Else they stay held."""
        ...

    def patient_stops(self, accounts: Sequence[str] = (), patient: str | None = None) -> list[PatientStop]:
        """Stops in force: all, or those of one patient in these accounts."""
        ...


def reason_for(tx: Transaction, document: str) -> str | None:
    """Why nothing about the patient of this document leaves; None when nothing stops it."""
    row = tx.one("patient_stop_of_document", document=document)
    return None if row is None else str(row["reason"])


def caught(work: Work, row: Row, state: Transport) -> None:
    """A delivery came back to the queue: it is held there when its patient was stopped while it was under way."""
    if state not in _QUEUED or (reason := blocking(work.tx, row)) is None:
        return
    current = work.delivery(row["id"])  # what its move entailed may have held or superseded it already
    if reason == OPPOSED and current["state"] in TRANSITIONS[Event.OPPOSE][0]:
        work.move(current, Event.OPPOSE, Transport.IMPOSSIBLE, reason=reason, actor=GATEWAY)
    elif current["state"] in _QUEUED:
        work.move(current, Event.HOLD, Transport.HELD, reason=reason, actor=GATEWAY)


def blocking(tx: Transaction, row: Row) -> str | None:
    """Why this delivery may not leave (a code of a stop, or the patient's opposition); None when it may."""
    if not carries_document(row):
        return None
    return reason_for(tx, row["document_id"]) or opposition_to(tx, row["document_id"], row)


def opposition_to(tx: Transaction, document: str, row: Mapping[str, Any]) -> str | None:
    """The reason of an opposition of this document's patient to where a delivery goes; None: there is none."""
    targets = {one["target"] for one in tx.all("opposition_of_document", document=document)}
    return OPPOSED if opposes(targets, row) else None


def opposes(targets: Collection[str], row: Mapping[str, Any]) -> bool:
    """Whether one of these targets is where a delivery goes (its destination, role and keyed hash of its mailbox).

    What changes a document in the DMP (a mask, a deletion) is no delivery of it.
    """
    if row["destination"] == "dmp" and row["role"] != "dmp":
        return False
    box = row["recipient_mac"]
    return row["destination"] in targets or (box is not None and box_target(box) in targets)


def box_target(recipient_mac: bytes) -> str:
    """How an opposition to one mailbox is written."""
    return f"box:{bytes(recipient_mac).hex()}"


def check_not_stopped(tx: Transaction, row: Row) -> None:
    """Raise StateError (INS-050) where somebody would let a stopped patient's document go, one by one."""
    reason = blocking(tx, row)
    if reason == OPPOSED:
        message = f"Le patient s'oppose à l'envoi {row['id']}."
        raise StateError("OPP-002", message, "Respecter ce choix ; s'il a changé d'avis : patient unoppose.")
    if reason is not None:
        raise StateError(
            "INS-050",
            f"L'envoi {row['id']} est arrêté : l'INS de son patient est refusé ou a changé.",
            "Corriger l'identité et confier un nouveau document, ou lever l'arrêt (ins resume).",
        )


def carries_document(row: Row) -> bool:
    """Whether the delivery carries the document itself; what withdraws it goes whatever the INS is."""
    return bool(row["purpose"] == "document")
