"""What a document is by now decides whether a change is left to make: the same rules by either door (spec dmp §1.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.channels.dmp import registry
from gateway.channels.outcome import Outcome, Verdict
from gateway.package import metadata_update, xds
from gateway.package.metadata_update import APPROVED, ARCHIVED, DELETED, DEPRECATED, LABELS

if TYPE_CHECKING:
    from gateway.channels.dmp.entries import Entry
    from gateway.channels.dmp.reader import Listing
    from gateway.package.types import Change, DmpUpdateContext
    from gateway.settings import DmpSettings

_FROM: dict[Change, frozenset[str]] = {
    "archive": frozenset({APPROVED}),
    "unarchive": frozenset({ARCHIVED}),
    "delete": frozenset({APPROVED, DEPRECATED, ARCHIVED}),
}


@dataclass(frozen=True, slots=True)
class State:
    """The document as the registry has it now: `entry` is None when it has none."""

    entry: Entry | None
    status: str | None = None


def unclear(found: Listing[Entry], context: DmpUpdateContext, host: str) -> Outcome | None:
    """TRANSIENT where an answer does not say what the document is: another one's, or cut short before it."""
    if any(one.unique_id not in {None, context.document_id} for one in found.items):
        return Outcome(Verdict.TRANSIENT, "DMP-UNREADABLE", text="autre document que celui demandé", host=host)
    if not found.items and not found.complete:
        return Outcome(Verdict.TRANSIENT, "DMP-UNREADABLE", text="réponse incomplète", host=host)
    return None


def resolved(state: State | Outcome, context: DmpUpdateContext, host: str) -> Outcome:
    """Was it changed? ACCEPTED: it is as wanted; TRANSIENT: it is not, and may be asked again; else IN_DOUBT."""
    if isinstance(state, Outcome):
        return registry.still_in_doubt(state)
    return settled(state, context, host) or Outcome(Verdict.TRANSIENT, "DMP-UPD-NOT-DONE", host=host)


def settled(state: State, context: DmpUpdateContext, host: str) -> Outcome | None:
    """ACCEPTED where the document is as it should be."""
    if state.entry is None:
        gone = context.change == "delete"
        return Outcome(Verdict.ACCEPTED, "DMP-UPD-ABSENT", reference=context.known_entry, host=host) if gone else None
    if metadata_update.done(context.change, state.status, state.entry.labels):
        return Outcome(Verdict.ACCEPTED, "DMP-UPD-DONE", reference=state.entry.entry_uuid, host=host)
    return None


def refused(state: State, context: DmpUpdateContext, settings: DmpSettings, host: str) -> Outcome | None:
    """Why the change cannot be asked for, from what the document is."""
    entry = state.entry
    if entry is None or state.status == DELETED:
        return Outcome(Verdict.PERMANENT, "DMP-UPD-NOT-FOUND", host=host)
    if state.status not in _FROM.get(context.change, frozenset({APPROVED, ARCHIVED})):
        return Outcome(Verdict.PERMANENT, "DMP-UPD-STATUS", reference=entry.entry_uuid, host=host)
    if context.change in LABELS and _cumulates(entry, context.change, settings):
        return Outcome(Verdict.PERMANENT, "DMP-UPD-CUMUL", reference=entry.entry_uuid, host=host)
    return None


def _cumulates(entry: Entry, change: Change, settings: DmpSettings) -> bool:
    """Masked to professionals and hidden from the patient are not held together (EX_2.1-1050, spec dmp §1.7)."""
    other: dict[Change, str] = {"mask": "hide", "hide": "mask"}
    if settings.cumulated_visibility or change not in other:
        return False
    return xds.visibility_codes()[other[change]].code in entry.labels


def current(found: Listing[Entry]) -> Entry:
    """The version of the metadata that counts: approved, else the one with the highest number."""
    return max(found.items, key=lambda one: (one.status == APPROVED, _number(one.version)))


def _number(version: str | None) -> int:
    return int(version) if version is not None and version.isascii() and version.isdigit() and len(version) < 9 else 0
