"""INSi over mutual TLS: the library and the commands against the sandbox, and what a wrong INS stops."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.api import Gateway
from gateway.api.ins import InsOffice
from gateway.cli.app import app
from gateway.cli.practice import read_submissions, write_practice
from gateway.clock import SystemClock
from gateway.errors import ConfigError, InputError
from gateway.records.people import IdentityAttribute, IdentityStatus, Patient
from gateway.sandbox.insi import Matricule, Person
from gateway.sandbox.service import Sandbox
from tests.integration.practice import CASES, case

FILES = [CASES / f"{name}.json" for name in ("07_bpco_bilan", "10_poignet_identite_validee_bilan")]
BY = "Mme Essai"


class Practice:
    """A sandbox, its configuration, and the gateway on it."""

    def __init__(self, box: Sandbox, config: Path) -> None:
        self.box = box
        self.config = config
        self.gateway = Gateway.open(config)
        self.office = InsOffice(self.gateway, sleep=lambda _: None)

    def cli(self, *arguments: str, text: str | None = None) -> Result:
        return CliRunner().invoke(app, ["ins", *arguments, "--config", str(self.config)], input=text)

    def journal(self) -> str:
        return "".join(self.gateway.export_journal())

    def asked(self) -> list[dict[str, Any]]:
        records = [json.loads(line).get("record", {}) for line in self.gateway.export_journal()]
        return [record for record in records if record.get("event") == "insi_asked"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sandbox's authority and clients, made once."""
    folder = tmp_path_factory.mktemp("insi")
    with Sandbox(folder / "sandbox", clock=SystemClock()) as box:
        write_practice(folder, box, read_submissions(FILES))
    return folder / "sandbox" / "pki"


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    import shutil

    shutil.copytree(certificates, tmp_path / "sandbox" / "pki")
    box = Sandbox(tmp_path / "sandbox", clock=SystemClock())
    box.start()
    made = Practice(box, write_practice(tmp_path, box, read_submissions(FILES)))
    yield made
    made.gateway.close()
    box.close()


def patient(name: str = "07_bpco_bilan", **changes: Any) -> Patient:
    return Patient.model_validate({**case(name)["patient"], **changes})


def somebody(family: str, given: list[str], sex: str, born: date, **more: Any) -> Patient:
    return Patient.model_validate(
        {"birth_family": family, "birth_given": given, "sex": sex, "birth_date": born, **more}
    )


ACCOUNT = "cabinet-07"


# -------------------------------------------------------------------------------------------------------- search


def test_an_identity_is_retrieved_and_qualified_when_it_was_proven(practice: Practice) -> None:
    found = practice.office.search(patient("10_poignet_identite_validee_bilan"), by=BY, account=ACCOUNT)
    assert found.ok
    assert (found.before, found.after) == (IdentityStatus.VALIDEE, IdentityStatus.QUALIFIEE)
    assert found.patient is not None
    assert found.patient.identity_status is IdentityStatus.QUALIFIEE
    assert found.patient.birth_given == ("JEAN-BAPTISTE", "MARIE")
    bare = patient("10_poignet_identite_validee_bilan", identity_status="PROV", ins=None)
    assert practice.office.search(bare, by=BY, account=ACCOUNT).after is IdentityStatus.RECUPEREE


def test_the_procedure_goes_on_until_one_is_left(practice: Practice) -> None:
    person = somebody("Essai-Homonyme", ["Marie", "Claude"], "F", date(1955, 11, 30), birth_place_cog="13055")
    found = practice.office.search(person, by=BY, account=ACCOUNT)
    assert [one["step"] for one in found.asked] == ["first", "each", "all", "place"]
    assert [one["answer"] for one in found.asked] == ["02", "01", "02", "00"]
    assert found.ok
    assert [q.given_names for q in practice.box.insi.questions()] == [1, 1, 2, 2]


def test_another_first_name_is_not_taken_over(practice: Practice) -> None:
    person = somebody("ESSAI-AUTREPRENOM", ["OLA", "CATARINA"], "F", date(1936, 6, 21))
    found = practice.office.search(person, by=BY, account=ACCOUNT)
    assert found.ins is not None
    assert found.differing == ("birth_given",)
    assert (found.ok, found.after) == (False, IdentityStatus.PROVISOIRE)


def test_a_production_oid_never_serves_a_test_account(practice: Practice) -> None:
    found = practice.office.search(
        somebody("ESSAI-ATTENTE", ["AMINATA"], "F", date(1995, 5, 5)), by=BY, account=ACCOUNT
    )
    assert found.ins is not None
    assert found.ins["kind"] == "NIA"
    assert "INS-008" in {f.code for f in found.findings}
    assert not found.ok


def test_keys_that_do_not_hold_are_told(practice: Practice) -> None:
    found = practice.office.search(
        somebody("ESSAI-CLEFAUSSE", ["GATIEN"], "M", date(1981, 3, 24)), by=BY, account=ACCOUNT
    )
    assert [f.code for f in found.findings] == ["TSI-012"]
    assert found.ok


@pytest.mark.parametrize("attribute", [IdentityAttribute.DOUTEUSE, IdentityAttribute.FICTIVE])
def test_in_doubt_the_service_is_not_asked(attribute: IdentityAttribute, practice: Practice) -> None:
    person = patient(identity_status="PROV", identity_attributes=[attribute])
    assert practice.office.search(person, by=BY, account=ACCOUNT).outcome == "not_asked"
    assert practice.office.verify(person, by=BY, account=ACCOUNT).verdict == "not_asked"
    assert practice.box.insi.questions() == []
    assert practice.asked() == []
    homonym = patient(identity_attributes=["homonyme"])
    assert practice.office.search(homonym, by=BY, account=ACCOUNT).ok


@pytest.mark.parametrize(
    ("kind", "reason", "calls"),
    [
        ("refuse", "TSI-UNAVAILABLE", 3),
        ("busy", "TSI-HTTP", 3),
        ("unavailable", "TSI-CONNECT", 3),
        ("drop_after_data", "TSI-CONNECT", 3),
        ("reject", "TSI-FAULT", 1),
    ],
)
def test_failures_are_results_and_transient_ones_are_tried_again(
    kind: str, reason: str, calls: int, practice: Practice
) -> None:
    practice.box.faults.set("insi", kind, count=-1)
    found = practice.office.search(patient(), by=BY, account=ACCOUNT)
    assert (found.ok, found.outcome, found.after) == (False, reason, found.before)
    assert [(record["verdict"], record["size"]) for record in practice.asked()] == [(reason, calls)]
    [told] = [f for f in found.findings if f.code == "TSI-004"]
    assert told.advice


def test_a_passing_absence_is_overcome(practice: Practice) -> None:
    practice.box.faults.set("insi", "refuse", count=2)
    assert practice.office.search(patient(), by=BY, account=ACCOUNT).ok
    assert practice.asked()[0]["size"] == 3


def test_a_slow_service_ends_in_a_timeout(practice: Practice) -> None:
    text = practice.config.read_text().replace("[account.insi]\n", "[account.insi]\ntimeout = 0.2\nretries = 0\n")
    practice.config.write_text(text)
    practice.box.faults.set("insi", "delay", count=1, seconds=1.0)
    with Gateway.open(practice.config) as gateway:
        assert gateway.ins.search(patient(), by=BY, account=ACCOUNT).outcome == "TSI-TIMEOUT"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('idam = "BACASABLE0001"', 'idam = "INCONNU"', "TSI-IDAM"),
        ("cabinet-07-insi-auth", "cabinet-07-auth", "TSI-CERT-CN"),
    ],
)
def test_faults_of_configuration_are_named_and_not_repeated(
    old: str, new: str, reason: str, practice: Practice
) -> None:
    practice.config.write_text(practice.config.read_text().replace(old, new))
    with Gateway.open(practice.config) as gateway:
        found = gateway.ins.search(patient(), by=BY, account=ACCOUNT)
    assert found.outcome == reason
    assert len(practice.box.insi.questions()) == 1


def test_a_server_of_another_authority_is_not_asked(practice: Practice, tmp_path: Path) -> None:
    from gateway.sandbox.pki import create_pki

    other = create_pki(tmp_path / "other", SystemClock())
    insi = practice.config.read_text()
    place = insi.index("[account.insi]")
    practice.config.write_text(insi[:place] + insi[place:].replace(str(practice.box.ca_path), str(other.ca_path)))
    with Gateway.open(practice.config) as gateway:
        assert gateway.ins.search(patient(), by=BY, account=ACCOUNT).outcome == "TSI-TLS-VERIFY"
    assert practice.box.insi.questions() == []


def test_which_account_asks(practice: Practice) -> None:
    with pytest.raises(ConfigError, match="CFG-031"):
        practice.office.search(patient(), by=BY)
    with pytest.raises(ConfigError, match="CFG-030"):
        practice.office.search(patient(), by=BY, account="personne")
    with pytest.raises(InputError, match="DLV-003"):
        practice.office.search(patient(), by=" ", account=ACCOUNT)
    assert practice.box.insi.questions() == []


# -------------------------------------------------------------------------------------------------------- verify


def submitted(practice: Practice, name: str = "07_bpco_bilan") -> str:
    return practice.gateway.submit((CASES / f"{name}.json").read_bytes()).document_id


def transports(practice: Practice, document: str) -> set[tuple[str, str | None]]:
    return {(d.transport, d.reason) for d in practice.gateway.status(document).deliveries}


def in_base(**changes: Any) -> Person:
    """The patient of the fixture as the sandbox's base describes her, changed."""
    one = patient()
    assert one.ins is not None
    assert one.birth_date is not None
    active = Matricule(one.ins.matricule[:13], one.ins.matricule[13:], one.ins.oid)
    person = Person("ESSAI-CASTELLI", "LAETITIA ANTOINETTE", "F", one.birth_date.isoformat(), "2B033", active)
    return replace(person, **changes)


OTHER = Matricule("252072B033999", "12", "1.2.250.1.213.1.4.10")

WRONG = {
    "none": ([], "TSI-STOP-NONE"),
    "several": ([in_base(), in_base(active=OTHER)], "TSI-STOP-SEVERAL"),
    "changed": ([in_base(active=OTHER, history=(in_base().active,))], "TSI-STOP-CHANGED"),
    "other_traits": ([in_base(cog="13055")], "TSI-STOP-TRAITS"),
}


def test_a_confirmed_ins_stops_nothing(practice: Practice) -> None:
    document = submitted(practice)
    found = practice.office.verify(patient(), by=BY, account=ACCOUNT)
    assert (found.verdict, found.stopped, found.held) == ("confirmed", False, ())
    assert {state for state, _ in transports(practice, document)} == {"prepared"}


@pytest.mark.parametrize("verdict", WRONG)
def test_a_wrong_ins_stops_what_waits_and_what_comes(verdict: str, practice: Practice) -> None:
    people, reason = WRONG[verdict]
    document = submitted(practice)
    practice.box.insi.people.remove("ESSAI-CASTELLI")
    practice.box.insi.people.add(people)
    found = practice.office.verify(patient(), by=BY, account=ACCOUNT)
    assert (found.verdict, found.stopped, len(found.held)) == (verdict, True, 4)
    assert found.found.after is IdentityStatus.VALIDEE, "the proof by a document stays"
    assert found.found.patient is None, "nothing is taken over from an answer that contradicts"
    assert transports(practice, document) == {("held", reason)}
    report = practice.gateway.check((CASES / "07_bpco_compte_rendu.json").read_bytes())
    assert "INS-046" in {f.code for f in report.findings}
    assert transports(practice, submitted(practice, "07_bpco_compte_rendu")) == {("held", reason)}
    [stop] = [one for one in practice.office.stops() if one.account == ACCOUNT]
    assert (stop.reason, stop.by) == (reason, BY)
    assert stop.advice
    assert practice.gateway.verify_journal().ok


def test_no_answer_stops_nothing(practice: Practice) -> None:
    document = submitted(practice)
    practice.box.faults.set("insi", "busy", count=-1)
    found = practice.office.verify(patient(), by=BY, account=ACCOUNT)
    assert (found.verdict, found.stopped) == ("unknown", False)
    assert {state for state, _ in transports(practice, document)} == {"prepared"}


def test_without_ins_there_is_nothing_to_verify(practice: Practice) -> None:
    found = practice.office.verify(patient(ins=None), by=BY, account=ACCOUNT)
    assert found.verdict == "not_asked"
    assert "INS-039" in {f.code for f in found.found.findings}
    assert practice.box.insi.questions() == []


def test_a_search_that_finds_another_ins_says_so(practice: Practice) -> None:
    practice.box.insi.people.change(in_base(active=OTHER, history=(in_base().active,)))
    found = practice.office.search(patient(), by=BY, account=ACCOUNT)
    [told] = [f for f in found.findings if f.code == "INS-045"]
    assert "ancien INS" in told.message


def test_resumed_and_released(practice: Practice) -> None:
    document = submitted(practice)
    practice.box.insi.people.remove("ESSAI-CASTELLI")
    held = practice.office.verify(patient(), by=BY, account=ACCOUNT).held
    practice.box.insi.people.add([in_base()])
    again = practice.office.verify(patient(), by=BY, account=ACCOUNT)
    assert again.verdict == "confirmed"
    assert [f.code for f in again.findings] == ["INS-040"]
    ins = patient().ins
    assert ins is not None
    assert set(practice.office.resume(ins.matricule, by=BY, release=True)) == set(held)
    assert {state for state, _ in transports(practice, document)} == {"prepared"}
    with pytest.raises(InputError, match="INS-041"):
        practice.office.resume(ins.matricule, by=BY)


def test_a_proof_is_journalled_with_its_kind_and_person(practice: Practice) -> None:
    moved = practice.office.prove(ACCOUNT, patient(identity_status="RECUP"), proof="CN", by=BY)
    assert (moved.before, moved.after) == (IdentityStatus.RECUPEREE, IdentityStatus.QUALIFIEE)
    [record] = practice.asked()
    assert (record["kind"], record["verdict"], record["by"]) == ("proof-CN", "RECUP-QUAL", BY)
    refused = practice.office.prove(ACCOUNT, patient(identity_status="RECUP"), proof="CV", by=BY)
    assert [f.code for f in refused.findings] == ["INS-035"]
    assert len(practice.asked()) == 1


# ------------------------------------------------------------------------------------------------------- privacy


def test_no_trait_reaches_the_journal_a_log_or_a_file_name(
    practice: Practice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    submitted(practice)
    practice.office.search(patient(), by=BY, account=ACCOUNT)
    practice.box.faults.set("insi", "reject")
    practice.office.search(patient(), by=BY, account=ACCOUNT)
    practice.box.insi.people.remove("ESSAI-CASTELLI")
    practice.office.verify(patient(), by=BY, account=ACCOUNT)
    names = " ".join(path.name for path in practice.config.parent.rglob("*"))
    database = b"".join(path.read_bytes() for path in practice.config.parent.glob("gateway.sqlite*"))
    said = caplog.text + practice.journal() + names
    for trait in ("CASTELLI", "LAETITIA", "ANTOINETTE", "252072B033", "1952-07-21", "2B033"):
        assert trait not in said
        assert trait.encode() not in database


# ------------------------------------------------------------------------------------------------------ commands


def test_commands(practice: Practice) -> None:
    file = str(FILES[0])
    shown = practice.cli("search", "--file", file, "--account", ACCOUNT, "--by", BY, "--json")
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["ins"]["matricule"] == "252072B03312336"
    typed = "Essai-Colonna\nAnge\nM\n1980-03-02\n\n"
    assert "180032A00401289" in practice.cli("search", "--account", ACCOUNT, "--by", BY, text=typed).stdout
    alone = json.dumps(
        {"birth_family": "Essai-Colonna", "birth_given": ["Ange"], "sex": "M", "birth_date": "1980-03-02"}
    )
    asked = practice.cli("search", "--file", "-", "--account", ACCOUNT, "--by", BY, "--json", text=alone)
    assert json.loads(asked.stdout)["ins"]["matricule"] == "180032A00401289"
    wrong = practice.cli("search", "--account", ACCOUNT, text=typed.replace("1980-03-02", "2 mars 1980"))
    assert isinstance(wrong.exception, InputError)
    assert wrong.exception.code == "INS-044"

    assert "INS confirmé" in practice.cli("verify", file, "--account", ACCOUNT, "--by", BY).stdout
    document = submitted(practice)
    practice.box.insi.people.remove("ESSAI-CASTELLI")
    refused = practice.cli("verify", file, "--account", ACCOUNT, "--by", BY, "--json")
    assert refused.exit_code == 1
    assert (json.loads(refused.stdout)["verdict"], len(json.loads(refused.stdout)["held"])) == ("none", 4)
    assert "TSI-STOP-NONE" in practice.cli("stops").stdout
    assert practice.cli("resume", "--release", text="252072B03312336\nn\n").exit_code == 1
    assert {state for state, _ in transports(practice, document)} == {"held"}
    resume = ["resume", "--matricule-from-stdin", "--release", "--yes", "--by", BY, "--json"]
    resumed = practice.cli(*resume, text="2 52 07 2B 033 123 36\n")
    assert len(json.loads(resumed.stdout)["released"]) == 4
    proven = practice.cli("prove", file, "--proof", "PA", "--account", ACCOUNT, "--by", BY, "--json")
    assert json.loads(proven.stdout)["status"] == {"before": "QUAL", "after": "QUAL"}


def test_verify_by_answers_tells_what_left_under_the_wrong_ins(practice: Practice) -> None:
    document = submitted(practice)
    delivery = practice.gateway.status(document).deliveries[0].id
    practice.gateway.handed(delivery, by=BY, reason="urgent", means="main_propre")
    practice.box.insi.people.change(in_base(active=OTHER))
    typed = "252072B03312336\nESSAI-CASTELLI\nLAETITIA\nF\n1952-07-21\n\n"
    shown = practice.cli("verify", "--account", ACCOUNT, "--by", BY, text=typed)
    assert shown.exit_code == 1
    assert "INS changé" in shown.stdout
    assert "déjà partis sous cet INS" in shown.stdout
    assert delivery in shown.stdout
    assert "withdraw" in shown.stdout
