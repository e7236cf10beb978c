"""Sealed payloads: artifacts by content, and the sealed manifests that say which belong to what.

An artifact that two deliveries share (the CDA inside the DMP package is the rendering itself) is stored once. Which
parts a delivery has is written in its sealed manifest and nowhere else, so nobody can give it another's.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from gateway.errors import NotFoundError, StoreError
from gateway.store.base import Blob
from gateway.store.database import Transaction
from gateway.store.sealing import DocumentKey

SUBMISSION = "submission"


@dataclass(frozen=True, slots=True)
class Hashed:
    """A part and its SHA-256, computed once."""

    blob: Blob
    digest: bytes


def hashed(blobs: Iterable[Blob]) -> tuple[Hashed, ...]:
    """The parts with their hashes."""
    return tuple(Hashed(blob, sha256(blob.data).digest()) for blob in blobs)


@dataclass(frozen=True, slots=True)
class SealedArtifact:
    """An artifact ready to be inserted."""

    digest: bytes
    size: int
    sealed: bytes


def seal_artifacts(key: DocumentKey, parts: Iterable[Hashed]) -> dict[bytes, SealedArtifact]:
    """Each distinct content once, by its SHA-256."""
    sealed: dict[bytes, SealedArtifact] = {}
    for part in parts:
        if part.digest not in sealed:
            content = key.seal(part.blob.data, "artifact", part.digest.hex(), "sealed")
            sealed[part.digest] = SealedArtifact(part.digest, len(part.blob.data), content)
    return sealed


def seal_manifest(
    key: DocumentKey, table: str, row: str, parts: Sequence[Hashed], context: bytes | None = None
) -> bytes:
    """Names, types and hashes of the parts, with the send context, bound to their row."""
    names = [part.blob.name for part in parts]
    if len(set(names)) != len(names):
        raise ValueError(f"two parts of {table} {row} share a name")
    value = {
        "context": None if context is None else base64.b64encode(context).decode(),
        "parts": [[part.blob.name, part.blob.media_type, part.digest.hex()] for part in parts],
    }
    return key.seal(json.dumps(value, separators=(",", ":")).encode(), table, row, "manifest")


def open_manifest(
    tx: Transaction, key: DocumentKey, table: str, row: str, document: str, manifest: bytes
) -> tuple[tuple[Blob, ...], bytes | None]:
    """The parts and the context. Raises StoreError (SEA-006 altered, SEA-008 an artifact is missing)."""
    value = json.loads(key.open(manifest, table, row, "manifest"))
    parts = tuple(
        Blob(name, media_type, _open_artifact(tx, key, document, digest)) for name, media_type, digest in value["parts"]
    )
    context = value["context"]
    return parts, None if context is None else base64.b64decode(context)


def open_context(key: DocumentKey, table: str, row: str, manifest: bytes) -> bytes | None:
    """The context alone; the parts may be gone. Raises StoreError (SEA-006 altered)."""
    context = json.loads(key.open(manifest, table, row, "manifest"))["context"]
    return None if context is None else base64.b64decode(context)


def digests(key: DocumentKey, table: str, row: str, manifest: bytes) -> set[bytes]:
    """SHA-256 of each part that a manifest names. Raises StoreError (SEA-006 altered)."""
    parts = json.loads(key.open(manifest, table, row, "manifest"))["parts"]
    return {bytes.fromhex(digest) for _, _, digest in parts}


def open_part(tx: Transaction, key: DocumentKey, document: str, manifest: bytes, name: str) -> Blob:
    """One part of a document. Raises NotFoundError (DOC-405)."""
    for found, media_type, digest in json.loads(key.open(manifest, "document", document, "manifest"))["parts"]:
        if found == name:
            return Blob(name, media_type, _open_artifact(tx, key, document, digest))
    raise NotFoundError("DOC-405", f"Le document {document} n'a pas de rendu « {name} ».")


def _open_artifact(tx: Transaction, key: DocumentKey, document: str, digest: str) -> bytes:
    row = tx.one("artifact_get", document_id=document, sha256=bytes.fromhex(digest))
    if row is None:
        raise StoreError("SEA-008", f"Contenu absent du document {document}.", "Restaurez une sauvegarde.")
    return key.open(row["sealed"], "artifact", digest, "sealed")
