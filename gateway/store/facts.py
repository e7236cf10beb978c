"""Facts of care frozen at acceptance: what indicators and obligations count, without identity, after erasure too.

One row for each document. Whatever could say something of a person's health is sealed under a key of the store, not
of the document, so erasing a document leaves it; the journal holds the SHA-256 of each row (`facts_sha256` of
`document_accepted`), salted, so that a figure computed from the rows can be tied to a checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Referral:
    """A reorientation: when, to whom and how soon. `to` is a code of mappings/labels.toml; None: said in words."""

    day: date
    to: str | None = None
    urgency: str = ""


@dataclass(frozen=True, slots=True)
class Adverse:
    """An undesirable event. `kind` is a code of mappings/labels.toml; None: said in words."""

    day: date
    kind: str | None = None
    severity: str = ""
    reported: bool = False


@dataclass(frozen=True, slots=True)
class CareFacts:
    """What a document says of the care, in codes, numbers and dates. A field is only ever added, with a default.

    `mode` is the declared access mode, `claimed` the one that the document was allowed to claim. `motives` are codes
    with their system (`CIM-10:M54.5`), `region` a code of JDV_LocalisationAnatomique. `sessions_before` and
    `sessions_done` are as declared; `sessions` the days of those that are listed, in order, one for each session.
    """

    kind: str
    day: date
    structured: bool = True
    mode: str | None = None
    claimed: str | None = None
    department: str | None = None
    practitioner_status: str | None = None
    prior_diagnosis: bool = False
    proof: str | None = None
    proof_date: date | None = None
    proof_sha256: str | None = None
    protocol: str | None = None
    episode_start: date | None = None
    sessions_before: int = 0
    sessions_done: int | None = None
    sessions_planned: int | None = None
    sessions: tuple[date, ...] = ()
    period_start: date | None = None
    period_end: date | None = None
    motives: tuple[str, ...] = ()
    region: str | None = None
    side: str | None = None
    outcome: str | None = None
    end_reason: str | None = None
    red_flags: int = 0
    referral: Referral | None = None
    adverse: tuple[Adverse, ...] = ()
    change: str | None = None

    @property
    def sessions_so_far(self) -> int:
        """Sessions of the episode up to this document, as it declares them."""
        return self.sessions_before + (self.sessions_done or 0)

    @property
    def intermediate(self) -> bool:
        """Whether it is a report on the way, after which the care goes on."""
        return self.end_reason == "bilan_intermediaire"

    @property
    def closes(self) -> bool:
        """Whether it ends the episode: a report of care that is no intermediate one."""
        return self.kind == "treatment_summary" and not self.intermediate


@dataclass(frozen=True, slots=True)
class NewFacts:
    """Facts of a document being accepted. `episode` and `author` identify; only their pseudonyms are kept."""

    episode: str | None
    author: str
    care: CareFacts


@dataclass(frozen=True, slots=True)
class EpisodeFacts:
    """Facts of one document as read back. Pseudonyms are keyed: stable in this store, meaningless outside it.

    `withdrawn` and `replaced_by` say that another version, or none, counts now. `sha256` is what the journal holds,
    computed anew from the row: a difference means that the row was altered.
    """

    document_id: str
    account: str
    patient: str
    episode: str | None
    author: str
    care: CareFacts
    accepted_at: datetime
    erased: bool
    withdrawn: bool
    replaced_by: str | None
    sha256: str

    @property
    def counts(self) -> bool:
        """Whether this is the version that stands."""
        return not self.withdrawn and self.replaced_by is None


@dataclass(frozen=True, slots=True)
class LateObligation:
    """An obligation that is late: of which episode, which document (an id, or the kind that is missing), to whom.

    `episode` is its pseudonym, or the document where there is none; `near` a document of the episode; `kind` that of
    the document due.
    """

    account: str
    episode: str
    subject: str
    reader: str
    near: str
    kind: str
    due_by: datetime | None
    reason: str | None


class FactStore(Protocol):
    """What the store keeps of care beyond the documents."""

    def facts(self, account: str | None = None, *, episode: str | None = None) -> list[EpisodeFacts]:
        """Frozen facts, oldest document first: all, of one account, or of an episode of it (pseudonym).

        Raises StoreError (SEA-006) where a row was altered.
        """
        ...

    def without_facts(self) -> list[str]:
        """Documents taken over by an earlier release, whose facts are not frozen yet and can still be read."""
        ...

    def freeze(self, document_id: str, patient: str, facts_of: NewFacts) -> None:
        """Freeze the facts of such a document, with a journal record. `patient` as in AcceptRequest.

        Raises StateError (DOC-002) where they are frozen already.
        """
        ...

    def note_late(self, late: Sequence[LateObligation]) -> list[LateObligation]:
        """Note that obligations were told to be late, each with a journal record. Returns those not told before."""
        ...
