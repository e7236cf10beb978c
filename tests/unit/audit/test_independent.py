"""docs/journal.md says how to recompute an export without the product: this does it, from that page alone."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.audit.export import export
from gateway.store.base import Result
from gateway.store.states import Event, Transport
from tests.unit.store import kit
from tests.unit.store.engines import engine, postgres, pytest_generate_tests, schemas

__all__ = ["engine", "postgres", "pytest_generate_tests", "schemas"]


def tree(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01" + tree(leaves[:k]) + tree(leaves[k:])).digest()


def recompute(lines: list[str], public_key: str) -> dict[str, tuple[str, str]]:
    """Raises when anything does not fit; returns where the records leave each delivery."""
    header = json.loads(lines[0])
    heads = header["shards"] if header["format"].endswith("/2") else [header]
    leaves: list[list[bytes]] = [[] for _ in heads]
    last = [bytes(32) for _ in heads]
    notes = []
    stands: dict[str, tuple[str, str]] = {}
    table: dict[str, tuple[str, str]] = {}
    for line in lines[1:]:
        value = json.loads(line)
        if "anchor" in value:
            continue
        if "checkpoint" in value:
            notes.append(value["checkpoint"])
        elif "record" in value:
            raw = line.rstrip("\n").split('","record":', 1)[1][:-1].encode()
            record = value["record"]
            shard = record["shard"]
            last[shard] = sha256(b"\x00" + last[shard] + raw).digest()
            assert last[shard].hex() == value["hash"]
            assert record["seq"] == len(leaves[shard])
            leaves[shard].append(sha256(b"\x00" + raw).digest())
            if "delivery" in record and "state" in record:
                stands[record["delivery"]] = (record["state"], record["receipt"])
        else:
            table[value["delivery"]] = (value["state"], value["receipt"])
    assert [(head["size"], head["root"]) for head in heads] == [(len(of), tree(of).hex()) for of in leaves]
    assert stands == table
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.split("+", 2)[2])[1:])
    for note in notes:
        text, _, signature = note.partition("\n\n")
        key.verify(base64.b64decode(signature.split()[-1])[4:], (text + "\n").encode())
        origin, size, root = text.split("\n")
        number = origin.removeprefix(header["origin"])
        assert base64.b64decode(root) == tree(leaves[int(number[1:] or "0")][: int(size)])
    assert notes
    return stands


def test_an_export_can_be_recomputed_from_the_page(tmp_path: Path) -> None:
    store = kit.open_store(tmp_path)
    for number, name in enumerate("abcdefg"):
        store.accept(kit.request(name, account=("cabinet", "autre")[number % 2]))
        store.checkpoint()
    for claim in store.claim(kit.wanted()):
        store.mark_transmitting(claim)
        store.record(claim, Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", text="250 reçu “ok”"))
    store.checkpoint()
    lines = list(export(store))
    stands = recompute(lines, (tmp_path / "checkpoints" / "journal.pub").read_text())
    assert len(stands) == 14
    store.close()


@pytest.mark.engine("none")
def test_every_finding_of_the_audit_is_on_the_page(root: Path) -> None:
    import re

    code = "".join(path.read_text() for path in (root / "gateway" / "audit").glob("*.py"))
    code += (root / "gateway" / "cli" / "journal.py").read_text()
    page = (root / "docs" / "journal.md").read_text()
    assert set(re.findall(r"JRN-\d{3}", code)) == set(re.findall(r"JRN-\d{3}", page))
