"""What a person does in a patient's DMP: questions, journalled as accesses, and changes, planned as deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.store.linked import Seen
    from gateway.store.requests import PlannedDelivery


@dataclass(frozen=True, slots=True)
class DmpAccess:
    """A question to a DMP: who asked what, and how it ended. No trait, no matricule, no title.

    `kind` is the operation (`find`, `retrieve`), `verdict` `asked` before the call and then `answered` or the class of
    the refusal, `reason` its code, `size` how many documents were seen; `document` is ours where it is about one.
    """

    account: str
    by: str
    kind: str
    verdict: str
    reason: str | None = None
    size: int | None = None
    document: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True)
class DmpChange:
    """A change of a document in the DMP. `seen` is the delivery that fed it, `kind` the change, `reason` the person's
    own words, sealed.
    """

    seen: Seen
    planned: PlannedDelivery
    kind: str
    by: str
    reason: str


class DmpStore(Protocol):
    """The side of `Store` for what a person does in a DMP."""

    def note_dmp(self, access: DmpAccess, patient: str | None = None) -> None:
        """Journal a question to a DMP; `patient` (as in AcceptRequest) names the patient by his pseudonym."""
        ...

    def change(self, change: DmpChange) -> str:
        """Plan a change of a fed document as a delivery of it. Returns its id.

        Raises ConflictError (LNK-001) when the feed moved meanwhile, StateError (WDR-001) once the document is
        withdrawn and this is no deletion, NotFoundError (DOC-410) once it is erased, InputError like `act`.
        """
        ...
