"""Every sealed column of the schema. A test walks the schema of both engines: none can be forgotten here.

What a document's key seals follows by itself when another master key wraps that key. What a master key seals has a
column `key_id` that says which one, and a step of `gateway.store.rotating` that hands it over.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class SealedColumn(NamedTuple):
    """A column of sealed values, and what seals them."""

    table: str
    column: str
    under: Literal["master", "document"]


SEALED = (
    SealedColumn("document", "wrapped_key", "master"),
    SealedColumn("document", "manifest", "document"),
    SealedColumn("artifact", "sealed", "document"),
    SealedColumn("delivery", "manifest", "document"),
    SealedColumn("note", "sealed", "document"),
    SealedColumn("episode_fact", "sealed", "master"),
)
HASHES = frozenset({"content_sha256", "sha256", "hash", "evidence", "frontier"})
"""Names of binary columns that hold hashes in clear; keyed hashes end in `_mac`."""
