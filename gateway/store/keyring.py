"""The keyring: the master keys of a store in one private file, and the secret by which it names people.

A new store's file holds one key, 32 bytes in base64. The first rotation makes it a keyring (JSON): the keys by id, and
the secrets of pseudonyms and keyed hashes, which derive from the first key and stay when that one is destroyed. The
file is only ever replaced whole, durably. Which key wraps what is new is written in the database (`master_key`).
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway import platform
from gateway.clock import Randomness
from gateway.errors import StoreError

FORMAT = "kine-gateway/keyring/1"
KEY_BYTES = 32
PATIENCE = 10.0
"""Seconds to wait for another process that is changing the keyring."""
NAMES = ("pseudonym", "idempotency", "identity", "mail")
"""What is derived from the first key for ever, whatever becomes of that key."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A key that wraps document keys. `made_at`: RFC 3339, None where nobody noted it. Its repr shows no key."""

    secret: bytes
    made_at: str | None = None

    @property
    def id(self) -> str:
        """What the database and the journal call it: 16 hex digits of a hash, which say nothing of the key."""
        return sha256(b"kine-gateway key id\0" + self.secret).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"


@dataclass(frozen=True, slots=True)
class Keyring:
    """`store`: id of the first key, by which a database knows its keyring. `names`: secrets by what they are for."""

    store: str
    names: Mapping[str, bytes]
    keys: tuple[MasterKey, ...]

    def __repr__(self) -> str:
        return f"Keyring({self.store}, {self.keys})"

    @classmethod
    def of(cls, secret: bytes) -> Keyring:
        """The keyring that a first key makes."""
        first = MasterKey(secret)
        return cls(first.id, {name: derive(secret, name.encode()) for name in NAMES}, (first,))

    def with_key(self, key: MasterKey) -> Keyring:
        """This keyring and one more key."""
        return self if any(one.id == key.id for one in self.keys) else replace(self, keys=(*self.keys, key))

    def without(self, key_id: str) -> Keyring:
        """This keyring but for one key."""
        return replace(self, keys=tuple(key for key in self.keys if key.id != key_id))


def derive(secret: bytes, purpose: bytes) -> bytes:
    """A key for one purpose (HKDF, RFC 5869); it tells nothing of the secret nor of its siblings."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"kine-gateway/1/" + purpose).derive(secret)


def parse(data: bytes) -> Keyring:
    """A keyring file, or the file of a single key. Raises ValueError: neither, or damaged."""
    if not data.lstrip().startswith(b"{"):
        try:
            secret = base64.b64decode(data.strip(), validate=True)
        except binascii.Error as fault:
            raise ValueError("not base64") from fault
        if len(secret) != KEY_BYTES:
            raise ValueError("not 32 bytes")
        return Keyring.of(secret)
    try:
        value = json.loads(data)
        if value["format"] != FORMAT or value.pop("sum") != _sum(value):
            raise ValueError("another format, or damaged")
        names = {name: _secret(value["names"][name]) for name in NAMES}
        keys = tuple(MasterKey(_secret(one["key"]), one["made_at"]) for one in value["keys"])
        if not keys or [key.id for key in keys] != [one["id"] for one in value["keys"]]:
            raise ValueError("a key is not the one it says")
        return Keyring(value["store"], names, keys)
    except (KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as fault:
        raise ValueError("malformed keyring") from fault


def dump(ring: Keyring) -> bytes:
    """What `parse` reads."""
    value = {
        "format": FORMAT,
        "store": ring.store,
        "names": {name: _text(secret) for name, secret in ring.names.items()},
        "keys": [{"id": key.id, "made_at": key.made_at, "key": _text(key.secret)} for key in ring.keys],
    }
    return json.dumps({**value, "sum": _sum(value)}, indent=1).encode() + b"\n"


def load(path: Path) -> Keyring:
    """The keyring of a file. Raises StoreError: SEA-002 unreadable, SEA-003 open to others, SEA-004 malformed."""
    try:
        return parse(read_secret(path))
    except ValueError as fault:
        advice = "Attendu : 32 octets en base64, ou un trousseau entier. La remettre : keys restore."
        raise StoreError("SEA-004", f"{path} n'est pas une clé maîtresse.", advice) from fault


def change(path: Path, make: Callable[[Keyring], Keyring]) -> Keyring:
    """Replace the keyring by what `make` makes of it, once nobody else is changing it; it is on the disk on return.

    Raises StoreError: KEY-005 the file cannot be written here, and what `load` raises.
    """
    try:
        with alone(path):
            before = load(path)
            after = make(before)
            if after != before:
                platform.write_atomic(path, dump(after))
            return after
    except OSError as fault:
        advice = "Un fichier que systemd dépose (LoadCredential) se change à sa source : voir docs/keys.md."
        raise StoreError("KEY-005", f"Trousseau non écrit : {path} ({fault.strerror}).", advice) from fault


def merge(path: Path, saved: bytes) -> tuple[str, ...]:
    """Put the keys of a saved keyring back that this one lacks; none when it is another store's.

    Returns the ids of those. Raises StoreError: KEY-002 `saved` is no keyring, and what `change` raises.
    """
    try:
        ring = parse(saved)
    except ValueError as fault:
        raise StoreError("KEY-002", "Ce fichier n'est pas une sauvegarde de clés.", "") from fault
    there = load(path)
    known = {key.id for key in there.keys}
    missing = tuple(key for key in ring.keys if key.id not in known) if ring.store == there.store else ()
    if missing:
        change(path, lambda now: _joined(now, missing))
    return tuple(key.id for key in missing)


def _joined(ring: Keyring, more: tuple[MasterKey, ...]) -> Keyring:
    for key in more:
        ring = ring.with_key(key)
    return ring


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Two programs must not make or change keys at once: the second waits for the first.

    Raises StoreError (LCK-001) after `PATIENCE`.
    """
    if not path.parent.exists():
        platform.make_private_dir(path.parent)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with platform.exclusive_lock(path.with_name(f"{path.name}.lock")):
                yield
            return
        except StoreError as fault:
            if fault.code != "LCK-001" or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def create_master_key(path: Path, ids: Randomness) -> None:
    """Write a new master key, private to its owner. Raises StoreError (SEA-001) if the file is there already."""
    create_secret(path, base64.b64encode(ids.token(KEY_BYTES)) + b"\n")


def create_secret(path: Path, data: bytes) -> None:
    """Write a secret file that did not exist. Raises StoreError (SEA-001)."""
    if path.exists():
        raise StoreError("SEA-001", f"{path} existe déjà.", "Une clé ne se remplace jamais ainsi.")
    if not path.parent.exists():
        platform.make_private_dir(path.parent)
    platform.write_atomic(path, data)


def read_secret(path: Path) -> bytes:
    """Content of a secret file. Raises StoreError: SEA-002 unreadable, SEA-003 open to other users."""
    try:
        data = path.read_bytes()
        private = platform.is_private(path)
    except OSError as error:
        raise StoreError("SEA-002", f"Clé illisible : {path} ({error.strerror}).", "Restaurez-la.") from error
    if private is False:
        raise StoreError("SEA-003", f"{path} est lisible par d'autres.", f"chmod 600 {path}")
    return data


def _sum(value: Mapping[str, Any]) -> str:
    """A damaged secret must not silently give other pseudonyms."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _secret(text: str) -> bytes:
    secret = base64.b64decode(text, validate=True)
    if len(secret) != KEY_BYTES:
        raise ValueError("not 32 bytes")
    return secret


def _text(secret: bytes) -> str:
    return base64.b64encode(secret).decode()
