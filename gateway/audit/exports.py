"""Exports that verify offline: the journal as CSV, JSON lines, FHIR AuditEvents or DICOM audit messages.

An export is a folder. Beside the lines for people or programs stand the journal records themselves, with the signed
checkpoint that they lead to: the whole journal, or, for a period, the records that the lines come from with their
inclusion proofs. A signed manifest holds the hash of every file, and each line names the records behind it.
docs/verify_export.py checks all of that with the standard library and `cryptography`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from gateway.audit import export as whole
from gateway.audit import ledger
from gateway.audit.attempts import Attempt, Attempts, Told
from gateway.audit.messages import atna, audit_event
from gateway.audit.tables import lines_of, written
from gateway.errors import ConfigError, StateError
from gateway.store.merkle import Frontier, inclusion_proofs, leaf_hash

if TYPE_CHECKING:
    from gateway.audit.ledger import Progress, Signed
    from gateway.audit.period import Period
    from gateway.store.base import Store
    from gateway.store.snapshot import Snapshot

Form = Literal["csv", "jsonl", "fhir", "atna"]
FORMAT = "kine-gateway/export/1"
SELECTION = "kine-gateway/selection/1"
MANIFEST, SIGNATURE, RECORDS, README = "export.json", "export.sig", "journal.jsonl", "LISEZMOI.txt"
NAMES: dict[Form, str] = {"csv": "journal.csv", "fhir": "auditevents.ndjson", "atna": "audit-messages.xml.txt"}
"""File of each form; JSON lines are the records themselves."""
ZONE = ZoneInfo("Europe/Paris")
"""Days of a period are those of the practice's clock."""
_FIRST = (
    "shard",
    "seq",
    "at",
    "event",
    "account",
    "document",
    "delivery",
    "destination",
    "channel",
    "state",
    "receipt",
)
_README = """Export du journal de kine-gateway.

{records} : les enregistrements du journal et les points de contrôle signés. Les autres fichiers en sont tirés.
Vérifier, sans kine-gateway (Python 3.11 et la bibliothèque cryptography) :

    python verify_export.py DOSSIER --public-key journal.pub

La clé publique journal.pub se demande au cabinet, une fois, par un autre chemin que ce dossier.
"""


Behind = dict[tuple[int, int], Told]
"""The records behind the lines of an export, by shard and number."""


@dataclass(frozen=True)
class Export:
    """What was written: the manifest, and how many lines the form has."""

    folder: Path
    manifest: dict[str, Any]
    lines: int


def write(store: Store, folder: Path, form: Form, period: Period | None, progress: Progress | None = None) -> Export:
    """Write an export into a folder, which must be new or empty.

    Raises StateError (IND-005: the folder holds something), ConfigError (IND-006: it cannot be made), StoreError
    (JRN-110, JRN-111), OSError (a full disk).
    """
    _make(folder)
    store.checkpoint()
    snapshot = store.snapshot()
    marks = ledger.wanted(snapshot)
    records = folder / RECORDS
    if period is None:
        _write(records, whole.lines(snapshot))
        lines = _derive(_all(snapshot, marks, progress), folder, form, snapshot.verifier.name, lambda _: True)
    else:
        lines = _part(snapshot, marks, folder, form, period, progress)
    (folder / README).write_text(_README.format(records=RECORDS), encoding="utf-8")
    manifest = _manifest(folder, form, period, snapshot, marks)
    text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
    note = store.attest(FORMAT, f"manifest {sha256(text.encode()).hexdigest()}")
    (folder / SIGNATURE).write_text(note, encoding="utf-8", newline="\n")
    return Export(folder, manifest, lines)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = any(folder.iterdir())
    except OSError as fault:
        raise ConfigError("IND-006", f"Fichier non écrit : {folder}.", fault.strerror or "") from fault
    if held:
        raise StateError("IND-005", f"Le dossier {folder} n'est pas vide.", "Donner un dossier neuf (--out).")


def _manifest(
    folder: Path, form: Form, period: Period | None, snapshot: Snapshot, marks: dict[int, Signed]
) -> dict[str, Any]:
    names = sorted(path.name for path in folder.iterdir())
    return {
        "format": FORMAT,
        "form": form,
        "origin": snapshot.verifier.name,
        "public_key": snapshot.verifier.dump().strip(),
        "period": None if period is None else period.as_dict(),
        "checkpoint": ledger.mark_of(marks).as_dict(),
        "files": {name: {"sha256": _digest(folder / name), "bytes": (folder / name).stat().st_size} for name in names},
    }


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        found = sha256()
        while data := stream.read(1 << 20):
            found.update(data)
        return found.hexdigest()


def _all(snapshot: Snapshot, marks: dict[int, Signed], progress: Progress | None) -> Iterator[Told]:
    """Every record below the checkpoints; raises StoreError (JRN-110) at the end where they do not lead to them."""
    trees: dict[int, Frontier] = {}
    total = ledger.mark_of(marks).size
    for number, data in enumerate(ledger.below(snapshot, marks, trees), 1):
        value = json.loads(data)
        yield Told(int(value["shard"]), int(value["seq"]), value, data)
        if progress is not None and (number % ledger.TELL_EVERY == 0 or number == total):
            progress(number, total)
    ledger.check(marks, trees)


def _part(
    snapshot: Snapshot,
    marks: dict[int, Signed],
    folder: Path,
    form: Form,
    period: Period,
    progress: Progress | None,
) -> int:
    """The lines of a period, and the records behind them with their inclusion proofs."""
    leaves: dict[int, list[bytes]] = {shard: [] for shard in marks}
    behind: Behind = {}

    def kept() -> Iterator[Told]:
        for told in _all(snapshot, marks, progress):
            leaves[told.shard].append(leaf_hash(told.data))
            yield told

    def inside(told: Told) -> bool:
        return datetime.fromisoformat(told.value["at"]).astimezone(ZONE).date() in period

    lines = _derive(kept(), folder, form, snapshot.verifier.name, inside, behind)
    _write(folder / RECORDS, _selection(snapshot, marks, period, leaves, behind))
    return lines


def _selection(
    snapshot: Snapshot,
    marks: dict[int, Signed],
    period: Period,
    leaves: dict[int, list[bytes]],
    behind: Behind,
) -> Iterator[str]:
    key = {"origin": snapshot.verifier.name, "public_key": snapshot.verifier.dump().strip()}
    yield _line({"format": SELECTION, "period": period.as_dict(), **key})
    notes = [one.note for one in marks.values()]
    yield from (_line({"checkpoint": note}) for note in notes)
    for note, token in snapshot.tokens:
        if note in notes:
            yield _line({"anchor": {"checkpoint": note, "token": base64.b64encode(token).decode()}})
    for shard in marks:
        paths = inclusion_proofs([seq for of, seq in behind if of == shard], leaves[shard])
        for seq in sorted(paths):
            proof = [node.hex() for node in paths[seq]]
            data = behind[shard, seq].data.decode()
            yield _line({"shard": shard, "seq": seq, "record": data, "proof": proof})


def _derive(
    told: Iterable[Told],
    folder: Path,
    form: Form,
    origin: str,
    inside: Callable[[Told], bool],
    behind: Behind | None = None,
) -> int:
    """Write the lines of a form, note the records behind them where they are wanted; returns how many lines."""
    if form in {"csv", "jsonl"}:
        rows = _rows(told, inside, behind)
        if form == "csv":
            return _write_csv(folder / NAMES["csv"], rows)
        return sum(1 for _ in rows)
    made = _attempts(told, inside, behind)
    if form == "fhir":
        return _write(folder / NAMES["fhir"], (_line(audit_event(one, origin)) for one in made))
    return _write(folder / NAMES["atna"], (atna(one, origin).decode() + "\n" for one in made))


def _rows(told: Iterable[Told], inside: Callable[[Told], bool], behind: Behind | None) -> Iterator[Told]:
    for one in told:
        if inside(one):
            if behind is not None:
                behind[one.shard, one.seq] = one
            yield one


def _attempts(told: Iterable[Told], inside: Callable[[Told], bool], behind: Behind | None) -> Iterator[Attempt]:
    following = Attempts()
    for one in told:
        for attempt in following.follow(one):
            if inside(one):
                if behind is not None:
                    behind.update({(record.shard, record.seq): record for record in attempt.records})
                yield attempt


def columns() -> tuple[str, ...]:
    """Columns of the CSV: every field that a record may have, then the hash by which the journal knows it."""
    from gateway.store.journal import FIELDS

    return (*_FIRST, *sorted(FIELDS - set(_FIRST)), "record")


def _write_csv(path: Path, rows: Iterable[Told]) -> int:
    number = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(written(columns(), ()))
        for number, one in enumerate(rows, 1):  # noqa: B007 - the last number is what is returned
            file.write(lines_of([[_cell(one, name) for name in columns()]]))
    return number


def _cell(one: Told, name: str) -> str:
    """A field as text; lists joined by spaces."""
    if name == "record":
        return one.reference
    value = one.value.get(name, "")
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _write(path: Path, lines: Iterable[str]) -> int:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        return sum(file.write(line) > 0 for line in lines)


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"
