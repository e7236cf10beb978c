"""One row of the table for each rule of spec/kine.md §1 that software can see: a change, the codes it brings."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from gateway.errors import ConfigError
from gateway.findings import Severity
from gateway.records.history import EpisodeHistory, PastEpisode
from gateway.rules import departments
from gateway.rules.access import NOT_ESTABLISHED, check_access, claimed_mode
from gateway.rules.calendar import add_months
from gateway.settings import RulesSettings
from tests.unit.submission_samples import assessment, put, sound, summary

ACCESS = "/access/"
EPISODE = "/access/episode/"
PROOF = {"type": "ald", "date": "2025-01-01"}
REORIENTATION = {
    "to": "medecin_traitant",
    "date": "2025-10-30",
    "reason": "Pas d'amélioration",
    "urgency": "programmee",
}


def found(value: dict[str, Any], history: EpisodeHistory | None = None) -> dict[str, Severity]:
    findings = check_access(sound(value), RulesSettings(), history=history)
    return {finding.code: finding.severity for finding in findings}


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for pointer, new in changes.items():
        put(base, pointer, new)
    return base


def test_sound_direct_access_brings_nothing() -> None:
    assert found(assessment()) == {}
    assert found(summary()) == {}


ROWS: list[tuple[str, dict[str, Any], str]] = [
    ("1 not declared", {ACCESS + "declared_to_ars_on": None}, "ACC-001"),
    ("1 declared too late", {ACCESS + "declared_to_ars_on": "2025-10-07"}, "ACC-002"),
    ("30 withdrawn", {ACCESS + "withdrawn_on": "2025-10-06"}, "ACC-003"),
    ("2 replacement", {ACCESS + "practitioner_status": "remplacant"}, "ACC-004"),
    ("2 assistant", {ACCESS + "practitioner_status": "assistant"}, "ACC-004"),
    ("5 department", {ACCESS + "department": "35", ACCESS + "cpts/department": "35"}, "ACC-005"),
    (
        "5 before the start",
        {
            EPISODE + "start": "2025-06-07",
            ACCESS + "declared_to_ars_on": "2025-06-01",
            "/document/date": "2025-06-07T10:00:00+02:00",
        },
        "ACC-006",
    ),
    ("4 no CPTS", {ACCESS + "cpts": None}, "ACC-008"),
    ("4 inactive", {ACCESS + "cpts/active_member": False}, "ACC-008"),
    ("4 other department", {ACCESS + "cpts/department": "79"}, "ACC-009"),
    ("4 proof without end", {ACCESS + "cpts/proof_valid_until": None}, "ACC-010"),
    ("4 expired", {ACCESS + "cpts/proof_valid_until": "2025-10-05"}, "ACC-011"),
    ("4 expires in 29 days", {ACCESS + "cpts/proof_valid_until": "2025-11-04"}, "ACC-012"),
    ("6 seventh session", {EPISODE + "sessions_already_done": 7, "/document/plan": None}, "ACC-013"),
    (
        "6 ninth session",
        {EPISODE + "sessions_already_done": 9, "/document/plan": None, "/document/reorientation": REORIENTATION},
        "ACC-014 ACC-024",
    ),
    ("6 plan beyond", {"/document/plan/sessions_planned": 9}, "ACC-015"),
    ("7 episode too long", {EPISODE + "start": "2025-07-05", ACCESS + "declared_to_ars_on": "2025-07-01"}, "ACC-017"),
    ("8 no proof", {ACCESS + "prior_diagnosis": True}, "ACC-019"),
    ("8 proof of nothing", {ACCESS + "proof": PROOF}, "ACC-020"),
    (
        "9 future proof",
        {ACCESS + "prior_diagnosis": True, ACCESS + "proof": {**PROOF, "date": "2025-10-07"}},
        "ACC-021",
    ),
    (
        "9 other",
        {ACCESS + "prior_diagnosis": True, ACCESS + "proof": {**PROOF, "type": "other", "note": "bilan"}},
        "ACC-022",
    ),
    (
        "10 not kept",
        {ACCESS + "prior_diagnosis": True, ACCESS + "proof": {**PROOF, "kept_in_record": False}},
        "ACC-023",
    ),
    ("red flags not searched", {"/document/red_flags": None}, "ACC-035"),
    ("red flags listed as none", {"/document/red_flags/checked": []}, "ACC-035"),
]


@pytest.mark.parametrize(("changes", "code"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_rules_of_the_assessment(changes: dict[str, Any], code: str) -> None:
    codes = found(changed(assessment(), changes))
    assert list(codes) == code.split()
    assert Severity.ERROR not in codes.values()


EVENT = {"id": "AE-1", "date": "2025-10-10", "kind": "chute", "severity": "legere"}
STUCK = {EPISODE + "sessions_already_done": 6, "/document/outcome": "stable"}
SUMMARY_ROWS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("6 ninth session", {EPISODE + "sessions_already_done": 7}, {"ACC-014"}),
    ("6 eighth session", {EPISODE + "sessions_already_done": 6}, {"ACC-013"}),
    ("6 sixth session", {EPISODE + "sessions_already_done": 4}, set()),
    ("14 no improvement", STUCK, {"ACC-013", "ACC-016"}),
    ("14 reoriented", {**STUCK, "/document/reorientation": REORIENTATION}, {"ACC-013", "ACC-024"}),
    ("15 event", {"/document/adverse_events": [EVENT]}, {"ACC-025"}),
    ("15 event reported", {"/document/adverse_events": [{**EVENT, "reported_ars": True}]}, set()),
    (
        "8 proved: no cap",
        {EPISODE + "sessions_already_done": 30, ACCESS + "prior_diagnosis": True, ACCESS + "proof": PROOF},
        set(),
    ),
    ("NGAP", {"/document/sessions/0/act_letter": "AMS"}, {"ACC-033"}),
]


@pytest.mark.parametrize(("changes", "codes"), [row[1:] for row in SUMMARY_ROWS], ids=[row[0] for row in SUMMARY_ROWS])
def test_rules_of_the_summary(changes: dict[str, Any], codes: set[str]) -> None:
    assert set(found(changed(summary(), changes))) == codes


MODE = ACCESS + "mode"
OTHER_MODES: list[tuple[str, dict[str, Any], set[str]]] = [
    ("23 structure", {MODE: "direct_structure", ACCESS + "department": "35", ACCESS + "cpts": None}, set()),
    ("23 same cap", {MODE: "direct_structure", EPISODE + "sessions_already_done": 9}, {"ACC-014"}),
    ("19 no date", {MODE: "renewal"}, {"ACC-026", "ACC-029"}),
    ("19 too old", {MODE: "renewal", ACCESS + "prescription_date": "2024-10-05"}, {"ACC-027", "ACC-029"}),
    ("21 a year to the day", {MODE: "renewal", ACCESS + "prescription_date": "2024-10-06"}, {"ACC-029"}),
    (
        "19 before avenant 7",
        {MODE: "renewal", ACCESS + "prescription_date": "2023-08-01", EPISODE + "start": "2023-08-21"},
        {"ACC-028", "ACC-029"},
    ),
    (
        "20 prescriber told",
        {MODE: "renewal", ACCESS + "prescription_date": "2025-10-01", "/recipients/0/role": "prescripteur"},
        set(),
    ),
    ("prescription", {MODE: "prescription", ACCESS + "prescription_date": "2025-10-01"}, set()),
    ("prescription undated", {MODE: "prescription"}, {"ACC-030"}),
    (
        "prescription, nobody told",
        {MODE: "prescription", ACCESS + "prescription_date": "2025-10-01", "/recipients": []},
        {"ACC-029"},
    ),
    ("24 protocol", {MODE: "protocole"}, {"ACC-031", "ACC-032"}),
    ("24 named", {MODE: "protocole", ACCESS + "protocol": "Lombalgie", "/recipients/0/role": "delegant"}, set()),
    ("25 letter", {MODE: "hors_nomenclature"}, {"ACC-034"}),
    (
        "12 emergency",
        {MODE: "urgence", ACCESS + "cpts": None, ACCESS + "department": "35", "/document/sessions/0/act_letter": None},
        {"ACC-038"},
    ),
]


@pytest.mark.parametrize(("changes", "codes"), [row[1:] for row in OTHER_MODES], ids=[row[0] for row in OTHER_MODES])
def test_rules_of_other_modes(changes: dict[str, Any], codes: set[str]) -> None:
    assert set(found(changed(summary(), changes))) == codes


def test_a_breach_never_stops_and_changes_what_is_claimed() -> None:
    for pointer, code in [(ACCESS + "department", "ACC-005"), (EPISODE + "sessions_already_done", "ACC-014")]:
        value = put(assessment(), pointer, {"ACC-005": "35", "ACC-014": 9}[code])
        submission = sound(value)
        findings = check_access(submission, RulesSettings())
        assert code in {finding.code for finding in findings}
        assert all(finding.severity is not Severity.ERROR for finding in findings)
        assert claimed_mode(submission, findings) == NOT_ESTABLISHED


@pytest.mark.parametrize("code", ["ACC-010", "ACC-012", "ACC-013", "ACC-025", "CMP-003"])
def test_a_lesser_finding_leaves_the_claim(code: str) -> None:
    from gateway.findings import warning

    assert claimed_mode(sound(assessment()), [warning(code, "", "x")]) == "direct_cpts"


def test_only_direct_access_can_lose_its_claim() -> None:
    from gateway.findings import warning

    prescribed = sound(put(assessment(), MODE, "prescription"))
    assert claimed_mode(prescribed, [warning("ACC-014", "", "x")]) == "prescription"


def test_the_store_may_know_of_more_sessions() -> None:
    assert set(found(summary(), EpisodeHistory(sessions_done=9))) == {"ACC-014"}
    assert found(summary(), EpisodeHistory(sessions_done=2)) == {}


@pytest.mark.parametrize(
    ("past", "warns"),
    [
        (("EP-00", "2025-08-01", "cheville"), True),
        (("EP-00", "2025-08-01", "épaule"), False),
        (("EP-00", "2025-07-06", "cheville"), False),
        (("EP-01", "2025-08-01", "cheville"), False),
    ],
)
def test_second_episode_for_the_same_region(past: tuple[str, str, str], *, warns: bool) -> None:
    episode = PastEpisode.model_validate(dict(zip(("id", "start", "region"), past, strict=True)))
    assert ("ACC-018" in found(assessment(), EpisodeHistory(previous_episodes=(episode,)))) is warns


def test_settings_decide_on_the_disputed_dates() -> None:
    late = RulesSettings(experiment_start=dt.date(2025, 11, 1), episode_months=1)
    value = put(put(summary(), EPISODE + "start", "2025-09-20"), "/document/date", "2025-10-21T08:00:00+02:00")
    codes = {finding.code for finding in check_access(sound(value), late)}
    assert codes == {"ACC-006", "ACC-017"}


@pytest.mark.parametrize(("code", "start"), [("79", "2025-07-14"), ("89", "2025-07-31")])
def test_a_department_may_have_started_later(code: str, start: str) -> None:
    value = changed(
        assessment(),
        {
            ACCESS + "department": code,
            ACCESS + "cpts/department": code,
            EPISODE + "start": start,
            ACCESS + "declared_to_ars_on": "2025-06-10",
        },
    )
    assert set(found(value)) == {"ACC-006"}


def test_the_day_is_the_authors() -> None:
    # 23:30 UTC on the 5th is already the 6th in La Réunion: a withdrawal on the 6th counts.
    value = put(put(assessment(), ACCESS + "withdrawn_on", "2025-10-06"), "/document/date", "2025-10-06T03:30:00+04:00")
    assert "ACC-003" in found(value)


def test_twenty_departments() -> None:
    table = departments.load()
    listed = "11 22 2B 32 38 45 54 59 68 69 76 78 79 81 83 85 89 972 974 976"  # spec kine §1 row 5
    assert " ".join(sorted(table.by_code)) == listed
    assert table.by_code["2B"].name == "Haute-Corse"


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ("2025-01-31", 1, "2025-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2025-11-30", 3, "2026-02-28"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2025-06-08", 3, "2025-09-08"),
    ],
)
def test_calendar_months(day: str, months: int, expected: str) -> None:
    assert add_months(dt.date.fromisoformat(day), months) == dt.date.fromisoformat(expected)


@pytest.mark.parametrize("text", ["[", "version = 'x'", "twice"])
def test_a_damaged_table_is_a_configuration_error(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    shipped = departments.data_path("config", "departments.toml").read_text(encoding="utf-8")
    path = tmp_path / "departments.toml"
    path.write_text(
        shipped + '\n[[department]]\ncode = "22"\nname = "x"\n' if text == "twice" else text, encoding="utf-8"
    )
    monkeypatch.setattr(departments, "data_path", lambda *_: path)
    with pytest.raises(ConfigError) as caught:
        departments.load.__wrapped__()
    assert caught.value.code == "DEP-001"


DECLARED = {ACCESS + "declared_to_ars_on": "2025-06-01"}
PROVED = {ACCESS + "prior_diagnosis": True}
LIMITS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("declared on the first day", {ACCESS + "declared_to_ars_on": "2025-10-06"}, set()),
    ("withdrawn the day after", {ACCESS + "withdrawn_on": "2025-10-07"}, set()),
    (
        "on the day the experiment starts",
        {**DECLARED, EPISODE + "start": "2025-06-08", "/document/date": "2025-06-09T10:00:00+02:00"},
        set(),
    ),
    ("proof until today", {ACCESS + "cpts/proof_valid_until": "2025-10-06"}, {"ACC-012"}),
    ("proof for 30 days", {ACCESS + "cpts/proof_valid_until": "2025-11-05"}, set()),
    ("three months to the day", {**DECLARED, EPISODE + "start": "2025-07-06"}, set()),
    ("plan of eight sessions", {"/document/plan/sessions_planned": 8}, set()),
    ("proof of the day", {**PROVED, ACCESS + "proof": {**PROOF, "date": "2025-10-06"}}, set()),
]


@pytest.mark.parametrize(("changes", "codes"), [row[1:] for row in LIMITS], ids=[row[0] for row in LIMITS])
def test_just_inside_a_limit(changes: dict[str, Any], codes: set[str]) -> None:
    assert set(found(changed(assessment(), changes))) == codes


def test_a_renewal_on_the_day_the_convention_takes_effect() -> None:
    changes = {
        MODE: "renewal",
        ACCESS + "prescription_date": "2023-08-01",
        EPISODE + "start": "2023-08-22",
        "/recipients/0/role": "prescripteur",
    }
    assert found(changed(summary(), changes)) == {}


@pytest.mark.parametrize(("day", "codes"), [("2024-02-21", set()), ("2024-02-22", {"ACC-033"})])
def test_letters_are_withdrawn_on_a_day(day: str, codes: set[str]) -> None:
    changes = {"/document/sessions/0/act_letter": "AMC", "/document/sessions/0/date": day}
    assert set(found(changed(summary(), changes))) == codes


def test_an_act_outside_the_nomenclature_without_letter() -> None:
    assert found(changed(summary(), {MODE: "hors_nomenclature", "/document/sessions/0/act_letter": None})) == {}


@pytest.mark.parametrize(("start", "warns"), [("2025-10-06", True), ("2025-10-07", False)])
def test_an_episode_that_starts_with_or_after_this_one(start: str, *, warns: bool) -> None:
    past = PastEpisode.model_validate({"id": "EP-00", "start": start, "region": "CHEVILLE"})
    assert ("ACC-018" in found(assessment(), EpisodeHistory(previous_episodes=(past,)))) is warns


@pytest.mark.parametrize(("day", "warns"), [("2025-10-06", False), ("2025-10-07", True)])
def test_a_department_may_leave_the_experiment(day: str, *, warns: bool) -> None:
    table = departments.load()
    row = table.by_code["22"].model_copy(update={"valid_until": dt.date(2025, 10, 6)})
    ended = table.model_copy(update={"by_code": {**table.by_code, "22": row}})
    submission = sound(put(assessment(), "/document/date", f"{day}T10:00:00+02:00"))
    codes = {finding.code for finding in check_access(submission, RulesSettings(), departments=ended)}
    assert ("ACC-006" in codes) is warns
