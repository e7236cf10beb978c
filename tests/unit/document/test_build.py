"""What a document says of access, identity, recipients, change and absence, on records changed by hand."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway import terminology
from gateway.document import build
from gateway.document import model as m
from gateway.errors import InputError
from gateway.records.clinical import TreatmentSummary
from gateway.records.submission import Submission
from gateway.settings import AccountSettings
from tests.unit.fixture_cases import FIXTURES, NAMES, builder, prepared, submission

TERMS = terminology.load()
IDS = build.DocumentIds("2.25.1", "2.25.2", 3)
ASSESSMENT = "01_entorse_cheville_bilan"
SUMMARY = "01_entorse_cheville_compte_rendu"


def changed(name: str, **paths: Any) -> Submission:
    """A case with some fields changed: `document__outcome="abandon"`."""
    value = json.loads((FIXTURES / "cases" / f"{name}.json").read_text(encoding="utf-8"))
    for path, new in paths.items():
        *steps, last = path.split("__")
        holder = value
        for step in steps:
            holder = holder[int(step)] if step.isdigit() else holder.setdefault(step, {})
        if new is None:
            holder.pop(last, None)
        else:
            holder[last] = new
    return Submission.model_validate_json(json.dumps(value))


def account(case: Submission) -> AccountSettings:
    made: AccountSettings = builder().account_of(case)
    return made


def built(case: Submission, **more: Any) -> m.ClinicalDocument:
    return build.build(case, account(case), TERMS, ids=IDS, software="essai", **more)


def text(document: m.ClinicalDocument, key: str) -> str:
    section = next((one for one in document.walk() if one.key == key), None)
    if section is None:
        return ""
    lines: list[str] = []
    for block in section.blocks:
        match block:
            case m.Paragraph(span):
                lines.append(span.text)
            case m.Items(items):
                lines += [span.text for span in items]
            case m.Table(rows=rows):
                lines += [" | ".join(cell.text for cell in row) for row in rows]
    return "\n".join(lines).replace("\u00a0", " ")


def test_the_same_input_makes_an_equal_document() -> None:
    case = submission(ASSESSMENT)
    assert built(case) == built(case)


def test_identifiers_are_those_that_were_drawn() -> None:
    header = built(submission(ASSESSMENT)).header
    assert (header.id, header.set_id, header.version, header.software) == ("2.25.1", "2.25.2", 3, "essai")


def test_an_unqualified_identity_carries_no_ins() -> None:
    assert built(submission(ASSESSMENT)).header.patient.ins == m.Id("1.2.250.1.213.1.4.10", "201032227890155")
    for change in (
        {"patient__identity_status": "VALI"},
        {"patient__birth_place_cog": None},
        {"patient__ins__oid": "1.2.250.1.213.1.4.8"},
    ):
        document = built(changed(ASSESSMENT, **change))
        assert document.header.patient.ins is None
        assert "201032227890155" not in repr(document)


def test_national_identifiers_have_their_prefix() -> None:
    header = built(submission(ASSESSMENT)).header
    assert header.author.id == m.Id("1.2.250.1.71.4.2.1", "899700001011")
    assert header.custodian.id == m.Id("1.2.250.1.71.4.2.2", "499700001011001")
    siret = changed(ASSESSMENT, organization__id={"kind": "siret", "value": "12345678200010"})
    assert built(siret).header.custodian.id.extension == "312345678200010"


def test_the_mailbox_of_the_author_is_the_accounts() -> None:
    header = built(submission(ASSESSMENT)).header
    assert header.author.telecoms == (m.Telecom("mailto:cabinet-01@kine.mssante.example", "WP", mssante=True),)


def test_a_refused_or_unknown_recipient_is_not_an_addressee() -> None:
    header = prepared("12_hanche_renouvellement_compte_rendu").document.header
    assert [one.role for one in header.addressees] == ["medecin_traitant", "prescripteur", "autre_professionnel_2"]
    assert "MPR-TEST" not in repr(prepared("12_hanche_renouvellement_compte_rendu").document)
    assert prepared("11_chute_non_mesurable_bilan").document.header.addressees == ()


def test_a_recipient_without_rpps_has_an_identifier_of_the_practice() -> None:
    header = prepared("12_hanche_renouvellement_compte_rendu").document.header
    nurse = header.addressees[-1].professional
    assert nurse.rpps == ""
    assert nurse.id == m.Id(
        account(submission("12_hanche_renouvellement_compte_rendu")).oid_root, "autre_professionnel_2"
    )
    assert nurse.profession is None


def test_the_medecin_traitant_is_known_even_when_refused() -> None:
    refusal = {"date": "2025-10-01", "author": "Gwenaël TESTOU"}
    document = built(changed(ASSESSMENT, recipients__0__opposition=refusal))
    assert document.header.medecin_traitant is not None
    assert document.header.addressees == ()


@pytest.mark.parametrize(
    ("done", "rank"), [(0, "séance 1/8 de l'épisode"), (7, "séance 8/8 de l'épisode"), (8, "séance 9/8")]
)
def test_an_assessment_without_diagnosis_says_its_rank(done: int, rank: str) -> None:
    document = built(changed(ASSESSMENT, access__episode__sessions_already_done=done))
    assert rank in text(document, "reason")
    assert ("plafond dépassé" in text(document, "reason")) is (done == 8)


def test_a_summary_counts_the_sessions_of_the_episode() -> None:
    document = built(changed(SUMMARY, access__episode__sessions_already_done=2))
    assert "8 séances réalisées sur 8" in text(document, "reason")


def test_with_a_prior_diagnosis_no_rank_is_shown() -> None:
    assert "séance" not in text(prepared("03_epaule_operee_compte_rendu").document, "reason")


def test_what_the_rules_do_not_let_claim_is_not_claimed() -> None:
    document = built(submission(ASSESSMENT), claimed_mode="non_etabli")
    assert "Accès direct déclaré, conditions non établies" in text(document, "reason")
    assert "expérimentation" not in text(document, "reason")
    entry = document.sections[0].entries[0]
    assert isinstance(entry, m.StatementEntry)
    assert entry.value.local is not None
    assert entry.value.local.code == "access_mode.non_etabli"


def test_a_summary_says_that_nothing_happened() -> None:
    conclusion = text(built(submission(SUMMARY)), "conclusion")
    assert "Événement indésirable : aucun." in conclusion
    assert "Réorientation : aucune." in conclusion
    first = text(built(submission(ASSESSMENT)), "conclusion")
    assert "aucun." not in first
    assert "Réorientation" not in first


def test_adverse_events_and_reorientation_replace_the_absence() -> None:
    document = prepared("06_suivi_avc_compte_rendu").document
    assert "aucun" not in text(document, "conclusion")
    assert "chute sans blessure" in text(document, "conclusion")
    assert "médecin informé le 24/09/2025 ; déclaré à l'ARS" in text(document, "conclusion")
    assert "Réorientation programmée vers autre médecin, le 17/10/2025" in text(document, "care_plan")


@pytest.mark.parametrize(
    ("code", "unit", "before", "after", "expected"),
    [
        (
            "pain_nrs",
            "{score}",
            6,
            1,
            "6/10 | 1/10 | -5 points (amélioration, différence cliniquement importante : 2 points)",
        ),
        ("pain_nrs", "{score}", 1, 2, "1/10 | 2/10 | +1 point (aggravation)"),
        ("tug", "s", 12.5, 12.5, "12,5 s | 12,5 s | 0,0 s (stable)"),
        ("six_mwt", "m", 285, 352, "285 m | 352 m | +67 m (amélioration, différence cliniquement importante : 34 m)"),
        ("circumference", "cm", 53.5, 51.2, "53,5 cm | 51,2 cm | -2,3 cm (variation)"),
        ("odi", "%", 52, 30, "52 % | 30 % | -22 points (amélioration, différence cliniquement importante : 10 points)"),
        ("startback_risk", "code", 3, 1, "risque élevé | risque faible | amélioration"),
        (
            "sit_to_stand_30s",
            "{#}/(30.s)",
            1,
            12,
            "1 lever en 30 s | 12 levers en 30 s | +11 levers en 30 s (amélioration)",
        ),
    ],
)
def test_change_is_told_in_the_sense_of_the_catalogue(
    code: str, unit: str, before: float, after: float, expected: str
) -> None:
    one = {"code": code, "unit": unit}
    case = changed(
        SUMMARY, document__initial_measures=[{**one, "value": before}], document__measures=[{**one, "value": after}]
    )
    assert expected in text(built(case), "evolution")


def test_what_was_measured_once_is_compared_with_nothing() -> None:
    evolution = text(built(submission(SUMMARY)), "evolution")
    assert "Douleur, échelle numérique (repos) | 2/10 | non mesuré | " in evolution


def test_two_values_of_one_measure_are_told_apart_by_context() -> None:
    evolution = text(prepared("07_bpco_compte_rendu").document, "evolution")
    assert "Borg modifié (dyspnée) (fin d'effort) | 6/10 | 4/10" in evolution
    assert "Borg modifié (dyspnée) (repos) | 0,5/10 | 0,5/10 | 0,0 point (stable)" in evolution


def test_the_aid_may_change_between_two_measures() -> None:
    evolution = text(prepared("06_suivi_avc_compte_rendu").document, "evolution")
    assert "0,35 m/s ; aide : canne tripode et aide humaine | 0,58 m/s ; aide : canne simple | +0,23 m/s" in evolution


def test_undated_initial_measures_say_so() -> None:
    assert "non renseignée" in text(prepared("08_lombalgie_alerte_compte_rendu").document, "evolution")
    assert "non renseignée" not in text(built(submission(SUMMARY)), "evolution")


def test_what_could_not_be_measured_is_said_with_its_reason() -> None:
    document = prepared("11_chute_non_mesurable_bilan").document
    assert "Mesures non réalisables : Douleur vive" in text(document, "functional_status")
    assert not [section for section in document.sections if section.key in {"results", "vital_signs"}]


def test_written_values_stand_beside_the_number() -> None:
    assert "4- (3,5/5)" in text(prepared("08_lombalgie_alerte_bilan").document, "results")
    assert "1+ (1,5/4)" in text(prepared("06_suivi_avc_bilan").document, "physical_function")
    # `2` written for 2 says nothing more.
    assert "2/4" in text(prepared("06_suivi_avc_bilan").document, "physical_function")
    assert "2 (2/4)" not in text(prepared("06_suivi_avc_bilan").document, "physical_function")


def test_visibility_becomes_codes_of_the_value_set() -> None:
    codes = [code.code for code in prepared("12_hanche_renouvellement_compte_rendu").document.header.visibility]
    assert codes == ["MASQUE_PS"]
    everything = {"masked_to_professionals": True, "hidden_from_patient": True, "hidden_from_representatives": True}
    hidden = built(changed(ASSESSMENT, visibility=everything)).header.visibility
    assert [code.code for code in hidden] == ["MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"]


def test_days_begin_at_midnight_where_the_care_is_given() -> None:
    header = prepared("06_suivi_avc_compte_rendu").document.header
    assert header.service_start == datetime(2025, 9, 8, tzinfo=ZoneInfo("Indian/Mayotte"))
    assert header.service_start.astimezone(UTC) == datetime(2025, 9, 7, 21, tzinfo=UTC)
    assert header.service_stop == datetime.fromisoformat("2025-10-17T10:00:00+03:00")
    later = changed(SUMMARY, document__period={"start": "2025-10-06", "end": "2025-10-29"})
    stop = built(later).header.service_stop
    assert stop is not None
    assert stop.isoformat() == "2025-10-29T23:59:59+01:00"


def test_care_at_home_is_an_encounter_at_home() -> None:
    assert prepared("06_suivi_avc_bilan").document.header.encounter.code == "HH"
    assert prepared("01_entorse_cheville_bilan").document.header.encounter.code == "AMB"


def test_phones_say_what_they_are() -> None:
    assert prepared("07_bpco_bilan").document.header.patient.telecoms == (m.Telecom("tel:0495000007", "H"),)
    assert prepared("08_lombalgie_alerte_bilan").document.header.patient.telecoms == (
        m.Telecom("tel:+33600000008", "MC"),
    )
    assert prepared("06_suivi_avc_bilan").document.header.patient.telecoms == ()


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("organization__practice_setting", "CABINET", "DOC-001"),
        ("organization__facility_type", "SA99", "DOC-002"),
        ("author__profession", "KINE", "DOC-003"),
        ("recipients__0__profession", "DOCTEUR", "DOC-003"),
    ],
)
def test_an_unknown_code_is_a_finding(path: str, value: str, code: str) -> None:
    case = changed(ASSESSMENT, **{path: value})
    found = build.check(case, TERMS)
    assert [one.code for one in found] == [code]
    assert found[0].path == "/" + path.replace("__", "/")
    with pytest.raises(InputError):
        built(case)


@pytest.mark.parametrize(("name", "due"), [(ASSESSMENT, "2025-10-05"), (SUMMARY, "2025-10-05")])
def test_a_goal_due_before_the_care_is_a_finding(name: str, due: str) -> None:
    found = build.check(changed(name, document__goals__1__due=due), TERMS)
    assert [(one.code, one.path) for one in found] == [("DOC-004", "/document/goals/1/due")]
    assert build.check(changed(name, document__goals__1__due="2025-10-06"), TERMS) == []


def test_a_patient_without_traits_makes_no_document() -> None:
    for trait in ("birth_family", "birth_date"):
        with pytest.raises(InputError):
            built(changed(ASSESSMENT, **{f"patient__{trait}": None}))


def test_an_episode_that_ends_is_told_by_its_outcome_only_where_the_site_wants_it() -> None:
    assert built(changed(SUMMARY, document__outcome="abandon")).header.type.code == "11506-3"


def test_the_smallest_summary_makes_a_document() -> None:
    case = changed(
        SUMMARY,
        **{
            f"document__{name}": None
            for name in ("sessions", "goals", "problems", "body_site", "diagnosis", "evolution")
        },
        **{
            f"document__{name}": None
            for name in ("measures", "initial_measures", "initial_date", "treatment_done", "advice")
        },
        patient__address=None,
        patient__phone=None,
        organization__address=None,
        recipients=[],
    )
    document = built(case)
    keys = [section.key for section in document.sections]
    assert keys == ["reason", "evolution", "sessions", "conclusion", "comment"]
    assert "6 séances du 06/10/2025 au 30/10/2025." in text(document, "sessions")


@pytest.mark.parametrize("name", NAMES)
def test_goals_run_from_the_assessment_and_plans_from_the_document(name: str) -> None:
    document, clinical = prepared(name).document, submission(name).document
    day: date = clinical.date.date()
    first = clinical.period.start if isinstance(clinical, TreatmentSummary) else day
    entries = [entry for section in document.walk() for entry in section.entries]
    assert all(entry.start == first for entry in entries if isinstance(entry, m.GoalEntry))
    assert all(entry.start == day for entry in entries if isinstance(entry, m.ActEntry) and entry.mood == "INT")
