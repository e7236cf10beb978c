"""A disclosure shows one patient's records, all of them proven, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.prove import DISCLOSURE, disclose, is_person, prove_delivery, verify_proof
from gateway.errors import NotFoundError
from gateway.store.checkpoint import Signer, Verifier
from gateway.store.outbox import Outbox
from tests.unit.store import kit

ANNA, BOB = "ins|anna", "ins|bob"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Outbox]:
    opened = kit.open_store(tmp_path)
    for name, person in (("a", ANNA), ("b", BOB), ("c", ANNA), ("d", BOB)):
        opened.accept(replace(kit.request(name), patient=person))
    opened.claim(kit.wanted())
    yield opened
    opened.close()


@pytest.fixture
def verifier(tmp_path: Path, store: Outbox) -> Verifier:
    store.checkpoint()
    return Verifier.parse((tmp_path / "checkpoints" / "journal.pub").read_text())


def shown(store: Outbox, person: str | None = ANNA) -> dict[str, Any]:
    found = disclose(store, store.documents("cabinet", ANNA), person, "5a17")
    return dict(json.loads(json.dumps(found)))


def test_all_of_one_patient_and_nothing_of_another(store: Outbox, verifier: Verifier) -> None:
    proof = shown(store)
    assert verify_proof(proof, verifier) == []
    mine = {row.id for row in store.documents("cabinet", ANNA)}
    of_mine = [entry.seq for entry in store.snapshot().records() if json.loads(entry.record).get("document") in mine]
    assert [item["seq"] for item in proof["records"]] == of_mine
    text = json.dumps(proof)
    for row in store.documents("cabinet", BOB):
        assert row.id not in text
        assert row.patient not in text
        assert not any(delivery in text for delivery in row.delivery_ids)
    assert "anna" not in text


def test_the_signed_statement_ties_it_to_the_person_only(store: Outbox, verifier: Verifier) -> None:
    proof = shown(store)
    assert is_person(proof, verifier, ANNA)
    assert not is_person(proof, verifier, BOB)
    bare = shown(store, person=None)
    assert "statement" not in bare
    assert verify_proof(bare, verifier) == []
    assert not is_person(bare, verifier, ANNA)


def other_key(proof: dict[str, Any], folder: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    signer = Signer("kine-gateway.local/journal", Ed25519PrivateKey.generate())
    proof["statement"] = signer.attest(DISCLOSURE, proof["statement"].split("\n")[1])


def hide_an_acceptance(proof: dict[str, Any], folder: Path) -> None:
    proof["records"] = [item for item in proof["records"] if "document_accepted" not in item["record"]]


def another_patient(proof: dict[str, Any], folder: Path) -> None:
    proof["patient"] = "0" * len(proof["patient"])


def another_document(proof: dict[str, Any], folder: Path) -> None:
    proof["documents"][0] = "nothing"


def moved(proof: dict[str, Any], folder: Path) -> None:
    proof["records"][0]["seq"] += 1


def changed(proof: dict[str, Any], folder: Path) -> None:
    proof["records"][0]["record"] = proof["records"][0]["record"].replace("accepted", "acceptee")


def swapped_statement(proof: dict[str, Any], folder: Path) -> None:
    proof["statement"] = proof["checkpoint"]


@pytest.mark.parametrize(
    "alter", [other_key, hide_an_acceptance, another_patient, another_document, moved, changed, swapped_statement]
)
def test_an_altered_disclosure_proves_nothing(
    store: Outbox, verifier: Verifier, tmp_path: Path, alter: Callable[[dict[str, Any], Path], None]
) -> None:
    proof = shown(store)
    alter(proof, tmp_path)
    assert verify_proof(proof, verifier) != []


def test_a_statement_is_never_taken_for_a_checkpoint(store: Outbox, verifier: Verifier) -> None:
    proof = shown(store)
    assert verify_proof({**proof, "checkpoint": proof["statement"]}, verifier)
    with pytest.raises(ValueError, match="checkpoint"):
        store.attest("kine-gateway.local/journal", "12")


def test_a_statement_ties_no_proof_of_a_delivery_to_a_person(store: Outbox, verifier: Verifier) -> None:
    delivery = store.documents("cabinet", BOB)[0].delivery_ids[0]
    proof = {**prove_delivery(store, delivery), "statement": shown(store)["statement"]}
    assert not is_person(proof, verifier, ANNA)


def test_nothing_to_disclose(store: Outbox) -> None:
    with pytest.raises(NotFoundError):
        disclose(store, [], ANNA, "5a17")
