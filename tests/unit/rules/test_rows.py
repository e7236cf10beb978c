"""Each row of config/access_rules.toml, on both sides of its boundary: the day, the count or the fact that tips it.

`SIDES` is also what docs/rules.md is made of (tests/tools/rules_page.py): a row without a test is a gap there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway import rules, terminology
from gateway.records.history import EpisodeHistory, PastEpisode
from gateway.rules import table
from gateway.rules.trust_space import TrustList
from gateway.settings import RulesSettings
from tests.unit.submission_samples import account, assessment, put, sound, summary

A, E, D = "/access/", "/access/episode/", "/document/"
MODE = A + "mode"
CPTS = A + "cpts/proof_valid_until"
PROOF: dict[str, Any] = {"type": "ald", "date": "2025-01-01"}
PROVED: dict[str, Any] = {A + "prior_diagnosis": True}
AWAY: dict[str, Any] = {"to": "medecin_traitant", "date": "2025-10-30", "reason": "avis", "urgency": "programmee"}
EVENT: dict[str, Any] = {"id": "1", "date": "2025-10-10", "kind": "malaise", "severity": "legere"}
RENEWED: dict[str, Any] = {MODE: "renewal", "/recipients/0/role": "prescripteur"}
ON_PRESCRIPTION: dict[str, Any] = {MODE: "prescription", A + "prescription_date": "2025-10-01"}
BASES = {"assessment": assessment, "summary": summary}


@dataclass(frozen=True)
class Side:
    """One boundary: `code` is there with `breach`, and not with `kept`. Both start from `base` and `both`."""

    row: int
    code: str
    breach: dict[str, Any]
    kept: dict[str, Any] = field(default_factory=dict)
    base: str = "assessment"
    both: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def _dated(day: str) -> dict[str, Any]:
    return {D + "date": f"{day}T10:00:00+02:00"}


SIDES = [
    Side(1, "ACC-001", {A + "declared_to_ars_on": None}, {A + "declared_to_ars_on": "2025-09-01"}),
    Side(1, "ACC-002", {A + "declared_to_ars_on": "2025-10-07"}, {A + "declared_to_ars_on": "2025-10-06"}),
    Side(
        1,
        "ACC-036",
        {A + "declared_to_ars_on": "2025-09-02"},
        {A + "declared_to_ars_on": "2025-09-01"},
        settings={"enrolment_until": "2025-09-01"},
    ),
    Side(2, "ACC-004", {A + "practitioner_status": "remplacant"}, {A + "practitioner_status": "collaborateur"}),
    Side(2, "ACC-004", {A + "practitioner_status": "assistant"}, {A + "practitioner_status": "titulaire"}),
    Side(
        2,
        "ACC-037",
        {A + "practitioner_status": "remplacant"},
        {A + "practitioner_status": "assistant"},
        both={MODE: "direct_structure"},
    ),
    Side(2, "ACC-037", {MODE: "protocole"}, ON_PRESCRIPTION, both={A + "practitioner_status": "remplacant"}),
    Side(3, "ACC-005", {A + "department": "35"}, {A + "department": "22"}),
    Side(4, "ACC-008", {A + "cpts": None}),
    Side(4, "ACC-008", {A + "cpts/active_member": False}, {A + "cpts/active_member": True}),
    Side(4, "ACC-009", {A + "cpts/department": "79"}, {A + "cpts/department": "22"}),
    Side(4, "ACC-010", {CPTS: None}, {CPTS: "2026-12-31"}),
    Side(4, "ACC-011", {CPTS: "2025-10-05"}, {CPTS: "2025-10-06"}),
    Side(4, "ACC-012", {CPTS: "2025-11-04"}, {CPTS: "2025-11-05"}),
    Side(
        5,
        "ACC-006",
        {E + "start": "2025-06-07"},
        {E + "start": "2025-06-08"},
        both={A + "declared_to_ars_on": "2025-06-01", **_dated("2025-06-09")},
    ),
    Side(
        5,
        "ACC-006",
        {E + "start": "2025-07-14"},
        {E + "start": "2025-07-15"},
        both={A + "department": "79", A + "declared_to_ars_on": "2025-07-01", **_dated("2025-07-20")},
    ),
    Side(
        5,
        "ACC-007",
        {E + "start": "2025-10-06"},
        {E + "start": "2025-10-05"},
        settings={"experiment_end": "2025-10-05"},
    ),
    Side(6, "ACC-013", {E + "sessions_already_done": 7}, {E + "sessions_already_done": 6}),
    Side(6, "ACC-013", {E + "sessions_already_done": 8}, {E + "sessions_already_done": 9}),
    Side(6, "ACC-014", {E + "sessions_already_done": 9}, {E + "sessions_already_done": 8}),
    Side(6, "ACC-014", {E + "sessions_already_done": 7}, {E + "sessions_already_done": 6}, base="summary"),
    Side(6, "ACC-015", {D + "plan/sessions_planned": 9}, {D + "plan/sessions_planned": 8}),
    Side(
        7,
        "ACC-017",
        {E + "start": "2025-07-05"},
        {E + "start": "2025-07-06"},
        both={A + "declared_to_ars_on": "2025-07-01"},
    ),
    Side(
        8,
        "ACC-014",
        {A + "prior_diagnosis": False},
        {**PROVED, A + "proof": PROOF},
        both={E + "sessions_already_done": 30},
    ),
    Side(8, "ACC-019", PROVED, {**PROVED, A + "proof": PROOF}),
    Side(8, "ACC-020", {A + "proof": PROOF}, {**PROVED, A + "proof": PROOF}),
    Side(
        9,
        "ACC-021",
        {A + "proof": {**PROOF, "date": "2025-10-07"}},
        {A + "proof": {**PROOF, "date": "2025-10-06"}},
        both=PROVED,
    ),
    *(
        Side(
            9, "ACC-022", {A + "proof": {**PROOF, "type": "other"}}, {A + "proof": {**PROOF, "type": kind}}, both=PROVED
        )
        for kind in ("ald", "cr_operatoire", "cr_hospitalisation", "cr_medical", "cr_urgences")
    ),
    *(
        Side(
            9, "ACC-022", {A + "proof": {**PROOF, "type": "other"}}, {A + "proof": {**PROOF, "type": kind}}, both=PROVED
        )
        for kind in ("information_medecin", "prescription_anterieure", "dui")
    ),
    Side(
        9,
        "ACC-040",
        {A + "proof": {**PROOF, "type": "other"}},
        {A + "proof": {**PROOF, "type": "other", "note": "Certificat"}},
        both=PROVED,
    ),
    Side(
        10,
        "ACC-023",
        {A + "proof": {**PROOF, "kept_in_record": False}},
        {A + "proof": {**PROOF, "kept_in_record": True}},
        both=PROVED,
    ),
    Side(11, "DST-UNSAID", {"/recipients": []}, {}),
    Side(11, "DST-NO-MT", {"/recipients": [{"role": "medecin_traitant", "known": False}]}, {}),
    Side(11, "DST-NO-BOX", {"/recipients/0/mssante": None}, {}),
    Side(11, "DST-NO-DMP", {"/patient/dmp/exists": False}, {"/patient/dmp/exists": True}),
    Side(
        11,
        "DST-OPPOSITION",
        {"/patient/dmp/opposition": {"date": "2025-01-01", "author": "Accueil"}},
        {"/patient/dmp/opposition": None},
    ),
    Side(12, "ACC-038", {MODE: "urgence"}, {}),
    Side(
        12,
        "ACC-034",
        {D + "sessions/0/act_letter": "RIM"},
        {D + "sessions/0/act_letter": None},
        base="summary",
        both={MODE: "urgence"},
    ),
    Side(12, "DST-UNSAID", {"/recipients": []}, {}, both={MODE: "urgence"}),
    Side(
        13,
        "CMP-010",
        {D + "red_flags/present": ["fievre"]},
        {D + "red_flags/present": []},
        both={D + "red_flags/decision": "pas_de_reorientation"},
    ),
    Side(13, "CMP-011", {}, {D + "reorientation": AWAY}, both={D + "red_flags/decision": "reorientation_24h"}),
    *(
        Side(
            14,
            "ACC-016",
            {D + "outcome": outcome},
            {D + "outcome": "amelioration_partielle"},
            "summary",
            {E + "sessions_already_done": 6},
        )
        for outcome in ("stable", "aggravation", "poursuite")
    ),
    Side(
        14,
        "ACC-016",
        {E + "sessions_already_done": 6},
        {E + "sessions_already_done": 5},
        "summary",
        {D + "outcome": "stable"},
    ),
    Side(
        14,
        "ACC-016",
        {},
        {D + "reorientation": AWAY},
        "summary",
        {D + "outcome": "stable", E + "sessions_already_done": 6},
    ),
    Side(15, "ACC-024", {D + "reorientation": AWAY}, {}),
    Side(
        15,
        "ACC-025",
        {D + "adverse_events": [EVENT]},
        {D + "adverse_events": [{**EVENT, "reported_ars": True}]},
    ),
    Side(19, "ACC-026", {A + "prescription_date": None}, {A + "prescription_date": "2025-10-01"}, both=RENEWED),
    Side(19, "ACC-027", {A + "prescription_date": "2024-10-05"}, {A + "prescription_date": "2024-10-06"}, both=RENEWED),
    Side(
        19,
        "ACC-028",
        {E + "start": "2023-08-21"},
        {E + "start": "2023-08-22"},
        both={**RENEWED, A + "prescription_date": "2023-08-01"},
    ),
    Side(
        20,
        "ACC-029",
        {"/recipients/0/role": "medecin_traitant"},
        {},
        both={**RENEWED, A + "prescription_date": "2025-10-01"},
    ),
    Side(
        21,
        "ACC-027",
        {E + "start": "2025-10-07"},
        {E + "start": "2025-10-06"},  # sessions go on after the anniversary: the day of the renewal alone counts
        "summary",
        {**RENEWED, A + "prescription_date": "2024-10-06"},
    ),
    Side(
        23,
        "ACC-014",
        {E + "sessions_already_done": 9},
        {E + "sessions_already_done": 8},
        both={MODE: "direct_structure"},
    ),
    Side(23, "DST-UNSAID", {"/recipients": []}, {}, both={MODE: "direct_structure"}),
    Side(24, "ACC-031", {}, {A + "protocol": "Lombalgie"}, both={MODE: "protocole"}),
    Side(24, "ACC-032", {}, {"/recipients/0/role": "delegant"}, both={MODE: "protocole"}),
    Side(
        25,
        "ACC-034",
        {D + "sessions/0/act_letter": "RIM"},
        {D + "sessions/0/act_letter": None},
        "summary",
        {MODE: "hors_nomenclature"},
    ),
    Side(28, "INS-010", {"/patient/identity_status": "VALI"}, {"/patient/identity_status": "QUAL"}),
    Side(28, "INS-013", {"/patient/birth_family": None}, {}),
    Side(28, "DST-NO-INS", {"/patient/ins": None}, {}),
    Side(29, "DST-OUTSIDE", {"/recipients/0/mssante": "a@gmail.com"}, {}),
    Side(29, "DST-PATIENT-BOX", {"/recipients/0/mssante": "201032227890155@patient.mssante.fr"}, {}),
    Side(30, "ACC-003", {A + "withdrawn_on": "2025-10-06"}, {A + "withdrawn_on": "2025-10-07"}),
    Side(31, "ACC-029", {"/recipients": []}, {}, both=ON_PRESCRIPTION),
    Side(31, "ACC-030", {A + "prescription_date": None}, {}, both=ON_PRESCRIPTION),
    Side(31, "ACC-039", {E + "sessions_already_done": 8}, {E + "sessions_already_done": 7}, "summary", ON_PRESCRIPTION),
    Side(31, "ACC-039", {D + "adverse_events": [EVENT]}, {D + "adverse_events": []}, "summary", ON_PRESCRIPTION),
    Side(31, "ACC-039", {D + "outcome": "aggravation"}, {D + "outcome": "stable"}, "summary", ON_PRESCRIPTION),
    Side(
        31,
        "ACC-039",
        {D + "end_reason": "fin_de_traitement"},
        {D + "end_reason": "bilan_intermediaire"},
        "summary",
        {**ON_PRESCRIPTION, E + "sessions_already_done": 8},
    ),
    *(
        Side(
            32,
            "ACC-033",
            {D + "sessions/0/date": "2024-02-22"},
            {D + "sessions/0/date": "2024-02-21"},
            "summary",
            {D + "sessions/0/act_letter": letter},
        )
        for letter in ("AMS", "AMC")
    ),
    Side(33, "ACC-035", {D + "red_flags": None}, {}),
]


def codes(side: Side, changes: dict[str, Any], trust: TrustList) -> set[str]:
    value = BASES[side.base]()
    for pointer, new in {**side.both, **changes}.items():
        put(value, pointer, new)
    submission = sound(value)
    settings = RulesSettings.model_validate(side.settings, strict=False)
    today = submission.document.date.date()
    found = rules.check(submission, account(), trust, terminology.load(), settings, today=today)
    return {one.code for one in found}


@pytest.mark.parametrize("side", SIDES, ids=lambda one: f"{one.row} {one.code}")
def test_row(side: Side, trust: TrustList) -> None:
    assert side.code in codes(side, side.breach, trust)
    assert side.code not in codes(side, side.kept, trust)


def test_each_code_belongs_to_its_row() -> None:
    rows = {one.number: one for one in table.load().row}
    strange = [
        (one.row, one.code)
        for one in SIDES
        if one.code not in rows[one.row].codes and (one.row, one.code) != (8, "ACC-014")
    ]
    assert strange == []


@pytest.mark.parametrize("region", ["cheville", "genou"])
@pytest.mark.parametrize("start", ["2025-07-06", "2025-07-07", "2025-10-06", "2025-10-07"])
def test_row_7_a_second_episode(start: str, region: str, trust: TrustList) -> None:
    past = PastEpisode.model_validate({"id": "EP-00", "start": start, "region": region})
    history = EpisodeHistory(previous_episodes=(past,))
    submission = sound(assessment())
    found = rules.check_access(submission, RulesSettings(), history=history)
    expected = region == "cheville" and start in {"2025-07-07", "2025-10-06"}
    assert ("ACC-018" in {one.code for one in found}) is expected


@pytest.mark.parametrize(("changed", "due"), [(True, True), (False, False)])
def test_row_31_a_changed_treatment(changed: bool, due: bool, trust: TrustList) -> None:
    value = summary()
    for pointer, new in ON_PRESCRIPTION.items():
        put(value, pointer, new)
    found = rules.check_access(sound(value), RulesSettings(), history=EpisodeHistory(plan_changed=changed))
    assert ("ACC-039" in {one.code for one in found}) is due


def test_findings_of_other_families_cite_the_rows_they_speak_of(trust: TrustList) -> None:
    value = put(put(assessment(), "/recipients", []), "/patient/dmp/exists", False)
    submission = sound(value)
    found = rules.check(
        submission, account(), trust, terminology.load(), RulesSettings(), today=submission.document.date.date()
    )
    sources = {one.code: one.source for one in found}
    assert sources["DST-NO-DMP"] == "ARS Nouvelle-Aquitaine, URPS MK Bretagne, ordremk.fr (règle 11)"
    assert sources["DST-UNSAID"] == "accès direct, destinataires du bilan"  # its own
