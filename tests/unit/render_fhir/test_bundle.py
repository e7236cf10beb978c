from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import typing
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from gateway import terminology
from gateway.document import model
from gateway.errors import ConfigError, RenderError
from gateway.render.fhir import build, render
from gateway.render.fhir.bundle import check
from gateway.render.fhir.sections import _MAKERS
from gateway.render.fhir.write import to_json
from tests.unit.render_samples import HOSTILE, PATIENT, assessment, measure, summary

TERMS = terminology.load()
DOCUMENTS = [assessment(), summary()]


def bundle(document: model.ClinicalDocument, fr_core: str = "2.2-ballot") -> Any:
    return json.loads(render(document, TERMS, fr_core), parse_float=Decimal)


def of_kind(value: Any, kind: str) -> list[Any]:
    return [entry["resource"] for entry in value["entry"] if entry["resource"]["resourceType"] == kind]


def walk(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def with_patient(document: model.ClinicalDocument, **changes: Any) -> model.ClinicalDocument:
    patient = dataclasses.replace(document.header.patient, **changes)
    return dataclasses.replace(document, header=dataclasses.replace(document.header, patient=patient))


def with_entries(*entries: model.Entry) -> model.ClinicalDocument:
    section = dataclasses.replace(assessment().sections[1], entries=entries)
    return dataclasses.replace(assessment(), sections=(section,))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_bundle_starts_with_its_composition(document: model.ClinicalDocument) -> None:
    found = bundle(document)
    assert found["type"] == "document"
    assert found["identifier"] == {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{document.header.id}"}
    assert found["timestamp"] == "2026-01-05T14:30:00+01:00"
    assert found["entry"][0]["resource"]["resourceType"] == "Composition"
    assert len(of_kind(found, "Composition")) == len(of_kind(found, "Patient")) == 1


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_reference_resolves_and_every_address_is_unique(document: model.ClinicalDocument) -> None:
    found = bundle(document)
    urls = [entry["fullUrl"] for entry in found["entry"]]
    assert len(set(urls)) == len(urls)
    assert all(re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", url) for url in urls)
    targets = {item["reference"] for item in walk(found) if "reference" in item}
    assert targets <= set(urls)
    assert set(urls) - targets == {found["entry"][0]["fullUrl"]}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_same_document_same_bytes(document: model.ClinicalDocument) -> None:
    assert render(document, TERMS) == render(document, TERMS)


def test_another_document_has_other_addresses() -> None:
    other = dataclasses.replace(assessment(), header=dataclasses.replace(assessment().header, id="2.25.5"))
    first = {entry["fullUrl"] for entry in bundle(assessment())["entry"]}
    assert first.isdisjoint(entry["fullUrl"] for entry in bundle(other)["entry"])


def test_a_french_kind_of_encounter_is_the_type_of_an_ambulatory_one() -> None:
    kind = model.Code("SEANCE", "1.2.250.1.213.1.1.4.2.291", "Séance (établissement ou libéral)")
    document = dataclasses.replace(assessment(), header=dataclasses.replace(assessment().header, encounter=kind))
    found = of_kind(bundle(document), "Encounter")[0]
    assert found["class"]["code"] == "AMB"
    assert found["type"][0]["coding"][0]["code"] == "SEANCE"
    assert "type" not in of_kind(bundle(assessment()), "Encounter")[0]


def test_the_episode_of_care_is_open_until_care_has_ended() -> None:
    first, last = (of_kind(bundle(document), "EpisodeOfCare")[0] for document in DOCUMENTS)
    assert (first["identifier"][0]["value"], first["status"], first["period"]) == (
        "EP-01", "active", {"start": "2025-11-26"},
    )  # fmt: skip
    assert (last["status"], last["period"]) == ("finished", {"start": "2025-11-26", "end": "2026-01-05"})
    header = dataclasses.replace(assessment().header, episode=None)
    assert of_kind(bundle(dataclasses.replace(assessment(), header=header)), "EpisodeOfCare") == []


def test_composition_carries_the_header() -> None:
    found = bundle(assessment())["entry"][0]["resource"]
    header = assessment().header
    assert found["identifier"]["value"] == f"urn:oid:{header.set_id}"
    assert found["type"]["coding"][0]["code"] == "47420-5"
    assert found["category"][0]["coding"][0]["code"] == "10"
    assert found["confidentiality"] == "N"
    assert [code["code"] for code in found["meta"]["security"]] == ["N", "MASQUE_PS"]
    assert found["extension"][0]["valueString"] == "1"
    assert found["attester"][0]["mode"] == "legal"
    assert found["event"][0]["period"] == {"start": "2026-01-05T14:30:00+01:00"}


def test_recipients_are_named_with_their_secure_mailbox() -> None:
    found = bundle(assessment())
    role_url = next(x for x in found["entry"][0]["resource"]["extension"] if x["url"].endswith("information-recipient"))
    by_url = {entry["fullUrl"]: entry["resource"] for entry in found["entry"]}
    doctor = by_url[by_url[role_url["valueReference"]["reference"]]["practitioner"]["reference"]]
    assert doctor["name"] == [{"family": "MODELE", "given": ["Hélène"], "prefix": ["MME"], "suffix": ["DR"]}]
    mailbox = doctor["telecom"][0]
    assert mailbox["value"] == "helene.modele@medecin.mssante.example"
    assert mailbox["extension"][0]["valueCoding"]["code"] == "MSSANTE"
    assert of_kind(found, "Patient")[0]["generalPractitioner"] == [
        {"reference": next(url for url, resource in by_url.items() if resource is doctor)}
    ]


def test_author_has_both_numbers_and_the_profession() -> None:
    author = next(x for x in of_kind(bundle(assessment()), "Practitioner") if x["name"][0]["family"] == "TESTOU")
    numbers = {(x["type"]["coding"][0]["code"], x["system"], x["value"]) for x in author["identifier"]}
    assert numbers == {
        ("IDNPS", "urn:oid:1.2.250.1.71.4.2.1", "899700001011"),
        ("RPPS", "https://rpps.esante.gouv.fr", "99700001011"),
    }
    codes = author["qualification"][0]["code"]["coding"]
    assert [code["code"] for code in codes] == ["C", "70"]


@pytest.mark.parametrize(
    ("release", "status", "system"),
    [
        ("2.1", "VALI", "fr-core-cs-v2-0445"),
        ("2.2-ballot", "VALI", "fr-core-cs-v2-0445"),
        ("2.2", "QUAL", "fr-core-cs-identity-status"),
    ],
)
def test_a_qualified_identity_leaves_with_its_ins(release: str, status: str, system: str) -> None:
    patient = of_kind(bundle(assessment(), release), "Patient")[0]
    assert patient["meta"]["profile"][0].endswith("/fr-core-patient-ins")
    ins, local = patient["identifier"]
    assert (ins["type"]["coding"][0]["code"], ins["use"]) == ("INS-NIR-TEST", "official")
    assert ins["value"] == PATIENT.ins.extension if PATIENT.ins else None
    assert (local["system"], local["value"]) == ("urn:oid:2.25.222", "IPP-7")
    coding = patient["extension"][0]["extension"][0]["valueCoding"]
    assert coding["code"] == status
    assert coding["system"].endswith(system)


@pytest.mark.parametrize(
    ("release", "state", "status"),
    [
        ("2.2-ballot", "PROV", "PROV"),
        ("2.2-ballot", "VALI", "VIDE"),  # VALI would demand an INS there (fr-core-1)
        ("2.2-ballot", "RECUP", "VIDE"),
        ("2.2", "RECUP", "RECUP"),
        ("2.2", "VALI", "VALI"),
        ("2.1", "QUAL", "VIDE"),
        ("2.2", "UNHEARD-OF", "PROV"),
    ],
)
def test_without_ins_the_patient_is_no_ins_patient(release: str, state: str, status: str) -> None:
    document = with_patient(assessment(), ins=None, identity_status=state)
    patient = of_kind(bundle(document, release), "Patient")[0]
    assert patient["meta"]["profile"][0].endswith("/fr-core-patient")
    assert [x["system"] for x in patient["identifier"]] == ["urn:oid:2.25.222"]
    assert patient["extension"][0]["extension"][0]["valueCoding"]["code"] == status


@pytest.mark.parametrize(("release", "use"), [("2.1", "temp"), ("2.2-ballot", "official"), ("2.2", "official")])
def test_use_of_a_nia_depends_on_the_release(release: str, use: str) -> None:
    document = with_patient(assessment(), ins=model.Id("1.2.250.1.213.1.4.9", "761059939790670"))
    ins = of_kind(bundle(document, release), "Patient")[0]["identifier"][0]
    assert (ins["type"]["coding"][0]["code"], ins["use"]) == ("INS-NIA", use)


def test_an_unknown_release_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="CFG-021"):
        render(assessment(), TERMS, "3.0")


def test_birth_traits() -> None:
    patient = of_kind(bundle(assessment()), "Patient")[0]
    official, usual = patient["name"]
    assert (official["family"], official["given"]) == ("LE GOFF-ESSAI", ["MAELYS"])
    assert official["extension"][0]["valueString"] == "MAELYS ANNE"
    assert (usual["use"], usual["family"], usual["given"]) == ("usual", "Le Goff-Essai", ["Maëlys"])
    place = patient["extension"][1]["valueAddress"]
    assert place["extension"][0]["valueCoding"]["code"] == "22278"
    assert (patient["birthDate"], patient["gender"]) == ("2001-03-14", "female")


def test_a_patient_of_whom_little_is_known_leaves_no_empty_element() -> None:
    document = with_patient(
        assessment(), ins=None, local_ids=(), used_family=None, used_given=None, birth_place_cog=None,
        birth_place_name=None, address=None, telecoms=(), identity_status="PROV",
    )  # fmt: skip
    header = dataclasses.replace(document.header, medecin_traitant=None, addressees=())
    found = bundle(dataclasses.replace(document, header=header))
    assert not [item for item in walk(found) if any(value in ([], {}, "", None) for value in item.values())]


def test_numbers_keep_their_digits() -> None:
    text = render(assessment(), TERMS).decode()
    for written in ("12.5", "51.20", "53.5", "3.5"):
        assert re.search(rf'"value":{re.escape(written)}[,}}]', text), written


def test_a_measure_says_code_side_site_context_and_what_was_written() -> None:
    found = bundle(assessment())
    observations = of_kind(found, "Observation")
    flexion = next(x for x in observations if x.get("valueQuantity", {}).get("code") == "deg")
    assert flexion["code"] == {
        "coding": [{
            "system": "urn:oid:2.25.111",
            "code": "rom_active_dorsiflexion",
            "display": "Mesure rom_active_dorsiflexion",
        }],
        "text": "Mesure rom_active_dorsiflexion",
    }  # fmt: skip
    assert flexion["valueQuantity"]["unit"] == "°"
    assert flexion["category"][0]["coding"][0]["code"] == "exam"
    assert flexion["bodySite"]["text"] == "cheville, droite"
    assert flexion["component"] == [{"code": {"text": "Contexte"}, "valueCodeableConcept": {"text": "actif"}}]
    structure = of_kind(found, "BodyStructure")[0]
    assert structure["locationQualifier"][0]["coding"][0]["code"] == "24028007"
    raw = next(x for x in observations if x["code"]["text"] == "Mesure mrc")
    assert raw["component"] == [{"code": {"text": "Cotation d'origine"}, "valueString": "4-"}]
    pain = next(x for x in observations if x["code"]["text"].startswith("Douleur"))
    assert [code["code"] for code in pain["code"]["coding"]] == ["72514-3", "pain_nrs"]


def test_pressures_of_one_moment_are_one_observation() -> None:
    found = [x for x in of_kind(bundle(assessment()), "Observation") if x["code"].get("text") == "Pression artérielle"]
    assert len(found) == 1
    assert [part["valueQuantity"]["value"] for part in found[0]["component"]] == [124, 78]
    assert found[0]["meta"]["profile"][0].endswith("fr-core-observation-bp")


def test_pressures_of_two_contexts_stay_apart() -> None:
    entries = [
        dataclasses.replace(entry, anchor=f"{entry.anchor}-{context}", context=context)
        for entry in assessment().sections[1].entries
        if isinstance(entry, model.MeasureEntry) and entry.measure in {"bps", "bpd"}
        for context in ("couché", "debout")
    ]
    found = of_kind(bundle(with_entries(*entries[:3])), "Observation")
    assert [len(x.get("component", [])) for x in found] == [3, 1]  # couché: a pair; debout: systolic alone


def test_scores_stand_under_a_panel() -> None:
    found = bundle(assessment())
    panel = next(x for x in of_kind(found, "Observation") if "hasMember" in x)
    by_url = {entry["fullUrl"]: entry["resource"] for entry in found["entry"]}
    members = [by_url[member["reference"]]["valueQuantity"]["value"] for member in panel["hasMember"]]
    assert members == [Decimal("53.5"), 14]


def test_a_section_never_has_entries_beside_sub_sections() -> None:
    found = bundle(assessment())["entry"][0]["resource"]
    plan = found["section"][-1]
    assert "entry" not in plan
    assert [part["title"] for part in plan["section"]] == ["Objectifs et plan", "Conseils"]
    assert not [item for item in walk(found["section"]) if "entry" in item and "section" in item]


def test_care_plan_names_goals_and_planned_acts() -> None:
    found = bundle(assessment())
    plan, goal = of_kind(found, "CarePlan")[0], of_kind(found, "Goal")[0]
    assert goal["target"] == [{"dueDate": "2026-03-01"}]
    assert plan["goal"] == [{"reference": f"urn:uuid:{goal['id']}"}]
    assert plan["activity"][0]["detail"]["code"]["text"] == "Proprioception"
    assert plan["activity"][0]["detail"]["scheduledPeriod"] == {"start": "2026-01-05", "end": "2026-02-20"}


def test_summary_says_what_was_done_and_what_follows() -> None:
    found = bundle(summary())
    assert [x["code"]["text"] for x in of_kind(found, "Procedure")] == [
        "Renforcement",
        "Séance de kinésithérapie n° 1",
    ]
    assert of_kind(found, "Goal")[0]["achievementStatus"]["coding"][0]["code"] == "achieved"
    referral = of_kind(found, "ServiceRequest")[0]
    assert (referral["priority"], referral["reasonCode"][0]["text"]) == ("urgent", "Instabilité")
    event = of_kind(found, "AdverseEvent")[0]
    assert (event["event"]["text"], event["date"]) == ("chute : sans conséquence", "2026-01-05")
    assert event["severity"]["coding"][0]["code"] == "moderate"


def test_an_act_of_unknown_date_says_no_date() -> None:
    act = model.ActEntry("old", model.Concept("Ligamentoplastie"), "EVN", None)
    found = of_kind(bundle(with_entries(act)), "Procedure")[0]
    assert not [key for key in found if key.startswith("performed") and key != "performer"]


def test_initial_and_current_values_are_two_observations_with_their_dates() -> None:
    first, last = of_kind(bundle(summary()), "Observation")
    assert (first["valueQuantity"]["value"], first["effectiveDateTime"]) == (6, "2025-11-26T14:30:00+01:00")
    assert (last["valueQuantity"]["value"], last["effectiveDateTime"]) == (2, "2026-01-05T14:30:00+01:00")
    assert "initiale" in first["note"][0]["text"]


def test_a_value_that_is_missing_is_said_to_be_unknown() -> None:
    found = of_kind(bundle(with_entries(measure("x", "mrc", "result", None, "{score}"))), "Observation")[0]
    assert found["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_an_answer_without_a_verified_code_goes_as_its_words() -> None:
    found = of_kind(bundle(with_entries(measure("x", "pain_verbal", "pain", "0", None))), "Observation")[0]
    known = TERMS.measure("pain_verbal")
    assert known is not None
    assert found["valueCodeableConcept"] == {"text": known.answers[Decimal(0)].text}


def test_hostile_text_stays_text() -> None:
    div = bundle(assessment())["entry"][0]["resource"]["section"][0]["text"]["div"]
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in div
    assert "<b>" not in div
    from lxml import etree

    parsed = etree.fromstring(div)
    words = "".join(parsed.itertext())
    assert HOSTILE in words
    assert "Deuxième ligne" in words


def test_narrative_keeps_tables_lists_and_anchors() -> None:
    sections = bundle(assessment())["entry"][0]["resource"]["section"]
    assert "<caption>Amplitudes</caption>" in sections[1]["text"]["div"]
    assert '<td id="m1">12,5 °</td>' in sections[1]["text"]["div"]
    assert '<ul><li id="f1">Marche</li></ul>' in sections[2]["text"]["div"]


def test_every_kind_of_entry_has_its_resource() -> None:
    assert set(_MAKERS) == set(typing.get_args(model.Entry))


def test_a_bundle_that_the_models_refuse_is_a_render_error_without_values() -> None:
    broken = build(assessment(), TERMS)
    broken["entry"][1]["resource"]["birthDate"] = "SECRET"
    with pytest.raises(RenderError, match="REN-021") as caught:
        check(broken)
    assert "SECRET" not in str(caught.value)


def test_json_writer() -> None:
    value = {"a": [Decimal("51.20"), Decimal("1E+2"), 3, True, None], "b": 'é"\\\n'}
    assert to_json(value) == '{"a":[51.20,100,3,true,null],"b":"é\\"\\\\\\n"}'
    with pytest.raises(TypeError):
        to_json(1.5)


def test_digits_survive_from_the_file_to_the_bundle() -> None:
    from gateway.document.build import DocumentIds
    from gateway.document.build import build as build_document
    from gateway.records.submission import parse
    from tests.unit import submission_samples

    value = submission_samples.assessment()
    value["document"]["measures"] = [{"code": "body_weight", "value": 0, "unit": "kg"}]
    read, faults = parse(json.dumps(value).replace('"value": 0,', '"value": 51.20,').encode())
    assert read is not None, faults
    ids = DocumentIds(id="2.25.1", set_id="2.25.2")
    made = build_document(read, submission_samples.account(), TERMS, ids=ids, software="test")
    assert b'"value":51.20,' in render(made, TERMS)


def test_the_pdf_goes_along_where_it_is_wanted() -> None:
    pdf = b"%PDF-1.4 sample"
    plain, value = bundle(assessment()), json.loads(render(assessment(), TERMS, pdf=pdf), parse_float=Decimal)
    [binary], [reference] = of_kind(value, "Binary"), of_kind(value, "DocumentReference")
    assert base64.b64decode(binary["data"]) == pdf
    attachment = reference["content"][0]["attachment"]
    assert attachment["size"] == len(pdf)
    assert base64.b64decode(attachment["hash"]) == hashlib.sha1(pdf, usedforsecurity=False).digest()
    assert attachment["url"] == f"urn:uuid:{binary['id']}"
    assert "masterIdentifier" not in reference, "the identifier is the structured document's"
    sections = value["entry"][0]["resource"]["section"]
    assert sections[:-1] == plain["entry"][0]["resource"]["section"]
    assert sections[-1]["code"]["coding"][0]["code"] == "55108-5"
    assert of_kind(plain, "Binary") == of_kind(plain, "DocumentReference") == []


def test_the_draft_profiles_are_claimed_only_on_demand() -> None:
    claimed = json.loads(render(assessment(), TERMS, document_core=True))
    names = [value["meta"]["profile"][0].rpartition("/")[2] for value in (claimed, claimed["entry"][0]["resource"])]
    assert names == ["fr-bundle-document", "fr-composition-document"]
    for value in (claimed, claimed["entry"][0]["resource"]):
        del value["meta"]["profile"]
    assert claimed == json.loads(render(assessment(), TERMS))
