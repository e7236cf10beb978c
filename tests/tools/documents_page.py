"""Writes docs/documents.md from mappings/: each section of each kind of document, its templates, its rule, its fields.

    python tests/tools/documents_page.py > docs/documents.md

A test fails when the page is stale, when a field of a record is in no section, or when a section names no field.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = {"kind": "the type of the document", "id": "the author's own number, in the header", "date": "the header"}
"""Fields of a record that stand in the header, not in a section."""
NAMES = {
    "assessment": "Assessment (bilan initial)",
    "treatment_summary": "TreatmentSummary (compte rendu des soins)",
    "reorientation_letter": "ReorientationLetter (lettre d'adressage)",
    "prescriber_information": "PrescriberInformation (information du prescripteur)",
}
MODELS = {
    "assessment": "Assessment",
    "treatment_summary": "TreatmentSummary",
    "reorientation_letter": "ReorientationLetter",
    "prescriber_information": "PrescriberInformation",
}
HEAD = """# Documents

Made from `mappings/` by `tests/tools/documents_page.py`; a test holds both together. A section is written only when
the record fills it. `fields` are those of `document` in the submission; others are named with their own path.

What CDA and FHIR carry and what they do not, field by field, and how it is read back: docs/carried.md.

Entries and what holds in each target:

| In the record | CDA | FHIR |
| --- | --- | --- |
| problem, diagnosis | concern act E.39 with problem E.37, CIM-10 as typed | Condition |
| measure: score | survey observation E.25 in an organizer E.95 | Observation, survey, under a panel |
| measure: pain | pain observation E.89 (38208-5), own scale as translation | Observation, survey |
| measure: vital sign | E.50 in E.49 (85353-1) where JDV_SignesVitaux takes it | FR Core profile |
| measure: range, strength, girth | simple observation E.48 after the evaluation act | Observation, category exam |
| `not_done` | value nullFlavor NI, the reason nested | dataAbsentReason `not-performed`, the reason |
| `raw` (`4-`, `1+`) | nested observation beside the number | component |
| value measured again | evolution table: change, sense, importance | interpretation B or W, importance in words |
| finding of the examination | simple observation under the way it was made | Observation |
| ICF item | survey observation, qualified code | Observation 54522-8 |
| goal, its target | observation GOL E.27; IVL_PQ with one bound, measure nested | Goal, target: measure, quantity |
| act, session | procedure E.62, encounter E.58 | Procedure |
| planned act | procedure INT | activity of the CarePlan |
| reorientation | encounter ARQ | ServiceRequest |
| adverse event | simple observation with severity E.29 | AdverseEvent |
"""


def page() -> str:
    """The whole page."""
    documents, sections = _table("documents.toml"), _table("sections.toml")
    lines = [HEAD]
    for kind, order in sections["order"].items():
        lines += [*_heading(kind, documents["document"]), *_sections(kind, order, sections["section"])]
    return "\n".join([*lines, *_panels(), *_differences()]) + "\n"


def fields_of(kind: str) -> set[str]:
    """Fields of the record of a kind of document."""
    sys.path.insert(0, str(ROOT))
    from gateway.records import clinical

    return set(getattr(clinical, MODELS[kind]).model_fields)


def claimed(kind: str) -> set[str]:
    """Fields that some section of this kind of document says."""
    sections = _table("sections.toml")
    rows = [sections["section"][key] for key in _keys(sections["order"][kind], sections["section"])]
    own = {field for row in rows for field in row.get("only", {}).get(kind, ()) if "." not in field}
    return own | {field for row in rows for field in row["fields"]}


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / "mappings" / name).read_text(encoding="utf-8"))


def _keys(order: list[str], sections: dict[str, Any]) -> list[str]:
    return [key for one in order for key in (one, *sections[one].get("subsections", ()))]


def _heading(kind: str, documents: list[dict[str, Any]]) -> Iterator[str]:
    yield f"## {NAMES[kind]}\n"
    for row in (row for row in documents if row["kind"] == kind):
        state = "" if row["active"] else " (not active: a choice of the site)"
        when = " at the end of the episode" if row.get("closes_episode") else ""
        yield f"- « {row['title']} », type {row['type']}, class {row['class_code']}{when}{state}. {row['source']}."
    yield ""


def _sections(kind: str, order: list[str], sections: dict[str, Any]) -> Iterator[str]:
    known = fields_of(kind)
    yield "| Section | LOINC | CDA templates | Fields | Rule | Code and templates from |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for key in _keys(order, sections):
        row = sections[key]
        indent = "" if key in order else "└ "
        fields = [f"`{field}`" for field in row["fields"] if field in known]
        fields += [f"`{field}`" for field in (*row.get("only", {}).get(kind, ()), *row.get("around", ()))]
        cells = (indent + row["title"], row["code"], "<br>".join(row["cda_templates"]), ", ".join(fields))
        yield f"| {' | '.join((*cells, row['rule'], row['source']))} |"
    yield ""


def _panels() -> Iterator[str]:
    yield "## Questionnaires that travel as one panel\n"
    yield "| Panel | LOINC | Scores | Source |"
    yield "| --- | --- | --- | --- |"
    for row in _table("panels.toml")["panel"]:
        members = ", ".join(f"`{name}`" for name in row["members"])
        yield f"| {row['label']} | {row.get('loinc', 'none verified')} | {members} | {row['source']} |"
    yield ""


def _differences() -> Iterator[str]:
    import csv

    yield "## Smallest clinically important differences\n"
    yield "Only an improvement is judged, and only where a row below gives a figure; nothing else is claimed.\n"
    yield "| Measure | Difference | Population | Source |"
    yield "| --- | --- | --- | --- |"
    text = (ROOT / "mappings" / "differences.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        yield f"| `{row['measure']}` | {row['difference']} | {row['population']} | {row['source']} |"


if __name__ == "__main__":
    sys.stdout.write(page())
