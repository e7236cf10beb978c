"""The keys of a store under a passphrase, for a safe: without them a backup of the database opens nothing.

scrypt (RFC 7914) makes a key of the passphrase, AES-256-GCM seals the key files with it; the header is authenticated,
so that nobody weakens its parameters.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gateway.clock import Randomness
from gateway.errors import StoreError

FORMAT = "kine-gateway/keys/1"
SHORTEST = 12
"""Characters of a passphrase at least: the file may lie in a drawer for years."""
_COST, _BLOCK, _LANES = 2**17, 8, 1
"""128 MB and about half a second for each guess (OWASP's minimum for scrypt)."""
_BOUNDS = {"n": 2**20, "r": 32, "p": 16}
_MOST = 2**23
"""Most of `n` times `r`, 128 bytes each: a file that asks for more than a gigabyte is no backup of keys."""


def seal(files: Mapping[str, bytes], passphrase: str, ids: Randomness) -> bytes:
    """The files, readable with the passphrase alone. Raises StoreError (KEY-001): the passphrase is too short."""
    if len(passphrase) < SHORTEST:
        raise StoreError("KEY-001", "Phrase secrète trop courte.", f"{SHORTEST} caractères au moins.")
    salt, nonce = ids.token(16), ids.token(12)
    header = {"format": FORMAT, "n": _COST, "r": _BLOCK, "p": _LANES, "salt": _text(salt), "nonce": _text(nonce)}
    content = json.dumps({name: _text(data) for name, data in files.items()}).encode()
    sealed = AESGCM(_key(header, passphrase)).encrypt(nonce, content, _bound(header))
    return json.dumps({**header, "sealed": _text(sealed)}, indent=1).encode() + b"\n"


def open_sealed(data: bytes, passphrase: str) -> dict[str, bytes]:
    """The files. Raises StoreError: KEY-002 no such file, KEY-003 another passphrase, or a byte was changed."""
    try:
        header = json.loads(data)
        sealed = base64.b64decode(header.pop("sealed"), validate=True)
        if header["format"] != FORMAT or any(not 0 < header[name] <= most for name, most in _BOUNDS.items()):
            raise ValueError("unknown format")
        if header["n"] * header["r"] > _MOST:
            raise ValueError("too much memory")
        key, nonce = _key(header, passphrase), base64.b64decode(header["nonce"], validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise StoreError("KEY-002", "Ce fichier n'est pas une sauvegarde de clés.", "") from fault
    try:
        content = json.loads(AESGCM(key).decrypt(nonce, sealed, _bound(header)))
    except (InvalidTag, ValueError) as fault:
        raise StoreError("KEY-003", "Phrase secrète inexacte, ou fichier abîmé.", "Rien n'a été écrit.") from fault
    return {name: base64.b64decode(text) for name, text in content.items()}


def _key(header: Mapping[str, Any], passphrase: str) -> bytes:
    salt = base64.b64decode(header["salt"], validate=True)
    return Scrypt(salt=salt, length=32, n=header["n"], r=header["r"], p=header["p"]).derive(passphrase.encode())


def _bound(header: Mapping[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
