"""The keyring file: whole or refused, never changed by halves, and told from another store's."""

from __future__ import annotations

import base64
import json
import stat
import threading
from pathlib import Path

import pytest

from gateway.clock import SeededRandomness
from gateway.errors import StoreError
from gateway.store import keyring
from gateway.store.keyring import Keyring, MasterKey
from gateway.store.sealing import Vault

pytestmark = pytest.mark.engine("none")
FIRST, SECOND, THIRD = (MasterKey(bytes([number]) * 32, "2026-03-02T09:00:00.000Z") for number in (1, 2, 3))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "master.key"
    keyring.create_secret(path, base64.b64encode(FIRST.secret) + b"\n")
    return path


def test_a_single_key_becomes_a_keyring_and_keeps_its_names(file: Path) -> None:
    before = Vault.load(file, SeededRandomness("x"))
    keyring.change(file, lambda ring: ring.with_key(SECOND))
    keyring.change(file, lambda ring: ring.without(FIRST.id))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    after = Vault.load(file, SeededRandomness("x"))
    assert (after.store_id, after.key_id) == (before.store_id, SECOND.id) == (FIRST.id, SECOND.id)
    assert after.pseudonym("a", "p") == before.pseudonym("a", "p")
    assert not after.knows(FIRST.id)
    assert base64.b64encode(FIRST.secret) not in file.read_bytes()


def test_what_is_written_is_read(file: Path) -> None:
    ring = Keyring.of(FIRST.secret).with_key(SECOND)
    assert keyring.parse(keyring.dump(ring)) == ring
    assert keyring.load(file) == Keyring.of(FIRST.secret)
    assert ring.with_key(SECOND) == ring


def test_no_key_shows(file: Path) -> None:
    ring = Keyring.of(FIRST.secret).with_key(SECOND)
    shown = repr(ring) + repr(ring.keys) + str(Vault(ring, SeededRandomness("x")))
    for secret in (FIRST.secret, SECOND.secret, *ring.names.values()):
        assert repr(secret) not in shown
        assert base64.b64encode(secret).decode() not in shown


@pytest.mark.parametrize("place", ["store", "format", "sum", "names", "keys"])
def test_a_damaged_keyring_is_refused(file: Path, place: str) -> None:
    """Above all a damaged secret of the names: it would silently give every patient another pseudonym."""
    value = json.loads(keyring.dump(Keyring.of(FIRST.secret)))
    if place == "names":
        value["names"]["pseudonym"] = base64.b64encode(bytes(32)).decode()
    elif place == "keys":
        value["keys"][0]["key"] = base64.b64encode(bytes(32)).decode()
    else:
        value[place] = value[place][:-1] + "x"
    file.write_text(json.dumps(value))
    with pytest.raises(StoreError) as caught:
        keyring.load(file)
    assert caught.value.code == "SEA-004"


@pytest.mark.parametrize(
    "data", [b"{", b"{}", b'{"format": 1}', b"{" * 5000, b'{"format":"kine-gateway/keyring/1","sum":""}']
)
def test_anything_else_is_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with pytest.raises(StoreError, match="SEA-004"):
        keyring.load(file)


def test_a_saved_keyring_gives_back_what_is_missing(file: Path) -> None:
    saved = file.read_bytes()
    keyring.change(file, lambda ring: ring.with_key(SECOND).without(FIRST.id))
    assert keyring.merge(file, saved) == (FIRST.id,)
    assert {key.id for key in keyring.load(file).keys} == {FIRST.id, SECOND.id}
    assert keyring.merge(file, saved) == ()
    other = base64.b64encode(THIRD.secret)
    before = file.read_bytes()
    assert keyring.merge(file, other) == ()  # another store's
    assert file.read_bytes() == before
    with pytest.raises(StoreError, match="KEY-002"):
        keyring.merge(file, b"nothing")


def test_two_changes_at_once_are_both_kept(file: Path) -> None:
    threads = [threading.Thread(target=_add, args=(file, number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keyring.load(file).keys) == 9


def _add(file: Path, number: int) -> None:
    keyring.change(file, lambda ring: ring.with_key(MasterKey(bytes([100 + number]) * 32)))


def test_a_folder_that_cannot_be_written_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(keyring.platform, "write_atomic", refuse)
    with pytest.raises(StoreError) as caught:
        keyring.change(file, lambda ring: ring.with_key(SECOND))
    assert caught.value.code == "KEY-005"
    assert keyring.load(file) == Keyring.of(FIRST.secret)


def test_another_stores_keyring_is_not_taken_while_working(file: Path) -> None:
    vault = Vault.load(file, SeededRandomness("x"))
    file.write_bytes(keyring.dump(Keyring.of(THIRD.secret)))
    assert not vault.knows(THIRD.id)
    assert not vault.use(THIRD.id)
    assert vault.key_id == FIRST.id
