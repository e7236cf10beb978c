from __future__ import annotations

import base64
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from gateway import store as stores
from gateway.clock import SeededRandomness, SystemRandomness
from gateway.errors import NotFoundError, StateError, StoreError
from gateway.store.outbox import Outbox
from gateway.store.sealing import DocumentKey, Vault, Wrapped, create_master_key
from tests.unit.store import kit

IDS = SeededRandomness("sealing")


def vault(byte: bytes = b"m") -> Vault:
    return Vault(byte * 32, IDS)


def document_key(document: str = "d1") -> DocumentKey:
    return vault().new_key(document)[0]


def test_what_is_sealed_opens_only_in_its_place() -> None:
    key = document_key()
    sealed = key.seal(b"content", "artifact", "a1", "sealed")
    assert b"content" not in sealed
    assert key.open(sealed, "artifact", "a1", "sealed") == b"content"
    for place in [("delivery", "a1", "sealed"), ("artifact", "a2", "sealed"), ("artifact", "a1", "manifest")]:
        with pytest.raises(StoreError, match="SEA-006"):
            key.open(sealed, *place)
    with pytest.raises(StoreError, match="SEA-006"):
        key.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "artifact", "a1", "sealed")


def test_places_cannot_run_into_each_other() -> None:
    key = document_key()
    with pytest.raises(StoreError):
        key.open(key.seal(b"x", "ab", "c", "d"), "a", "bc", "d")


def test_a_document_key_is_wrapped_for_its_document() -> None:
    key, wrapped = vault().new_key("d1")
    again = vault().open_key("d1", wrapped)
    assert again.open(key.seal(b"x", "t", "r", "c"), "t", "r", "c") == b"x"
    with pytest.raises(StoreError, match="SEA-005"):
        vault().open_key("d2", wrapped)
    other = vault(b"n")
    with pytest.raises(StoreError, match="SEA-010"):
        other.open_key("d1", wrapped)
    with pytest.raises(StoreError, match="SEA-005"):
        other.open_key("d1", Wrapped(other.key_id, wrapped.data))


def test_no_two_seals_are_alike() -> None:
    key = document_key()
    assert key.seal(b"x", "t", "r", "c") != key.seal(b"x", "t", "r", "c")
    assert vault().new_key("d")[1] != vault().new_key("d")[1]


def test_pseudonyms_are_stable_and_keyed() -> None:
    assert vault().pseudonym("a", "p") == vault().pseudonym("a", "p")
    different = {vault().pseudonym("a", "q"), vault().pseudonym("b", "p"), vault(b"n").pseudonym("a", "p")}
    assert len(different | {vault().pseudonym("a", "p")}) == 4
    assert vault().pseudonym("ab", "c") != vault().pseudonym("a", "bc")
    assert vault().key_mac("a", "p").hex()[:32] != vault().pseudonym("a", "p")


def test_the_master_key_file(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    create_master_key(path, IDS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(base64.b64decode(path.read_bytes())) == 32
    loaded = Vault.load(path, IDS)
    assert path.read_text().strip() not in repr(vars(loaded))
    with pytest.raises(StoreError, match="SEA-001"):
        create_master_key(path, IDS)
    path.chmod(0o640)
    with pytest.raises(StoreError, match="SEA-003"):
        Vault.load(path, IDS)


@pytest.mark.parametrize("content", [b"", b"c2hvcnQ=", b"not base64 at all", base64.b64encode(b"k" * 33)])
def test_a_malformed_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StoreError, match="SEA-004"):
        Vault.load(path, IDS)


def test_another_master_key_does_not_open_the_store(tmp_path: Path) -> None:
    kit.open_store(tmp_path).close()
    key = kit.settings(tmp_path).sealing.key_file
    key.unlink()
    with pytest.raises(StoreError, match="SEA-009"):  # never a new key for an old database
        kit.open_store(tmp_path)
    create_master_key(key, SystemRandomness())
    with pytest.raises(StoreError, match="SEA-007"):
        kit.open_store(tmp_path)


def test_first_use_makes_the_keys(tmp_path: Path) -> None:
    settings = kit.settings(tmp_path)
    made = stores.initialise(settings, IDS)
    assert made == [settings.sealing.key_file, settings.journal.key_file]
    assert stores.initialise(settings, IDS) == []


def test_rows_cannot_be_swapped(store: Outbox) -> None:
    """A doctor's delivery given another patient's manifest does not open: nothing goes to the wrong place."""
    first = store.accept(kit.request("a", kit.mail())).delivery_ids[0]
    second = store.accept(kit.request("b", kit.mail())).delivery_ids[0]
    swap = "UPDATE delivery SET manifest = (SELECT manifest FROM delivery WHERE id = ?) WHERE id = ?"
    kit.sql(store, swap, (first, second))
    with pytest.raises(StoreError, match="SEA-006"):
        store.parts(second)
    document = store.delivery(second).row.document_id
    [(cda,)], [(pdf,)] = [
        kit.sql(store, "SELECT sealed FROM artifact WHERE sha256 = ?", (sha256(blob.data).digest(),))
        for blob in kit.request("b").renderings
    ]
    kit.sql(store, "UPDATE artifact SET sealed = ? WHERE sealed = ?", (cda, pdf))
    assert store.rendering(document, "cda").data
    with pytest.raises(StoreError, match="SEA-006"):
        store.rendering(document, "pdf")


def test_erasing_a_document(store: Outbox) -> None:
    accepted = store.accept(kit.request())
    with pytest.raises(StateError, match="DOC-001"):
        store.erase(accepted.document_id, by="Anne")
    for delivery in accepted.delivery_ids:
        store.act(delivery, "cancel", by="Anne", reason="demande de Mme X")
    store.erase(accepted.document_id, by="Anne")
    assert store.document(accepted.document_id).erased_at is not None
    with pytest.raises(NotFoundError, match="DOC-410"):
        store.rendering(accepted.document_id, "submission")
    with pytest.raises(NotFoundError, match="DOC-410"):
        store.parts(accepted.delivery_ids[0])
    [note] = store.delivery(accepted.delivery_ids[0]).notes
    assert note.text is None
    store.erase(accepted.document_id, by="Anne")
    records = [entry.record for entry in store.snapshot().records()]
    assert sum(b'"document_erased"' in record for record in records) == 1
    assert not store.accept(kit.request()).created  # still known, so not sent twice


@pytest.mark.engine("sqlite")  # a server's dead rows and its WAL: docs/scale.md says what to do
def test_the_wrapped_key_is_gone_from_the_file(tmp_path: Path) -> None:
    store = kit.open_store(tmp_path)
    accepted = store.accept(kit.request("a", kit.mail()))
    with store.core.db.read() as tx:
        row = tx.one("document_get", id=accepted.document_id)
    assert row is not None
    wrapped = row["wrapped_key"]
    database = stores.database_path(kit.settings(tmp_path))
    assert wrapped in database.read_bytes()
    store.act(accepted.delivery_ids[0], "cancel", by="Anne", reason="x")
    store.erase(accepted.document_id, by="Anne")
    store.close()
    assert wrapped not in database.read_bytes()
