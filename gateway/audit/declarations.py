"""Reorientations and undesirable events as rows for the declaration platform (spec kine §1 row 15): no identity.

Free words never reach the frozen facts, so none can stand here. Who needs the identities adds them with his name in
the journal (`gateway.api.report`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from gateway import terminology
from gateway.audit.indicators import UNESTABLISHED, words
from gateway.audit.tables import motive_label

if TYPE_CHECKING:
    from gateway.audit.episodes import CareDocument, Episode
    from gateway.audit.indicators import Basis
    from gateway.audit.period import Period

REORIENTATIONS, ADVERSE_EVENTS = "reorientations", "adverse_events"
SAID_IN_WORDS = "autre"
"""Stands for what was told in free words, which are not frozen."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One row without its number: the document that tells of it, and the cells of the columns after `numero`."""

    document: str
    account: str
    cells: tuple[str, ...]


def reorientations(basis: Basis, period: Period) -> list[Declaration]:
    """Reorientations of the period in direct access, oldest first."""
    terms = terminology.load()
    found = []
    for episode in _episodes(basis, period):
        for one, referral in episode.referrals(period):
            to = terms.label("reorientation_to", referral.to) if referral.to else SAID_IN_WORDS
            urgency = terms.label("urgency", referral.urgency) if referral.urgency else ""
            before = episode.done_by(referral.day - timedelta(days=1))
            cells = (*_about(one, episode, referral.day), to, urgency, str(before), one.care.day.isoformat())
            found.append(Declaration(one.paper.id, one.paper.account, cells))
    return _oldest_first(found)


def adverse_events(basis: Basis, period: Period) -> list[Declaration]:
    """Undesirable events of the period in direct access, oldest first."""
    terms = terminology.load()
    found = []
    for episode in _episodes(basis, period):
        for one, event in episode.events(period):
            kind = terms.label("adverse_event", event.kind) if event.kind else SAID_IN_WORDS
            severity = terms.label("severity", event.severity) if event.severity else ""
            reported = "oui" if event.reported else "non"
            before = episode.done_by(event.day - timedelta(days=1))
            cells = (*_about(one, episode, event.day), kind, severity, reported, str(before))
            found.append(Declaration(one.paper.id, one.paper.account, cells))
    return _oldest_first(found)


def columns(kind: str) -> tuple[str, ...]:
    """Names of the columns of `reorientations` or `adverse_events`, the number included."""
    return tuple(words()[kind]["columns"])


def _episodes(basis: Basis, period: Period) -> list[Episode]:
    return basis.episodes(words()["scope"]["modes"], period)


def _about(one: CareDocument, episode: Episode, day: date) -> tuple[str, ...]:
    mode = UNESTABLISHED if one.care.claimed == UNESTABLISHED else str(one.care.mode)
    return (
        day.isoformat(),
        one.care.department or "",
        terminology.load().label("access_mode", mode),
        motive_label(episode.motive),
    )


def _oldest_first(found: Iterable[Declaration]) -> list[Declaration]:
    return sorted(found, key=lambda one: one.cells)
