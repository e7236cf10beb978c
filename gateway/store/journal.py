"""The journal: append-only records, chained by SHA-256 and counted in a Merkle tree, in the caller's transaction.

A record holds ids, hashes, codes, times and scrubbed replies. The list of fields below is closed: nobody adds a
name or a text of his own without changing it, and a test greps the result for the traits of every fixture.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from gateway.store.database import Transaction
from gateway.store.merkle import Frontier, leaf_hash
from gateway.unseen import UNSEEN_OR_BREAK

VERSION = 1
EVERY = "*"
"""Stands for every account, in a pause; such a record goes to shard 0."""
GENESIS = bytes(32)

FIELDS = frozenset(
    {
        "clock_error_ms", "clock_offset_ms",
        "account", "artifacts", "at", "attempt", "by", "channel", "content_sha256", "date", "deliveries", "delivery",
        "destination", "document", "due_at", "epoch", "event", "evidence_sha256", "facts_sha256", "fence", "findings",
        "handed_at", "host", "key_id", "kind", "mapping_pack", "means", "note_mac", "patient", "priority", "purpose",
        "reason", "receipt", "reference", "repeat_of", "replaces", "role", "root", "seq", "shard", "size", "state",
        "succeeded_by", "succeeds", "text", "type", "v", "verdict", "worker",
    }
)  # fmt: skip
"""Every field that a record may have. `by` is the professional who acted: the record exists to name him."""

Record = dict[str, Any]

_MAIL = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+")
_LONG_NUMBER = re.compile(r"(?<![0-9A-Fa-f.-])[0-9][0-9 AB]{9,}[0-9](?![0-9A-Fa-f])")
_UNFIT = re.compile(r"[^A-Za-z0-9_.:/+@=-]+")
_CONTROL = re.compile(rf"[{UNSEEN_OR_BREAK}]+")


def canonical(record: Mapping[str, Any]) -> bytes:
    """A record as RFC 8785 JSON: sorted ASCII keys, no spaces, integers only. Raises ValueError on anything else."""
    _check(record)
    return _encode(record).encode()


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_ATOMS = frozenset({str, int, bool, type(None)})


def _check(value: Any) -> None:
    if type(value) in _ATOMS:  # nearly all of them: every record of the journal comes through here
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not key.isascii():
                raise ValueError(f"key {key!r} is not ASCII")
            _check(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner)
    elif value is not None and not isinstance(value, str | int | bool):
        raise ValueError(f"{type(value).__name__} has no canonical form here")


def chain_hash(before: bytes, record: bytes) -> bytes:
    """Link of one record to the one before it."""
    return sha256(b"\x00" + before + record).digest()


def timestamp(at: datetime) -> str:
    """UTC with milliseconds, `2026-01-05T14:30:00.000Z` (RFC 3339)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def parse_time(record: str) -> datetime:
    """When a record was written."""
    return datetime.fromisoformat(json.loads(record)["at"])


def code(text: str) -> str:
    """A reason reduced to the form of a code, whoever wrote it: no spaces, at most 80 characters."""
    return _UNFIT.sub("_", text)[:80]


def scrub(text: str) -> str:
    """A server's reply without addresses, long numbers (matricules) and control characters, at most 300 characters.

    The channels scrub what they know; this is the net below them, which knows nothing but shapes.
    """
    text = _CONTROL.sub(" ", text)
    return _LONG_NUMBER.sub("<number>", _MAIL.sub("<address>", text))[:300]


class Growth(NamedTuple):
    """What appending did to a shard: its sizes before and after, and its new root."""

    shard: int
    before: int
    size: int
    root: bytes


def shard_of(account: str | None, shards: int) -> int:
    """The shard of what concerns an account; 0 for what concerns none, or all.

    The records of a delivery, and of every document of a patient in an account, thus stand in one shard, in order.
    """
    if shards == 1 or account is None or account == EVERY:
        return 0
    return int.from_bytes(sha256(account.encode()).digest()[:8], "big") % shards


def append(
    tx: Transaction, at: datetime, shard: int, records: Sequence[Record], common: Mapping[str, Any] | None = None
) -> Growth:
    """Add records at the end of a shard, in the caller's transaction; `common` fields stand in each.

    Raises ValueError when a record has a field outside `FIELDS`.
    """
    head = tx.head(shard)
    tree, last, before = Frontier(head["size"], head["frontier"]), head["hash"], head["size"]
    rows, stamp = [], timestamp(at)
    for record in records:
        data = _complete({**record, **common} if common else record, stamp, shard, tree.size)
        last = chain_hash(last, data)
        rows.append(
            {
                "shard": shard,
                "seq": tree.size,
                "record": data.decode(),
                "hash": last,
                "delivery": record.get("delivery"),
            }
        )
        tree.append(leaf_hash(data))
    tx.many("journal_insert", rows)
    tx.run("journal_advance", shard=shard, size=tree.size, hash=last, frontier=tree.dump())
    return Growth(shard, before, tree.size, tree.root())


def _complete(record: Record, stamp: str, shard: int, seq: int) -> bytes:
    present = {key: value for key, value in record.items() if value is not None}
    if unknown := present.keys() - FIELDS:
        raise ValueError(f"fields not allowed in the journal: {sorted(unknown)}")
    return canonical({"v": VERSION, "shard": shard, "seq": seq, "at": stamp, **present})


def head(tx: Transaction, shard: int = 0) -> tuple[int, bytes]:
    """Size and Merkle root of a shard."""
    row = tx.head(shard)
    return row["size"], Frontier(row["size"], row["frontier"]).root()
