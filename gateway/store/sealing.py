"""Sealing: AES-256-GCM with a key per document, itself wrapped by the master key; pseudonyms; erasure.

The additional data of every seal names document, table, row, column and key, so that a sealed value put in another
place does not open. Erasing a document's wrapped key erases the document everywhere, backups of the payload included.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway import platform
from gateway.clock import Randomness
from gateway.errors import StoreError

KEY_BYTES = 32
NONCE_BYTES = 12
"""Random, 96 bits (NIST SP 800-38D §8.2.2): a document's key seals a few dozen values, far below its bound."""


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lives: the additional data that binds it there."""

    document: str
    table: str
    row: str
    column: str


class Vault:
    """The master key and what derives from it. Never shows a key in its repr."""

    def __init__(self, master: bytes, ids: Randomness) -> None:
        self._ids = ids
        self.key_id = sha256(b"kine-gateway key id\0" + master).hexdigest()[:16]
        self._wrapping = AESGCM(_derive(master, b"wrap"))
        self._pseudonyms = _derive(master, b"pseudonym")
        self._keys = _derive(master, b"idempotency")
        self._identity = _derive(master, b"identity")
        self._mail = _derive(master, b"mail")
        self._facts = _derive(master, b"facts")

    @classmethod
    def load(cls, path: Path, ids: Randomness) -> Vault:
        """The vault of a key file (32 bytes in base64). Raises StoreError (SEA-002, -003, -004 malformed)."""
        try:
            master = base64.b64decode(read_secret(path).strip(), validate=True)
        except binascii.Error:
            master = b""
        if len(master) != KEY_BYTES:
            raise StoreError("SEA-004", f"{path} n'est pas une clé maîtresse.", "Attendu : 32 octets en base64.")
        return cls(master, ids)

    def pseudonym(self, account: str, patient: str) -> str:
        """Stable name of a patient inside one account, meaningless without the master key (128 bits, hex)."""
        return _mac(self._pseudonyms, account, patient).hex()[:32]

    def episode_name(self, account: str, patient: str, episode: str) -> str:
        """Stable name of a care episode of one patient, like `pseudonym`."""
        return _mac(self._pseudonyms, "episode", account, patient, episode).hex()[:32]

    def person_name(self, rpps: str) -> str:
        """Stable name of a professional, the same in every account."""
        return _mac(self._pseudonyms, "professional", "", rpps).hex()[:32]

    def fact_key(self, document: str) -> DocumentKey:
        """What seals the facts of a document: a key of the store, which erasing the document leaves."""
        return DocumentKey(self._facts, document, self.key_id, self._ids)

    def key_mac(self, account: str, key: str) -> bytes:
        """What stands for a caller's idempotency key, which may be a file name with the patient's in it."""
        return _mac(self._keys, account, key)

    def identity_mac(self, what: str, value: str) -> bytes:
        """Keyed hash of a patient's traits or of a PDF: the same in every account, meaningless without the key."""
        return _mac(self._identity, what, value)

    def mail_mac(self, what: str, value: str) -> bytes:
        """Keyed hash of what a receipt names of a mail: its Message-ID, envelope id or recipient."""
        return _mac(self._mail, what, value)

    def new_key(self, document: str) -> tuple[DocumentKey, bytes]:
        """A fresh document key, and the same wrapped for the store."""
        key = self._ids.token(KEY_BYTES)
        nonce = self._ids.token(NONCE_BYTES)
        wrapped = nonce + self._wrapping.encrypt(nonce, key, self._wrap_aad(document))
        return DocumentKey(key, document, self.key_id, self._ids), wrapped

    def open_key(self, document: str, wrapped: bytes) -> DocumentKey:
        """The document's key. Raises StoreError (SEA-005) when the master key is another or the value was moved."""
        try:
            key = self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], self._wrap_aad(document))
        except InvalidTag as error:
            raise StoreError(
                "SEA-005", f"Clé du document {document} illisible.", "Vérifiez la clé maîtresse."
            ) from error
        return DocumentKey(key, document, self.key_id, self._ids)

    def _wrap_aad(self, document: str) -> bytes:
        return _aad(Place(document, "document", document, "wrapped_key"), self.key_id)


class DocumentKey:
    """Seals and opens the values of one document."""

    def __init__(self, key: bytes, document: str, key_id: str, ids: Randomness) -> None:
        self._cipher = AESGCM(key)
        self._mac_key = _derive(key, b"note")
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
        except InvalidTag as error:
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


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"kine-gateway/1/" + purpose).derive(key)


def _mac(key: bytes, *fields: str) -> bytes:
    message = b"".join(len(field.encode()).to_bytes(4) + field.encode() for field in fields)
    return hmac.digest(key, message, "sha256")
