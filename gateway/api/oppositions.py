"""A patient who objects after the fact: recorded by a named person, respected by whatever comes later."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gateway.engine.stored import patient_key, target
from gateway.errors import InputError
from gateway.findings import error
from gateway.store.oppositions import KINDS, Person
from gateway.views import DeliveryView, delivery_view

if TYPE_CHECKING:
    from gateway.api.machinery import Machinery
    from gateway.records.level1 import AnySubmission


@dataclass(frozen=True, slots=True)
class OpposedView:
    """What an opposition met: `new` unless it was known already, what it stopped, what had left before it."""

    new: bool
    stopped: tuple[DeliveryView, ...]
    gone: tuple[DeliveryView, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        lists = {"stopped": [one.as_dict() for one in self.stopped], "gone": [one.as_dict() for one in self.gone]}
        return {"new": self.new, **lists}


@dataclass(frozen=True, slots=True)
class OppositionView:
    """An opposition in force. `patient` is a pseudonym, `to` a kind of destination or `box` (one mailbox)."""

    account: str
    patient: str
    to: str
    label: str
    by: str
    since: str

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


class Oppositions:
    """Reached as `gateway.oppositions`. A patient is named by one of his documents, or by a submission.

    `to` is `patient` (Mon espace santé), `medecin_traitant`, `professional` (all others), `dmp`, or one mailbox. It
    holds for the account of the document or submission.
    """

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery

    def oppose(self, of: str | AnySubmission, to: str, *, by: str) -> OpposedView:
        """Record an opposition. What waits for that destination is stopped, and what comes later too.

        Raises InputError (OPP-003: no such destination; DLV-003: no name), NotFoundError (DOC-404).
        """
        store = self._machinery.store
        found = store.oppose(self._person(of), _target(to), by=by)
        views = [[delivery_view(store.delivery(one).row) for one in ids] for ids in (found.stopped, found.gone)]
        return OpposedView(found.new, tuple(views[0]), tuple(views[1]))

    def unoppose(self, of: str | AnySubmission, to: str, *, by: str, release: bool = False) -> list[DeliveryView]:
        """End an opposition. With `release`, what it stopped goes after all; those deliveries are returned.

        Raises like `oppose`, and StateError (OPP-001) when there is none.
        """
        store = self._machinery.store
        released = store.unoppose(self._person(of), _target(to), by=by, release=release)
        self._machinery.wake()
        return [delivery_view(store.delivery(one).row) for one in released]

    def list(self, of: str | AnySubmission | None = None) -> list[OppositionView]:
        """Oppositions in force, of one patient or of all."""
        person = None if of is None else self._person(of)
        return [
            OppositionView(one.account, one.patient, one.target, target(one.target), one.by, one.since.isoformat())
            for one in self._machinery.store.oppositions(person)
        ]

    def _person(self, of: str | AnySubmission) -> Person:
        if isinstance(of, str):
            return Person(self._machinery.store.document(of).account, document=of)
        return Person(of.account, patient=patient_key(of.patient))


def _target(to: str) -> str:
    to = to.strip()
    if to in KINDS:
        return to
    if "@" not in to.strip("@") or any(sign.isspace() for sign in to):
        advice = f"Donner {', '.join(KINDS)}, ou une adresse MSSanté."
        raise InputError([error("OPP-003", "/to", "Destination inconnue.", advice)], "Opposition refusée.")
    return to
