"""Whatever bytes come as an export: findings, never an exception; and an unknown value is always said."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.mapping import apply, load
from tests.property.strategies import examples

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "vendors"
CSV, XML = load("kinexemple-csv-3"), load("reeduc-fictif-xml-2")
ROWS = list(csv.reader(io.StringIO((FOLDER / "kinexemple-csv-3.csv").read_bytes().decode("cp1252")), delimiter=";"))
EXPORT = (FOLDER / "reeduc-fictif-xml-2.xml").read_text(encoding="utf-8")
CELLS = st.text(st.characters(codec="cp1252", exclude_characters="\x00"), max_size=30)


def written(rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=";").writerows(rows)
    return out.getvalue().encode("cp1252")


@examples(150)
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(data: bytes) -> None:
    for mapping in (CSV, XML):
        documents, findings = apply(data, mapping)
        assert documents or findings


@examples(100)
@given(st.data())
def test_any_cells(data: st.DataObject) -> None:
    rows = [ROWS[0], *(list(row) for row in ROWS[1:4])]
    for _ in range(data.draw(st.integers(1, 8))):
        rows[data.draw(st.integers(1, 3))][data.draw(st.integers(0, len(ROWS[0]) - 1))] = data.draw(CELLS)
    documents, findings = apply(written(rows), CSV)
    assert documents or findings
    for document in documents:
        document.data()


@examples(100)
@given(st.data())
def test_any_change_inside_the_xml(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(EXPORT)))
    stop = data.draw(st.integers(start, min(len(EXPORT), start + 40)))
    text = EXPORT[:start] + data.draw(st.text(max_size=20)) + EXPORT[stop:]
    documents, findings = apply(text.encode("utf-8", "surrogatepass"), XML)
    assert documents or findings


@examples(100)
@given(CELLS.filter(lambda cell: cell.strip() and cell.strip() not in CSV.tables["mesures"]))
def test_a_value_in_no_table_is_always_said(value: str) -> None:
    column = ROWS[0].index("MESURE")
    rows = [ROWS[0], list(ROWS[1])]
    rows[1][column] = value
    [document], _ = apply(written(rows), CSV)
    assert not document.ok
    assert "MAP-101" in [finding.code for finding in document.findings]
    if len(value.strip()) > 12:  # a short one may be part of a French sentence
        assert not any(value.strip() in finding.message + finding.path for finding in document.findings)
