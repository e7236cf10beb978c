"""The cooperation protocols' reporting table, quarter by quarter (spec kine §1 row 24)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.audit import suppression
from gateway.audit.episodes import CareDocument, Episode, group
from gateway.audit.indicators import Basis, arrived, words
from gateway.audit.tables import cell, computed_at, title_of, written

if TYPE_CHECKING:
    from gateway.audit.ledger import Mark, Parcel
    from gateway.audit.period import Period

FORMAT = "kine-gateway/protocols/1"
_DELEGANT = "delegant"


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """One protocol in one quarter; fields as the columns of mappings/indicators.toml. None: left out, a small count.

    `delegant_due` counts documents addressed to the delegating physician, `delegant_informed` those that arrived.
    """

    protocol: str
    quarter: str
    kines: int
    patients: int | None
    episodes: int | None
    open: int | None
    sessions: int | None
    reoriented: int | None
    adverse_events: int | None
    delegant_due: int | None
    delegant_informed: int | None


def table(basis: Basis, period: Period, threshold: int = 0) -> list[ProtocolRow]:
    """Rows of every protocol and quarter in which something happened, by protocol, then by quarter."""
    found = basis.of_modes([words()["scope"]["protocol_mode"]])
    names = sorted({one.care.protocol or "" for one in found})
    rows = []
    for name in names:
        mine = [one for one in found if (one.care.protocol or "") == name]
        for quarter in period.quarters():
            inside = [one for one in group(mine) if one.touches(quarter)]
            if inside:
                rows.append(_row(basis, name, quarter, inside, threshold))
    return rows


def _row(basis: Basis, name: str, quarter: Period, inside: list[Episode], threshold: int) -> ProtocolRow:
    patients = {(one.account, one.patient) for one in inside}
    referred = {(one.account, one.patient) for one in inside if one.referrals(quarter)}
    written_now = [one for episode in inside for one in episode.documents if one.care.day in quarter]
    due = _to_delegant(basis, written_now)
    shown = suppression.single(len(patients), threshold)
    return ProtocolRow(
        protocol=name,
        quarter=quarter.name,
        kines=len({author for one in inside for author in one.authors(quarter)}),
        patients=shown,
        episodes=suppression.single(len(inside), threshold),
        open=suppression.part(sum(one.open_at(quarter.last) for one in inside), len(inside), threshold),
        sessions=None if shown is None else sum(one.done_in(quarter) for one in inside),
        reoriented=None if shown is None else suppression.part(len(referred), len(patients), threshold),
        adverse_events=suppression.single(sum(len(one.events(quarter)) for one in inside), threshold),
        delegant_due=suppression.single(len(due), threshold),
        delegant_informed=suppression.part(sum(map(arrived, due)), len(due), threshold) if due else 0,
    )


def _to_delegant(basis: Basis, found: Iterable[CareDocument]) -> list[Parcel]:
    """Deliveries to the delegating physician; one that another took the place of is not counted twice."""
    return [
        parcel
        for _, parcel in basis.parcels("professional", found)
        if parcel.role.startswith(_DELEGANT) and parcel.state != "superseded"
    ]


def as_dict(rows: Iterable[ProtocolRow]) -> list[dict[str, Any]]:
    """JSON-ready, columns in their order."""
    return [{code: getattr(row, code) for code in _codes()} for row in rows]


def told(rows: Iterable[ProtocolRow], basis: Basis, period: Period) -> dict[str, Any]:
    """The table with its period, checkpoint and definitions, JSON-ready."""
    return {
        "format": FORMAT,
        "period": period.as_dict(),
        "account": basis.account,
        "checkpoint": basis.ledger.mark.as_dict(),
        "rows": as_dict(rows),
        "definitions": {one["code"]: one["definition"] for one in words()["protocol_column"]},
        "findings": [one.as_dict() for one in basis.findings],
    }


def as_csv(rows: Iterable[ProtocolRow], mark: Mark) -> str:
    """UTF-8 behind a byte order mark, `;`; each line ends with the checkpoint that it was computed at."""
    at = [mark.size, " ".join(mark.roots)]
    lines = (["" if row[code] is None else row[code] for code in _codes()] + at for row in as_dict(rows))
    return written((*_codes(), "checkpoint_size", "checkpoint_root"), lines)


def view(rows: Iterable[ProtocolRow], basis: Basis, period: Period) -> dict[str, Any]:
    """What the PDF shows, JSON-ready."""
    say = words()["words"]
    columns = words()["protocol_column"]
    options = [f"--period {period.name}", "--protocols", *([f"--account {basis.account}"] if basis.account else [])]
    wrong = [say["wrong"].format(n=len(basis.findings))] if basis.findings else []
    return {
        "title": f"{say['protocols_title']} · {period.name}",
        "facts": [[say["period"], title_of(period)], [say["account"], basis.account or say["all_accounts"]]],
        "columns": [one["label"] for one in columns],
        "rows": [[cell(value) for value in row.values()] for row in as_dict(rows)],
        "empty": say["nothing"],
        "definitions": [[one["label"], one["definition"]] for one in columns],
        "notes": wrong,
        "footer": computed_at(basis.ledger.mark, options),
    }


def headings() -> tuple[str, ...]:
    """The columns' names in French."""
    return tuple(one["label"] for one in words()["protocol_column"])


def _codes() -> tuple[str, ...]:
    return tuple(one["code"] for one in words()["protocol_column"])
