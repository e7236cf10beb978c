"""Checkpoints: the journal's size and root, signed, in the C2SP tlog-checkpoint form, outside the database.

A checkpoint is a signed note (C2SP signed-note): three lines (origin, size, base64 root), an empty line, and one
signature line. Whoever holds an earlier checkpoint sees any truncation or rewriting that came after it.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from gateway import platform
from gateway.errors import StoreError
from gateway.store.merkle import HASH_BYTES
from gateway.store.sealing import create_secret, read_secret

_ED25519 = b"\x01"  # signature type of signed-note
_KEY_HASH_BYTES = 4
NOTES = "checkpoint-*.txt"
STAMP = ".tsr"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The signed text, its last newline included."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def origin_of(name: str, shard: int) -> str:
    """The origin line of a shard's checkpoints: the journal's name, and the shard's number but for the first."""
    return f"{name}/{shard}" if shard else name


def shard_of_origin(name: str, origin: str) -> int | None:
    """The shard whose checkpoint says this origin; None: another journal's."""
    if origin == name:
        return 0
    number = origin.removeprefix(f"{name}/")
    fits = number != origin and number.isascii() and number.isdigit() and number[0] != "0"
    return int(number) if fits else None


class CheckpointError(ValueError):
    """These bytes are not a checkpoint, or not one that this key signed."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and the name under which it signs."""

    name: str
    key: bytes

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """Read `name+hash+base64` (signed-note's verifier key). Raises CheckpointError."""
        # Base64 has plus signs too, so split from the left: a name has none.
        try:
            name, key_hash, encoded = text.strip().split("+", 2)
            name.encode()
            data = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error) as error:
            raise CheckpointError("not a verifier key") from error
        found = cls(name, data[1:])
        if data[:1] != _ED25519 or len(found.key) != HASH_BYTES or found.key_hash().hex() != key_hash:
            raise CheckpointError("not an Ed25519 verifier key, or damaged")
        return found

    def dump(self) -> str:
        """The line that `parse` reads."""
        return f"{self.name}+{self.key_hash().hex()}+{base64.b64encode(_ED25519 + self.key).decode()}\n"

    def key_hash(self) -> bytes:
        """Four bytes that name the key in a signature line."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:_KEY_HASH_BYTES]

    def verify(self, note: str) -> Checkpoint:
        """The checkpoint in a signed note. Raises CheckpointError: malformed, or no valid signature of this key."""
        return _parse(self.open(note))

    def open(self, note: str) -> str:
        """The text of a signed note, without its last newline. Raises CheckpointError: no valid signature."""
        text, separator, signatures = note.partition("\n\n")
        if not separator:
            raise CheckpointError("no signature")
        if any(self._signed(text + "\n", line) for line in signatures.splitlines()):
            return text
        raise CheckpointError("no valid signature of this key")

    def _signed(self, text: str, line: str) -> bool:
        fields = line.split(" ")
        if len(fields) != 3 or fields[0] != "—" or fields[1] != self.name:
            return False
        try:
            data = base64.b64decode(fields[2], validate=True)
            if data[:_KEY_HASH_BYTES] != self.key_hash():
                return False
            Ed25519PublicKey.from_public_bytes(self.key).verify(data[_KEY_HASH_BYTES:], text.encode())
        except (binascii.Error, InvalidSignature, ValueError):
            return False
        return True


def _parse(text: str) -> Checkpoint:
    lines = text.split("\n")
    try:
        origin, size, root = lines[0], lines[1], base64.b64decode(lines[2], validate=True)
        if not origin or not size.isascii() or not size.isdigit() or len(size) > 18 or len(root) != HASH_BYTES:
            raise CheckpointError("malformed checkpoint")
        return Checkpoint(origin, int(size), root)
    except (IndexError, binascii.Error) as error:
        raise CheckpointError("malformed checkpoint") from error


class Signer:
    """The private key of one journal."""

    def __init__(self, origin: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.verifier = Verifier(origin, public)

    @classmethod
    def load(cls, path: Path, origin: str) -> Signer:
        """Read a PEM key. Raises StoreError (SEA-002, SEA-003, JRN-001 not an Ed25519 key, JRN-002 unfit origin)."""
        if not origin or "+" in origin or any(character.isspace() for character in origin):
            raise StoreError("JRN-002", f"Origine du journal refusée : {origin!r}.", "Ni espace ni signe plus.")
        try:
            key = load_pem_private_key(read_secret(path), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise StoreError("JRN-001", f"{path} n'est pas une clé Ed25519 (PEM, PKCS #8).", "")
        return cls(origin, key)

    def sign(self, size: int, root: bytes, shard: int = 0) -> str:
        """The signed note for this size and root of a shard."""
        return self._note(Checkpoint(origin_of(self.verifier.name, shard), size, root).text())

    def attest(self, subject: str, line: str) -> str:
        """A signed note that is no checkpoint: its second line is no size. Raises ValueError when it could be one."""
        if line[:1].isdigit() or "\n" in subject + line:
            raise ValueError("a statement must not read as a checkpoint")
        return self._note(f"{subject}\n{line}\n")

    def _note(self, text: str) -> str:
        signature = base64.b64encode(self.verifier.key_hash() + self._key.sign(text.encode())).decode()
        return f"{text}\n— {self.verifier.name} {signature}\n"


def create_signing_key(path: Path) -> None:
    """Write a new Ed25519 key, private to its owner. Raises StoreError (SEA-001) if the file is there already."""
    key = Ed25519PrivateKey.generate()
    create_secret(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A checkpoint file: its name and its exact bytes."""

    name: str
    data: bytes


class CheckpointFolder:
    """The folder that keeps every checkpoint and the public key.

    One file each, never written twice; the name holds the root, so that a journal that was rewritten, or restored
    from a backup, leaves its checkpoints beside the older ones instead of over them.
    """

    def __init__(self, path: Path, signer: Signer) -> None:
        self.path = path
        self._signer = signer

    @property
    def verifier(self) -> Verifier:
        """The public half of the signing key."""
        return self._signer.verifier

    def attest(self, subject: str, line: str) -> str:
        """A statement of the practice, signed with the journal's key."""
        return self._signer.attest(subject, line)

    def write(self, size: int, root: bytes, shard: int = 0) -> Path:
        """Sign and keep a checkpoint. The same size and root give the same bytes, so two writers do not clash."""
        if not self.path.exists():
            platform.make_private_dir(self.path)
        public = self.path / "journal.pub"
        if not public.exists():
            platform.write_atomic(public, self.verifier.dump().encode())
        of = f"shard{shard:02d}-" if shard else ""
        target = self.path / f"checkpoint-{of}{size:012d}-{root.hex()[:8]}.txt"
        if not target.exists():
            platform.write_atomic(target, self._signer.sign(size, root, shard).encode())
        return target

    def unanchored(self) -> tuple[SignedNote, ...]:
        """The largest checkpoint of each shard of this journal, unless it is time-stamped already."""
        found = self._largest().values()
        return tuple(
            SignedNote(path.name, path.read_bytes()) for path, _ in found if not path.with_suffix(STAMP).exists()
        )

    def anchor(self, name: str, token: bytes) -> None:
        """Keep a time stamp (RFC 3161 response, DER) beside its checkpoint."""
        platform.write_atomic((self.path / name).with_suffix(STAMP), token)

    def latest(self) -> Checkpoint | None:
        """The largest checkpoint of the first shard that this key signed."""
        return self.latest_of_each().get(0)

    def latest_of_each(self) -> dict[int, Checkpoint]:
        """The largest checkpoint of each shard of this journal that this key signed."""
        return {shard: checkpoint for shard, (_, checkpoint) in self._largest().items()}

    def _largest(self) -> dict[int, tuple[Path, Checkpoint]]:
        found: dict[int, tuple[Path, Checkpoint]] = {}
        done: set[str] = set()
        for path in sorted(self.path.glob(NOTES), reverse=True):
            if (of := path.name.rpartition("-")[0].rpartition("-")[0]) in done:
                continue  # a smaller one of the same shard
            try:
                checkpoint = self.verifier.verify(path.read_text(encoding="utf-8"))
            except (CheckpointError, OSError, UnicodeDecodeError):
                continue  # another journal's, or damaged: `verify` tells, this only looks for a good one
            shard = shard_of_origin(self.verifier.name, checkpoint.origin)
            if shard is not None:
                done.add(of)
                found.setdefault(shard, (path, checkpoint))
        return found


def newest(path: Path) -> tuple[float | None, float | None]:
    """When the newest checkpoint of a folder was written, and its newest time stamp (POSIX times); None: there is none.

    Raises OSError.
    """
    notes = list(path.glob(NOTES))
    stamps = (stamp for note in notes if (stamp := note.with_suffix(STAMP)).exists())
    signed, stamped = (max((file.stat().st_mtime for file in files), default=None) for files in (notes, stamps))
    return signed, stamped


def read_notes(path: Path) -> list[str]:
    """The text of every checkpoint file of a folder, smallest first."""
    return [file.read_text(encoding="utf-8") for file in sorted(path.glob(NOTES))]


def read_tokens(path: Path) -> list[tuple[str, bytes]]:
    """Every time-stamped checkpoint of a folder, smallest first: its text and the RFC 3161 response."""
    stamped = [file for file in sorted(path.glob(NOTES)) if file.with_suffix(STAMP).exists()]
    return [(file.read_text(encoding="utf-8"), file.with_suffix(STAMP).read_bytes()) for file in stamped]
