"""Our own CDA comes back equal; another's is read as far as it goes; bad bytes are findings."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from gateway import terminology
from gateway.document.model import (
    ClinicalDocument,
    GoalEntry,
    MeasureEntry,
    ProblemEntry,
    Section,
    StatementEntry,
    Table,
)
from gateway.read import cda
from gateway.read.cda.carried import through_cda
from gateway.read.reading import ABSENT_DAY
from gateway.render.cda import render
from tests.conformance.test_cda_random import Draw
from tests.unit.fixture_cases import NAMES, prepared
from tests.unit.render_cda import samples

TERMS = terminology.load()


def read(data: bytes) -> ClinicalDocument:
    found = cda.read(data, TERMS).document
    assert found is not None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_fixture_comes_back_equal(name: str) -> None:
    document = prepared(name).document
    bytes_written = render(document, TERMS)
    reading = cda.read(bytes_written, TERMS)
    assert reading.own
    assert reading.findings == ()
    assert reading.document is not None
    assert reading.document == through_cda(document, TERMS)
    assert reading.document.sections == document.sections  # nothing clinical is normalised
    assert render(reading.document, TERMS) == bytes_written


@pytest.mark.parametrize("name", NAMES)
def test_what_is_put_to_rest_is_what_the_page_lists(name: str) -> None:
    """Only these fields of the header may differ: a new loss fails here before it is explained away."""
    document = prepared(name).document
    kept = through_cda(document, TERMS).header
    header = replace(
        document.header,
        visibility=(),
        software="",
        episode=None,
        patient=replace(document.header.patient, identity_status=kept.patient.identity_status),
        addressees=kept.addressees,
    )
    assert kept == header
    sent, back = document.header.addressees, kept.addressees
    assert [one.professional.name for one in back] == [one.professional.name for one in sent]
    assert [one.professional.rpps for one in back] == [one.professional.rpps for one in sent]
    assert [one.professional.telecoms for one in back] == [one.professional.telecoms for one in sent]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_model_can_say_is_stable_once_read(seed: int) -> None:
    first = read(render(Draw(seed).document(), TERMS))
    written = render(first, TERMS)
    assert read(written) == first
    assert render(read(written), TERMS) == written


def test_a_document_with_everything_keeps_its_entries() -> None:
    document = samples.full()
    back = read(render(document, TERMS))
    before = [entry for section in document.walk() for entry in section.entries]
    after = [entry for section in back.walk() for entry in section.entries]
    assert len(after) == len(before)
    assert {type(entry) for entry in after} == {type(entry) for entry in before}
    assert [entry.anchor for entry in before if not isinstance(entry, MeasureEntry)] == [
        entry.anchor for entry in after if not isinstance(entry, MeasureEntry)
    ]
    values = {entry.anchor: (entry.value, entry.reference) for entry in before if isinstance(entry, MeasureEntry)}
    assert {e.anchor: (e.value, e.reference) for e in after if isinstance(e, MeasureEntry)} == values


def test_specialty_of_the_medecin_traitant_comes_back() -> None:
    doctor = replace(samples.DOCTOR, specialty="Médecine <générale>")
    document = ClinicalDocument(replace(samples.HEADER, medecin_traitant=doctor), ())
    back = read(render(document, TERMS)).header
    assert back.medecin_traitant == doctor
    assert back.addressees[0].professional.specialty == "Médecine <générale>"


def test_a_measure_outside_the_catalogue_keeps_its_code() -> None:
    entry = samples.measure("r", "test_maison", "result", "5", "cm", concept=samples.Concept("Test maison"))
    section = samples.section("results", samples.said("r", "Test maison : 5 cm"), entries=(entry,))
    [back] = read(render(ClinicalDocument(samples.HEADER, (section,)), TERMS)).sections[0].entries
    assert back == entry


@pytest.mark.parametrize("name", NAMES)
def test_level_1_comes_back_with_its_file(name: str) -> None:
    made = prepared(name).document
    header = replace(made.header, template_id=TERMS.pdf_template, format_code=TERMS.pdf_format)
    document = ClinicalDocument(header, (), b"%PDF-1.4 " + bytes(range(256)))
    reading = cda.read(render(document, TERMS), TERMS)
    assert reading.findings == ()
    assert reading.document == through_cda(document, TERMS)
    assert reading.document.pdf == document.pdf
    assert reading.document.header.format_code == TERMS.pdf_format


# ---------------------------------------------------------------- another's documents


def section_of(document: ClinicalDocument, key: str) -> Section:
    return next(section for section in document.walk() if section.key == key)


def test_another_level_3(shared: Path) -> None:
    reading = cda.read((shared / "examples" / "kine_bilan_n3.xml").read_bytes(), TERMS)
    assert not reading.own
    assert reading.document is not None
    # The copy of the PDF is read as an attachment (below), not as a section.
    assert reading.findings == ()
    document = reading.document
    assert document.header.patient.birth_given == ("DOMINIQUE", "MARIE-LOUISE")
    assert document.header.medecin_traitant is not None
    assert document.header.medecin_traitant.name.family == "MEDTEST"
    [problem] = section_of(document, "past_illness").entries
    assert isinstance(problem, ProblemEntry)
    assert (problem.concept.text, problem.status, problem.onset) == (
        "Entorse de cheville 2019",
        "completed",
        date(2019, 1, 1),
    )
    [odi] = section_of(document, "functional_status").entries
    assert isinstance(odi, MeasureEntry)
    assert (odi.value, odi.unit, odi.concept.text) == (Decimal(34), "%", "Score Oswestry")
    assert [attached.media_type for attached in reading.attachments] == ["application/pdf"]


def test_another_level_1(shared: Path) -> None:
    reading = cda.read((shared / "examples" / "kine_bilan_n1.xml").read_bytes(), TERMS)
    assert reading.document is not None
    assert reading.document.sections == ()
    assert reading.document.header.format_code == TERMS.pdf_format
    assert reading.attachments[0].data.startswith(b"%PDF")
    assert reading.document.pdf == reading.attachments[0].data


def test_a_self_presenting_document_is_found_in_its_stylesheet(shared: Path) -> None:
    written = render(samples.full(), TERMS)
    inner = written.partition(b"?>")[2]
    outer = b'<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform">' + inner + b"</xsl:stylesheet>"
    reading = cda.read(outer, TERMS)
    assert reading.document == read(written)
    assert [f.code for f in reading.findings if f.code != "RDB-024"] == ["RDB-009"]


FOREIGN = """<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <component><structuredBody><component><section>
  <code code="1-8" codeSystem="1.2.3" displayName="Autre"/>
  <title>Autre
    section</title>
  <text>
    Avant <content ID="x">le tableau</content>
    <table border="1">
      <thead><tr><th colspan="2">Tête</th></tr></thead>
      <tbody><tr><th>Ligne</th><td>
        12
      </td><td ID="cell">kg</td></tr></tbody>
    </table>
    <list listType="ordered"><item>un<br/>deux</item>
      <item><paragraph>a</paragraph><paragraph>b</paragraph></item></list>
  </text>
  <entry><substanceAdministration><templateId root="1.2.3.4"/></substanceAdministration></entry>
  <entry><observation classCode="OBS" moodCode="EVN"><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/>
   <code code="10" codeSystem="1.2.3" displayName="Marche"/><text><reference value="#x"/></text>
   <effectiveTime value="pas une date"/><value xsi:type="IVL_PQ"/></observation></entry>
  <entry><observation classCode="OBS" moodCode="EVN"><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.13"/>
   <code code="10" codeSystem="1.2.3" displayName="Marche"/><value xsi:type="BL" value="true"/></observation></entry>
 </section></component></structuredBody></component>
</ClinicalDocument>"""


def test_foreign_markup_is_flattened_and_unknown_entries_are_named() -> None:
    reading = cda.read(FOREIGN.encode(), TERMS)
    assert reading.document is not None
    [section] = reading.document.sections
    assert (section.key, section.title) == ("1-8", "Autre section")
    first, table, items = section.blocks
    assert first.span.text == "Avant le tableau"  # type: ignore[union-attr]
    assert first.span.anchor == "x"  # type: ignore[union-attr]
    assert isinstance(table, Table)
    assert table.columns == ("Tête", "", "")
    assert [[cell.text for cell in row] for row in table.rows] == [["Ligne", "12", "kg"]]
    assert table.rows[0][2].anchor == "cell"
    assert [item.text for item in items.items] == ["un\ndeux", "a\nb"]  # type: ignore[union-attr]
    [statement] = section.entries
    assert isinstance(statement, StatementEntry)
    assert (statement.concept.text, statement.value.text) == ("Marche", "oui")
    codes = [finding.code for finding in reading.findings]
    assert codes.count("RDB-030") == 2  # the treatment, and the observation whose value has a type that we do not read
    assert "RDB-031" in codes
    assert any("1.2.3.4" in finding.message for finding in reading.findings)


def test_what_is_missing_is_said_and_nothing_is_made_up() -> None:
    reading = cda.read(b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>', TERMS)
    assert reading.document is not None
    assert {"RDB-014", "RDB-022", "RDB-023", "RDB-025", "RDB-026"} <= {f.code for f in reading.findings}
    header = reading.document.header
    assert header.patient.birth_date == ABSENT_DAY
    assert header.patient.ins is None
    assert header.id == ""


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "RDB-001"),
        (b"<a", "RDB-001"),
        (b"<a/>", "RDB-004"),
        (b"\xff\xfe\x00", "RDB-001"),
        (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "RDB-003"),
        ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><a/>'.encode("utf-16"), "RDB-003"),
        (b" " * 30_000_001, "RDB-002"),
    ],
)
def test_bad_bytes(data: bytes, code: str) -> None:
    reading = cda.read(data, TERMS)
    assert reading.document is None
    assert [finding.code for finding in reading.findings] == [code]


def test_two_ins_are_seen() -> None:
    written = render(samples.full(), TERMS)
    twice = written.replace(b'<id root="1.2.3.4.567.8.9.10"', b'<id root="1.2.250.1.213.1.4.8"')
    assert "RDB-021" in {f.code for f in cda.read(twice, TERMS).findings}


def test_a_denied_problem_is_not_read_in_silence() -> None:
    written = render(samples.full(), TERMS).replace(b'negationInd="false"', b'negationInd="true"', 1)
    assert "RDB-032" in {f.code for f in cda.read(written, TERMS).findings}


def test_goals_keep_what_was_reached() -> None:
    goals = [
        e for e in section_of(read(render(samples.full(), TERMS)), "care_plan").entries if isinstance(e, GoalEntry)
    ]
    assert [goal.reached for goal in goals] == [None, False, True]
