"""Everything that a record says is in the document, word for word or in words that mean it; nothing is invented.

Every leaf of every fixture is walked. Only the leaves listed here are allowed to be absent, each for a reason.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any

import pytest
from pydantic import BaseModel

from gateway import terminology
from gateway.document import build
from gateway.document import model as m
from gateway.records.clinical import (
    Assessment,
    Measure,
    PrescriberInformation,
    ReorientationLetter,
    TreatmentSummary,
)
from gateway.records.submission import Submission
from tests.unit.fixture_cases import FIXTURES, NAMES, builder, prepared, submission

TERMS = terminology.load()

# Path patterns that need not be in a document, and why.
LEFT_OUT = {
    r"/(format|account|key)": "transport, not content",
    r"/document/kind": "is the type of the document",
    r"/patient/ins/.*": "the INS only leaves when it may: own test",
    r"/patient/(dmp|delivery|mail_opposition)(/.*)?": "governs sending, no reader's business",
    r"/recipients/\d+/(known|opposition)(/.*)?": "governs sending; a refused recipient is not named",
    r"/recipients/\d+/role": "own test",
    r"/access/(withdrawn_on|proof/issuer|proof/note|proof/kept_in_record)": "proof: type and date only",
    r"/access/cpts/(active_member|proof_valid_until)": "checked by the rules, kept by the practice",
    r"/access/episode/sessions_already_done": "shown as a rank: own test",
    r"/organization/id/kind|/recipients/\d+/organization/kind": "is the prefix of the identifier",
    r"/visibility/.*": "becomes codes: own test",
    r"/document/(initial_)?measures/\d+/(code|unit|side|value|raw)": "own test",
    r"/document/goals/\d+/target/(code|unit|value)": "own test",
    r"/document/examination/\d+/domain": "is the subsection: own test",
    r"/document/examination/\d+/code/system": "becomes an OID, and words in the list",
    r"/document/problems/\d+/code/system": "becomes an OID, and words in the table",
    r"/document/.*/reached": "own test",
}
# Where the record holds a value of a closed list, the list of labels that words it.
LABELS = {
    r"/access/mode": "access_mode",
    r"/access/practitioner_status": "practitioner_status",
    r"/access/proof/type": "proof_type",
    r"/document/outcome": "outcome",
    r"/document/end_reason": "end_reason",
    r"/document/red_flags/decision": "red_flag_decision",
    r"/document/red_flags/(checked|present)/\d+": "red_flag",
    r"/document/reorientation/to": "reorientation_to",
    r"/document/reorientation/reason": "reorientation_reason",
    r"/document/reorientation/urgency": "urgency",
    r"/document/reorientation/communicated_by/\d+": "channel",
    r"/document/adverse_events/\d+/severity": "severity",
    r"/document/adverse_events/\d+/kind": "adverse_event",
    r"/document/plan/place": "plan_place",
    r"/document/examination/\d+/method": "exam_method",
    r"/document/change": "prescription_change",
    r"/document/.*/side": "side",
    r"/document/history/dominant_hand": "hand",
}
FLAGS = {
    r"/access/prior_diagnosis": ("Diagnostic médical préalable : non", "Diagnostic médical préalable : oui"),
    r"/document/consent/care": ("Consentement aux soins : non", "Consentement aux soins : oui"),
    r"/document/consent/sharing_informed": ("partage des documents : non", "partage des documents : oui"),
    r"/document/adverse_events/\d+/reported_ars": ("", "déclaré à l'ARS"),
    r"/document/annotation/signed": ("Signature sur l'ordonnance : non", "Signature sur l'ordonnance : oui"),
    r"/document/annotation/given_to_patient": ("remise au patient : non", "remise au patient : oui"),
}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from leaves(getattr(value, name), f"{path}/{name}")
    elif isinstance(value, tuple):
        for place, one in enumerate(value):
            yield from leaves(one, f"{path}/{place}")
    elif value is not None:
        yield path, value


def _first(table: dict[str, Any], path: str) -> Any:
    return next((found for pattern, found in table.items() if re.fullmatch(pattern, path)), None)


def strings(value: Any) -> Iterator[str]:
    """Every text of a document, dates as they are shown."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from strings(getattr(value, field.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from strings(one)
    elif isinstance(value, date):
        yield value.strftime("%d/%m/%Y")
    elif value is not None:
        yield str(value)


@cache
def whole(name: str) -> str:
    return "\n".join(strings(prepared(name).document))


def shown(path: str, value: Any) -> str:
    """How a leaf must read in the document."""
    list_name, flags = _first(LABELS, path), _first(FLAGS, path)
    if flags is not None:
        return str(flags[bool(value)])
    if list_name is not None:
        return TERMS.wording(list_name, value.value if isinstance(value, Enum) else value)
    if isinstance(value, date | datetime):
        return value.strftime("%d/%m/%Y")
    if path.endswith("/phone"):
        return re.sub(r"[\s.]", "", value)
    return str(value.value if isinstance(value, Enum) else value)


@pytest.mark.parametrize("name", NAMES)
def test_every_leaf_of_the_record_is_said(name: str) -> None:
    text = whole(name)
    unsaid = [
        (path, shown(path, value))
        for path, value in leaves(submission(name))
        if _first(LEFT_OUT, path) is None and not _refused(name, path) and shown(path, value) not in text
    ]
    assert unsaid == []


def _refused(name: str, path: str) -> bool:
    match = re.match(r"/recipients/(\d+)/", path)
    return match is not None and submission(name).recipients[int(match[1])].opposition is not None


def _measures(name: str) -> list[Measure]:
    document = submission(name).document
    initial = document.initial_measures if isinstance(document, TreatmentSummary) else ()
    return [*initial, *document.measures]


def _entries(name: str, kind: type) -> list[Any]:
    return [entry for section in prepared(name).document.walk() for entry in section.entries if isinstance(entry, kind)]


@pytest.mark.parametrize("name", NAMES)
def test_every_measure_is_an_entry_with_its_exact_value(name: str) -> None:
    found = {entry.anchor: entry for entry in _entries(name, m.MeasureEntry)}
    document = submission(name).document
    initial = len(document.initial_measures) if isinstance(document, TreatmentSummary) else 0
    records = _measures(name)
    assert len(found) == len(records)
    for place, record in enumerate(records):
        anchor = f"mes-initiale-{place + 1}" if place < initial else f"mes-{place - initial + 1}"
        entry, known = found[anchor], TERMS.measure(record.code)
        assert known is not None
        assert (entry.measure, entry.context, entry.aid, entry.raw) == (
            record.code,
            record.context,
            record.aid,
            record.raw,
        )
        assert entry.not_done == record.not_done
        assert entry.side == TERMS.side(record.side)
        assert (entry.site.text if entry.site else None) == record.site
        if record.value is None:
            assert (entry.value, entry.unit, entry.answer) == (None, None, None)
        elif entry.answer is None:
            assert entry.value == record.value
            assert str(entry.value) == str(record.value)
            assert entry.unit == (None if record.unit == "code" else record.unit)
        else:
            assert entry.unit is None
            assert entry.answer == known.answers[record.value].code


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_sees_label_value_unit_place_and_day_of_every_measure(name: str) -> None:
    rows = {
        row[0].anchor: [cell.text.replace("\u00a0", " ") for cell in row]
        for section in prepared(name).document.walk()
        for block in section.blocks
        if isinstance(block, m.Table) and block.columns[0] == "Mesure" and block.columns[-1] == "Date"
        for row in block.rows
    }
    for entry in _entries(name, m.MeasureEntry):
        label, where, value, day = rows[entry.anchor]
        assert label == entry.concept.text
        assert day == entry.effective.strftime("%d/%m/%Y")
        assert all(part in where for part in (entry.context, entry.aid, entry.site.text if entry.site else "") if part)
        assert (f"non mesuré : {entry.not_done}" if entry.not_done else _value_in_words(entry)) in value
        assert entry.raw is None or entry.raw in value


def _value_in_words(entry: m.MeasureEntry) -> str:
    units = {"deg": "°", "mm[Hg]": " mmHg", "Cel": " °C", "kg/m2": " kg/m²", "/min": " par minute"}
    units |= {"{#}/(30.s)": " levers en 30 s"}
    if entry.answer is not None:
        return entry.answer.display
    number = str(entry.value).replace(".", ",")
    if entry.unit == "{score}":
        known = TERMS.measure(entry.measure)
        assert known is not None
        return f"{number}/{known.maximum}"
    return number + units.get(entry.unit or "", f" {entry.unit}" if entry.unit else "")


@pytest.mark.parametrize("name", NAMES)
def test_goals_carry_their_date_and_whether_they_were_reached(name: str) -> None:
    goals = submission(name).document.goals
    assert [(goal.text, goal.due, goal.reached) for goal in goals] == [
        (entry.text, entry.due, entry.reached) for entry in _entries(name, m.GoalEntry)
    ]
    for goal in goals:
        if goal.reached is not None:
            assert re.search(rf"{re.escape(goal.text)}\n(.*\n){{1,4}}{'oui' if goal.reached else 'non'}", whole(name))


@pytest.mark.parametrize("name", NAMES)
def test_anchors_are_unique_and_every_entry_stands_in_its_own_section(name: str) -> None:
    document = prepared(name).document
    anchors = [span.anchor for section in document.walk() for span in _spans(section) if span.anchor]
    assert len(anchors) == len(set(anchors))
    for section in document.walk():
        own = {span.anchor for span in _spans(section)}
        assert {entry.anchor for entry in section.entries} <= own


def _spans(section: m.Section) -> Iterator[m.Span]:
    for block in section.blocks:
        match block:
            case m.Paragraph(span):
                yield span
            case m.Items(items):
                yield from items
            case m.Table(rows=rows):
                for row in rows:
                    assert len(row) == len(block.columns)
                    yield from row


@pytest.mark.parametrize("name", NAMES)
def test_no_section_is_empty_and_the_order_is_that_of_the_table(name: str) -> None:
    document = prepared(name).document
    assert all(section.blocks or section.subsections for section in document.walk())
    order = TERMS.order[document.header.kind]
    assert [section.key for section in document.sections] == sorted(
        (section.key for section in document.sections), key=order.index
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_proof_is_named_by_type_and_date_only(name: str) -> None:
    proof = submission(name).access.proof
    if proof is not None and proof.issuer is not None:
        assert proof.issuer not in whole(name)
        assert f"du {proof.date:%d/%m/%Y}" in whole(name)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_dated_that_the_record_does_not_date(name: str) -> None:
    for entry in _entries(name, m.ProblemEntry):
        given = [one.onset for one in submission(name).document.problems if one.label == entry.concept.text]
        assert entry.onset == (given[0] if given else None)
    surgeries = submission(name).document.history.surgeries
    assert all(entry.start is None for entry in _entries(name, m.ActEntry) if entry.concept.text in surgeries)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_stay_decimal(name: str) -> None:
    assert all(isinstance(entry.value, Decimal | None) for entry in _entries(name, m.MeasureEntry))


_FREE = r"/document/(reason|complaint|diagnosis|prognosis|advice|evolution|not_measurable|id)"
_FREE += r"|/document/(question|phone|adaptation)|/document/examination/\d+/(text|site)"
_FREE += r"|/document/(problems/\d+/(label|note)|body_site/label|treatment_done/\d+|goals/\d+/text|icf/\d+/label)"
_FREE += r"|/document/history/(conditions|surgeries|treatments|allergies)/\d+|/document/history/(work|activity)"
_FREE += r"|/document/red_flags/((checked|present)/\d+|comment)|/document/plan/(frequency|place|note|techniques/\d+)"
_FREE += r"|/document/consent/interpreter|/document/reorientation/(to|reason|communicated_by/\d+)"
_FREE += r"|/document/adverse_events/\d+/(id|kind|detail)|/document/sessions/\d+/note"
_FREE += r"|/document/((initial_)?measures/\d+/(site|context|aid|raw|not_done)|goals/\d+/target/(site|context))"
_FREE += r"|/access/(protocol|cpts/name|episode/id)|/organization/name|/(organization|patient)/address/(lines/\d+|city)"
_FREE += r"|/author/(family|given)|/patient/(birth_family|used_family|used_given|birth_place_name)"
_FREE += r"|/recipients/\d+/(family|given|specialty)"
_DATED = r"/document/annotation/date"
_DATED += r"|/document/(goals/\d+/due|problems/\d+/onset|consent/date|reorientation/date|sessions/\d+/date)"
_DATED += r"|/document/(adverse_events/\d+/(date|physician_informed)|period/(start|end))"
_DATED += r"|/access/(proof/date|prescription_date|declared_to_ars_on|episode/start)|/patient/birth_date"
_COUNTED = r"/document/(sessions_done|sessions_prescribed|sessions_so_far|plan/sessions_planned|sessions/\d+/n)"


def _marked(value: Any, marks: dict[str, str], path: str = "") -> Any:
    """The same JSON with every text, date and count replaced by one that nothing else can contain."""
    if isinstance(value, dict):
        return {name: _marked(one, marks, f"{path}/{name}") for name, one in value.items()}
    if isinstance(value, list):
        return [_marked(one, marks, f"{path}/{place}") for place, one in enumerate(value)]
    if re.fullmatch(_FREE, path):
        marks[path] = f"jeton{len(marks)}fin"
        return marks[path]
    if re.fullmatch(_DATED, path):
        # A goal that was due before the care began would be refused.
        marked = date(2050 if path.endswith("/due") else 1950, 1, 1) + timedelta(days=len(marks))
        marks[path] = f"{marked:%d/%m/%Y}"
        return marked.isoformat()
    if re.fullmatch(_COUNTED, path):
        count = 200 + len(marks)
        marks[path] = str(count)
        return count
    return value


@pytest.mark.parametrize("name", NAMES)
def test_texts_dates_and_counts_that_stand_nowhere_else_are_said(name: str) -> None:
    marks: dict[str, str] = {}
    value = _marked(json.loads((FIXTURES / "cases" / f"{name}.json").read_text(encoding="utf-8")), marks)
    case = Submission.model_validate_json(json.dumps(value))
    ids = build.DocumentIds("2.25.1", "2.25.2")
    made = build.build(case, builder().account_of(case), TERMS, ids=ids, software="essai")
    said = "\n".join(strings(made))
    assert len(marks) > 15
    unsaid = {path: mark for path, mark in marks.items() if mark not in said and not _refused(name, path)}
    assert unsaid == {}


@pytest.mark.parametrize("name", NAMES)
def test_entries_hold_what_the_record_holds(name: str) -> None:
    clinical = submission(name).document
    problems = [entry for entry in _entries(name, m.ProblemEntry) if entry.anchor.startswith("probleme")]
    assert [(one.concept.text, one.side, one.note) for one in problems] == [
        (one.label, TERMS.side(one.side), one.note) for one in clinical.problems
    ]
    assert [tuple((code.code, code.display) for code in one.concept.fhir) for one in problems] == [
        ((one.code.code, one.code.label),) if one.code else () for one in clinical.problems
    ]
    events = _entries(name, m.AdverseEventEntry)
    assert [(one.identifier, one.day, one.kind, one.severity, one.detail) for one in events] == [
        (one.id, one.date, TERMS.wording("adverse_event", one.kind), one.severity, one.detail)
        for one in clinical.adverse_events
    ]
    sent = clinical.reorientation
    assert [(one.day, one.urgency, one.to) for one in _entries(name, m.ReferralEntry)] == (
        [(sent.date, sent.urgency, TERMS.wording("reorientation_to", sent.to))] if sent else []
    )


@pytest.mark.parametrize("name", NAMES)
def test_sessions_and_acts_hold_their_days(name: str) -> None:
    clinical = submission(name).document
    done = [entry for entry in _entries(name, m.ActEntry) if entry.mood == "EVN" and entry.start is not None]
    if isinstance(clinical, ReorientationLetter):
        told = [one for one in _entries(name, m.ActEntry) if one.anchor.startswith("acte-")]
        assert [(one.concept.text, one.mood, one.start) for one in told] == [
            (text, "EVN", None) for text in clinical.treatment_done
        ]
        return
    if isinstance(clinical, PrescriberInformation):
        planned = [one for one in _entries(name, m.ActEntry) if one.mood == "INT"]
        assert [(one.concept.text.split()[0], one.start) for one in planned] == [
            (str(clinical.sessions_prescribed), clinical.annotation.date)
        ]
        return
    if isinstance(clinical, Assessment):
        assert [(one.concept.text, one.start) for one in done] == [
            ("Evaluation en kinésithérapie", clinical.date.date())
        ]
        return
    assert isinstance(clinical, TreatmentSummary)
    period = (clinical.period.start, clinical.period.end)
    assert [(one.concept.text, (one.start, one.stop)) for one in done] == [
        (text, period) for text in clinical.treatment_done
    ]
    sessions = _entries(name, m.SessionEntry)
    assert [(one.number, one.day) for one in sessions] == [(one.n, one.date) for one in clinical.sessions]


@pytest.mark.parametrize("name", NAMES)
def test_findings_stand_in_the_subsection_of_their_part_of_the_body(name: str) -> None:
    sections = {"etat_general": "exam_general", "musculosquelettique": "exam_musculoskeletal"}
    sections |= {"membres": "exam_limbs", "systeme_nerveux": "exam_nervous"}
    held = {entry.anchor: part.key for part in prepared(name).document.walk() for entry in part.entries}
    entries = {entry.anchor: entry for entry in _entries(name, m.StatementEntry)}
    for place, found in enumerate(submission(name).document.examination, start=1):
        anchor = f"examen-{place}"
        assert held[anchor] == sections[found.domain]
        assert entries[anchor].concept.text == TERMS.label("exam_method", found.method)
        assert found.text in entries[anchor].value.text
        assert (entries[anchor].value.cda.code if entries[anchor].value.cda else None) == (
            found.code.code if found.code else None
        )


@pytest.mark.parametrize("name", NAMES)
def test_targets_of_goals_are_measures_with_their_bound(name: str) -> None:
    signs = {"low": ("<=", "≤"), "high": (">=", "≥"), "none": ("=", "=")}
    goals = submission(name).document.goals
    for goal, entry in zip(goals, _entries(name, m.GoalEntry), strict=True):
        if goal.target is None:
            assert entry.target is None
            continue
        known = TERMS.measure(goal.target.code)
        assert known is not None
        assert entry.target is not None
        comparator, sign = signs[known.better]
        assert (entry.target.comparator, entry.target.value, entry.target.unit) == (
            comparator,
            goal.target.value,
            goal.target.unit,
        )
        assert entry.target.concept.local == known.local
        assert f"{entry.target.concept.text} {sign}" in whole(name)
