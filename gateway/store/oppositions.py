"""A patient who objects to a destination after the fact: what is recorded, and what the store does about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

KINDS = ("patient", "medecin_traitant", "professional", "dmp")
"""Kinds of destination that a patient can object to as a whole."""


@dataclass(frozen=True, slots=True)
class Person:
    """A patient of an account: by what identifies him in AcceptRequest, or by one of his documents."""

    account: str
    patient: str | None = None
    document: str | None = None


@dataclass(frozen=True, slots=True)
class Opposed:
    """What an opposition met: deliveries stopped by it, and those that had left or may have. `new`: not yet known."""

    new: bool
    stopped: tuple[str, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opposition:
    """An opposition in force. `patient` is the pseudonym; `target` a kind, or `box` for one mailbox."""

    account: str
    patient: str
    target: str
    by: str
    since: datetime


class OppositionStore(Protocol):
    """What the store does about a patient's oppositions."""

    def oppose(self, person: Person, target: str, *, by: str) -> Opposed:
        """Record an opposition to a kind of destination or to a mailbox (an address), and stop what waits for it.

        Raises NotFoundError (DOC-404) for an unknown document, InputError (DLV-003) without a name.
        """
        ...

    def unoppose(self, person: Person, target: str, *, by: str, release: bool) -> tuple[str, ...]:
        """End an opposition. With `release`, what it stopped goes; returns those deliveries.

        Raises StateError (OPP-001) when there is none.
        """
        ...

    def oppositions(self, person: Person | None = None) -> list[Opposition]:
        """Oppositions in force: all, or those of one patient."""
        ...
