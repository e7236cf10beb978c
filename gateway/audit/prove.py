"""Inclusion proofs: records proven to stand in the signed journal without showing the others (RFC 9162 §2.1.3).

A proof holds the records' exact bytes, twenty-odd hashes for each, and the signed checkpoint that they lead to; it is
checked alone, with the public key. It comes in two kinds: what was journalled of one delivery, and what was of one
patient (a disclosure), where a statement signed by the practice says which person the pseudonym stands for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gateway.audit.verify import TOLD_EVERY, Progress
from gateway.errors import NotFoundError, StoreError
from gateway.findings import Finding, error, step
from gateway.store.checkpoint import Checkpoint, CheckpointError, Verifier, shard_of_origin
from gateway.store.journal import shard_of
from gateway.store.merkle import inclusion_proofs, leaf_hash, root, verify_inclusion

if TYPE_CHECKING:
    from gateway.store.base import DocumentRow, Store
    from gateway.store.snapshot import Entry, Snapshot

PROOF = "kine-gateway/proof/1"
DISCLOSURE = "kine-gateway/disclosure/1"
_ABOUT = "patient"

Record = dict[str, Any]


def prove_delivery(store: Store, delivery_id: str, progress: Progress | None = None) -> dict[str, Any]:
    """Proof of every record that a delivery has now, against a checkpoint signed for it. JSON-ready.

    Raises NotFoundError (DLV-404), StoreError (JRN-110: the journal does not lead to its own checkpoint).
    """
    shard = shard_of(store.delivery(delivery_id).row.account, store.shards)
    note, records = _prove(store, shard, lambda entry: entry.delivery == delivery_id, progress)
    if not records:
        raise NotFoundError("DLV-404", f"Aucun envoi {delivery_id}.", "Voir `kine-gateway queue list`.")
    return {"format": PROOF, "delivery": delivery_id, "checkpoint": note, "records": records}


def disclose(store: Store, documents: Sequence[DocumentRow], person: str | None, salt: str) -> dict[str, Any]:
    """Proof of every record about one patient's documents and their deliveries. JSON-ready, without identity.

    `documents` are all those of the patient; `person` is what identifies the patient in this account, None when the
    content that says so is erased: then no statement ties the pseudonym to a person. `salt` is random hex.

    Raises NotFoundError (DOC-404) without documents, StoreError (JRN-110).
    """
    names = {row.id for row in documents}
    if not names:
        raise NotFoundError("DOC-404", "Aucun document de ce patient.")
    marks = [name.encode() for name in names]

    def about(entry: Entry) -> bool:
        return any(mark in entry.record for mark in marks) and json.loads(entry.record).get("document") in names

    note, records = _prove(store, shard_of(documents[0].account, store.shards), about)
    pseudonym = documents[0].patient
    found = {"format": DISCLOSURE, "patient": pseudonym, "documents": sorted(names), "checkpoint": note}
    if person is not None:
        found["statement"] = store.attest(DISCLOSURE, f"{_ABOUT} {pseudonym} {salt} {_digest(salt, person)}")
    return found | {"records": records}


def is_person(proof: dict[str, Any], verifier: Verifier, person: str) -> bool:
    """Whether the practice's signed statement ties the disclosure's pseudonym to this person."""
    try:
        subject, line = verifier.open(proof["statement"]).split("\n")
        _, pseudonym, salt, digest = line.split(" ")
    except (CheckpointError, KeyError, ValueError, AttributeError, TypeError):
        return False
    return subject == DISCLOSURE and pseudonym == proof.get("patient") and digest == _digest(salt, person)


def _digest(salt: str, person: str) -> str:
    return sha256(f"{salt}|{person}".encode()).hexdigest()


def _prove(
    store: Store, shard: int, wanted: Callable[[Entry], bool], progress: Progress | None = None
) -> tuple[str, list[Record]]:
    """A checkpoint of a shard signed now, and the wanted records below it with their paths."""
    store.checkpoint()
    snapshot = store.snapshot()
    note, checkpoint = _latest(snapshot, shard)
    leaves: list[bytes] = []
    found: dict[int, bytes] = {}
    for entry in snapshot.records_of(shard):
        if entry.seq == checkpoint.size:
            break
        if progress is not None and entry.seq % TOLD_EVERY == 0:
            progress(entry.seq, checkpoint.size)
        leaves.append(leaf_hash(entry.record))
        if wanted(entry):
            found[entry.seq] = entry.record
    if root(leaves) != checkpoint.root:
        raise StoreError("JRN-110", "Le journal ne correspond pas à son point de contrôle.", "Lancer `journal verify`.")
    paths = inclusion_proofs(found, leaves)
    return note, [
        {"seq": seq, "record": data.decode(), "proof": [node.hex() for node in paths[seq]]}
        for seq, data in found.items()
    ]


def _latest(snapshot: Snapshot, shard: int) -> tuple[str, Checkpoint]:
    """The largest checkpoint of a shard that does not lie beyond the snapshot (another process may have gone on)."""
    for text in reversed(snapshot.notes):
        try:
            found = snapshot.verifier.verify(text)
        except CheckpointError:
            continue
        ours = shard_of_origin(snapshot.verifier.name, found.origin) == shard
        if ours and found.size <= snapshot.heads[shard].size:
            return text, found
    raise StoreError("JRN-111", "Le point de contrôle n'a pas pu être écrit.", "Vérifier journal.checkpoint_dir.")


def verify_proof(proof: dict[str, Any], verifier: Verifier) -> list[Finding]:
    """What is wrong with a proof of either kind; nothing when every record stands in the signed journal."""
    try:
        checkpoint = verifier.verify(proof["checkpoint"])
        records = [
            (int(item["seq"]), item["record"].encode(), [bytes.fromhex(node) for node in item["proof"]])
            for item in proof["records"]
        ]
        values = [_object(record) for _, record, _ in records]
        about, shard = _about(proof), shard_of_origin(verifier.name, checkpoint.origin)
    except CheckpointError:
        return [error("JRN-103", "/checkpoint", "Point de contrôle non signé par cette clé, ou abîmé.")]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return [error("JRN-107", "", "Ce n'est pas une preuve du journal.")]
    if not records:
        return [error("JRN-107", "/records", "La preuve ne contient aucun enregistrement.")]
    found = []
    for number, (seq, record, nodes) in enumerate(records):
        if not verify_inclusion(leaf_hash(record), seq, checkpoint.size, nodes, checkpoint.root):
            found.append(error("JRN-104", f"/records/{number}", "Cet enregistrement n'est pas dans le journal signé."))
        elif values[number].get("shard") != shard or not about(values[number], seq):
            message = "Cet enregistrement ne concerne pas ce que la preuve annonce."
            found.append(error("JRN-108", f"/records/{number}", message))
    return found + _statement(proof, verifier) + _unshown(proof, values)


def _object(record: bytes) -> Record:
    """A record's fields; none where it is no JSON object: it is then found by its hash, not by an exception."""
    try:
        value = json.loads(record)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _about(proof: dict[str, Any]) -> Callable[[Record, int], bool]:
    """Whether a record belongs in this proof. Raises KeyError, TypeError, ValueError: not a proof."""
    if proof["format"] == PROOF:
        delivery = proof["delivery"]
        return lambda record, seq: bool(record.get("delivery") == delivery and record.get("seq") == seq)
    if proof["format"] != DISCLOSURE:
        raise ValueError("unknown format")
    documents, patient = {str(name) for name in proof["documents"]}, proof["patient"]
    return lambda record, seq: bool(
        str(record.get("document")) in documents
        and record.get("seq") == seq
        and (record.get("event") != "document_accepted" or record.get("patient") == patient)
    )


def _unshown(proof: dict[str, Any], values: Sequence[Record]) -> list[Finding]:
    """A disclosure must show that each of its documents is the patient's: by the record of its acceptance."""
    if proof["format"] != DISCLOSURE:
        return []
    accepted = {str(value.get("document")) for value in values if value.get("event") == "document_accepted"}
    missing = sorted({str(name) for name in proof["documents"]} - accepted)
    message = "Rien ne montre que ce document est celui du patient : son acceptation manque."
    return [error("JRN-108", f"/documents/{step(name)}", message) for name in missing]


def _statement(proof: dict[str, Any], verifier: Verifier) -> list[Finding]:
    if "statement" not in proof:
        return []
    try:
        subject, line = verifier.open(proof["statement"]).split("\n")
    except (CheckpointError, ValueError, AttributeError, TypeError):
        return [error("JRN-103", "/statement", "Attestation non signée par cette clé, ou abîmée.")]
    if subject != DISCLOSURE or not line.startswith(f"{_ABOUT} {proof.get('patient')} "):
        return [error("JRN-108", "/statement", "L'attestation concerne un autre patient.")]
    return []
