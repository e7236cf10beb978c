from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway import store as stores
from gateway.audit.export import export
from gateway.audit.prove import prove_delivery, verify_proof
from gateway.audit.report import Report
from gateway.audit.verify import verify_export, verify_store
from gateway.errors import InputError, NotFoundError
from gateway.store import journal
from gateway.store.base import Result
from gateway.store.checkpoint import Signer, Verifier
from gateway.store.merkle import Frontier, leaf_hash
from gateway.store.outbox import Outbox
from gateway.store.states import Event, Transport
from tests.unit.store import kit

Lines = list[bytes]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Outbox]:
    opened = kit.open_store(tmp_path)
    for name in "abc":
        opened.accept(kit.request(name))
    for claim in opened.claim(kit.wanted()):
        opened.mark_transmitting(claim)
        opened.record(claim, Result(Event.TAKEN, Transport.SENT, "accepted", "MSS-250", text="250 reçu"))
    opened.checkpoint()
    yield opened
    opened.close()


@pytest.fixture
def early(store: Outbox, tmp_path: Path) -> Path:
    """A checkpoint that an auditor took away, with the journal that grew since."""
    taken = tmp_path / "auditor.txt"
    taken.write_text(max((tmp_path / "checkpoints").glob("checkpoint-*")).read_text())
    store.accept(kit.request("d"))
    store.checkpoint()
    return taken


def key_of(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / "journal.pub"


def exported(store: Outbox, tmp_path: Path) -> Path:
    path = tmp_path / "export.jsonl"
    path.write_bytes("".join(export(store)).encode())
    return path


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def test_an_honest_journal_verifies_in_place_and_from_its_export(store: Outbox, early: Path, tmp_path: Path) -> None:
    key = key_of(tmp_path)
    for report in (
        verify_store(store, public_key=key, checkpoint=early),
        verify_export(exported(store, tmp_path), public_key=key, checkpoint=early),
    ):
        assert report.ok, report.summary
        assert (report.size, report.signed, report.held) == (31, 31, 28)
        assert report.trusted_key
        assert report.root == store.snapshot().root.hex()


def test_an_export_is_records_byte_for_byte(store: Outbox, tmp_path: Path) -> None:
    lines = exported(store, tmp_path).read_bytes().splitlines()
    header = json.loads(lines[0])
    assert header["format"] == "kine-gateway/journal/1"
    records = [line for line in lines if line.startswith(b'{"hash"')]
    assert len(records) == header["size"] == store.snapshot().size
    for line, entry in zip(records, store.snapshot().records(), strict=True):
        value = json.loads(line)
        assert journal.canonical(value["record"]) == entry.record
        assert value["hash"] == entry.hash.hex()


def test_it_says_what_it_could_exclude_and_what_not(store: Outbox, early: Path, tmp_path: Path) -> None:
    bare = verify_store(store)
    assert not bare.trusted_key
    assert len(bare.excluded) == 1
    assert any("--checkpoint" in text for text in bare.not_excluded)
    assert any("clé publique" in text for text in bare.not_excluded)
    full = verify_store(store, public_key=key_of(tmp_path), checkpoint=early)
    assert any("troncature avant l'enregistrement 28" in text for text in full.excluded)
    assert [text for text in full.not_excluded if "3 derniers" in text]
    assert "La chaîne tient." in full.summary
    assert full.as_dict()["held"] == 28


# ------------------------------------------------------------------------------ an altered export


def records(lines: Lines) -> list[int]:
    return [number for number, line in enumerate(lines) if line.startswith(b'{"hash"')]


def change_a_byte(lines: Lines) -> None:
    at = records(lines)[5]
    lines[at] = lines[at].replace(b'"account":"cabinet"', b'"account":"cabinot"').replace(b'"prepared"', b'"prepareD"')


def remove(lines: Lines) -> None:
    del lines[records(lines)[5]]


def insert(lines: Lines) -> None:
    at = records(lines)[5]
    lines.insert(at, lines[at])


def reorder(lines: Lines) -> None:
    a, b = records(lines)[4:6]
    lines[a], lines[b] = lines[b], lines[a]


def forge_checkpoint(lines: Lines) -> None:
    at = next(number for number, line in enumerate(lines) if b'"checkpoint"' in line)
    note = json.loads(lines[at])["checkpoint"]
    origin, size, rest = note.split("\n", 2)
    lines[at] = json.dumps({"checkpoint": f"{origin}\n{int(size) - 1}\n{rest}"}).encode()


def lie_about_a_state(lines: Lines) -> None:
    at = next(number for number, line in enumerate(lines) if line.startswith(b'{"delivery"'))
    lines[at] = lines[at].replace(b'"sent"', b'"dead"').replace(b'"prepared"', b'"sent"')


def hide_a_delivery(lines: Lines) -> None:
    del lines[next(number for number, line in enumerate(lines) if line.startswith(b'{"delivery"'))]


def break_a_line(lines: Lines) -> None:
    lines[records(lines)[5]] = b'{"hash":"zz'


def garbage(lines: Lines) -> None:
    lines.append(b"\xff\x00 not a line")


@pytest.mark.parametrize(
    ("alter", "expected"),
    [
        (change_a_byte, {"JRN-101"}),
        (remove, {"JRN-101", "JRN-102"}),
        (insert, {"JRN-101", "JRN-102"}),
        (reorder, {"JRN-101", "JRN-102"}),
        (forge_checkpoint, {"JRN-103"}),
        (lie_about_a_state, {"JRN-106"}),
        (hide_a_delivery, {"JRN-106"}),
        (break_a_line, {"JRN-107"}),
        (garbage, {"JRN-107"}),
    ],
)
def test_an_altered_export_is_found_out(
    store: Outbox, tmp_path: Path, alter: Callable[[Lines], None], expected: set[str]
) -> None:
    path = exported(store, tmp_path)
    lines = path.read_bytes().splitlines()
    alter(lines)
    path.write_bytes(b"\n".join(lines) + b"\n")
    report = verify_export(path, public_key=key_of(tmp_path))
    assert not report.ok
    assert expected <= codes(report), report.summary
    assert report.excluded == ()


def rewrite(lines: Lines, keep: int, edit: Callable[[bytes], bytes], signer: Signer | None = None) -> Lines:
    """Redo the journal as the holder of the key can: records, chain, header, states and new checkpoints."""
    header = json.loads(lines[0])
    kept = [lines[number] for number in records(lines)][:keep]
    tree, last, out = Frontier(), journal.GENESIS, []
    for line in kept:
        record = edit(line[len(b'{"hash":"') + 64 + len(b'","record":') : -1])
        last = journal.chain_hash(last, record)
        tree.append(leaf_hash(record))
        out.append(b'{"hash":"' + last.hex().encode() + b'","record":' + record + b"}")
    header |= {"size": tree.size, "root": tree.root().hex()}
    states: dict[str, tuple[str, str]] = {}
    for line in out:
        record = json.loads(line)["record"]
        if "delivery" in record and "state" in record:
            states[record["delivery"]] = (record["state"], record["receipt"])
    notes = [] if signer is None else [json.dumps({"checkpoint": signer.sign(tree.size, tree.root())}).encode()]
    standing = [json.dumps({"delivery": d, "state": s, "receipt": r}).encode() for d, (s, r) in states.items()]
    return [json.dumps(header).encode(), *notes, *out, *standing]


@pytest.mark.parametrize("attack", ["truncate", "rewrite"])
def test_the_key_holder_is_caught_by_an_earlier_checkpoint_only(
    store: Outbox, early: Path, tmp_path: Path, attack: str
) -> None:
    path, key = exported(store, tmp_path), key_of(tmp_path)
    signer = Signer.load(kit.settings(tmp_path).journal.key_file, kit.settings(tmp_path).journal.origin)
    keep = 20 if attack == "truncate" else 31

    def edit(record: bytes) -> bytes:
        return record.replace(b'"ACC-001"', b'"ACC-009"') if attack == "rewrite" else record

    path.write_bytes(b"\n".join(rewrite(path.read_bytes().splitlines(), keep, edit, signer)) + b"\n")
    fooled = verify_export(path, public_key=key)
    assert fooled.ok  # nothing in the file betrays it, and the report says so
    assert any("détenteur de la clé" in text for text in fooled.not_excluded)
    caught = verify_export(path, public_key=key, checkpoint=early)
    assert codes(caught) == {"JRN-105" if attack == "truncate" else "JRN-104"}


def test_a_journal_redone_with_another_key_is_caught_by_the_public_key(store: Outbox, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path, other = exported(store, tmp_path), Signer("kine-gateway.local/journal", Ed25519PrivateKey.generate())
    lines = rewrite(path.read_bytes().splitlines(), 31, lambda record: record, other)
    header = json.loads(lines[0]) | {"public_key": other.verifier.dump().strip()}
    path.write_bytes(b"\n".join([json.dumps(header).encode(), *lines[1:]]) + b"\n")
    assert verify_export(path).ok
    assert {"JRN-103", "JRN-109"} <= codes(verify_export(path, public_key=key_of(tmp_path)))


# ------------------------------------------------------------------------------ an altered store


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["UPDATE delivery SET state = 'dead' WHERE rowid = 1"], {"JRN-106"}),
        (["UPDATE delivery SET receipt = 'processed' WHERE rowid = 1"], {"JRN-106"}),
        (["DROP TRIGGER journal_no_update", "UPDATE journal SET record = replace(record, 'ACC', 'BCC')"], {"JRN-101"}),
        (["DROP TRIGGER journal_no_update", "UPDATE journal SET delivery = NULL WHERE seq = 2"], {"JRN-108"}),
        (["DROP TRIGGER journal_no_delete", "DELETE FROM journal WHERE seq = 3"], {"JRN-101", "JRN-102", "JRN-108"}),
        (["DROP TRIGGER journal_no_delete", "DELETE FROM journal WHERE seq > 25"], {"JRN-105", "JRN-108"}),
        (["DROP TRIGGER journal_head_grows", "UPDATE journal_head SET hash = zeroblob(32)"], {"JRN-108"}),
    ],
)
def test_an_altered_store_is_found_out(
    store: Outbox, tmp_path: Path, statements: list[str], expected: set[str]
) -> None:
    connection = sqlite3.connect(stores.database_path(kit.settings(tmp_path)), isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()
    report = verify_store(store)
    assert not report.ok
    assert expected <= codes(report), report.summary


def test_a_lost_checkpoint_folder_is_no_alarm_but_signs_nothing(store: Outbox, tmp_path: Path) -> None:
    for path in (tmp_path / "checkpoints").glob("checkpoint-*"):
        path.unlink()
    report = verify_store(store)
    assert report.ok
    assert (report.signed, report.checkpoints) == (0, 0)


@pytest.mark.parametrize("which", ["export", "key", "checkpoint"])
def test_unusable_files_are_said_to_be_so(store: Outbox, tmp_path: Path, which: str) -> None:
    good, rubbish = exported(store, tmp_path), tmp_path / "rubbish"
    rubbish.write_bytes(b"\xff\xfe rubbish")
    files = {"export": (rubbish, None, None), "key": (good, rubbish, None), "checkpoint": (good, None, rubbish)}
    given, key, checkpoint = files[which]
    with pytest.raises(InputError, match="JRN-107"):
        verify_export(given, public_key=key, checkpoint=checkpoint)


def test_a_thousand_faults_do_not_fill_the_memory(store: Outbox, tmp_path: Path) -> None:
    path = exported(store, tmp_path)
    path.write_bytes(path.read_bytes() + b"x\n" * 5000)
    assert len(verify_export(path).findings) == 1000


# ------------------------------------------------------------------------------ proofs


def test_a_delivery_is_proven_without_the_others(store: Outbox, tmp_path: Path) -> None:
    delivery = store.deliveries()[0]
    proof = json.loads(json.dumps(prove_delivery(store, delivery.id)))
    assert [json.loads(item["record"])["event"] for item in proof["records"]] == [
        json.loads(record)["event"] for record in store.delivery(delivery.id).records
    ]
    verifier = Verifier.parse(key_of(tmp_path).read_text())
    assert verify_proof(proof, verifier) == []
    others = [row.id for row in store.deliveries() if row.id != delivery.id]
    assert not any(other in json.dumps(proof) for other in others)


@pytest.mark.parametrize("what", ["record", "seq", "proof", "checkpoint", "delivery", "empty", "rubbish"])
def test_an_altered_proof_proves_nothing(store: Outbox, tmp_path: Path, what: str) -> None:
    proof = prove_delivery(store, store.deliveries()[0].id)
    verifier = Verifier.parse(key_of(tmp_path).read_text())
    first = proof["records"][0]
    if what == "record":
        first["record"] = first["record"].replace("accepted", "acceptex")
    elif what == "seq":
        first["seq"] += 1
    elif what == "proof":
        first["proof"] = first["proof"][1:]
    elif what == "checkpoint":
        proof["checkpoint"] = proof["checkpoint"].replace("\n31\n", "\n30\n").replace("\n28\n", "\n27\n")
    elif what == "delivery":
        proof["delivery"] = store.deliveries()[1].id
    elif what == "empty":
        proof["records"] = []
    else:
        proof = {"records": 3}
    assert verify_proof(proof, verifier) != []


def test_no_proof_of_what_is_unknown(store: Outbox) -> None:
    with pytest.raises(NotFoundError):
        prove_delivery(store, "nothing")
