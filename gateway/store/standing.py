"""What the store knows already about the documents of a batch: read at once, before any of them is inserted.

Each document would ask the same five questions; asked together they cost five statements, whatever their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.store.database import Transaction

Patient = tuple[str, str]
"""Account and pseudonym."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a new document is looked up by. `boxes` are the keyed hashes of the mailboxes that it goes to."""

    account: str
    patient: str
    key_mac: bytes
    document_type: str
    document_date: str
    boxes: tuple[bytes, ...] = ()

    @property
    def key(self) -> tuple[str, bytes]:
        """What makes a document the same for its caller."""
        return self.account, self.key_mac

    @property
    def likeness(self) -> tuple[str, str, str, str]:
        """What a likely repeat shares with it."""
        return self.account, self.patient, self.document_type, self.document_date


@dataclass(frozen=True, slots=True)
class Barriers:
    """What keeps deliveries about some patients back: stops (reasons), oppositions (targets), holds of mailboxes."""

    stops: dict[Patient, str]
    opposed: dict[Patient, set[str]]
    holds: dict[tuple[str, str, bytes], str]

    def stop(self, patient: Patient) -> str | None:
        """Why nothing about this patient leaves; None when nothing stops it."""
        return self.stops.get(patient)

    def targets(self, patient: Patient) -> set[str]:
        """Where the documents of this patient may not go."""
        return self.opposed.get(patient, set())

    def hold(self, patient: Patient, box: bytes | None) -> str | None:
        """Why nothing about this patient goes to this mailbox."""
        return None if box is None else self.holds.get((*patient, box))


@dataclass(slots=True)
class Standing:
    """Earlier documents with the same key (id and content), likely repeats, and what keeps deliveries back."""

    barriers: Barriers
    taken: dict[tuple[str, bytes], tuple[str, str]] = field(default_factory=dict)
    repeats: dict[tuple[str, str, str, str], str] = field(default_factory=dict)

    def add(self, asked: Asked, document: str, content_sha256: str) -> None:
        """A document of this batch was inserted: the next ones must see it as if it had been there before."""
        self.taken[asked.key] = (document, content_sha256)
        self.repeats[asked.likeness] = document


def read(tx: Transaction, batch: Sequence[Asked]) -> Standing:
    """What is known about these documents."""
    return Standing(
        barriers(tx, {(one.account, one.patient) for one in batch}, _boxes(batch)),
        taken(tx, {one.key for one in batch}),
        _repeats(tx, {one.likeness for one in batch}),
    )


def taken(tx: Transaction, keys: Iterable[tuple[str, bytes]]) -> dict[tuple[str, bytes], tuple[str, str]]:
    """The documents that have these keys: id and SHA-256 of the content (hex)."""
    rows = tx.gather("document_by_key", [{"account": account, "key_mac": mac} for account, mac in keys])
    return {
        (row["account"], bytes(row["key_mac"])): (str(row["id"]), bytes(row["content_sha256"]).hex()) for row in rows
    }


def barriers(tx: Transaction, patients: Iterable[Patient], boxes: Iterable[tuple[str, str, bytes]]) -> Barriers:
    """What keeps deliveries about these patients, and to these mailboxes, back."""
    about = [{"account": account, "patient": patient} for account, patient in patients]
    opposed: dict[Patient, set[str]] = {}
    for row in tx.gather("opposition_get", about):
        opposed.setdefault((row["account"], row["patient"]), set()).add(row["target"])
    pairs = [{"account": account, "patient": patient, "recipient_mac": box} for account, patient, box in boxes]
    return Barriers(
        {(row["account"], row["patient"]): str(row["reason"]) for row in tx.gather("patient_stop_get", about)},
        opposed,
        {
            (row["account"], row["patient"], bytes(row["recipient_mac"])): str(row["reason"])
            for row in tx.gather("pair_get", pairs)
        },
    )


def _boxes(batch: Sequence[Asked]) -> set[tuple[str, str, bytes]]:
    return {(one.account, one.patient, box) for one in batch for box in one.boxes}


def _repeats(tx: Transaction, wanted: Iterable[tuple[str, str, str, str]]) -> dict[tuple[str, str, str, str], str]:
    columns = ("account", "patient", "document_type", "document_date")
    rows = tx.gather("document_repeated", [dict(zip(columns, one, strict=True)) for one in wanted])
    return {
        (row["account"], row["patient"], row["document_type"], row["document_date"]): str(row["id"]) for row in rows
    }
