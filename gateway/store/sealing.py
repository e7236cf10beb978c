"""Sealing: AES-256-GCM with a key per document, itself wrapped by a master key; pseudonyms; erasure.

The additional data of every seal names document, table, row, column and key, so that a sealed value put in another
place does not open. What a document's key seals names the store in the key's place: that key stays the same when
another master key wraps it. Erasing a document's wrapped key erases the document everywhere, backups of the payload
included.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.clock import Randomness
from gateway.errors import StoreError
from gateway.store import keyring
from gateway.store.keyring import KEY_BYTES, Keyring, create_master_key, create_secret, derive, read_secret

__all__ = ["DocumentKey", "Place", "Vault", "Wrapped", "create_master_key", "create_secret", "read_secret"]
NONCE_BYTES = 12
"""Random, 96 bits (NIST SP 800-38D §8.2.2): a document's key seals a few dozen values, far below its bound."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lives: the additional data that binds it there."""

    document: str
    table: str
    row: str
    column: str


class Wrapped(NamedTuple):
    """A document's key as the store holds it: the master key that wraps it, by id, and what came of that."""

    key_id: str
    data: bytes


class Vault:
    """The master keys and what derives from them. Never shows a key in its repr. Safe to use from threads.

    `key_id` is the master key that wraps what is new; the store says which (`gateway.store.masters`).
    """

    def __init__(self, keys: bytes | Keyring, ids: Randomness, path: Path | None = None) -> None:
        """`path`: where a key that is not in `keys` may be found later, when another process has made it."""
        ring = Keyring.of(keys) if isinstance(keys, bytes) else keys
        self._ids = ids
        self.path = path
        self.store_id = ring.store
        self.key_id = ring.keys[-1].id
        self._masters: dict[str, _Master] = {}
        self._take(ring)
        self._pseudonyms = ring.names["pseudonym"]
        self._keys = ring.names["idempotency"]
        self._identity = ring.names["identity"]
        self._mail = ring.names["mail"]

    @classmethod
    def load(cls, path: Path, ids: Randomness) -> Vault:
        """The vault of a keyring file. Raises StoreError (SEA-002, -003, -004 malformed)."""
        return cls(keyring.load(path), ids, path)

    def _take(self, ring: Keyring) -> None:
        # A key that left the file stays known here: a row that was read before may still be wrapped by it.
        self._masters = {**self._masters, **{key.id: _Master(key.secret) for key in ring.keys}}

    def knows(self, key_id: str) -> bool:
        """Whether the master key is in the keyring, which is read again when it was not there the last time."""
        if key_id not in self._masters and self.path is not None:
            ring = keyring.load(self.path)
            if ring.store == self.store_id:
                self._take(ring)
        return key_id in self._masters

    def use(self, key_id: str) -> bool:
        """Wrap what is new with this master key from now on; False: it is not in the keyring."""
        if key_id == self.key_id or self.knows(key_id):
            self.key_id = key_id
            return True
        return False

    def check(self, key_id: str) -> None:
        """Raise StoreError (SEA-010) for a master key that is not in the keyring."""
        if not self.knows(key_id):
            raise StoreError(
                "SEA-010",
                f"La clé maîtresse {key_id} n'est pas dans le trousseau de ce poste.",
                "Y copier le trousseau d'un poste qui l'a, ou la remettre : kine-gateway keys restore.",
            )

    def pseudonym(self, account: str, patient: str) -> str:
        """Stable name of a patient inside one account, meaningless without the store's secret (128 bits, hex)."""
        return _mac(self._pseudonyms, account, patient).hex()[:32]

    def episode_name(self, account: str, patient: str, episode: str) -> str:
        """Stable name of a care episode of one patient, like `pseudonym`."""
        return _mac(self._pseudonyms, "episode", account, patient, episode).hex()[:32]

    def person_name(self, rpps: str) -> str:
        """Stable name of a professional, the same in every account."""
        return _mac(self._pseudonyms, "professional", "", rpps).hex()[:32]

    def fact_key(self, document: str, key_id: str) -> DocumentKey:
        """What seals the facts of a document: derived from a master key, so that erasing the document leaves them.

        Raises StoreError (SEA-010).
        """
        self.check(key_id)
        return DocumentKey(self._masters[key_id].facts, document, key_id, self._ids)

    def key_mac(self, account: str, key: str) -> bytes:
        """What stands for a caller's idempotency key, which may be a file name with the patient's in it."""
        return _mac(self._keys, account, key)

    def identity_mac(self, what: str, value: str) -> bytes:
        """Keyed hash of a patient's traits or of a PDF: the same in every account, meaningless without the key."""
        return _mac(self._identity, what, value)

    def mail_mac(self, what: str, value: str) -> bytes:
        """Keyed hash of what a receipt names of a mail: its Message-ID, envelope id or recipient."""
        return _mac(self._mail, what, value)

    def new_key(self, document: str) -> tuple[DocumentKey, Wrapped]:
        """A fresh document key, and the same wrapped for the store."""
        key = self._ids.token(KEY_BYTES)
        return DocumentKey(key, document, self.store_id, self._ids), self._wrap(document, key, self.key_id)

    def open_key(self, document: str, wrapped: Wrapped) -> DocumentKey:
        """The document's key. Raises StoreError: SEA-010 its master key is not here, SEA-005 the value was moved."""
        return DocumentKey(self._unwrap(document, wrapped), document, self.store_id, self._ids)

    def rewrap(self, document: str, wrapped: Wrapped, key_id: str) -> Wrapped:
        """The same document key, wrapped by another master key. Raises like `open_key`."""
        self.check(key_id)
        return self._wrap(document, self._unwrap(document, wrapped), key_id)

    def _wrap(self, document: str, key: bytes, key_id: str) -> Wrapped:
        nonce = self._ids.token(NONCE_BYTES)
        sealed = self._masters[key_id].wrapping.encrypt(nonce, key, _wrap_aad(document, key_id))
        return Wrapped(key_id, nonce + sealed)

    def _unwrap(self, document: str, wrapped: Wrapped) -> bytes:
        self.check(wrapped.key_id)
        nonce, sealed = wrapped.data[:NONCE_BYTES], wrapped.data[NONCE_BYTES:]
        try:
            return self._masters[wrapped.key_id].wrapping.decrypt(nonce, sealed, _wrap_aad(document, wrapped.key_id))
        except (InvalidTag, ValueError) as error:  # ValueError: shorter than a nonce
            raise StoreError(
                "SEA-005", f"Clé du document {document} illisible.", "Vérifiez la clé maîtresse."
            ) from error


class _Master:
    """A master key at work."""

    def __init__(self, secret: bytes) -> None:
        self.wrapping = AESGCM(derive(secret, b"wrap"))
        self.facts = derive(secret, b"facts")


def _wrap_aad(document: str, key_id: str) -> bytes:
    return _aad(Place(document, "document", document, "wrapped_key"), key_id)


class DocumentKey:
    """Seals and opens the values of one document."""

    def __init__(self, key: bytes, document: str, key_id: str, ids: Randomness) -> None:
        self._cipher = AESGCM(key)
        self._mac_key = derive(key, b"note")
        self._document = document
        self._key_id = key_id
        self._ids = ids

    def seal(self, data: bytes, table: str, row: str, column: str) -> bytes:
        """Nonce, ciphertext and tag."""
        nonce = self._ids.token(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, self._aad(table, row, column))

    def open(self, sealed: bytes, table: str, row: str, column: str) -> bytes:
        """The clear bytes. Raises StoreError (SEA-006) when they were altered or come from another place."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._aad(table, row, column))
        except (InvalidTag, ValueError) as error:  # ValueError: shorter than a nonce
            raise StoreError("SEA-006", f"Contenu altéré : {table} {row}.", "Restaurez une sauvegarde.") from error

    def commitment(self, text: str) -> str:
        """Keyed hash that commits the journal to a text without revealing it (hex)."""
        return hmac.digest(self._mac_key, text.encode(), "sha256").hex()

    def _aad(self, table: str, row: str, column: str) -> bytes:
        return _aad(Place(self._document, table, row, column), self._key_id)


def _aad(place: Place, key_id: str) -> bytes:
    # Length-prefixed, so that no two places give the same bytes.
    fields = (place.document, place.table, place.row, place.column, key_id)
    return b"".join(len(field.encode()).to_bytes(4) + field.encode() for field in fields)


def _mac(key: bytes, *fields: str) -> bytes:
    message = b"".join(len(field.encode()).to_bytes(4) + field.encode() for field in fields)
    return hmac.digest(key, message, "sha256")
