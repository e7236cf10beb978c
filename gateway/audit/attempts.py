"""Attempts to send, put together from journal records: what left for whom, how it ended, and which records say so."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from gateway import resources

Record = dict[str, Any]
_UNKNOWN = "4"


@cache
def codes() -> Mapping[str, Any]:
    """Codes of audit messages (mappings/audit.toml)."""
    return tomllib.loads(resources.read_text("mappings", "audit.toml"))


@dataclass(frozen=True, slots=True)
class Told:
    """A journal record with its place: parsed, and its exact bytes."""

    shard: int
    seq: int
    value: Record
    data: bytes

    @property
    def reference(self) -> str:
        """`shard:number:SHA-256 of the Merkle leaf`, by which an export's line names the record behind it."""
        return f"{self.shard}:{self.seq}:{sha256(bytes(1) + self.data).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to send one delivery. `transmitted`: bytes may have left; `records` tell of it, in order.

    `account`, `patient` (pseudonym) and `document_type` are those of the document.
    """

    delivery: str
    number: int
    document: str
    account: str
    patient: str
    document_type: str
    destination: str
    channel: str
    started_at: str
    ended_at: str
    transmitted: bool
    verdict: str
    reason: str
    text: str
    host: str | None
    records: tuple[Told, ...]

    @property
    def outcome(self) -> str:
        """0, 4 or 8 (DICOM PS3.15 §A.5, RFC 3881 §5.1.4)."""
        return str(codes()["outcome"].get(self.verdict, _UNKNOWN))


class Attempts:
    """Follows the journal record by record, and gives each attempt when it ends."""

    def __init__(self) -> None:
        self._documents: dict[str, Told] = {}
        self._deliveries: dict[str, Told] = {}
        self._running: dict[tuple[str, int], list[Told]] = {}

    def follow(self, told: Told) -> Iterator[Attempt]:
        """Take a record in; the attempt that it ends, if it ends one."""
        value, event = told.value, told.value.get("event")
        if event == "document_accepted":
            self._documents[value["document"]] = told
        elif event == "accepted" and "delivery" in value:
            self._deliveries[value["delivery"]] = told
        elif "attempt" in value:
            yield from self._attempt(told)

    def _attempt(self, told: Told) -> Iterator[Attempt]:
        value = told.value
        key = value["delivery"], value["attempt"]
        if value["event"] == "claimed":
            self._running[key] = [told]
        elif key not in self._running:
            return  # evidence was asked for: nothing was disclosed
        elif value["event"] == "transmit":
            self._running[key].append(told)
        elif value["event"] == "late_result" or "state" in value:
            yield self._ended([*self._running.pop(key), told])

    def _ended(self, records: list[Told]) -> Attempt:
        first, last = records[0].value, records[-1].value
        delivery = self._deliveries[first["delivery"]]
        document = self._documents[first["document"]]
        return Attempt(
            delivery=first["delivery"],
            number=first["attempt"],
            document=first["document"],
            account=document.value["account"],
            patient=document.value["patient"],
            document_type=document.value["type"],
            destination=delivery.value["destination"],
            channel=delivery.value["channel"],
            started_at=first["at"],
            ended_at=last["at"],
            transmitted=any(one.value["event"] == "transmit" for one in records),
            verdict=last.get("verdict", "lost" if last["event"] == "recovered" else "transient"),
            reason=last.get("reason", ""),
            text=last.get("text", ""),
            host=last.get("host"),
            records=(document, delivery, *records),
        )


def attempts(told: Iterable[Told]) -> Iterator[Attempt]:
    """Every attempt that ended, in the order of their ends."""
    following = Attempts()
    for one in told:
        yield from following.follow(one)
