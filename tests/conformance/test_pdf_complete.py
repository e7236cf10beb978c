"""Nothing that a fixture says is missing from its PDF: read from the input file, looked for in the extracted text."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import pypdf
import pytest

from gateway import terminology
from tests.unit.fixture_cases import FIXTURES, NAMES, prepared

TERMS = terminology.load()
EACH = pytest.mark.parametrize("name", NAMES)


@cache
def given(name: str) -> dict[str, Any]:
    text = (FIXTURES / "cases" / f"{name}.json").read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return value


@cache
def pages(name: str) -> list[str]:
    """Text of each page, without what depends on line breaks (blanks, hyphens)."""
    reader = pypdf.PdfReader(io.BytesIO(prepared(name).renderings["pdf"]))
    return [squeezed(page.extract_text()) for page in reader.pages]


@cache
def narrative(name: str) -> str:
    """Text from the second page on, running headers and footers taken out."""
    document = prepared(name).document.header
    running = [squeezed(text) for text in (document.title, f"Document {document.id} · version {document.version}")]
    text = "".join(pages(name)[1:])
    for one in running:
        text = text.replace(one, "")
    return re.sub(r"page\d+/\d+", "", text)


def squeezed(text: str) -> str:
    return re.sub(r"[\s\u200b\u2010-]+", "", unicodedata.normalize("NFC", text))


def french(day: str) -> str:
    return date.fromisoformat(day[:10]).strftime("%d/%m/%Y")


def shown(measure: dict[str, Any]) -> str:
    """The value as a reader must find it, minus sign and unit aside (a hyphen is lost in the extraction)."""
    if "not_done" in measure:
        return str(measure["not_done"])
    if measure["unit"] == "code":
        known = TERMS.measure(measure["code"])
        assert known is not None
        return known.answers[Decimal(measure["value"])].text
    return str(measure["value"]).replace(".", ",").replace("-", "")


@EACH
def test_every_measure_stands_in_the_narrative_with_its_place_and_day(name: str) -> None:
    document = given(name)["document"]
    before = document.get("initial_date") or document.get("period", {}).get("start", "")
    wanted = [(measure, document["date"]) for measure in document.get("measures", [])]
    wanted += [(measure, before) for measure in document.get("initial_measures", [])]
    for measure, day in wanted:
        known = TERMS.measure(measure["code"])
        label = known.label if known else measure["code"].replace("_", " ")
        # A row of a table: name, place and conditions, value, day; what stands between belongs to the same row.
        row = f"{re.escape(squeezed(label))}.{{0,200}}?{re.escape(squeezed(shown(measure)))}.{{0,40}}?{french(day)}"
        rows = [found.group(1) for found in re.finditer(f"(?=({row}))", narrative(name))]
        extra = [squeezed(measure[key]) for key in ("site", "context", "aid", "raw") if key in measure]
        assert [1 for found in rows if all(part in found for part in extra)], measure


@EACH
def test_every_text_and_date_stands_in_the_narrative(name: str) -> None:
    document = given(name)["document"]
    texts = [document[key] for key in ("reason", "diagnosis", "prognosis", "evolution", "advice") if key in document]
    for problem in document.get("problems", []):
        texts += [problem["label"], problem.get("note", ""), problem.get("code", {}).get("code", "")]
        texts += [french(problem["onset"])] if "onset" in problem else []
    for goal in document.get("goals", []):
        texts += [goal["text"], *([french(goal["due"])] if "due" in goal else [])]
    texts += [french(one["date"]) for one in document.get("sessions", [])]
    texts += [french(event["date"]) for event in document.get("adverse_events", [])]
    texts += [text for texts_ in document.get("history", {}).values() if isinstance(texts_, list) for text in texts_]
    texts += document.get("treatment_done", []) + document.get("plan", {}).get("techniques", [])
    assert len(texts) > 3
    for text in texts:
        assert squeezed(text) in narrative(name), text


@EACH
def test_the_first_page_has_who_why_and_what(name: str) -> None:
    record, front = given(name), pages(name)[0]
    patient, author, document = record["patient"], record["author"], record["document"]
    for text in (
        patient["birth_family"], *patient["birth_given"], author["family"].upper(), author["given"], author["rpps"],
        record["organization"]["name"], document["reason"], document.get("diagnosis", ""),
        *(problem["label"] for problem in document.get("problems", [])),
        *(goal["text"] for goal in document.get("goals", [])),
    ):  # fmt: skip
        assert squeezed(text) in front, text
    ins = prepared(name).document.header.patient.ins
    assert (record["patient"].get("ins", {}).get("matricule", "no number") in front) == bool(ins)


@EACH
def test_whoever_may_act_on_it_sees_it_first(name: str) -> None:
    document, front = given(name)["document"], pages(name)[0]
    alarming = "reorientation" in document or document.get("adverse_events") or (
        document.get("red_flags", {}).get("decision", "pas_de_reorientation") != "pas_de_reorientation"
    )  # fmt: skip
    alarming = alarming or document.get("outcome") in {"aggravation", "reorientation"}
    assert (squeezed("lire d'abord") in front) == bool(alarming)
