"""The journal read up to signed checkpoints: what was accepted by then, which version stands, how each delivery stood.

Whatever is computed from it can be computed again later: the same checkpoints give the same answer, however much the
journal has grown since, and whether or not documents were erased. The roots are recomputed on the way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from gateway.errors import NotFoundError, StoreError
from gateway.store.checkpoint import Checkpoint, CheckpointError, Verifier, shard_of_origin
from gateway.store.merkle import Frontier, leaf_hash

if TYPE_CHECKING:
    from gateway.store.base import Store
    from gateway.store.snapshot import Snapshot

Progress = Callable[[int, int], None]
"""Called now and then with the records read and the records in all."""
TELL_EVERY = 20_000


@dataclass(slots=True)
class Paper:
    """A document as the journal tells of it. `facts` is the SHA-256 of its frozen facts, None: none were frozen."""

    id: str
    account: str
    patient: str
    day: date
    facts: str | None
    replaces: str | None = None
    replaced_by: str | None = None
    withdrawn: bool = False
    erased: bool = False

    @property
    def stands(self) -> bool:
        """Whether this is the version that counts."""
        return not self.withdrawn and self.replaced_by is None


@dataclass(slots=True)
class Parcel:
    """A delivery as the journal tells of it."""

    id: str
    document: str
    destination: str
    role: str
    channel: str
    purpose: str
    state: str
    receipt: str


@dataclass(frozen=True, slots=True)
class Mark:
    """The signed checkpoints, one for each shard, that something was computed at. `size` counts all their records."""

    notes: tuple[str, ...]
    size: int
    roots: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; what `--at` reads back."""
        return {"size": self.size, "roots": list(self.roots), "notes": list(self.notes)}


@dataclass(slots=True)
class Ledger:
    """Documents and deliveries by their id, as of `mark`."""

    mark: Mark
    papers: dict[str, Paper] = field(default_factory=dict)
    parcels: dict[str, Parcel] = field(default_factory=dict)

    def follow(self, record: dict[str, Any]) -> None:
        """Take one record in."""
        document, event = record.get("document"), record.get("event")
        if event == "document_accepted":
            self._accepted(record)
        elif "delivery" in record and "state" in record:
            self._moved(record)
        elif document in self.papers:
            paper = self.papers[document]
            if event == "facts_frozen":
                paper.facts = record["facts_sha256"]
            paper.withdrawn |= event == "document_withdrawn"
            paper.erased |= event == "document_erased"

    def _accepted(self, record: dict[str, Any]) -> None:
        paper = Paper(
            id=record["document"],
            account=record["account"],
            patient=record["patient"],
            day=date.fromisoformat(record["date"]),
            facts=record.get("facts_sha256"),
            replaces=record.get("replaces"),
        )
        self.papers[paper.id] = paper
        if paper.replaces in self.papers:
            self.papers[paper.replaces].replaced_by = paper.id

    def _moved(self, record: dict[str, Any]) -> None:
        parcel = self.parcels.get(record["delivery"])
        if parcel is not None:
            parcel.state = record["state"]
            parcel.receipt = record.get("receipt", parcel.receipt)
        elif record["event"] == "accepted":
            names = ("document", "destination", "role", "channel", "state", "receipt")
            about = {name: str(record[name]) for name in names}
            purpose = str(record.get("purpose", "document"))
            self.parcels[record["delivery"]] = Parcel(id=record["delivery"], purpose=purpose, **about)


def read(store: Store, at: str | None = None, progress: Progress | None = None) -> Ledger:
    """The journal as of `at`: None: now, by a checkpoint signed for it; else a size, a signed checkpoint, or the JSON
    of an earlier report (its `checkpoint`).

    Raises NotFoundError (IND-002: no such checkpoint), StoreError (JRN-110: the journal does not lead to it, JRN-111:
    none could be written).
    """
    if at is None:
        store.checkpoint()
    snapshot = store.snapshot()
    marks = wanted(snapshot, at)
    ledger = Ledger(mark_of(marks))
    trees: dict[int, Frontier] = {}
    for record in _told(below(snapshot, marks, trees), ledger.mark.size, progress):
        ledger.follow(record)
    check(marks, trees)
    return ledger


def _told(records: Iterable[bytes], total: int, progress: Progress | None) -> Iterator[dict[str, Any]]:
    for number, data in enumerate(records, 1):
        yield json.loads(data)
        if progress is not None and number % TELL_EVERY == 0:
            progress(number, total)


def below(snapshot: Snapshot, marks: dict[int, Signed], trees: dict[int, Frontier]) -> Iterator[bytes]:
    """The records that checkpoints count, shard by shard, in order; their trees grow on the way."""
    for shard, one in marks.items():
        tree = trees.setdefault(shard, Frontier())
        for entry in snapshot.records_of(shard):
            if tree.size == one.checkpoint.size:
                break
            tree.append(leaf_hash(entry.record))
            yield entry.record


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint with its signed text."""

    note: str
    checkpoint: Checkpoint


def signed(notes: Iterable[str], verifier: Verifier) -> dict[int, list[Signed]]:
    """The checkpoints of this journal among some notes, by shard, smallest first."""
    found: dict[int, list[Signed]] = {}
    for note in notes:
        try:
            checkpoint = verifier.verify(note)
        except CheckpointError:
            continue
        shard = shard_of_origin(verifier.name, checkpoint.origin)
        if shard is not None:
            found.setdefault(shard, []).append(Signed(note, checkpoint))
    return {shard: sorted(several, key=lambda one: one.checkpoint.size) for shard, several in sorted(found.items())}


def wanted(snapshot: Snapshot, at: str | None = None) -> dict[int, Signed]:
    """The checkpoints that `at` names, or the newest that the snapshot reaches. Raises like `read`."""
    if at is not None:
        return _asked(snapshot, at.strip())
    heads = dict(enumerate(head.size for head in snapshot.heads))
    kept = signed(snapshot.notes, snapshot.verifier)
    found = {
        shard: fitting[-1]
        for shard, several in kept.items()
        if (fitting := [one for one in several if one.checkpoint.size <= heads.get(shard, 0)])
    }
    if not found:
        raise StoreError("JRN-111", "Le point de contrôle n'a pas pu être écrit.", "Vérifier journal.checkpoint_dir.")
    return found


def _asked(snapshot: Snapshot, at: str) -> dict[int, Signed]:
    """The checkpoints that somebody names: given whole, or by their size in the folder."""
    notes = _notes_of(at)
    if notes is None:
        kept = [one for several in signed(snapshot.notes, snapshot.verifier).values() for one in several]
        notes = [one.note for one in kept if str(one.checkpoint.size) == at]
    found = signed(notes, snapshot.verifier)
    # One checkpoint says nothing of the other shards: only a report names them together.
    if not found or (len(snapshot.heads) > 1 and not at.startswith("{")):
        advice = "Donner la taille d'un point de contrôle conservé, son fichier, ou le JSON d'un rapport précédent."
        raise NotFoundError("IND-002", "Aucun point de contrôle de ce journal ne correspond.", advice)
    return {shard: several[-1] for shard, several in found.items()}


def _notes_of(at: str) -> list[str] | None:
    if "\n\n" in at and not at.startswith("{"):
        return [at if at.endswith("\n") else at + "\n"]
    if not at.startswith("{"):
        return None
    try:
        notes = [str(note) for note in json.loads(at)["checkpoint"]["notes"]]
        "".join(notes).encode()  # half a character, which JSON can spell, is signed by nobody
        return notes
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def mark_of(marks: dict[int, Signed]) -> Mark:
    """The checkpoints as one."""
    several = [marks[shard] for shard in sorted(marks)]
    size = sum(one.checkpoint.size for one in several)
    return Mark(tuple(one.note for one in several), size, tuple(one.checkpoint.root.hex() for one in several))


def check(marks: dict[int, Signed], trees: dict[int, Frontier]) -> None:
    """Raise StoreError (JRN-110) unless the records that were read lead to the checkpoints."""
    for shard, one in marks.items():
        tree = trees.get(shard, Frontier())
        if (tree.size, tree.root()) != (one.checkpoint.size, one.checkpoint.root):
            message = "Le journal ne correspond pas à son point de contrôle."
            raise StoreError("JRN-110", message, "Lancer `journal verify`.")
