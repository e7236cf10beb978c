"""Verification: chain, Merkle root, checkpoint signatures, and every delivery against its last record.

Works on the store in place or on an export and a public key alone. What a checkpoint that the verifier kept from
earlier adds is said in the report: without it the holder of the signing key could have rewritten everything.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509

from gateway.audit.export import FORMAT, RECORD_MIDDLE, RECORD_PREFIX, RECORD_SUFFIX, SHARDED
from gateway.audit.report import Report, Shard
from gateway.errors import InputError
from gateway.findings import Finding, error, step, warning
from gateway.store import anchors
from gateway.store.anchors import Anchor, AnchorError
from gateway.store.checkpoint import Checkpoint, CheckpointError, Verifier, shard_of_origin
from gateway.store.journal import GENESIS, chain_hash
from gateway.store.merkle import HASH_BYTES, Frontier, leaf_hash

if TYPE_CHECKING:
    from gateway.store.base import Store

Progress = Callable[[int, int], None]
MAX_FINDINGS = 1000
MAX_SHARDS = 1000
TOLD_EVERY = 1000
"""Records between two words about the progress."""
_HASH_AT = len(RECORD_PREFIX)
_RECORD_AT = _HASH_AT + 2 * HASH_BYTES + len(RECORD_MIDDLE)


@dataclass
class _Chain:
    """One pass over one shard of a journal."""

    shard: int
    say: Callable[[str, str, str], None]
    wanted: dict[int, list[tuple[str, Checkpoint]]] = field(default_factory=dict)
    broken: list[tuple[str, Checkpoint]] = field(default_factory=list)
    restored: list[range] = field(default_factory=list)
    tree: Frontier = field(default_factory=Frontier)
    last: bytes = GENESIS
    signed: int = 0
    held: int = 0
    checkpoints: int = 0
    matched: set[int] = field(default_factory=set)

    @property
    def place(self) -> str:
        """Path of its records in findings."""
        return f"/shards/{self.shard}/records" if self.shard else "/records"

    def feed(self, record: bytes, value: dict[str, Any], stored: bytes) -> None:
        """Check one record against the one before it."""
        self.compare()
        seq, path = self.tree.size, f"{self.place}/{self.tree.size}"
        if chain_hash(self.last, record) != stored:
            self.say("JRN-101", path, "Enregistrement modifié, ajouté ou retiré : son empreinte ne suit pas.")
        self.last = stored  # go on from what is written, so that one change is one finding
        self.tree.append(leaf_hash(record))
        if value.get("seq") != seq or value.get("shard") != self.shard:
            self.say("JRN-102", path, "Numéro d'ordre inattendu : enregistrement déplacé, ajouté ou retiré.")
        if value.get("event") == "store_restored":
            # What the lost part had signed, this record owns up to.
            size = value.get("size")
            self.restored.append(range(seq + 1, (size if isinstance(size, int) else 0) + 1))

    def compare(self) -> None:
        """Compare the checkpoints that were signed at this size."""
        for path, checkpoint in self.wanted.pop(self.tree.size, ()):
            if checkpoint.root != self.tree.root():
                self.broken.append((path, checkpoint))
                continue
            self.checkpoints += 1
            self.matched.add(checkpoint.size)
            self.signed = max(self.signed, checkpoint.size)
            if _is_held(path):
                self.held = max(self.held, checkpoint.size)

    def finish(self, findings: list[Finding]) -> None:
        """The checkpoints that this chain does not lead to."""
        self.compare()
        for path, checkpoint in [*self.broken, *(found for ahead in self.wanted.values() for found in ahead)]:
            self._contradicted(path, checkpoint, findings)

    def _contradicted(self, path: str, checkpoint: Checkpoint, findings: list[Finding]) -> None:
        size = checkpoint.size
        if not _is_held(path) and any(size in lost for lost in self.restored):
            message = f"Sauvegarde restaurée : des enregistrements signés jusqu'au {size}e manquent."
            findings.append(warning("JRN-112", path, message))
        elif size > self.tree.size:
            self.say("JRN-105", path, f"Journal tronqué : {size} enregistrements signés, {self.tree.size} présents.")
        else:
            self.say("JRN-104", path, f"Les {size} premiers enregistrements ne sont plus ceux qui furent signés.")

    def standing(self) -> Shard:
        """What the report says of it."""
        root = self.tree.root().hex()
        return Shard(self.shard, self.tree.size, root, self.signed, self.held, self.checkpoints)


@dataclass
class _Audit:
    """One pass over a journal."""

    verifier: Verifier
    trusted_key: bool
    shards: int = 1
    findings: list[Finding] = field(default_factory=list)
    standing: dict[str, tuple[str, str]] = field(default_factory=dict)
    notes: int = 0
    roots: list[x509.Certificate] | None = None
    stamps: list[tuple[str, str, bytes]] = field(default_factory=list)
    anchored: list[Anchor] = field(default_factory=list)
    chains: list[_Chain] = field(init=False)

    def __post_init__(self) -> None:
        self.chains = [_Chain(shard, self.say) for shard in range(self.shards)]

    def say(self, code: str, path: str, message: str) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(error(code, path, message, source="RFC 9162"))

    def note(self, text: str, path: str) -> None:
        """Take a signed checkpoint; its root is compared when the pass reaches its size."""
        try:
            checkpoint = self.verifier.verify(text)
        except CheckpointError:
            self.say("JRN-103", path, "Point de contrôle non signé par cette clé, ou abîmé.")
            return
        chain = self._chain_of(checkpoint)
        if chain is None:
            self.say("JRN-103", path, "Point de contrôle d'un autre journal.")
            return
        chain.wanted.setdefault(checkpoint.size, []).append((path, checkpoint))

    def _chain_of(self, checkpoint: Checkpoint) -> _Chain | None:
        shard = shard_of_origin(self.verifier.name, checkpoint.origin)
        return self.chains[shard] if shard is not None and shard < self.shards else None

    def stamp(self, text: str, token: bytes, path: str) -> None:
        """Take a time stamp of a checkpoint; judged at the end, when it is known what the journal leads to."""
        self.stamps.append((path, text, token))

    def feed(self, record: bytes, stored: bytes) -> dict[str, Any]:
        """Check one record against the one before it in its shard. Returns it parsed."""
        value = _parse(record)
        shard = value.get("shard")
        known = isinstance(shard, int) and 0 <= shard < self.shards
        self.chains[shard if known and shard is not None else 0].feed(record, value, stored)
        delivery = value.get("delivery")
        if delivery is not None and "state" in value:
            self.standing[str(delivery)] = (value["state"], value.get("receipt", "none"))
        return value

    def finish(self, states: Iterable[tuple[str, str, str]]) -> None:
        """Compare what is left: checkpoints beyond the end, and the deliveries' states."""
        for chain in self.chains:
            chain.finish(self.findings)
        for path, text, token in self.stamps if self.roots else ():
            self._judge(path, text, token)
        seen = set()
        for delivery, state, receipt in states:
            seen.add(delivery)
            if self.standing.get(delivery) != (state, receipt):
                self.say("JRN-106", f"/deliveries/{step(delivery)}", "L'état diffère du dernier enregistrement.")
        for delivery in self.standing.keys() - seen:
            self.say("JRN-106", f"/deliveries/{step(delivery)}", "Envoi journalisé mais absent.")

    def _judge(self, path: str, text: str, token: bytes) -> None:
        """A stamp counts where its checkpoint is signed by this key and this journal leads to it."""
        try:
            checkpoint = self.verifier.verify(text)
            at, authority = anchors.verify(token, text.encode(), self.roots or [])
        except CheckpointError:
            self.say("JRN-103", path, "Point de contrôle horodaté non signé par cette clé, ou abîmé.")
        except AnchorError:
            self.say("JRN-113", path, "Horodatage qui n'est pas de cette autorité, ou pas de ce point de contrôle.")
        else:
            chain = self._chain_of(checkpoint)
            if chain is not None and checkpoint.size in chain.matched:
                self.anchored.append(Anchor(checkpoint.size, at, authority, chain.shard))

    def report(self) -> Report:
        shards = tuple(chain.standing() for chain in self.chains)
        return Report(tuple(self.findings), shards, self.trusted_key, tuple(self.anchored), len(self.stamps))


HELD = "/checkpoint"
"""Path, in findings, of the checkpoints that the verifier brought."""


def _is_held(path: str) -> bool:
    return path == HELD or path.startswith(f"{HELD}/")


def verify_store(
    store: Store,
    *,
    public_key: Path | None = None,
    checkpoint: Path | None = None,
    tsa: Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Verify the journal in place. `public_key` and `checkpoint` are the verifier's own files, kept from earlier, `tsa`
    the roots (PEM) of the time-stamping authorities that he trusts; `progress` is told how many records of how many
    were read, now and then.

    Raises InputError (JRN-107) when one of these files cannot be used.
    """
    snapshot = store.snapshot()
    audit = _begin(snapshot.verifier, public_key, checkpoint, tsa, len(snapshot.heads))
    for number, text in enumerate(snapshot.notes):
        audit.note(text, f"/checkpoints/{number}")
    for number, (text, token) in enumerate(snapshot.tokens):
        audit.stamp(text, token, f"/anchors/{number}")
    for done, entry in enumerate(snapshot.records()):
        if progress is not None and done % TOLD_EVERY == 0:
            progress(done, snapshot.size)
        value = audit.feed(entry.record, entry.hash)
        if value.get("delivery") != entry.delivery:
            place = f"{audit.chains[entry.shard].place}/{entry.seq}"
            audit.say("JRN-108", place, "Enregistrement classé sous un autre envoi que le sien.")
    for chain, head in zip(audit.chains, snapshot.heads, strict=True):
        if (chain.tree.size, chain.tree.root(), chain.last) != tuple(head):
            audit.say("JRN-108", _head(chain), "La tête du journal ne correspond pas aux enregistrements.")
    audit.finish(snapshot.states)
    return audit.report()


def verify_export(
    export: Path, *, public_key: Path | None = None, checkpoint: Path | None = None, tsa: Path | None = None
) -> Report:
    """Verify an export with the public key alone (without one, with the key that the export itself gives).

    Raises InputError (JRN-107) when a file cannot be used at all; anything suspicious is a finding.
    """
    with export.open("rb") as stream:
        lines = iter(stream)
        found, heads = _header(next(lines, b""))
        audit = _begin(found, public_key, checkpoint, tsa, len(heads))
        states = list(_feed_lines(audit, lines))
    for chain, head in zip(audit.chains, heads, strict=True):
        if (chain.tree.size, chain.tree.root().hex()) != head:
            audit.say("JRN-108", _head(chain), "L'en-tête de l'export ne correspond pas aux enregistrements.")
    audit.finish(states)
    return audit.report()


def _head(chain: _Chain) -> str:
    return f"/shards/{chain.shard}/head" if chain.shard else "/head"


def _feed_lines(audit: _Audit, lines: Iterator[bytes]) -> Iterator[tuple[str, str, str]]:
    """Feed records and checkpoints; hand the deliveries' states on."""
    for number, line in enumerate(lines, 2):
        raw = line.rstrip(b"\n")
        if raw.startswith(RECORD_PREFIX) and raw.endswith(RECORD_SUFFIX):
            _feed_record(audit, raw, number)
            continue
        value = _parse(raw)
        if "checkpoint" in value:
            audit.note(str(value["checkpoint"]), f"/checkpoints/{audit.notes}")
            audit.notes += 1
        elif isinstance(value.get("anchor"), dict):
            _feed_anchor(audit, value["anchor"], number)
        elif value.keys() == {"delivery", "state", "receipt"}:
            yield str(value["delivery"]), value["state"], value["receipt"]
        else:
            audit.say("JRN-107", f"/lines/{number}", "Ligne illisible.")


def _feed_anchor(audit: _Audit, value: dict[str, Any], number: int) -> None:
    try:
        token = base64.b64decode(value["token"], validate=True)
        audit.stamp(str(value["checkpoint"]), token, f"/anchors/{len(audit.stamps)}")
    except (KeyError, TypeError, binascii.Error, ValueError):
        audit.say("JRN-107", f"/lines/{number}", "Ligne illisible.")


def _feed_record(audit: _Audit, raw: bytes, number: int) -> None:
    try:
        stored = bytes.fromhex(raw[_HASH_AT : _HASH_AT + 2 * HASH_BYTES].decode("ascii"))
    except ValueError:
        stored = b""
    if len(stored) != HASH_BYTES or raw[_RECORD_AT - len(RECORD_MIDDLE) : _RECORD_AT] != RECORD_MIDDLE:
        audit.say("JRN-107", f"/lines/{number}", "Ligne illisible.")
        return
    audit.feed(raw[_RECORD_AT : -len(RECORD_SUFFIX)], stored)


def _parse(data: bytes) -> dict[str, Any]:
    """An object, or an empty one: a record that is no JSON is found by its hash, not by an exception."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _header(line: bytes) -> tuple[Verifier, list[tuple[int, str]]]:
    """The key, and size and root of each shard. A journal of one shard is announced as before there were several."""
    value = _parse(line)
    try:
        several = {FORMAT: False, SHARDED: True}[value["format"]]
        listed = value["shards"] if several else [value]
        heads = [(int(one["size"]), str(one["root"])) for one in listed]
        if not 1 <= len(heads) <= MAX_SHARDS:
            raise ValueError("shards")
        return Verifier.parse(value["public_key"]), heads
    except (KeyError, TypeError, ValueError) as fault:
        raise _unusable("Ce fichier n'est pas un export du journal.") from fault


def _begin(found: Verifier, public_key: Path | None, checkpoint: Path | None, tsa: Path | None, shards: int) -> _Audit:
    trusted = found if public_key is None else read_key(public_key)
    roots = None if tsa is None else _read_roots(tsa)
    audit = _Audit(trusted, trusted_key=public_key is not None, shards=shards, roots=roots)
    if trusted != found:
        audit.say("JRN-109", "/public_key", "Le journal annonce une autre clé que celle du vérificateur.")
    for number, kept in enumerate(_kept(checkpoint)):
        audit.note(_read(kept), f"{HELD}/{number}" if number else HELD)
    return audit


def _kept(checkpoint: Path | None) -> list[Path]:
    """The verifier's own checkpoints: a file, or a folder of them (a journal of several shards has one for each)."""
    if checkpoint is None or not checkpoint.is_dir():
        return [] if checkpoint is None else [checkpoint]
    found = sorted(checkpoint.glob("*.txt"))
    if not found:
        raise _unusable(f"Aucun point de contrôle (*.txt) dans {checkpoint}.")
    return found


def read_key(path: Path) -> Verifier:
    """The verifier's own copy of the public key. Raises InputError (JRN-107)."""
    try:
        return Verifier.parse(_read(path))
    except CheckpointError as fault:
        raise _unusable(f"{path} n'est pas une clé publique du journal.") from fault


def _read_roots(path: Path) -> list[x509.Certificate]:
    try:
        return anchors.load_roots(path)
    except (OSError, ValueError) as fault:
        raise _unusable(f"{path} ne contient pas de certificats (PEM).") from fault


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise _unusable(f"Fichier illisible : {path}.") from fault


def _unusable(message: str) -> InputError:
    return InputError([error("JRN-107", "", message)], "Vérification impossible.")
