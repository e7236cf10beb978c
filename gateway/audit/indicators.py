"""The six figures that the ARS asks for (spec kine §1 row 16), computed from the journal and the frozen facts.

Nothing here reads a document: after every document is erased the figures are the same. Definitions and words are in
mappings/indicators.toml; a test counts a year of episodes by hand.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from gateway import resources
from gateway.audit import suppression
from gateway.audit.episodes import CareDocument, Episode, documents, group, tally
from gateway.audit.period import Period, parse

if TYPE_CHECKING:
    from gateway.audit.ledger import Ledger, Mark, Parcel
    from gateway.findings import Finding
    from gateway.store.facts import EpisodeFacts

UNESTABLISHED = "non_etabli"
MANY = 9
"""Episodes with that many sessions or more are one bar: the rule counts to eight."""
_PENDING = frozenset({"prepared", "sending", "transmitting", "retry", "in_doubt", "held", "waiting_for_session"})
_REFUSED = "refused"

Cells = Mapping[str, int | None]


@cache
def words() -> Mapping[str, Any]:
    """Definitions, words and choices (mappings/indicators.toml)."""
    return tomllib.loads(resources.read_text("mappings", "indicators.toml"))


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of those that a figure is about it really knows of."""

    known: int
    of: int

    @property
    def percent(self) -> int | None:
        """Whole percent, rounded down so that 100 means all; None: about nothing."""
        return None if self.of == 0 else self.known * 100 // self.of


@dataclass(frozen=True, slots=True)
class Indicators:
    """The six figures and what stands beside them. None: left out, a small count.

    `sessions_mean` and `reoriented_share` (percent) are rounded to one decimal, halves up. Motives are keyed by code
    (`CIM-10:M54.5`, `region:361292008`, empty: none told). `open_episodes` have no closing report at the period's end.
    """

    period: Period
    account: str | None
    mark: Mark
    threshold: int
    kines: int
    patients: int | None
    episodes: int | None
    motives: Cells
    sessions: int | None
    sessions_mean: Decimal | None
    sessions_by_month: Cells
    sessions_by_episode: Cells
    dmps: int | None
    dmp_documents: int | None
    adverse: int | None
    adverse_by_severity: Cells
    reoriented: int | None
    reoriented_share: Decimal | None
    open_episodes: int | None
    unestablished: int | None
    coverage: Mapping[str, Coverage]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Basis:
    """What figures are computed from: every document that the journal vouches for, and the deliveries."""

    ledger: Ledger
    documents: tuple[CareDocument, ...]
    findings: tuple[Finding, ...]
    account: str | None = None

    @classmethod
    def of(cls, ledger: Ledger, facts: Iterable[EpisodeFacts], account: str | None = None) -> Basis:
        """The basis of one account, or of all."""
        found, wrong = documents(ledger, facts)
        mine = tuple(one for one in found if account in {None, one.paper.account})
        return cls(ledger, mine, tuple(wrong), account)

    def episodes(self, modes: Iterable[str], period: Period) -> list[Episode]:
        """Episodes of these access modes that the period touches."""
        return [one for one in group(self.of_modes(modes)) if one.touches(period)]

    def of_modes(self, modes: Iterable[str]) -> list[CareDocument]:
        """Documents of these access modes, every version of them."""
        wanted = frozenset(modes)
        return [one for one in self.documents if one.care.mode in wanted]

    def parcels(self, destination: str, found: Iterable[CareDocument]) -> list[tuple[CareDocument, Parcel]]:
        """Deliveries of these documents to a kind of destination; changes of what is there already are none."""
        by_document = {one.paper.id: one for one in found}
        return [
            (by_document[parcel.document], parcel)
            for parcel in self.ledger.parcels.values()
            if parcel.document in by_document
            and parcel.destination == destination
            and parcel.purpose == "document"
            and not parcel.role.startswith("dmp_")
        ]


def arrived(parcel: Parcel) -> bool:
    """Whether the other side has it, as far as is known: sent, and not refused since."""
    return parcel.state == "sent" and parcel.receipt != _REFUSED


def compute(basis: Basis, period: Period, threshold: int = 0) -> Indicators:
    """The figures of a period; counts below `threshold`, and what would tell them, are left out."""
    modes = words()["scope"]["modes"]
    episodes = basis.episodes(modes, period)
    patients = {(one.account, one.patient) for one in episodes}
    dmp = [
        (one, parcel)
        for one, parcel in basis.parcels("dmp", basis.of_modes(modes))
        if one.care.day in period and not one.paper.withdrawn
    ]
    updated = {(one.paper.account, one.paper.patient) for one, parcel in dmp if arrived(parcel)}
    events = [event for one in episodes for _, event in one.events(period)]
    referred = {(one.account, one.patient) for one in episodes if one.referrals(period)}
    done = sum(one.done_in(period) for one in episodes)
    shown = suppression.single(len(patients), threshold)
    reoriented = None if shown is None else suppression.part(len(referred), len(patients), threshold)
    return Indicators(
        period=period,
        account=basis.account,
        mark=basis.ledger.mark,
        threshold=threshold,
        kines=len({author for one in episodes for author in one.authors(period)}),
        patients=shown,
        episodes=suppression.single(len(episodes), threshold),
        motives=suppression.partition(tally(one.motive for one in episodes), threshold),
        sessions=None if shown is None else done,
        sessions_mean=None if shown is None else _ratio(done, len(patients)),
        sessions_by_month=_by_month(episodes, period, threshold),
        sessions_by_episode=_by_episode(episodes, period, threshold),
        dmps=None if shown is None else suppression.part(len(updated), len(patients), threshold),
        dmp_documents=suppression.single(len({one.paper.id for one, parcel in dmp if arrived(parcel)}), threshold),
        adverse=suppression.single(len(events), threshold),
        adverse_by_severity=suppression.partition(_severities(event.severity for event in events), threshold),
        reoriented=reoriented,
        reoriented_share=None if reoriented is None else _ratio(100 * reoriented, len(patients)),
        open_episodes=suppression.part(sum(one.open_at(period.last) for one in episodes), len(episodes), threshold),
        unestablished=suppression.part(sum(_unestablished(one) for one in episodes), len(episodes), threshold),
        coverage=_coverage(basis, period, episodes, [parcel for _, parcel in dmp]),
        findings=basis.findings,
    )


def _ratio(number: int, of: int) -> Decimal:
    if of == 0:
        return Decimal("0.0")
    return (Decimal(number) / Decimal(of)).quantize(Decimal("0.1"), ROUND_HALF_UP)


def _severities(values: Iterable[str]) -> dict[str, int]:
    found = Counter(values)
    return {
        code: found[code] for code in (*words()["severities"], *sorted(found.keys() - words()["severities"].keys()))
    }


def _by_month(episodes: Iterable[Episode], period: Period, threshold: int) -> Cells:
    found: dict[str, int] = {}
    for name in period.months():
        month = parse(name)
        inside = Period(name, max(month.first, period.first), min(month.last, period.last))
        found[name] = sum(one.done_in(inside) for one in episodes)
    return suppression.partition(found, threshold)


def _by_episode(episodes: Iterable[Episode], period: Period, threshold: int) -> Cells:
    found = Counter(min(one.done_in(period), MANY) for one in episodes)
    names = {number: str(number) if number < MANY else f"{MANY}+" for number in range(MANY + 1)}
    return suppression.partition({names[number]: found[number] for number in names}, threshold)


def _unestablished(episode: Episode) -> bool:
    return any(one.care.claimed == UNESTABLISHED for one in episode.documents)


def _coverage(basis: Basis, period: Period, episodes: list[Episode], parcels: list[Parcel]) -> dict[str, Coverage]:
    total = len(episodes)
    structured = Coverage(sum(one.structured for one in episodes), total)
    settled = sum(parcel.state not in _PENDING for parcel in parcels)
    return {
        "participating_kines": _known_documents(basis, period),
        "patients": Coverage(sum(bool(one.coded_motive) for one in episodes), total),
        "sessions": Coverage(sum(one.tells_sessions for one in episodes), total),
        "dmps_updated": Coverage(settled, len(parcels)),
        "adverse_events": structured,
        "reoriented_share": structured,
    }


def _known_documents(basis: Basis, period: Period) -> Coverage:
    """Of the standing documents of the period, those whose frozen facts say how the patient came."""
    papers = [
        paper
        for paper in basis.ledger.papers.values()
        if paper.stands and paper.day in period and basis.account in {None, paper.account}
    ]
    known = {one.paper.id for one in basis.documents if one.care.mode is not None}
    return Coverage(sum(paper.id in known for paper in papers), len(papers))
