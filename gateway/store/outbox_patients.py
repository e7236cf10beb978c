"""What the outbox does about patients: stops, oppositions, what is held of one, erasure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store import erasing, opposing, stopping
from gateway.store.outbox_receipts import ReceiptOutbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.store.holdings import Disclosed, Holding
    from gateway.store.oppositions import Opposed, Opposition, Person
    from gateway.store.stops import Access, PatientStop, Stopped


class PatientOutbox(ReceiptOutbox):
    """What `Outbox` inherits; every method is described in PatientStore, OppositionStore or RightsStore."""

    def note_access(self, access: Access, patient: str | None = None) -> None:
        """See PatientStore."""
        stopping.note_access(self.core, access, patient)

    def stop_patient(self, accounts: Sequence[str], patient: str, *, reason: str, by: str) -> Stopped:
        """See PatientStore."""
        return stopping.stop(self.core, accounts, patient, reason, by)

    def resume_patient(self, accounts: Sequence[str], patient: str, *, by: str, release: bool) -> tuple[str, ...]:
        """See PatientStore."""
        return stopping.resume(self.core, accounts, patient, by, release)

    def patient_stops(self, accounts: Sequence[str] = (), patient: str | None = None) -> list[PatientStop]:
        """See PatientStore."""
        return stopping.listing(self.core, accounts, patient)

    def oppose(self, person: Person, target: str, *, by: str) -> Opposed:
        """See OppositionStore."""
        return opposing.oppose(self.core, person, target, by)

    def unoppose(self, person: Person, target: str, *, by: str, release: bool) -> tuple[str, ...]:
        """See OppositionStore."""
        return opposing.unoppose(self.core, person, target, by, release)

    def oppositions(self, person: Person | None = None) -> list[Opposition]:
        """See OppositionStore."""
        return opposing.listing(self.core, person)

    def holding(self, person: Person, traits: str | None = None) -> Holding:
        """See RightsStore."""
        return erasing.holding(self.core, person, traits)

    def note_disclosed(self, disclosed: Disclosed) -> None:
        """See RightsStore."""
        erasing.note_disclosed(self.core, disclosed)

    def erase(self, document_id: str, *, by: str, reason: str | None = None) -> bool:
        """See RightsStore."""
        return erasing.erase(self.core, document_id, by, reason)

    def scrub(self) -> bool:
        """See RightsStore."""
        return self.core.db.scrub()
