"""The journal as a file that can be verified with nothing but itself and the public key.

JSON Lines: a header, the checkpoints, their time stamps, the records byte for byte as they were hashed, and where each
delivery stood. No line holds clinical content or a patient's identity (DESIGN §4 "Journal").
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.store.base import Store
    from gateway.store.snapshot import Snapshot

FORMAT = "kine-gateway/journal/1"
SHARDED = "kine-gateway/journal/2"
"""Format of a journal of several shards (PostgreSQL); one of a single shard keeps the first."""
RECORD_PREFIX = b'{"hash":"'
RECORD_MIDDLE = b'","record":'
RECORD_SUFFIX = b"}"


def export(store: Store) -> Iterator[str]:
    """The lines of an export, each with its line feed."""
    return lines(store.snapshot())


def lines(snapshot: Snapshot) -> Iterator[str]:
    """The lines of an export of this very snapshot."""
    key = {"origin": snapshot.verifier.name, "public_key": snapshot.verifier.dump().strip()}
    heads = [{"root": head.root.hex(), "size": head.size} for head in snapshot.heads]
    several: dict[str, object] = {"format": SHARDED, "shards": heads, "size": snapshot.size}
    yield _line({**key, **(several if len(heads) > 1 else {"format": FORMAT, **heads[0]})})
    for note in snapshot.notes:
        yield _line({"checkpoint": note})
    for note, token in snapshot.tokens:
        yield _line({"anchor": {"checkpoint": note, "token": base64.b64encode(token).decode()}})
    for entry in snapshot.records():
        hashed = RECORD_PREFIX + entry.hash.hex().encode() + RECORD_MIDDLE
        yield (hashed + entry.record + RECORD_SUFFIX + b"\n").decode()
    for standing in snapshot.states:
        yield _line(standing._asdict())


def _line(value: dict[str, object]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
