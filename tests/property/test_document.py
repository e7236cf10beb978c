"""Whatever the records hold, a document is built, rendered and read back: no crash, no text lost, no stray anchor."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway import terminology
from gateway.document import build
from gateway.document import model as m
from gateway.records.submission import Submission, parse
from gateway.render import cda, fhir
from tests.unit.fixture_cases import FIXTURES, builder

TERMS = terminology.load()
IDS = build.DocumentIds("2.25.1", "2.25.2")
BASES: Mapping[str, dict[str, Any]] = {
    kind: json.loads((FIXTURES / "cases" / f"01_entorse_cheville_{kind}.json").read_text(encoding="utf-8"))
    for kind in ("bilan", "compte_rendu")
}

# Letters, signs that XML, JSON, typst and HL7 care about, and whole planes of others; the schema refuses the rest.
_LETTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_SIGNS = st.sampled_from(list("<>&\"'#$*_[]{}\\/|^~;:%éÉœ€²½−–«»"))
lines = st.text(st.one_of(_LETTERS, _SIGNS), min_size=1, max_size=40).filter(lambda text: text.strip() != "")
texts = st.one_of(lines, st.builds("{}\n{}".format, lines, lines))
days = st.dates(min_value=date(2025, 10, 6), max_value=date(2026, 9, 1))
sides = st.sampled_from(["droite", "gauche", "bilateral"])


@st.composite
def measures(draw: st.DrawFn) -> dict[str, Any]:
    known = draw(st.sampled_from(TERMS.measures()))
    if known.answers:
        value = draw(st.sampled_from([str(one) for one in known.answers]))
    else:
        low, high = (int(bound) for bound in (known.minimum or 0, known.maximum or 100))
        value = str(draw(st.decimals(low, high, places=draw(st.integers(0, 4)))))
    optional = {"side": sides, "site": lines, "context": lines, "aid": lines, "raw": lines}
    extra = {name: draw(one) for name, one in optional.items() if draw(st.booleans())}
    return {"code": known.code, "value": float(value), "unit": known.input_unit, **extra}


def shape(required: dict[str, Any] | None = None, **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required or {}, optional=optional)


def some(one: st.SearchStrategy[Any], most: int = 4) -> st.SearchStrategy[list[Any]]:
    return st.lists(one, max_size=most)


dates = days.map(str)
icf_codes = st.from_regex(r"[bsde][0-9]{1,5}(\.[0-9+])?", fullmatch=True)
severities = st.sampled_from(["legere", "moderee", "grave"])
common = {
    "reason": texts,
    "diagnosis": texts,
    "prognosis": texts,
    "advice": texts,
    "problems": some(shape({"label": lines}, side=sides, onset=dates, note=texts)),
    "goals": some(shape({"text": texts}, due=dates, reached=st.booleans())),
    "measures": some(measures(), 12),
    "history": shape(conditions=some(lines), surgeries=some(lines), treatments=some(lines), allergies=some(lines)),
    "icf": some(shape({"code": icf_codes}, label=lines)),
    "plan": shape(
        sessions_planned=st.integers(0, 500), frequency=lines, techniques=some(lines), place=lines, note=texts
    ),
    "adverse_events": some(
        shape(
            {"id": lines, "date": dates, "kind": lines, "severity": severities},
            detail=texts,
            reported_ars=st.booleans(),
        )
    ),
}
flags = shape({"checked": some(lines), "present": some(lines), "decision": st.just("urgence")}, comment=texts)
assessments = shape(**common, red_flags=flags)
summaries = shape(
    **common,
    initial_measures=some(measures(), 12),
    treatment_done=some(lines),
    evolution=texts,
    sessions=some(shape({"n": st.integers(1, 500), "date": dates}, note=lines)),
)


def _case(kind: str, changes: dict[str, Any]) -> Submission:
    value = {**BASES[kind], "document": {**BASES[kind]["document"], **changes}}
    read, found = parse(json.dumps(value).encode())
    assert read is not None, found
    return read


def _check(case: Submission, changes: dict[str, Any]) -> None:
    made = build.build(case, builder().account_of(case), TERMS, ids=IDS, software="essai")
    anchors = [entry.anchor for section in made.walk() for entry in section.entries]
    assert len(anchors) == len(set(anchors))
    said = _flat(_strings(made))
    for text in _leaves(changes):
        assert _flat(text) in said
    document = etree.fromstring(cda.render(made, TERMS))
    ids = document.xpath("//@ID")
    assert len(ids) == len(set(ids))
    written = _flat("".join(document.itertext()))
    for text in _leaves(changes):
        assert _flat(text) in written
    bundle = json.loads(fhir.render(made, TERMS))
    assert bundle["type"] == "document"


def _flat(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _strings(made: m.ClinicalDocument) -> str:
    spans: list[str] = []
    for section in made.walk():
        for block in section.blocks:
            match block:
                case m.Paragraph(span):
                    spans.append(span.text)
                case m.Items(items):
                    spans += [span.text for span in items]
                case m.Table(rows=rows):
                    spans += [cell.text for row in rows for cell in row]
    return "\n".join(spans)


def _leaves(value: Any, name: str = "") -> list[str]:
    """Free texts: those that the document must repeat as they are."""
    if isinstance(value, dict):
        return [text for key, one in value.items() for text in _leaves(one, key)]
    if isinstance(value, list):
        return [text for one in value for text in _leaves(one, name)]
    # Codes and closed lists are worded; words with underscores are opened.
    worded = {"code", "unit", "side", "decision", "severity", "date", "due", "onset"}
    return [] if not isinstance(value, str) or name in worded or "_" in value else [value.strip()]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(assessments)
def test_any_assessment(changes: dict[str, Any]) -> None:
    _check(_case("bilan", changes), changes)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(summaries)
def test_any_summary(changes: dict[str, Any]) -> None:
    _check(_case("compte_rendu", changes), changes)
