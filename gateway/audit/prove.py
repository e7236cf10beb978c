"""Inclusion proofs: one delivery's records, proven to stand in the signed journal without showing the others.

The proof holds the records' exact bytes, twenty-odd hashes for each, and the signed checkpoint that they lead to; it is
checked alone, with the public key (RFC 9162 §2.1.3).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gateway.errors import NotFoundError, StoreError
from gateway.findings import Finding, error
from gateway.store.checkpoint import Checkpoint, CheckpointError, Verifier
from gateway.store.merkle import inclusion_proof, leaf_hash, root, verify_inclusion

if TYPE_CHECKING:
    from gateway.store.base import Store
    from gateway.store.snapshot import Snapshot

FORMAT = "kine-gateway/proof/1"


def prove_delivery(store: Store, delivery_id: str) -> dict[str, Any]:
    """Proof of every record that a delivery has now, against a checkpoint signed for it. JSON-ready.

    Raises NotFoundError (DLV-404), StoreError (JRN-110: the journal does not lead to its own checkpoint).
    """
    store.checkpoint()
    snapshot = store.snapshot()
    note, checkpoint = _latest(snapshot)
    leaves: list[bytes] = []
    found = []
    for entry in snapshot.records():
        if entry.seq == checkpoint.size:
            break
        leaves.append(leaf_hash(entry.record))
        if entry.delivery == delivery_id:
            found.append((entry.seq, entry.record))
    if not found:
        raise NotFoundError("DLV-404", f"Aucun envoi {delivery_id}.")
    if root(leaves) != checkpoint.root:
        raise StoreError("JRN-110", "Le journal ne correspond pas à son point de contrôle.", "Lancer `journal verify`.")
    records = [
        {"seq": seq, "record": data.decode(), "proof": [node.hex() for node in inclusion_proof(seq, leaves)]}
        for seq, data in found
    ]
    return {"format": FORMAT, "delivery": delivery_id, "checkpoint": note, "records": records}


def _latest(snapshot: Snapshot) -> tuple[str, Checkpoint]:
    """The largest checkpoint that does not lie beyond the snapshot (another process may have gone on)."""
    for text in reversed(snapshot.notes):
        try:
            found = snapshot.verifier.verify(text)
        except CheckpointError:
            continue
        if found.size <= snapshot.size:
            return text, found
    raise StoreError("JRN-111", "Le point de contrôle n'a pas pu être écrit.", "Vérifier journal.checkpoint_dir.")


def verify_proof(proof: dict[str, Any], verifier: Verifier) -> list[Finding]:
    """What is wrong with a proof; nothing when every record stands in the signed journal."""
    try:
        checkpoint = verifier.verify(proof["checkpoint"])
        records = [
            (int(item["seq"]), item["record"].encode(), [bytes.fromhex(node) for node in item["proof"]])
            for item in proof["records"]
        ]
        delivery = proof["delivery"]
    except CheckpointError:
        return [error("JRN-103", "/checkpoint", "Point de contrôle non signé par cette clé, ou abîmé.")]
    except (KeyError, TypeError, ValueError, AttributeError):
        return [error("JRN-107", "", "Ce n'est pas une preuve du journal.")]
    if not records:
        return [error("JRN-107", "/records", "La preuve ne contient aucun enregistrement.")]
    found = []
    for number, (seq, record, nodes) in enumerate(records):
        if not verify_inclusion(leaf_hash(record), seq, checkpoint.size, nodes, checkpoint.root):
            found.append(error("JRN-104", f"/records/{number}", "Cet enregistrement n'est pas dans le journal signé."))
        elif not _about(record, seq, delivery):
            found.append(error("JRN-108", f"/records/{number}", "Cet enregistrement concerne un autre envoi."))
    return found


def _about(record: bytes, seq: int, delivery: str) -> bool:
    value = json.loads(record)
    return bool(value.get("delivery") == delivery and value.get("seq") == seq)
