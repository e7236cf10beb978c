from __future__ import annotations

from typing import Any

import pytest

from gateway.findings import Severity
from gateway.records.access import AccessMode
from gateway.rules import check_account, check_author, check_destinations, routes
from gateway.rules.destinations import luhn
from gateway.rules.trust_space import TrustList
from gateway.settings import Settings
from tests.unit.submission_samples import account, assessment, put, sound

R = "/recipients/0/"
P = "/patient/"
V = "/visibility/"
BOX = "helene.modele@medecin.mssante.example"
SECOND = {
    "role": "medecin_adresseur",
    "family": "AUTRE",
    "given": "Jean",
    "mssante": "jean.autre@medecin.mssante.example",
}
OPPOSED = {"date": "2025-10-06", "author": "G. Testou"}


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    value = assessment()
    for pointer, new in changes.items():
        put(value, pointer, new)
    return value


def test_everything_reachable_brings_nothing(trust: TrustList) -> None:
    submission = sound(assessment())
    assert check_destinations(submission, account(), trust) == []
    assert [(r.destination, r.reason) for r in routes(submission, account(), trust)] == [
        ("medecin_traitant", None),
        ("patient", None),
        ("dmp", None),
    ]


ROWS: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("unknown doctor", {"/recipients": [{"role": "medecin_traitant", "known": False}]}, {"DST-NO-MT": "warning"}),
    (
        "unknown colleague",
        {"/recipients/0/role": "medecin_traitant", R + "known": False, R + "mssante": None},
        {"DST-NO-MT": "warning"},
    ),
    ("nobody said", {"/recipients": []}, {"DST-NO-MT": "warning", "DST-UNSAID": "warning"}),
    ("no box", {R + "mssante": None}, {"DST-NO-BOX": "warning"}),
    ("opposition", {R + "opposition": OPPOSED}, {"DST-OPPOSITION": "info"}),
    ("outside", {R + "mssante": "helene.modele@gmail.com"}, {"DST-OUTSIDE": "error"}),
    ("subdomain", {R + "mssante": "h@evil.medecin.mssante.example"}, {"DST-OUTSIDE": "error"}),
    ("patient's box", {R + "mssante": "201032227890155@patient.mssante.fr"}, {"DST-PATIENT-BOX": "error"}),
    ("own box", {R + "mssante": "Gwenael.Testou@kine.mssante.example"}, {"DST-SELF": "warning"}),
    ("rpps", {R + "rpps": "99700002018"}, {"CPT-003": "warning"}),
    ("not qualified", {P + "identity_status": "VALI"}, {"DST-NO-INS": "warning"}),
    ("on paper", {P + "delivery": "hand"}, {}),
    ("no mail wanted", {P + "mail_opposition": OPPOSED}, {"DST-OPPOSITION": "info"}),
    ("no DMP", {P + "dmp/exists": False}, {"DST-NO-DMP": "info"}),
    ("DMP not asked", {P + "dmp/exists": None}, {}),
    ("DMP refused", {P + "dmp/opposition": OPPOSED}, {"DST-OPPOSITION": "info"}),
    ("hidden", {V + "hidden_from_patient": True}, {"DST-HIDDEN": "info"}),
    ("hidden and on paper", {V + "hidden_from_patient": True, P + "delivery": "hand"}, {"DST-HIDDEN": "info"}),
    ("masked", {V + "masked_to_professionals": True}, {"DST-MASKED": "warning"}),
    (
        "masked, nobody mailed",
        {V + "masked_to_professionals": True, R + "opposition": OPPOSED},
        {"DST-OPPOSITION": "info"},
    ),
    (
        "masked and hidden",
        {V + "masked_to_professionals": True, V + "hidden_from_patient": True},
        {"DST-VISIBILITY": "warning", "DST-HIDDEN": "info", "DST-MASKED": "warning"},
    ),
    ("adult's parents", {V + "hidden_from_representatives": True}, {"DST-HIDDEN": "info", "DST-ADULT": "warning"}),
    (
        "minor's parents",
        {V + "hidden_from_representatives": True, P + "birth_date": "2007-10-07"},
        {"DST-HIDDEN": "info"},
    ),
]


@pytest.mark.parametrize(("changes", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_destinations(changes: dict[str, Any], expected: dict[str, str], trust: TrustList) -> None:
    found = check_destinations(sound(changed(changes)), account(), trust)
    assert {f.code: f.severity for f in found} == {code: Severity(value) for code, value in expected.items()}
    assert all(f.message and f.advice for f in found)
    assert not [f for f in found if "helene" in f.message + f.advice]


def test_each_fault_names_its_recipient(trust: TrustList) -> None:
    value = assessment()
    value["recipients"].append({**SECOND, "mssante": "jean@gmail.com"})
    (found,) = check_destinations(sound(value), account(), trust)
    assert (found.code, found.path) == ("DST-OUTSIDE", "/recipients/1/mssante")


def test_the_same_box_twice(trust: TrustList) -> None:
    value = assessment()
    value["recipients"].append({**SECOND, "mssante": BOX.upper()})
    assert [f.code for f in check_destinations(sound(value), account(), trust)] == ["DST-TWICE"]


def test_an_account_without_mail_or_dmp(trust: TrustList) -> None:
    bare = account(smtp=None, dmp=None)
    found = [f.code for f in check_destinations(sound(assessment()), bare, trust)]
    assert found == ["DST-NO-SMTP", "DST-NO-SMTP", "DST-NO-DMP-ACCESS"]


def test_a_trust_list_without_the_patients_domain(trust: TrustList) -> None:
    short = TrustList(trust.domains - {"patient.mssante.fr"}, trust.date, trust.source)
    (found,) = check_destinations(sound(assessment()), account(), short)
    assert (found.code, found.severity) == ("DST-PATIENT-TRUST", Severity.WARNING)
    assert next(r for r in routes(sound(assessment()), account(), short) if r.destination == "patient").reason


def test_without_a_trust_list_nothing_is_said_to_be_inside() -> None:
    (found,) = check_destinations(sound(assessment()), account(), None)
    assert found.code == "DST-NO-TRUST"


def test_access_without_prescription_must_say_who_the_doctor_is(trust: TrustList) -> None:
    for mode in AccessMode:
        value = changed({"/access/mode": mode.value, "/recipients": []})
        codes = {f.code for f in check_destinations(sound(value), account(), trust)}
        assert ("DST-UNSAID" in codes) is (mode.value.startswith("direct") or mode is AccessMode.URGENCE)


def test_hidden_from_the_patient_is_never_mailed_to_the_patient(trust: TrustList) -> None:
    for hidden in ("hidden_from_patient", "hidden_from_representatives"):
        submission = sound(changed({V + hidden: True}))
        patient = next(r for r in routes(submission, account(), trust) if r.destination == "patient")
        assert patient.reason == "DST-HIDDEN"


def settings(**changes: Any) -> Settings:
    return Settings.model_validate(
        {
            "store": {"url": "sqlite:///x.db"},
            "sealing": {"key_file": "k"},
            "journal": {"checkpoint_dir": "c", "key_file": "k"},
            "trust_space": {"file": "t"},
            "account": [account(**changes).model_dump()],
        }
    )


def test_account() -> None:
    submission = sound(assessment())
    assert check_account(submission, settings()) == []
    (unknown,) = check_account(submission, settings(id="autre"))
    assert (unknown.code, unknown.severity, unknown.path) == ("CPT-001", Severity.ERROR, "/account")
    (stranger,) = check_account(submission, settings(rpps="99700001060"))
    assert (stranger.code, stranger.severity, stranger.path) == ("CPT-002", Severity.ERROR, "/author/rpps")


def test_an_author_whose_number_is_mistyped() -> None:
    submission = sound(put(assessment(), "/author/rpps", "99700001012"))
    assert [(f.code, f.severity) for f in check_author(submission, account())] == [
        ("CPT-003", Severity.WARNING),
        ("CPT-002", Severity.ERROR),
    ]


@pytest.mark.parametrize(
    ("digits", "sound"),
    [
        ("79927398713", True),
        ("79927398710", False),
        ("99700001011", True),
        ("99700002019", True),
        ("99700003066", True),
    ],
)
def test_luhn(digits: str, sound: bool) -> None:
    # 79927398713 is the worked example of the algorithm's description.
    assert luhn(digits) is sound


def test_the_rule_behind_an_address_outside(trust: TrustList) -> None:
    (outside,) = check_destinations(sound(changed({R + "mssante": "x@gmail.com"})), account(), trust)
    (nowhere,) = check_destinations(sound(changed({R + "mssante": None})), account(), trust)
    assert "espace de confiance" in outside.source
    assert nowhere.source == ""


@pytest.mark.parametrize(("born", "adult"), [("2007-10-06", True), ("2007-10-07", False), ("2007-09-30", True)])
def test_a_patient_is_adult_on_the_eighteenth_birthday(born: str, *, adult: bool, trust: TrustList) -> None:
    value = changed({V + "hidden_from_representatives": True, P + "birth_date": born})
    assert ("DST-ADULT" in {f.code for f in check_destinations(sound(value), account(), trust)}) is adult


def test_recipients_of_one_role_are_told_apart(trust: TrustList) -> None:
    value = assessment()
    value["recipients"] += [SECOND, {**SECOND, "mssante": "b@medecin.mssante.example"}, {**SECOND, "known": False}]
    found = routes(sound(value), account(), trust)
    assert [(r.role, r.recipient, r.reason) for r in found if r.channel == "mssante"] == [
        ("medecin_traitant", 0, None),
        ("medecin_adresseur", 1, None),
        ("medecin_adresseur_2", 2, None),
        ("medecin_adresseur_3", 3, "DST-UNKNOWN"),
        ("patient", None, None),
    ]


def test_an_unsaid_doctor_comes_first_as_impossible(trust: TrustList) -> None:
    value = put(assessment(), "/recipients", [SECOND])
    first, second, *_ = routes(sound(value), account(), trust)
    assert (first.destination, first.reason, first.recipient) == ("medecin_traitant", "DST-NO-MT", None)
    assert (second.destination, second.reason) == ("professional", None)


OWNER, REPLACEMENT = "99700001011", "99700002019"


def by_replacement(status: str | None = "remplacant") -> dict[str, Any]:
    value = changed({"/author/rpps": REPLACEMENT})
    return value if status is None else put(value, "/access/practitioner_status", status)


def test_who_replaces_is_the_author_and_the_mailbox_stays_the_owners() -> None:
    mine = account(replacements=[REPLACEMENT])
    assert {f.code: f.severity for f in check_author(sound(by_replacement()), mine)} == {"CPT-005": Severity.INFO}
    assert check_author(sound(changed({})), mine) == []  # the owner's own documents say nothing of it


def test_a_replacement_who_is_not_named_in_the_account_stops() -> None:
    [found] = check_author(sound(by_replacement()), account())
    assert (found.code, found.severity) == ("CPT-002", Severity.ERROR)


def test_a_replacement_with_another_status_is_a_doubt() -> None:
    mine = account(replacements=[REPLACEMENT])
    codes = {f.code for f in check_author(sound(by_replacement("titulaire")), mine)}
    assert codes == {"CPT-005", "CPT-006"}


@pytest.mark.parametrize(("mode", "reason"), [("direct", "DST-OTHER-CARD"), ("indirect", None)])
def test_the_owners_card_does_not_feed_the_dmp_for_another(mode: str, reason: str | None, trust: TrustList) -> None:
    tls = {"ca_file": "ca.pem"}
    feed = {"url": "https://127.0.0.1", "tls": tls, "sign_cert_file": "c.pem", "sign_key_file": "k.pem", "mode": mode}
    mine = account(replacements=[REPLACEMENT], dmp=feed)
    [dmp] = [r for r in routes(sound(by_replacement()), mine, trust) if r.destination == "dmp"]
    assert dmp.reason == reason
    [own] = [r for r in routes(sound(changed({})), mine, trust) if r.destination == "dmp"]
    assert own.reason is None
