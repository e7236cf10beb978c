"""The first page, for the reader who has one minute: what is urgent, why, findings, diagnosis, conclusion, goals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.document.build_words import said
from gateway.document.model import (
    AdverseEventEntry,
    GoalEntry,
    GoalTarget,
    Items,
    Paragraph,
    ReferralEntry,
    StatementEntry,
    Table,
)
from gateway.render.pdf import people
from gateway.render.pdf.legible import clip, short_date, wording
from gateway.render.pdf.rows import assessment_rows, measures, shorten, summary_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.document.model import Block, ClinicalDocument, Entry, Section
    from gateway.terminology import Terminology

Json = dict[str, Any]

_GRAVITY = {"grave": 1, "moderee": 2, "legere": 3}
"""Place of an undesirable event in the box at the top, after a reorientation (0)."""


@dataclass(frozen=True, slots=True)
class Step:
    """How much the first page takes: characters of a text, of a header line, of a row's name; items, rows, people."""

    text: int
    line: int
    label: int
    items: int
    rows: int
    people: int


def versions(document: ClinicalDocument, terminology: Terminology) -> list[Json]:
    """The first page from full to shortest; the template takes the first that fits."""
    table = _table(document, terminology)
    return [_front(document, table, Step(**step), terminology) for step in wording()["steps"]]


def _front(document: ClinicalDocument, table: Json, step: Step, terminology: Terminology) -> Json:
    rows = shorten(table["rows"], step.rows)
    left = len(table["rows"]) - len(rows)
    return {
        "title": clip(document.header.title, step.line),
        "patient": people.patient(document.header, step.line),
        "author": people.author(document.header, step.line),
        "recipients": people.recipients(document.header, step.people, step.line, terminology),
        "alert": [_cut(line, step) for line in alerts(document, terminology)][: step.items],
        "rows": _rows(document, step),
        "measures": {
            "columns": table["columns"],
            "rows": [row.view(step.label) for row in rows],
            "more": wording()["words"]["more"].format(n=left) if left else "",
        },
        "goals": _shortened(goals(document, terminology), step),
    }


def _cut(line: Json, step: Step) -> Json:
    return {"title": clip(line["title"], step.text), "text": clip(line["text"], step.text)}


def _table(document: ClinicalDocument, terminology: Terminology) -> Json:
    entries, words = measures(document), wording()["words"]
    if document.header.kind == "treatment_summary":
        columns = [words[key] for key in ("measure", "initial", "final", "scale", "change")]
        return {"columns": columns, "rows": summary_rows(entries, terminology)}
    return {"columns": [], "rows": assessment_rows(entries, terminology)}


def _rows(document: ClinicalDocument, step: Step) -> list[Json]:
    """Each question of the page with its answer; those of the measures and goals are told by the template."""
    words, front = wording()["words"], wording()["front"]
    return [
        {"key": key, "label": words[key], "parts": _parts(document, front["sections"].get(key, []), step)}
        for key in front[document.header.kind]
    ]


def _parts(document: ClinicalDocument, keys: list[str], step: Step) -> list[Json]:
    """Narrative of some sections, shortened together; what the box at the top has said is not said again."""
    room, found = step.text, []
    listed = wording()["front"]["listed"].get(document.header.kind, [])
    said = {entry.anchor for entry in entries_of(document) if isinstance(entry, ReferralEntry | AdverseEventEntry)}
    for section in (part for key in keys for part in document.walk() if part.key == key):
        for view in filter(None, (_told(section, item, said, listed) for item in section.blocks)):
            if room > 0:
                found.append(_fitted(view, room, step))
                room -= len(view.get("text", "")) + sum(map(len, view.get("items", [])))
    return found


def _told(section: Section, source: Block, said: set[str], listed: list[str]) -> Json | None:
    """A block as the first page tells it, or None."""
    front = wording()["front"]
    match source:
        case Paragraph(span) if span.anchor not in said:
            return {"kind": "text", "text": span.text}
        case Items(items):
            inline = [key for key in front["inline"] if key not in listed]
            kept = [item.text for item in items if item.anchor not in said]
            return _inline(kept) if section.key in inline else {"kind": "list", "items": kept}
        case Table() if section.key in front["tables"]:
            return {
                "kind": "list",
                "items": [", ".join(filter(None, (cell.text for cell in row))) for row in source.rows],
            }
        case _:
            return None


def _inline(items: list[str]) -> Json | None:
    return {"kind": "small", "text": " · ".join(items)} if items else None


def _fitted(view: Json, room: int, step: Step) -> Json:
    if "text" in view:
        return {**view, "text": clip(view["text"], room)}
    return {**view, "items": _shortened(view["items"], step)}


def _shortened(items: list[str], step: Step) -> list[str]:
    more = len(items) - step.items
    kept = [clip(item, step.text) for item in items[: step.items]]
    return kept if more <= 0 else [*kept, wording()["words"]["more"].format(n=more)]


def goals(document: ClinicalDocument, terminology: Terminology) -> list[str]:
    """Each goal with its date and, in a summary, whether it was reached."""
    return [_goal(entry, terminology) for entry in entries_of(document) if isinstance(entry, GoalEntry)]


def _aim(target: GoalTarget, terminology: Terminology) -> str:
    sign = {"<=": "≤ ", ">=": "≥ ", "=": ""}[target.comparator]
    known = terminology.measure(target.concept.local.code) if target.concept.local else None
    return f"{target.concept.text} {sign}{said(target.value, target.unit, known, terminology)}"


def _goal(goal: GoalEntry, terminology: Terminology) -> str:
    words = wording()["words"]
    marks = [f"{words['target']} {_aim(goal.target, terminology)}"] if goal.target else []
    marks += [f"{words['due']} {short_date(goal.due)}"] if goal.due else []
    if goal.reached is not None:
        marks.append(words["reached"] if goal.reached else words["missed"])
    return goal.text + (f" ({', '.join(marks)})" if marks else "")


def entries_of(document: ClinicalDocument) -> Iterable[Entry]:
    """Every entry in reading order."""
    return (entry for part in document.walk() for entry in part.entries)


def alerts(document: ClinicalDocument, terminology: Terminology) -> list[Json]:
    """What the physician must see first: reorientation, alarming decision, undesirable event."""
    found = [_alert(document, entry, terminology) for entry in entries_of(document)]
    return sorted((line for line in found if line), key=lambda line: int(line["rank"]))


def _alert(document: ClinicalDocument, entry: Entry, terminology: Terminology) -> Json | None:
    words = wording()["words"]
    match entry:
        case ReferralEntry():
            urgency = terminology.label("urgency", entry.urgency)
            title = f"{words['referral']} {urgency} : {entry.to} ({short_date(entry.day)})"
            return {"rank": 0, "title": title, "text": f"{words['referral_reason']} : {entry.reason}"}
        case StatementEntry() if entry.value.local and entry.value.local.code in wording()["alert"]["values"]:
            title = f"{entry.concept.text} : {entry.value.text}"
            return {"rank": 1, "title": title, "text": _beside(document, entry.anchor)}
        case AdverseEventEntry():
            severity = f"{words['severity']} {terminology.label('severity', entry.severity)}"
            title = f"{words['adverse']} ({short_date(entry.day)}, {severity}) : {entry.kind}"
            return {"rank": _GRAVITY[entry.severity], "title": title, "text": entry.detail or ""}
        case _:
            return None


def _beside(document: ClinicalDocument, anchor: str) -> str:
    """What the narrative says just before and after: the flags found and the comment, beside the decision on them."""
    for block in (block for part in document.walk() for block in part.blocks if isinstance(block, Items)):
        for place, item in enumerate(block.items):
            if item.anchor == anchor:
                around = [*block.items[max(place - 1, 0) : place], *block.items[place + 1 : place + 2]]
                return " · ".join(span.text for span in around)
    return ""
