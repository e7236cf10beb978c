from __future__ import annotations

from typing import Any

import pytest

from gateway.findings import Finding, Severity
from gateway.identity.ins import check_patient, ins_may_leave
from gateway.identity.roots import environment_of
from gateway.records.people import Ins, Patient
from gateway.settings import Environment
from tests.unit.submission_samples import PRODUCTION_OID, TEST_OID, assessment

DEMO_OID, NIA_OID = "1.2.250.1.213.1.4.11", "1.2.250.1.213.1.4.9"
ERROR, WARNING = Severity.ERROR, Severity.WARNING
TEST, PRODUCTION = Environment.TEST, Environment.PRODUCTION


def patient(oid: str = TEST_OID, matricule: str | None = None, **changes: Any) -> Patient:
    value = assessment()["patient"]
    value["ins"]["oid"] = oid
    if matricule is not None:
        value["ins"]["matricule"] = matricule
    for name, new in changes.items():
        if new is ...:
            del value[name]
        else:
            value[name] = new
    return Patient.model_validate(value)


def codes(findings: list[Finding]) -> dict[str, Severity]:
    return {finding.code: finding.severity for finding in findings}


@pytest.mark.parametrize(
    ("oid", "environment"),
    [(TEST_OID, TEST), (DEMO_OID, TEST), (PRODUCTION_OID, PRODUCTION), (NIA_OID, PRODUCTION)],
)
def test_a_sound_identity_has_no_finding_and_its_ins_may_leave(oid: str, environment: Environment) -> None:
    assert check_patient(patient(oid), environment) == []
    assert ins_may_leave(patient(oid), environment)


@pytest.mark.parametrize(
    ("oid", "environment"),
    [(TEST_OID, PRODUCTION), (DEMO_OID, PRODUCTION), (PRODUCTION_OID, TEST), (NIA_OID, TEST)],
)
def test_an_oid_of_the_other_world_is_an_error(oid: str, environment: Environment) -> None:
    assert codes(check_patient(patient(oid), environment)) == {"INS-008": ERROR}
    assert not ins_may_leave(patient(oid), environment)


@pytest.mark.parametrize(
    ("oid", "code"),
    [
        ("1.2.250.1.213.1.4.2", "INS-006"),
        ("1.2.250.1.213.1.4.13", "INS-007"),
        ("1.2.250.1.213.1.4.14", "INS-007"),
        ("1.2.250.1.213.1.4.12", "INS-005"),
        ("1.2.3", "INS-005"),
    ],
)
def test_an_oid_that_is_no_ins_is_an_error(oid: str, code: str) -> None:
    for environment in Environment:
        assert codes(check_patient(patient(oid), environment)) == {code: ERROR}
        assert not ins_may_leave(patient(oid), environment)


@pytest.mark.parametrize(
    ("matricule", "code"),
    [
        ("201032227890156", "INS-002"),
        ("501032227890111", "INS-003"),
        ("201152227890136", "INS-004"),
    ],
)
def test_digits_stop_in_production_and_warn_in_test(matricule: str, code: str) -> None:
    strict = codes(check_patient(patient(PRODUCTION_OID, matricule), PRODUCTION))
    lenient = codes(check_patient(patient(TEST_OID, matricule), TEST))
    assert strict[code] is ERROR
    assert lenient[code] is WARNING
    assert not ins_may_leave(patient(PRODUCTION_OID, matricule), PRODUCTION)
    assert ERROR not in lenient.values()
    assert ins_may_leave(patient(TEST_OID, matricule), TEST)


def test_samples_of_the_ans_with_a_wrong_key_are_usable_in_test() -> None:
    for matricule in ("221042545611404", "223042545611404", "289057545611404"):
        found = codes(check_patient(patient(TEST_OID, matricule), TEST))
        assert found["INS-002"] is WARNING
        assert ERROR not in found.values()


@pytest.mark.parametrize("matricule", ["20103222789015", "2 01 03 22 278 901 55", "abc", "20103222789015A"])
@pytest.mark.parametrize(("oid", "environment"), [(TEST_OID, TEST), (PRODUCTION_OID, PRODUCTION)])
def test_what_is_no_matricule_is_always_an_error(matricule: str, oid: str, environment: Environment) -> None:
    found = check_patient(patient(oid, matricule), environment)
    assert codes(found) == {"INS-001": ERROR}
    assert found[0].path == "/patient/ins/matricule"
    assert not ins_may_leave(patient(oid, matricule), environment)


def test_a_malformed_matricule_is_an_error_whatever_the_status() -> None:
    found = check_patient(patient(matricule="12", identity_status="PROV"), TEST)
    assert codes(found) == {"INS-001": ERROR, "INS-010": WARNING}


@pytest.mark.parametrize("status", ["PROV", "RECUP", "VALI"])
def test_only_a_qualified_identity_lets_the_ins_leave(status: str) -> None:
    unqualified = patient(identity_status=status)
    assert codes(check_patient(unqualified, TEST)) == {"INS-010": WARNING}
    assert not ins_may_leave(unqualified, TEST)


def test_a_qualified_identity_without_ins() -> None:
    bare = patient(ins=...)
    assert codes(check_patient(bare, TEST)) == {"INS-019": WARNING}
    assert not ins_may_leave(bare, TEST)


@pytest.mark.parametrize("root", [TEST_OID, PRODUCTION_OID, DEMO_OID, NIA_OID])
def test_two_ins_roots(root: str) -> None:
    twice = patient(identifiers=[{"root": "1.2.3", "value": "A"}, {"root": root, "value": "201032227890155"}])
    found = check_patient(twice, TEST)
    assert codes(found) == {"INS-009": ERROR}
    assert found[0].path == "/patient/identifiers/1/root"
    assert not ins_may_leave(twice, TEST)


@pytest.mark.parametrize("root", ["1.2.250.1.213.1.4.2", "1.2.250.1.213.1.4.13"])
def test_other_national_numbers_are_no_local_identifier(root: str) -> None:
    found = check_patient(patient(identifiers=[{"root": root, "value": "201032227890155"}]), TEST)
    assert codes(found) == {"INS-012": ERROR}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"birth_family": ...}, {"INS-013": ERROR}),
        ({"birth_date": ...}, {"INS-013": ERROR}),
        ({"sex": ...}, {"INS-013": ERROR}),
        ({"birth_given": ..., "first_birth_given": ...}, {"INS-013": ERROR}),
        ({"birth_given": ...}, {"INS-014": WARNING}),
        ({"first_birth_given": ...}, {"INS-014": WARNING}),
        ({"birth_place_cog": ...}, {"INS-015": WARNING}),
        ({"sex": "UN"}, {"INS-016": WARNING}),
    ],
)
def test_a_missing_trait_keeps_the_ins_home(changes: dict[str, Any], expected: dict[str, Severity]) -> None:
    lacking = patient(**changes)
    assert codes(check_patient(lacking, TEST)) == expected
    assert not ins_may_leave(lacking, TEST)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sex": "M"}, "INS-021"),
        ({"birth_date": "2002-03-14"}, "INS-022"),
        ({"birth_date": "2001-04-14"}, "INS-022"),
        ({"birth_place_cog": "35238"}, "INS-023"),
        ({"birth_place_cog": "99139"}, "INS-023"),
        ({"first_birth_given": "ANNE"}, "INS-017"),
        ({"first_birth_given": "MAE"}, "INS-017"),
        ({"birth_family": "Le Goff-Essai"}, "INS-018"),
        ({"birth_family": "LE GOFF–ESSAI"}, "INS-018"),
        ({"birth_given": ["MAELYS", "ANNE2"]}, "INS-018"),
    ],
)
def test_disagreements_only_warn(changes: dict[str, Any], code: str) -> None:
    doubtful = patient(**changes)
    assert codes(check_patient(doubtful, TEST)) == {code: WARNING}
    assert ins_may_leave(doubtful, TEST)


def test_a_name_with_two_hyphens_and_an_apostrophe_is_as_insi_writes_it() -> None:
    assert check_patient(patient(birth_family="D'ESSAI--TEST DE LA"), TEST) == []


def test_a_compound_first_name_given_as_one_item() -> None:
    assert check_patient(patient(birth_given=["MARIE CLAUDE ANNE"], first_birth_given="MARIE CLAUDE"), TEST) == []


@pytest.mark.parametrize(
    ("matricule", "cog", "born", "warns"),
    [
        ("139062000400131", "2A004", "1939-06-02", False),
        ("139062000400131", "2B033", "1939-06-02", False),
        ("180032B02040123", "2B020", "1980-03-01", False),
        ("180032B02040123", "2A004", "1980-03-01", True),
        ("180032000400158", "2A004", "1980-03-01", True),
        ("175122000400115", "2A004", "1975-12-31", False),
        ("176012000400163", "2A004", "1976-01-01", True),
        ("139062000400131", "13055", "1939-06-02", True),
    ],
)
def test_corsica_was_20_until_1976(matricule: str, cog: str, born: str, *, warns: bool) -> None:
    corsican = patient(matricule=matricule, birth_place_cog=cog, birth_date=born, sex="M")
    found = codes(check_patient(corsican, TEST))
    assert ("INS-023" in found) is warns


def test_conventional_months_say_nothing_of_the_birth_date() -> None:
    found = codes(check_patient(patient(matricule="201992227890149"), TEST))
    assert "INS-022" not in found
    assert "INS-004" not in found


def test_a_nia_under_the_root_of_the_nir() -> None:
    nia = {"matricule": "761059939790670", "birth_date": "1961-05-05", "sex": "M", "birth_place_cog": "99397"}
    assert codes(check_patient(patient(PRODUCTION_OID, **nia), PRODUCTION)) == {"INS-011": WARNING}
    assert check_patient(patient(NIA_OID, **nia), PRODUCTION) == []
    assert check_patient(patient(TEST_OID, **nia), TEST) == []


@pytest.mark.parametrize(("born", "absurd"), [("1879-12-31", True), ("1880-01-01", False)])
def test_birth_before_1880(born: str, *, absurd: bool) -> None:
    found = codes(check_patient(patient(birth_date=born), TEST))
    assert (found.get("INS-020") is ERROR) is absurd


@pytest.mark.parametrize(("month", "born", "warns"), [("12", "12", False), ("12", "11", True), ("20", "11", False)])
def test_the_month_of_birth(month: str, born: str, *, warns: bool) -> None:
    found = codes(check_patient(patient(matricule=f"201{month}2227890155", birth_date=f"2001-{born}-14"), TEST))
    assert ("INS-022" in found) is warns


def test_which_of_the_two_given_names_is_missing() -> None:
    for field in ("birth_given", "first_birth_given"):
        (found,) = check_patient(patient(**{field: ...}), TEST)
        assert found.path == f"/patient/{field}"


def test_an_ins_among_the_local_numbers_is_said_to_be_one_or_the_second() -> None:
    local = [{"root": TEST_OID, "value": "201032227890155"}]
    (second,) = check_patient(patient(identifiers=local), TEST)
    assert "Deux INS" in second.message
    alone = {found.code: found.message for found in check_patient(patient(ins=..., identifiers=local), TEST)}
    assert "Deux" not in alone["INS-009"]


@pytest.mark.parametrize("attribute", ["douteuse", "fictive"])
def test_an_identity_in_doubt_stays_provisional(attribute: str) -> None:
    doubtful = patient(identity_attributes=[attribute])
    assert codes(check_patient(doubtful, TEST)) == {"INS-024": WARNING}
    assert not ins_may_leave(doubtful, TEST)
    provisional = patient(identity_attributes=[attribute], identity_status="PROV")
    assert codes(check_patient(provisional, TEST)) == {"INS-010": WARNING}


def test_a_homonym_is_no_obstacle() -> None:
    homonym = patient(identity_attributes=["homonyme"])
    assert check_patient(homonym, TEST) == []
    assert ins_may_leave(homonym, TEST)


def test_no_message_repeats_a_trait() -> None:
    traits = ["LE GOFF-ESSAI", "MAELYS", "2001", "22278", "201032227890199"]
    bad = patient(
        PRODUCTION_OID,
        "201032227890199",
        sex="M",
        birth_family="LE GOFF-ESSAI2",
        birth_date="2001-04-14",
        identifiers=[{"root": TEST_OID, "value": "201032227890155"}],
    )
    found = check_patient(bad, TEST)
    assert len(found) >= 5
    for finding in found:
        shown = finding.message + finding.advice + finding.path
        assert not [trait for trait in traits if trait in shown]
        assert finding.message
        assert finding.advice


@pytest.mark.parametrize(
    ("oid", "environment"),
    [(TEST_OID, TEST), (DEMO_OID, TEST), (PRODUCTION_OID, PRODUCTION), (NIA_OID, PRODUCTION), ("1.2.3", TEST)],
)
def test_the_world_of_an_ins(oid: str, environment: Environment) -> None:
    assert environment_of(Ins(matricule="201032227890155", oid=oid)) is environment
    assert environment_of(None) is TEST
