"""Sealed payloads: artifacts by content, and the sealed manifests that say which belong to what.

An artifact that two deliveries share (the CDA inside the DMP package is the rendering itself) is stored once. Which
parts a delivery has is written in its sealed manifest and nowhere else, so nobody can give it another's.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gateway.errors import NotFoundError, StoreError
from gateway.store.base import Blob
from gateway.store.database import Transaction
from gateway.store.sealing import DocumentKey

SUBMISSION = "submission"

Place = tuple[str, bytes]
"""Where an artifact lies: its document, and the SHA-256 of its clear bytes."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A part and its SHA-256, computed once."""

    blob: Blob
    digest: bytes


def hashed(blobs: Iterable[Blob], seen: dict[int, bytes] | None = None) -> tuple[Hashed, ...]:
    """The parts with their hashes. `seen` spares those whose very bytes object had its turn (by id, while it lives)."""
    known = {} if seen is None else seen
    for blob in (kept := tuple(blobs)):
        if id(blob.data) not in known:
            known[id(blob.data)] = sha256(blob.data).digest()
    return tuple(Hashed(blob, known[id(blob.data)]) for blob in kept)


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


Opened = tuple[tuple[Blob, ...], bytes | None]
"""The parts of a delivery, and its send context."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is kept of a delivery's package. `key` None: it was erased; a fault: why it does not open."""

    key: DocumentKey | StoreError | None
    document: str
    delivery: str
    manifest: bytes | None


def open_manifest(
    tx: Transaction, key: DocumentKey, table: str, row: str, document: str, manifest: bytes
) -> tuple[tuple[Blob, ...], bytes | None]:
    """The parts and the context. Raises StoreError (SEA-006 altered, SEA-008 an artifact is missing)."""
    value = json.loads(key.open(manifest, table, row, "manifest"))
    found = _artifacts(tx, {(document, bytes.fromhex(digest)) for _, _, digest in value["parts"]})
    return _open(key, document, value, found)


def open_packages(tx: Transaction, packages: Sequence[Sealed]) -> list[Opened | StoreError]:
    """`open_manifest` for many deliveries, with one look for what all of them share; a fault stands in its own place
    (SEA-005, SEA-006, SEA-008).
    """
    manifests = [_manifest(one) for one in packages]
    wanted = {
        (one.document, bytes.fromhex(digest))
        for one, value in zip(packages, manifests, strict=True)
        if not isinstance(value, StoreError)
        for _, _, digest in value["parts"]
    }
    found = _artifacts(tx, wanted)
    return [_opened(one, value, found) for one, value in zip(packages, manifests, strict=True)]


def _manifest(one: Sealed) -> Any:
    if isinstance(one.key, StoreError):
        return one.key
    if one.key is None or one.manifest is None:
        return StoreError("SEA-008", f"Contenu effacé : {one.delivery}.")
    try:
        return json.loads(one.key.open(one.manifest, "delivery", one.delivery, "manifest"))
    except StoreError as fault:
        return fault


def _opened(one: Sealed, value: Any, found: Mapping[Place, bytes]) -> Opened | StoreError:
    if isinstance(value, StoreError):
        return value
    assert isinstance(one.key, DocumentKey)  # it has opened the manifest
    try:
        return _open(one.key, one.document, value, found)
    except StoreError as fault:
        return fault


def _open(key: DocumentKey, document: str, value: Any, found: Mapping[Place, bytes]) -> Opened:
    parts = tuple(
        Blob(name, media_type, _open_artifact(key, document, digest, found))
        for name, media_type, digest in value["parts"]
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
            sealed = _artifacts(tx, {(document, bytes.fromhex(digest))})
            return Blob(name, media_type, _open_artifact(key, document, digest, sealed))
    raise NotFoundError("DOC-405", f"Le document {document} n'a pas de rendu « {name} ».")


def _artifacts(tx: Transaction, wanted: Collection[Place]) -> dict[Place, bytes]:
    rows = tx.gather("artifact_get", [{"document_id": document, "sha256": digest} for document, digest in wanted])
    return {(row["document_id"], bytes(row["sha256"])): row["sealed"] for row in rows}


def _open_artifact(key: DocumentKey, document: str, digest: str, found: Mapping[Place, bytes]) -> bytes:
    sealed = found.get((document, bytes.fromhex(digest)))
    if sealed is None:
        raise StoreError("SEA-008", f"Contenu absent du document {document}.", "Restaurez une sauvegarde.")
    return key.open(sealed, "artifact", digest, "sealed")
