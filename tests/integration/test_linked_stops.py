"""What stops a delivery to a mailbox stops the one that takes another's place just the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.api import Gateway
from tests.integration.practice import Practice, open_practice
from tests.integration.test_linked import BY, DOCTOR, mails, one, submission


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, certificates=certificates)
    yield made
    made.box.close()


@pytest.fixture
def gateway(practice: Practice) -> Iterator[Gateway]:
    with Gateway.open(practice.config) as opened:
        yield opened


def test_a_mailbox_that_the_patient_objects_to_is_not_reached_by_another_way(
    practice: Practice, gateway: Gateway
) -> None:
    document = gateway.submit(submission()).document_id
    gateway.deliver_due()
    gateway.oppositions.oppose(document, DOCTOR, by="Mme Martin")
    new = gateway.readdress(one(gateway, document).id, to=DOCTOR, name="Dr Hélène MODELE", **BY).delivery
    assert new is not None
    assert (new.transport, new.reason) == ("impossible", "DST-OPPOSITION")
    gateway.deliver_due()
    assert mails(practice, DOCTOR) == []


def test_a_recipient_who_is_not_this_patients_is_not_reached_by_another_way(
    practice: Practice, gateway: Gateway
) -> None:
    gateway.submit(submission(DOCTOR))
    gateway.deliver_due()
    [sent] = [d for d in gateway.deliveries() if d.role == "medecin_traitant"]
    gateway.receipts.not_my_patient(sent.id, by="Mme Martin", reason="n'est plus sa patiente")
    before = len(mails(practice, DOCTOR))
    assert before == 1
    wrong = gateway.submit(submission(name="01_entorse_cheville_compte_rendu")).document_id
    gateway.deliver_due()
    new = gateway.readdress(one(gateway, wrong).id, to=DOCTOR, name="Dr Hélène MODELE", **BY).delivery
    assert new is not None
    assert new.transport == "held"
    gateway.deliver_due()
    assert len(mails(practice, DOCTOR)) == before
