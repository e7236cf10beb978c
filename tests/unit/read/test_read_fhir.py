"""Our own FHIR document comes back equal; another's is read as far as it goes; bad bytes are findings."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway import terminology
from gateway.document import model as m
from gateway.read import fhir
from gateway.read.fhir.carried import through_fhir
from gateway.render.fhir import render
from tests.conformance.test_cda_random import Draw
from tests.unit.fixture_cases import NAMES, prepared
from tests.unit.render_cda import samples

TERMS = terminology.load()


def read(data: bytes) -> m.ClinicalDocument:
    found = fhir.read(data, TERMS).document
    assert found is not None
    return found


def read_entries(*entries: m.Entry, key: str = "results") -> tuple[m.Entry, ...]:
    spoken = tuple(samples.said(entry.anchor, entry.anchor) for entry in entries)
    document = m.ClinicalDocument(samples.HEADER, (samples.section(key, *spoken, entries=entries),))
    return read(render(document, TERMS)).sections[0].entries


@pytest.mark.parametrize("release", ["2.1", "2.2-ballot", "2.2"])
@pytest.mark.parametrize("name", NAMES)
def test_every_fixture_comes_back_equal(name: str, release: str) -> None:
    document = prepared(name).document
    written = render(document, TERMS, release)
    reading = fhir.read(written, TERMS)
    assert reading.own
    assert reading.findings == ()
    assert reading.document == document  # nothing at all is put to rest
    assert render(reading.document, TERMS, release) == written


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_model_can_say_is_stable_once_read(seed: int) -> None:
    document = Draw(seed).document()
    first = read(render(document, TERMS))
    count = [len(section.entries) for section in document.walk()]
    assert [len(section.entries) for section in first.walk()] == count
    written = render(first, TERMS)
    assert read(written) == first
    assert render(read(written), TERMS) == written


def test_header_of_every_shape() -> None:
    practice = m.StructureRef(m.Id("1.2.250.1.71.4.2.2", "122222222"), "Maison de santé", None, ())
    whole = m.Code("G15_10/SM26", "1.2.250.1.213.1.1.4.5", "Médecin - Qualifié en médecine générale (SM)")
    doctor = replace(samples.DOCTOR, profession=whole, specialty="Générale", structure=practice)
    twin = replace(doctor, telecoms=(m.Telecom("mailto:autre@medecin.mssante.example", "WP", mssante=True),))
    unknown = replace(doctor, id=m.Id("1.2.250.1.99999", "autre"), rpps="", profession=None, specialty="Nutrition")
    header = replace(
        samples.HEADER,
        medecin_traitant=replace(doctor, structure=replace(practice, name="Autre nom, même numéro")),
        addressees=(
            m.Addressee("prescripteur_2", doctor),
            m.Addressee("medecin_adresseur", twin),
            m.Addressee("autre_professionnel", unknown),
        ),
        visibility=(m.Code("MASQUE_PS", "1.2.250.1.213.1.1.4.13", "Masqué aux professionnels de santé"),),
        patient=replace(samples.PATIENT, ins=None, identity_status="RECUP", used_family=None, used_given=None),
        replaces=m.DocumentRef("2.25.7", 3),
        episode=m.Episode("EP-7", samples.NOW.date(), closed=True),
    )
    document = m.ClinicalDocument(header, ())
    assert through_fhir(document) == document
    assert read(render(document, TERMS)).header == header


@pytest.mark.parametrize("status", ["PROV", "RECUP", "VALI", "QUAL"])
@pytest.mark.parametrize("release", ["2.1", "2.2-ballot", "2.2"])
@pytest.mark.parametrize("ins", [None, samples.PATIENT.ins])
def test_state_of_the_identity(status: str, release: str, ins: m.Id | None) -> None:
    patient = replace(samples.PATIENT, ins=ins, identity_status=status)
    document = m.ClinicalDocument(replace(samples.HEADER, patient=patient), ())
    assert read(render(document, TERMS, release)).header.patient == patient


def test_a_billing_number_is_no_ins() -> None:
    bundle = json.loads(render(samples.bare(), TERMS))
    patient = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NH"}]}
    patient["identifier"] = [{"type": kind, "system": "urn:oid:1.2.250.1.213.1.4.8", "value": "201032227890155"}]
    back = read(json.dumps(bundle).encode()).header.patient
    assert back.ins is None
    assert back.local_ids == (m.Id("1.2.250.1.213.1.4.8", "201032227890155"),)


def test_blood_pressure_comes_back_as_two_measures() -> None:
    def pressure(anchor: str, code: str, value: str, raw: str | None) -> m.MeasureEntry:
        known = TERMS.measure(code)
        assert known is not None
        concept = m.Concept(known.label, known.local, known.cda, known.fhir)
        return samples.measure(
            anchor, code, "vital", value, "mm[Hg]", concept=concept, raw=raw, side=samples.LEFT, context="assis"
        )

    pair = (
        pressure("s", "blood_pressure_systolic", "124", "12,4"),
        pressure("d", "blood_pressure_diastolic", "78", "7,8"),
    )
    assert read_entries(*pair, key="vital_signs") == pair


def test_raw_beside_a_coded_answer_is_kept() -> None:
    known = TERMS.measure("startback_risk")
    assert known is not None
    answer = next(iter(known.answers.values())).code
    concept = m.Concept(known.label, known.local, known.cda, known.fhir)
    entry = samples.measure(
        "r", "startback_risk", "survey", None, None, concept=concept, answer=answer, raw="bas", aid="x"
    )
    assert read_entries(entry, key="physical_function") == (entry,)


def test_a_measure_outside_the_catalogue_is_told_from_a_statement() -> None:
    answer = m.Code("oui", samples.LOCAL, "Oui")
    entries = (
        samples.measure("a", "maison", "result", "5.50", "cm", concept=m.Concept("Maison")),
        samples.measure("b", "maison_2", "survey", None, None, answer=answer),
        samples.measure("c", "maison_3", "pain", "5", "{score}"),
        m.StatementEntry("d", samples.local("maison_2", "Maison"), m.Concept("Oui", answer), samples.NOW),
    )
    assert read_entries(*entries) == entries


def test_kind_and_detail_of_an_event_stay_apart() -> None:
    day = samples.NOW.date()
    entries = (
        m.AdverseEventEntry("a", "1", day, "Chute : suite", "grave", "Détail : <b>\n2e ligne"),
        m.AdverseEventEntry("b", "2", day, "Chute : suite", "legere", None),
    )
    assert read_entries(*entries) == entries


def test_a_session_is_told_from_an_act_of_the_same_words() -> None:
    day = samples.NOW.date()
    entries = (
        m.SessionEntry("a", 3, day),
        m.ActEntry("b", m.Concept("Séance de kinésithérapie n° 3"), "EVN", day),
    )
    assert read_entries(*entries, key="sessions") == entries


# ---------------------------------------------------------------- another's documents


def foreign(section: dict[str, Any], *resources: dict[str, Any]) -> bytes:
    composition = {"resourceType": "Composition", "title": "Lettre", "date": "2026-01", "section": [section]}
    entries = [{"fullUrl": "urn:uuid:c", "resource": composition}]
    entries += [{"fullUrl": f"urn:uuid:{place}", "resource": one} for place, one in enumerate(resources)]
    return json.dumps({"resourceType": "Bundle", "type": "document", "entry": entries}).encode()


def test_another_document_is_read_as_far_as_it_goes() -> None:
    div = '<div xmlns="http://www.w3.org/1999/xhtml"><h2>Titre</h2>Libre <b>gras</b><ol><li>un</li></ol></div>'
    section = {
        "title": "Autre",
        "text": {"status": "generated", "div": div},
        "entry": [{"reference": f"urn:uuid:{place}"} for place in range(5)],
    }
    reading = fhir.read(
        foreign(
            section,
            {"resourceType": "MedicationStatement", "id": "m"},
            {"resourceType": "Observation", "code": {"text": "Poids"}, "valueQuantity": {"value": 70.50, "unit": "kg"}},
            {"resourceType": "Observation", "code": {"text": "Tabac"}, "valueBoolean": True},
            {"resourceType": "Condition", "code": {"text": "Rien"}, "verificationStatus": _status("refuted")},
        ),
        TERMS,
    )
    assert reading.document is not None
    assert not reading.own
    [read_section] = reading.document.sections
    assert [type(block) for block in read_section.blocks] == [m.Paragraph, m.Paragraph, m.Items]
    kinds = [type(entry) for entry in read_section.entries]
    assert kinds == [m.MeasureEntry, m.StatementEntry, m.ProblemEntry]
    codes = {finding.code for finding in reading.findings}
    assert {"RDB-022", "RDB-023", "RDB-026", "RDB-032", "RDB-040", "RDB-050", "RDB-051"} <= codes


def _status(code: str) -> dict[str, Any]:
    return {"coding": [{"code": code}]}


def test_resources_that_name_each_other_end() -> None:
    looping = {"resourceType": "Observation", "hasMember": [{"reference": "urn:uuid:0"}]}
    section = {"title": "Boucle", "entry": [{"reference": "urn:uuid:0"}]}
    assert fhir.read(foreign(section, looping), TERMS).document is not None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "RDB-005"),
        (b"\xff", "RDB-005"),
        (b"[" * 100_000, "RDB-005"),
        (b'{"a": NaN}', "RDB-005"),
        (b'{"a": ' + b"1" * 5000 + b"}", "RDB-005"),
        (b"[]", "RDB-006"),
        (b"{}", "RDB-007"),
        (b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]}', "RDB-007"),
        (b" " * 30_000_001, "RDB-002"),
    ],
)
def test_bad_bytes(data: bytes, code: str) -> None:
    reading = fhir.read(data, TERMS)
    assert reading.document is None
    assert [finding.code for finding in reading.findings] == [code]
