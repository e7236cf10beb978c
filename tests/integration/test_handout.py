"""Handing over on paper: the sheet to sign before the document, PDF/A like the others, and what is never printed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest

from gateway.api import Gateway
from gateway.errors import InputError
from gateway.store.states import Receipt
from gateway.validate import pdf as pdf_check
from tests.integration.practice import Practice, case, open_practice

BILAN = "01_entorse_cheville_bilan"


@pytest.fixture
def practice(tmp_path: Path, certificates: Path) -> Iterator[Practice]:
    made = open_practice(tmp_path, certificates=certificates)
    yield made
    made.box.close()


@pytest.fixture
def gateway(practice: Practice) -> Iterator[Gateway]:
    with Gateway.open(practice.config) as opened:
        yield opened


def of_patient(gateway: Gateway, document: str) -> Any:
    [found] = [d for d in gateway.status(document).deliveries if d.destination == "patient"]
    return found


def submit(gateway: Gateway, **visibility: bool) -> str:
    value = case(BILAN)
    value["visibility"] = visibility
    return gateway.submit(json.dumps(value).encode()).document_id


def bounced(gateway: Gateway) -> Any:
    """The patient's delivery of a document, sent and come back from a closed box."""
    document = submit(gateway)
    gateway.deliver_due()
    delivery = of_patient(gateway, document)
    assert (delivery.transport, delivery.receipt) == ("sent", "awaited")
    code = {"evidence_sha256": "11" * 32, "code": "MSS-RCPT-5-2-1"}
    assert gateway.store.record_receipt(delivery.id, Receipt.REFUSED, **code)
    return of_patient(gateway, document)


def test_a_closed_box_ends_on_paper(gateway: Gateway, preflight: Callable[[bytes], list[str]]) -> None:
    delivery = bounced(gateway)
    made = gateway.linked.handout(delivery.id)
    assert preflight(made) == []
    assert pdf_check.check(made) == []
    document = gateway.rendering(delivery.document_id, "pdf")
    sheet, *pages = pypdf.PdfReader(io.BytesIO(made)).pages
    own = pypdf.PdfReader(io.BytesIO(document)).pages
    assert [page.extract_text() for page in pages] == [page.extract_text() for page in own]
    text = " ".join(sheet.extract_text().split())
    for said in (
        "Remis le (date et heure)",
        "Signature de cette personne",
        delivery.id,
        "n'a pas pu recevoir le message",
    ):
        assert said in text.replace("’", "'"), said
    patient = case(BILAN)["patient"]
    assert patient["birth_family"].upper() in text or (patient.get("used_family") or "").upper() in text
    assert gateway.linked.handout(delivery.id)[:1000] == made[:1000]
    done = gateway.handed(delivery.id, means="main_propre", by="Mme Martin", reason="remis au cabinet")
    assert (done.transport, done.receipt) == ("handed_over", "refused")


def test_whatever_sends_it_to_paper_the_file_conforms(
    gateway: Gateway, preflight: Callable[[bytes], list[str]]
) -> None:
    value = case(BILAN)
    value["patient"]["identity_status"] = "PROV"
    document = gateway.submit(json.dumps(value).encode()).document_id
    delivery = of_patient(gateway, document)
    assert (delivery.transport, delivery.reason) == ("impossible", "DST-NO-INS")
    made = gateway.linked.handout(delivery.id)
    assert preflight(made) == []
    assert "pas qualifiée" in " ".join(pypdf.PdfReader(io.BytesIO(made)).pages[0].extract_text().split())


def test_what_is_hidden_from_the_patient_is_not_printed_for_him(gateway: Gateway) -> None:
    delivery = of_patient(gateway, submit(gateway, hidden_from_patient=True))
    with pytest.raises(InputError, match="PRT-001"):
        gateway.linked.handout(delivery.id)


def test_what_is_hidden_from_parents_is_for_the_minor_in_person(gateway: Gateway) -> None:
    delivery = of_patient(gateway, submit(gateway, hidden_from_representatives=True))
    text = pypdf.PdfReader(io.BytesIO(gateway.linked.handout(delivery.id))).pages[0].extract_text()
    assert "jamais à ses représentants" in " ".join(text.split())


def test_a_withdrawn_document_is_not_handed_over(gateway: Gateway) -> None:
    document = submit(gateway)
    gateway.withdraw(document, reason="error", by="Mme Martin", note="x")
    with pytest.raises(InputError, match="PRT-003"):
        gateway.linked.handout(of_patient(gateway, document).id)


def test_the_folder_makes_the_sheet_and_takes_it_away(practice: Practice) -> None:
    with Gateway.open(practice.config) as gateway:
        delivery = bounced(gateway)
        account = delivery.account
    value = case(BILAN)
    practice.drop(value, "dupont_bilan", account)  # the same document: known by its key
    practice.run()
    printable = practice.outbox(account) / "a_imprimer"
    assert f"{delivery.id}.pdf" in {path.name for path in printable.iterdir()}
    page = (practice.outbox(account) / "A_FAIRE.html").read_text(encoding="utf-8")
    assert f"a_imprimer/{delivery.id}.pdf" in page
    assert "main propre" in page
    order = {"format": "kine-gateway/action/1", "action": "handed_over", "delivery": delivery.id}
    order |= {"by": "Mme Martin", "reason": "remis", "means": "main_propre"}
    practice.drop(order, "dupont_bilan", account, suffix=".action.json")
    practice.run()
    assert f"{delivery.id}.pdf" not in {path.name for path in printable.iterdir()}
    assert delivery.id not in (practice.outbox(account) / "A_FAIRE.html").read_text(encoding="utf-8")


def test_orders_in_the_folder_readdress_print_and_withdraw(practice: Practice) -> None:
    value = case(BILAN)
    value["visibility"] = {}
    value["recipients"][0]["mssante"] = "inconnu.modele@medecin.mssante.example"
    account = value["account"]
    practice.drop(value, "bilan", account)
    practice.run()
    order = {"format": "kine-gateway/action/1", "by": "Mme Martin", "reason": "boîte changée"}
    doctor = "helene.modele@medecin.mssante.example"
    here = {"action": "readdress", "to": doctor, "name": "MODELE", "destination": "medecin_traitant"}
    practice.drop({**order, **here}, "bilan", account, suffix=".action.json")
    practice.run()
    status = practice.status(account, "bilan")
    first, *_, new = [d for d in status["deliveries"] if d["destination"] == "medecin_traitant"]
    assert (first["transport"], first["succeeded_by"]) == ("superseded", new["delivery_id"])
    assert (new["transport"], new["succeeds"]) == ("sent", first["delivery_id"])
    practice.drop(
        {**order, "action": "print", "destination": "medecin_traitant"}, "bilan", account, suffix=".action.json"
    )
    practice.run()
    assert (practice.outbox(account) / "a_imprimer" / f"{new['delivery_id']}.pdf").exists()
    practice.drop({**order, "action": "withdraw", "why": "wrong_patient"}, "bilan", account, suffix=".action.json")
    practice.run()
    status = practice.status(account, "bilan")
    assert status["withdrawn_at"]
    assert {d["transport"] for d in status["deliveries"] if d["purpose"] != "document"} == {"sent"}
    assert status["done"]
    wrong = {**order, "action": "readdress", "to": "x@gmail.com", "name": "MODELE", "destination": "medecin_traitant"}
    practice.drop(wrong, "bilan", account, suffix=".action.json")
    practice.run()
    assert any("action" in path.name for path in (practice.outbox(account) / "rejected").iterdir())
