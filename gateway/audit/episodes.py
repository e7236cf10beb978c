"""Care episodes put together from frozen facts: sessions, motives, referrals, undesirable events, beginning and end.

Facts are matched with the journal: only those whose hash it holds count, and a row that is missing or was altered is
told, never passed over.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from gateway.findings import Finding, error
from gateway.store.facts import Referral

if TYPE_CHECKING:
    from gateway.audit.ledger import Ledger, Paper
    from gateway.audit.period import Period
    from gateway.store.facts import Adverse, CareFacts, EpisodeFacts

_PRESCRIBER = "prescriber_information"
_REORIENTED = "reorientation"


@dataclass(frozen=True, slots=True)
class CareDocument:
    """A document: what the journal says of it, and what is frozen of the care."""

    paper: Paper
    facts: EpisodeFacts

    @property
    def care(self) -> CareFacts:
        """The frozen facts."""
        return self.facts.care

    @property
    def as_of(self) -> date:
        """The day up to which it tells of sessions."""
        return self.care.period_end or self.care.day

    @property
    def sessions_so_far(self) -> int:
        """Sessions of the episode by then. An information of the prescriber gives them all in one number."""
        if self.care.kind == _PRESCRIBER:
            return max(self.care.sessions_before, self.care.sessions_done or 0)
        return self.care.sessions_so_far


@dataclass(frozen=True)
class Episode:
    """The standing documents of one episode, oldest first. A document that names no episode is one of its own."""

    account: str
    patient: str
    documents: tuple[CareDocument, ...]

    def authors(self, period: Period) -> set[str]:
        """Pseudonyms of who wrote in the period; of who wrote at all where only sessions fall in it."""
        inside = {one.facts.author for one in self.documents if one.care.day in period}
        return inside or {one.facts.author for one in self.documents}

    @cached_property
    def _days(self) -> list[date]:
        """Listed sessions in order. Documents that list the same day tell of the same ones: the longer list counts."""
        found: Counter[date] = Counter()
        for one in self.documents:
            found |= Counter(one.care.sessions)
        return sorted(found.elements())

    @cached_property
    def _undated(self) -> list[tuple[date, int]]:
        """For each document, how many sessions it tells of beyond those that are listed by then."""
        return [(one.as_of, one.sessions_so_far - bisect_right(self._days, one.as_of)) for one in self.documents]

    def done_by(self, day: date) -> int:
        """Sessions done up to a day. Those that no list dates count from the day of the document that tells of them."""
        return bisect_right(self._days, day) + max([0, *(extra for when, extra in self._undated if when <= day)])

    def done_in(self, period: Period) -> int:
        """Sessions done in a period."""
        return self.done_by(period.last) - self.done_by(period.first - timedelta(days=1))

    def touches(self, period: Period) -> bool:
        """Whether a document of it is dated in the period, or a session was done in it."""
        return any(one.care.day in period for one in self.documents) or self.done_in(period) > 0

    def open_at(self, day: date) -> bool:
        """Whether no report has ended it by then."""
        return not any(one.care.closes and one.care.day <= day for one in self.documents)

    @property
    def tells_sessions(self) -> bool:
        """Whether any document says how many sessions were done."""
        return any(one.care.sessions_done is not None or one.care.sessions_before for one in self.documents)

    @property
    def structured(self) -> bool:
        """Whether its documents can tell of referrals and events: a PDF handed over as it is cannot."""
        return all(one.care.structured for one in self.documents)

    @property
    def coded_motive(self) -> str:
        """The code of what brought the patient (`CIM-10:M54.5`), the first told; empty: none was."""
        return next((one.care.motives[0] for one in self.documents if one.care.motives), "")

    @property
    def motive(self) -> str:
        """The same; without a code the region treated (`region:361292008`), else empty."""
        region = next((one.care.region for one in self.documents if one.care.region), None)
        return self.coded_motive or (f"region:{region}" if region else "")

    @cached_property
    def _referrals(self) -> list[tuple[CareDocument, Referral]]:
        """What documents declare; where none says more, a report whose outcome is a reorientation."""
        told = [(one, one.care.referral) for one in self.documents if one.care.referral is not None]
        return told or [(one, Referral(one.care.day)) for one in self.documents if one.care.outcome == _REORIENTED]

    def referrals(self, period: Period) -> list[tuple[CareDocument, Referral]]:
        """Reorientations of the period, one for each day: a letter and a report may tell of the same one."""
        found: dict[date, tuple[CareDocument, Referral]] = {}
        for one, referral in self._referrals:
            if referral.day in period:
                known = found.get(referral.day)
                if known is None or (known[1].to is None and referral.to is not None):
                    found[referral.day] = (one, referral)
        return [found[day] for day in sorted(found)]

    def events(self, period: Period) -> list[tuple[CareDocument, Adverse]]:
        """Undesirable events of the period. Documents that tell of the same day, kind and severity tell of the same."""
        found: dict[tuple[date, str | None, str], list[tuple[CareDocument, Adverse]]] = {}
        for one in self.documents:
            own: dict[tuple[date, str | None, str], list[tuple[CareDocument, Adverse]]] = {}
            for event in one.care.adverse:
                if event.day in period:
                    own.setdefault((event.day, event.kind, event.severity), []).append((one, event))
            for key, told in own.items():
                if len(told) >= len(found.get(key, [])):  # the latest word says whether it was reported
                    found[key] = told
        return [told for key in sorted(found, key=str) for told in found[key]]


def documents(ledger: Ledger, facts: Iterable[EpisodeFacts]) -> tuple[list[CareDocument], list[Finding]]:
    """Every document with facts that the journal vouches for, and what is wrong with the others."""
    rows = {one.document_id: one for one in facts}
    found, wrong = [], []
    for number, paper in enumerate(ledger.papers.values()):
        row = rows.get(paper.id)
        if paper.facts is None:
            continue
        if row is None or row.sha256 != paper.facts:
            code = "IND-004" if row is None else "IND-003"
            wrong.append(_untrue(code, f"/documents/{number}"))
            continue
        found.append(CareDocument(paper, row))
    return found, wrong


def _untrue(code: str, path: str) -> Finding:
    texts = {
        "IND-003": "Les faits figés de ce document ne sont plus ceux du journal : il n'est pas compté.",
        "IND-004": "Les faits figés de ce document ont disparu : il n'est pas compté.",
    }
    return error(code, path, texts[code], "Comparer avec une sauvegarde.", "DESIGN §4")


def group(found: Iterable[CareDocument]) -> list[Episode]:
    """The episodes of the standing documents among these, in the order of their first document."""
    groups: dict[tuple[str, str], list[CareDocument]] = {}
    for one in found:
        if one.paper.stands:
            name = one.facts.episode or f"document {one.paper.id}"
            groups.setdefault((one.facts.account, name), []).append(one)
    return [_episode(several) for several in groups.values()]


def _episode(several: list[CareDocument]) -> Episode:
    ordered = sorted(several, key=lambda one: (one.care.day, one.paper.id))
    return Episode(ordered[0].facts.account, ordered[0].facts.patient, tuple(ordered))


def tally(values: Iterable[str]) -> Mapping[str, int]:
    """How often each value occurs, most frequent first, then by name."""
    counted = Counter(values)
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
