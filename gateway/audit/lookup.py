"""Were these very bytes sent, to whom and when? Answered from the journal alone, so also after an erasure.

The journal keeps the SHA-256 of everything that was committed for a document: renderings and the frozen parts of each
message. A mail that has travelled has gained headers, so its attachments and the content of its archive are looked up
too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.audit.export import RECORD_MIDDLE, RECORD_PREFIX, RECORD_SUFFIX

if TYPE_CHECKING:
    from gateway.store.base import Store

_MARKS = ((b"%PDF", "PDF"), (b"PK\x03\x04", "archive"), (b"<", "XML"), (b"\xef\xbb\xbf<", "XML"), (b"{", "JSON"))
_SENT = frozenset({"taken", "confirm_sent", "handed"})
_MAIL = "message"


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that the file is or holds."""

    label: str
    sha256: str


@dataclass(slots=True)
class Trace:
    """What the journal says of one delivery: where to, where it stands, when it went and what came back."""

    delivery: str
    destination: str
    role: str
    channel: str
    state: str = ""
    receipt: str = ""
    sent_at: str | None = None
    reference: str | None = None


@dataclass(slots=True)
class Found:
    """A document that holds one of the pieces. `receipt_of`: the piece is a receipt, for this delivery."""

    document: str
    piece: Piece
    accepted_at: str = ""
    receipt_of: str | None = None
    deliveries: list[Trace] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def pieces(data: bytes) -> list[Piece]:
    """The file itself, and what is inside when it is a message or an archive. Never raises on bad input."""
    label = next((name for mark, name in _MARKS if data.startswith(mark)), _MAIL)
    found = [(label, data), *(_inside(data) if label == _MAIL else _archived(data) if label == "archive" else ())]
    unique = {sha256(content).hexdigest(): name for name, content in reversed(found)}
    return [Piece(name, digest) for digest, name in reversed(unique.items())]


def _inside(data: bytes) -> Iterator[tuple[str, bytes]]:
    from gateway.read import mail

    for attachment in mail.read(data).attachments:
        yield f"pièce jointe {attachment.media_type}", attachment.data
        if attachment.data.startswith(b"PK\x03\x04"):
            yield from _archived(attachment.data)


def _archived(data: bytes) -> Iterator[tuple[str, bytes]]:
    from gateway import terminology
    from gateway.read import xdm

    for document in xdm.read(data, terminology.load()).documents:
        yield f"archive : {document.name}", document.data


def in_store(store: Store, wanted: Iterable[Piece]) -> list[Found]:
    """What the journal in place says of these pieces."""
    return _search((entry.record for entry in store.snapshot().records()), wanted)


def in_export(export: Path, wanted: Iterable[Piece]) -> list[Found]:
    """What an export says of these pieces. Verify the export too: its lines are taken here as they are."""
    with export.open("rb") as lines:
        return _search((_record(line) for line in lines if line.startswith(RECORD_PREFIX)), wanted)


def _record(line: bytes) -> bytes:
    start = line.find(RECORD_MIDDLE) + len(RECORD_MIDDLE)
    return line.rstrip(b"\n").removesuffix(RECORD_SUFFIX)[start:]


def _search(records: Iterable[bytes], wanted: Iterable[Piece]) -> list[Found]:
    """One pass: a document's records all come after the one that holds its hashes."""
    marks = {piece.sha256: piece for piece in wanted}
    documents: dict[str, list[Found]] = {}
    traces: dict[str, Trace] = {}
    for data in records:
        record = _object(data)
        document = str(record.get("document", ""))
        for digest in (*_hashes(record), record.get("evidence_sha256")):
            if digest in marks:
                evidence = record.get("delivery") if digest == record.get("evidence_sha256") else None
                found = Found(document, marks[digest], str(record.get("at", "")), evidence)
                documents.setdefault(document, []).append(found)
        if "delivery" in record:
            _follow(traces, documents, document, record)
    return [found for several in documents.values() for found in several]


def _hashes(record: dict[str, Any]) -> Iterable[Any]:
    hashes = record.get("artifacts")
    return hashes if isinstance(hashes, list) else ()


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _follow(traces: dict[str, Trace], documents: dict[str, list[Found]], document: str, record: dict[str, Any]) -> None:
    """Keep a delivery's trace up to date, and show it with its document when that holds a piece."""
    name = str(record["delivery"])
    trace = traces.get(name)
    if trace is None:
        if "destination" not in record:
            return
        about = {key: str(record.get(key, "")) for key in ("destination", "role", "channel")}
        trace = traces[name] = Trace(name, **about)
    trace.state = str(record.get("state", trace.state))
    trace.receipt = str(record.get("receipt", trace.receipt))
    if record.get("event") in _SENT or (record.get("event") == "receipt" and record.get("state") == "sent"):
        trace.sent_at = trace.sent_at or str(record.get("handed_at") or record.get("at"))
    trace.reference = record.get("reference") or trace.reference
    for found in documents.get(document, ()):
        if trace not in found.deliveries and found.receipt_of in {None, name}:
            found.deliveries.append(trace)
