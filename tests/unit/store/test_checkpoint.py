from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import StoreError
from gateway.store.checkpoint import CheckpointError, CheckpointFolder, Signer, Verifier, create_signing_key
from gateway.store.outbox import Outbox
from tests.unit.store import kit

ROOT = bytes(range(32))


def signer(origin: str = "kine.example/journal") -> Signer:
    return Signer(origin, Ed25519PrivateKey.from_private_bytes(b"k" * 32))


def test_the_form_is_that_of_c2sp() -> None:
    note = signer().sign(7, ROOT)
    body, _, signature = note.partition("\n\n")
    assert body == f"kine.example/journal\n7\n{base64.b64encode(ROOT).decode()}"
    dash, name, encoded = signature.removesuffix("\n").split(" ")
    assert (dash, name) == ("—", "kine.example/journal")
    assert len(base64.b64decode(encoded)) == 4 + 64
    assert base64.b64decode(encoded)[:4].hex() == signer().verifier.dump().split("+")[1]


def test_the_verifier_key_of_the_c2sp_specification_reads() -> None:
    # The example of C2SP signed-note: name, key id and key belong together.
    text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    verifier = Verifier.parse(text)
    assert verifier.name == "PeterNeumann"
    assert verifier.dump().strip() == text


def test_a_signed_note_of_the_go_documentation_verifies() -> None:
    # golang.org/x/mod/sumdb/note, package example: the text is no checkpoint, so only the signature is looked at.
    verifier = Verifier.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    line = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    assert verifier._signed(text, line)
    assert not verifier._signed(text + " ", line)


def test_what_is_signed_verifies() -> None:
    checkpoint = signer().verifier.verify(signer().sign(7, ROOT))
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == ("kine.example/journal", 7, ROOT)


@pytest.mark.parametrize(
    ("old", "new"), [("\n7\n", "\n8\n"), ("AAEC", "AAED"), ("kine.example/journal\n7", "kine.example/other\n7")]
)
def test_a_changed_checkpoint_does_not(old: str, new: str) -> None:
    note = signer().sign(7, ROOT)
    assert old in note
    with pytest.raises(CheckpointError):
        signer().verifier.verify(note.replace(old, new))


@pytest.mark.parametrize("note", ["", "x", "a\n1\nb\n\n", "a\n1\nAA==\n\n— a AAAA\n", "\n\n\n", "— — —"])
def test_rubbish_is_no_checkpoint(note: str) -> None:
    with pytest.raises(CheckpointError):
        signer().verifier.verify(note)


def test_another_key_does_not_sign_for_this_one() -> None:
    other = Signer("kine.example/journal", Ed25519PrivateKey.from_private_bytes(b"z" * 32))
    with pytest.raises(CheckpointError):
        signer().verifier.verify(other.sign(7, ROOT))


def test_a_second_signature_is_no_harm() -> None:
    other = Signer("witness", Ed25519PrivateKey.from_private_bytes(b"z" * 32))
    note = signer().sign(7, ROOT) + other.sign(7, ROOT).split("\n\n")[1]
    assert signer().verifier.verify(note).size == 7


@pytest.mark.parametrize(
    "text", ["", "a+b", "a+00000000+AAAA", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"]
)
def test_rubbish_is_no_key(text: str) -> None:
    with pytest.raises(CheckpointError):
        Verifier.parse(text)


def test_keys_are_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "journal.pem"
    create_signing_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(StoreError, match="SEA-001"):
        create_signing_key(path)
    assert Signer.load(path, "a").verifier.name == "a"
    path.chmod(0o644)
    with pytest.raises(StoreError, match="SEA-003"):
        Signer.load(path, "a")


@pytest.mark.parametrize("origin", ["", "a b", "a+b"])
def test_an_origin_that_would_break_the_form_is_refused(tmp_path: Path, origin: str) -> None:
    create_signing_key(tmp_path / "k")
    with pytest.raises(StoreError, match="JRN-002"):
        Signer.load(tmp_path / "k", origin)


def test_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_bytes(b"rubbish")
    path.chmod(0o600)
    with pytest.raises(StoreError, match="JRN-001"):
        Signer.load(path, "a")
    with pytest.raises(StoreError, match="SEA-002"):
        Signer.load(tmp_path / "missing", "a")


def test_the_folder_keeps_every_checkpoint(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints", signer())
    assert folder.latest() is None
    for size in (9, 10, 100):
        folder.write(size, ROOT)
    folder.write(100, ROOT)
    latest = folder.latest()
    assert latest is not None
    assert latest.size == 100
    assert len(list(folder.path.glob("checkpoint-*"))) == 3
    assert Verifier.parse((folder.path / "journal.pub").read_text()) == signer().verifier
    folder.write(100, ROOT[::-1])  # a journal that forked leaves both
    assert len(list(folder.path.glob("checkpoint-*"))) == 4
    (folder.path / "checkpoint-999999999999-00000000.txt").write_text("damaged")
    latest = folder.latest()
    assert latest is not None
    assert latest.size == 100


@pytest.mark.engine("sqlite")  # several shards: test_shards.py
def test_a_checkpoint_every_so_many_records_and_at_the_end(tmp_path: Path) -> None:
    journal = {**kit.settings(tmp_path).journal.model_dump(), "every_records": 5}
    store = kit.open_store(tmp_path, journal=journal)
    for name in "abcd":  # 1 + 4 × 3 records
        store.accept(kit.request(name))
    sizes = [int(path.name.split("-")[1]) for path in sorted((tmp_path / "checkpoints").glob("checkpoint-*"))]
    assert sizes == [7, 10]
    store.close()
    sizes = [int(path.name.split("-")[1]) for path in sorted((tmp_path / "checkpoints").glob("checkpoint-*"))]
    assert sizes == [7, 10, 13]


def test_a_folder_that_cannot_be_written_does_not_undo_the_commit(store: Outbox, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    store.accept(kit.request())
    store.checkpoint()
    assert len(store.deliveries()) == 2
    (tmp_path / "checkpoints").unlink()
