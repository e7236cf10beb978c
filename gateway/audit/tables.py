"""The figures as people and programs read them: JSON, CSV, rows of a table, and what the one-page PDF shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from gateway.audit.indicators import Cells, Coverage, Indicators, words
from gateway.terminology import loader

if TYPE_CHECKING:
    from gateway.audit.ledger import Mark
    from gateway.audit.period import Period

FORMAT = "kine-gateway/indicators/1"
BOM = "\ufeff"
"""French spreadsheets read UTF-8 only behind it."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_dict(found: Indicators) -> dict[str, Any]:
    """JSON-ready. A count that is left out is null and named in `suppressed`."""
    return {
        "format": FORMAT,
        "period": found.period.as_dict(),
        "account": found.account,
        "checkpoint": found.mark.as_dict(),
        "suppressed_below": found.threshold,
        "figures": _figures(found),
        "open_episodes": found.open_episodes,
        "episodes": found.episodes,
        "unestablished_episodes": found.unestablished,
        "suppressed": _suppressed(found),
        "coverage": {code: _coverage(one, found.threshold) for code, one in found.coverage.items()},
        "definitions": {one["code"]: one["definition"] for one in words()["figure"]},
        "findings": [one.as_dict() for one in found.findings],
    }


def _figures(found: Indicators) -> dict[str, Any]:
    return {
        "participating_kines": found.kines,
        "patients": found.patients,
        "motives": _cells(found.motives, motive_label),
        "sessions_per_patient": _number(found.sessions_mean),
        "sessions_total": found.sessions,
        "sessions_by_month": _cells(found.sessions_by_month),
        "sessions_by_episode": _cells(found.sessions_by_episode),
        "dmps_updated": found.dmps,
        "dmp_documents": found.dmp_documents,
        "adverse_events": found.adverse,
        "adverse_events_by_severity": _cells(found.adverse_by_severity),
        "reoriented_patients": found.reoriented,
        "reoriented_share": _number(found.reoriented_share),
    }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _cells(cells: Cells, label: Any = None) -> list[dict[str, Any]]:
    return [
        {"code": code, **({"label": label(code)} if label else {}), "count": number} for code, number in cells.items()
    ]


def _coverage(one: Coverage, threshold: int) -> dict[str, Any]:
    """With small counts left out the share alone is told: the numbers would tell them again."""
    return {"percent": one.percent} if threshold else {"known": one.known, "of": one.of, "percent": one.percent}


def _suppressed(found: Indicators) -> list[str]:
    names = [code for code, value in _figures(found).items() if value is None]
    return names + [name for name in ("open_episodes", "episodes", "unestablished") if getattr(found, name) is None]


def motive_label(code: str) -> str:
    """French words for a motive: its label where the tables have one, else the code."""
    system, _, bare = code.partition(":")
    if not code:
        return str(words()["words"]["no_motive"])
    if system == "region":
        return str(words()["words"]["region"].format(label=_sites().get(bare, bare)))
    return f"{bare} {_diseases().get(bare, '')}".strip() if system == "CIM-10" else f"{bare} ({system})"


@cache
def _sites() -> Mapping[str, str]:
    return {one.code: one.display for one in loader.sites("").values()}


@cache
def _diseases() -> Mapping[str, str]:
    return {code: one.display for code, one in loader.icd10("").items()}


def shown(value: int | Decimal | None, unit: str = "") -> str:
    """A figure as people read it, with a decimal comma; a suppressed one says so."""
    if value is None:
        return str(words()["words"]["hidden"])
    return f"{value}".replace(".", ",") + (f" {unit}" if unit else "")


def cell(value: Any) -> str:
    """A count or a name in a table."""
    return value if isinstance(value, str) else shown(value)


def rows(found: Indicators) -> list[tuple[str, str, str, str]]:
    """The six figures: label, value, coverage, definition."""
    say = words()["words"]
    values = {
        "participating_kines": str(found.kines),
        "patients": shown(found.patients),
        "sessions": f"{shown(found.sessions_mean)} ({say['sessions_total'].lower()} : {shown(found.sessions)})",
        "dmps_updated": shown(found.dmps),
        "adverse_events": shown(found.adverse),
        "reoriented_share": f"{shown(found.reoriented_share, '%')} ({say['reoriented_patients'].lower()} : "
        f"{shown(found.reoriented)})",
    }
    return [(one["label"], values[one["code"]], _covered(found, one), one["definition"]) for one in words()["figure"]]


def _covered(found: Indicators, figure: Mapping[str, str]) -> str:
    one = found.coverage[figure["code"]]
    if one.percent is None:
        return "–"
    number = "" if found.threshold else f" ({one.known}/{one.of})"
    return f"{one.percent} %{number} des {figure['covers']}"


def notes(found: Indicators, today: date) -> list[str]:
    """What a reader has to know beside the figures."""
    say = words()["words"]
    found_notes = [say["unfinished"]] if found.period.last >= today else []
    found_notes += [f"{say['open']} : {shown(found.open_episodes)}. {say['open_note']}"]
    found_notes.append(f"{say['unestablished']} : {shown(found.unestablished)}.")
    if found.account is None:
        found_notes.append(say["patients_note"])
    if found.threshold:
        found_notes.append(say["suppressed"].format(n=found.threshold))
    if found.findings:
        found_notes.append(say["wrong"].format(n=len(found.findings)))
    return found_notes


def checkpoint_note(found: Indicators) -> str:
    """At what the figures were computed, and how to compute them again."""
    options = [f"--period {found.period.name}"]
    options += [f"--account {found.account}"] if found.account else []
    options += [f"--suppress-below {found.threshold}"] if found.threshold else []
    return computed_at(found.mark, options)


def computed_at(mark: Mark, options: Sequence[str]) -> str:
    """The checkpoint, and the command that computes the same again. Several shards are named by a report's JSON."""
    at = str(mark.size) if len(mark.notes) == 1 else words()["words"]["report_file"]
    command = " ".join(["kine-gateway report", *options, f"--at {at}"])
    root = mark.roots[0][:16] if mark.roots else ""
    return str(words()["words"]["checkpoint_note"].format(size=mark.size, root=root, command=command))


def as_csv(found: Indicators) -> str:
    """UTF-8 text behind a byte order mark, `;`, one line for each number."""
    figures = {one["code"]: one for one in words()["figure"]}
    about = [
        ("periode", found.period.name, f"{found.period.first}..{found.period.last}"),
        ("compte", "", found.account or words()["words"]["all_accounts"]),
        ("point_de_controle", "taille", found.mark.size),
        *(("point_de_controle", "racine", root) for root in found.mark.roots),
        ("effectifs_masques_sous", "", found.threshold),
    ]
    lines: list[Sequence[Any]] = [(code, detail, value, "", "") for code, detail, value in about]
    for code, detail, value in _flat(found):
        figure = figures.get(code)
        told = ("", "") if figure is None or detail else (_covered(found, figure), figure["definition"])
        lines.append((code, detail, "" if value is None else str(value).replace(".", ","), *told))
    return written(("indicateur", "detail", "valeur", "couverture", "definition"), lines)


def _flat(found: Indicators) -> Iterable[tuple[str, str, int | Decimal | None]]:
    yield "participating_kines", "", found.kines
    yield "patients", "", found.patients
    yield from (("patients", f"motif {motive_label(code)}", number) for code, number in found.motives.items())
    yield "sessions", "", found.sessions_mean
    yield "sessions", "total", found.sessions
    yield from (("sessions", month, number) for month, number in found.sessions_by_month.items())
    yield from (("sessions", f"épisodes de {name}", number) for name, number in found.sessions_by_episode.items())
    yield "dmps_updated", "", found.dmps
    yield "dmps_updated", "documents", found.dmp_documents
    yield "adverse_events", "", found.adverse
    yield from (("adverse_events", severity, number) for severity, number in found.adverse_by_severity.items())
    yield "reoriented_share", "", found.reoriented_share
    yield "reoriented_share", "patients", found.reoriented
    yield "open_episodes", "", found.open_episodes


def written(columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """A CSV for French spreadsheets (UTF-8 with byte order mark, `;`), in which no cell is read as a formula."""
    return BOM + lines_of([columns]) + lines_of(lines)


def lines_of(lines: Iterable[Sequence[Any]]) -> str:
    """Some lines of such a CSV."""
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows([safe(cell) for cell in line] for line in lines)
    return text.getvalue()


def safe(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula stands behind an apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def title_of(period: Period) -> str:
    """`du 01/01/2026 au 31/12/2026`."""
    return str(words()["words"]["from_to"].format(first=f"{period.first:%d/%m/%Y}", last=f"{period.last:%d/%m/%Y}"))
