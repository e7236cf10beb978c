"""`patient oppose`, `unoppose` and `list`, as they are typed; what the faces then say of later documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.api import Gateway
from gateway.errors import InputError
from tests.e2e.test_commands import as_json, gateway
from tests.integration.practice import CASES, Practice, case, open_practice

BILAN, SUMMARY = "01_entorse_cheville_bilan", "01_entorse_cheville_compte_rendu"
BY = ["--by", "Mme Martin"]
STOPPED = ("impossible", "DST-OPPOSITION")


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path / "practice", certificates=certificates)
    yield made
    made.box.close()


def submit(opened: Gateway, name: str) -> str:
    return opened.submit(json.dumps(case(name)).encode()).document_id


def stands(opened: Gateway, document: str) -> dict[str, tuple[str, str | None]]:
    return {one.destination: (one.transport, one.reason) for one in opened.status(document).deliveries}


def typed(practice: Practice, *words: Any) -> Any:
    return as_json(gateway("patient", *words, "--json", config=practice.config))


def test_a_patient_objects_and_changes_his_mind(practice: Practice) -> None:
    with Gateway.open(practice.config) as opened:
        first = submit(opened, BILAN)
        found = typed(practice, "oppose", "--of", first, "--to", "patient", *BY)
        assert found["new"]
        assert [one["destination"] for one in found["stopped"]] == ["patient"]
        assert not typed(practice, "oppose", "--file", CASES / f"{BILAN}.json", "--to", "patient", *BY)["new"]
        opened.deliver_due()
        assert stands(opened, first)["patient"] == STOPPED
        assert stands(opened, first)["medecin_traitant"][0] == "sent"
        report = opened.check(json.dumps(case(SUMMARY)).encode())
        assert "DST-OPPOSED" in {finding.code for finding in report.findings}
        later = submit(opened, SUMMARY)
        assert stands(opened, later)["patient"] == STOPPED
        [known] = typed(practice, "list", "--of", later)
        assert (known["to"], known["by"]) == ("patient", "Mme Martin")
        released = typed(practice, "unoppose", "--of", later, "--to", "patient", "--release", *BY)["released"]
        assert len(released) == 2
        opened.deliver_due()
        assert {stands(opened, one)["patient"][0] for one in (first, later)} == {"sent"}
        assert typed(practice, "list") == []
        assert opened.verify_journal().ok
    matricule = case(BILAN)["patient"]["ins"]["matricule"]
    assert len(practice.box.mail.messages(f"{matricule}@patient.mssante.fr")) == 2


def test_what_he_objects_to_goes_no_other_way(practice: Practice) -> None:
    with Gateway.open(practice.config) as opened:
        document = submit(opened, BILAN)
        opened.oppositions.oppose(document, "medecin_traitant", by="Mme Martin")
        [delivery] = [one for one in opened.status(document).deliveries if one.destination == "medecin_traitant"]
        order = {"by": "Mme Martin", "reason": "x"}
        with pytest.raises(InputError, match="DST-OPPOSITION"):
            opened.readdress(delivery.id, to="autre@medecin.mssante.example", name="MODELE", **order)
        with pytest.raises(InputError, match="DST-OPPOSITION"):
            opened.linked.reprepare(delivery.id, **order)
        with pytest.raises(InputError, match="PRT-002"):
            opened.linked.handout(delivery.id)


def test_words_that_are_no_destination_are_refused(practice: Practice) -> None:
    run = gateway("patient", "oppose", "--of", "x", "--to", "tout le monde", *BY, "--json", config=practice.config)
    assert run.returncode != 0
    with Gateway.open(practice.config) as opened:
        document = submit(opened, BILAN)
        run = gateway("patient", "oppose", "--of", document, "--to", "personne", *BY, "--json", config=practice.config)
        assert json.loads(run.stdout)["findings"][0]["code"] == "OPP-003"
        assert opened.oppositions.list() == []
