from __future__ import annotations

import json

import pytest

from gateway.clock import SeededRandomness
from gateway.errors import StoreError
from gateway.store import keysafe

FILES = {"master": b"\x00" * 44, "journal": b"-----BEGIN"}
PHRASE = "correct horse battery"


@pytest.fixture(scope="module")
def sealed() -> bytes:
    return keysafe.seal(FILES, PHRASE, SeededRandomness("keys"))


def test_the_passphrase_opens_it_and_nothing_shows(sealed: bytes) -> None:
    assert keysafe.open_sealed(sealed, PHRASE) == FILES
    assert b"BEGIN" not in sealed


def test_another_passphrase_does_not(sealed: bytes) -> None:
    with pytest.raises(StoreError) as caught:
        keysafe.open_sealed(sealed, PHRASE + "x")
    assert caught.value.code == "KEY-003"


@pytest.mark.parametrize("field", ["n", "salt", "nonce", "sealed"])
def test_no_byte_of_it_can_be_changed(sealed: bytes, field: str) -> None:
    value = json.loads(sealed)
    value[field] = value[field] // 2 if field == "n" else value[field][:-6] + "AAAAA="
    with pytest.raises(StoreError) as caught:
        keysafe.open_sealed(json.dumps(value).encode(), PHRASE)
    assert caught.value.code in {"KEY-002", "KEY-003"}


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"sealed": "AA=="}', b'{"sealed":"","format":"x"}'])
def test_anything_else_is_said_to_be_so(data: bytes) -> None:
    with pytest.raises(StoreError) as caught:
        keysafe.open_sealed(data, PHRASE)
    assert caught.value.code == "KEY-002"


def test_a_file_cannot_ask_for_all_the_memory(sealed: bytes) -> None:
    value = json.loads(sealed) | {"n": 2**30}
    with pytest.raises(StoreError):
        keysafe.open_sealed(json.dumps(value).encode(), PHRASE)


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(StoreError, match="courte"):
        keysafe.seal(FILES, "court", SeededRandomness("keys"))
