"""Verifies an export of kine-gateway's journal without kine-gateway: standard library and `cryptography` only.

    python verify_export.py FOLDER --public-key journal.pub [--checkpoint kept.txt]

FOLDER is what `kine-gateway audit export` wrote, or the file of `kine-gateway journal export`. Ask the practice for
journal.pub once, by another way than the folder; keep a checkpoint of each visit, and bring it to the next. Exit status
0: everything below holds.

What is checked, in this order:
1. the manifest is signed by the key, and every file is the one that it names;
2. the checkpoints are signed by the key (C2SP signed-note, Ed25519);
3. the records lead to them: the whole journal by recomputing its chain and tree, a part by inclusion proofs (RFC 9162);
4. every line for people or programs (CSV, AuditEvent, AuditMessage) names records that are there and says the same.
"""
# ruff: noqa: S314, T201 - it prints, and refuses a DTD before it parses what the manifest vouches for

from __future__ import annotations

import argparse
import base64
import csv
import json
import sys
import xml.etree.ElementTree as ET
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

OUTCOMES = {"accepted": "0", "permanent": "8", "impossible": "8"}  # anything else: 4
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class WrongError(Exception):
    """Something does not hold; the message says what."""


def need(holds: bool, what: str) -> None:
    """Stop where something does not hold."""
    if not holds:
        raise WrongError(what)


class Key:
    """The public key line `name+hash+base64` of journal.pub."""

    def __init__(self, line: str) -> None:
        self.name, self.hash, encoded = line.strip().split("+", 2)
        data = base64.b64decode(encoded, validate=True)
        named = sha256(self.name.encode() + b"\n" + data).digest()[:4]
        need(data[:1] == b"\x01" and named.hex() == self.hash, "the public key is damaged")
        self.key = Ed25519PublicKey.from_public_bytes(data[1:])

    def open(self, note: str) -> str:
        """The text of a note that this key signed."""
        text, _, signatures = note.partition("\n\n")
        for line in signatures.splitlines():
            dash, name, encoded = line.split(" ")
            data = base64.b64decode(encoded, validate=True)
            if (dash, name, data[:4].hex()) == ("—", self.name, self.hash):
                try:
                    self.key.verify(data[4:], (text + "\n").encode())
                except InvalidSignature:
                    raise WrongError("a signature is false") from None
                return text
        raise WrongError("a note is not signed by this key")

    def checkpoint(self, note: str) -> tuple[int, int, bytes]:
        """Shard, size and root of a checkpoint of this journal."""
        origin, size, root = self.open(note).split("\n")
        need(origin == self.name or origin.startswith(self.name + "/"), "a checkpoint is of another journal")
        return int(origin[len(self.name) + 1 :] or 0), int(size), base64.b64decode(root, validate=True)


def node(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 9162 §2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A Merkle tree that grows (RFC 9162 §2.1.1): the roots of its complete parts, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.parts: list[bytes] = []

    def grow(self, leaf: bytes) -> None:
        """Add the hash of one more leaf; two parts of one size become one."""
        self.parts.append(leaf)
        self.size += 1
        rest = self.size
        while rest % 2 == 0:
            right = self.parts.pop()
            self.parts[-1] = node(self.parts[-1], right)
            rest //= 2

    def root(self) -> bytes:
        """Root of all that is there."""
        found = self.parts[-1] if self.parts else sha256(b"").digest()
        for part in reversed(self.parts[:-1]):
            found = node(part, found)
        return found


def leads_to(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """Root that an inclusion proof leads to (RFC 9162 §2.1.3.2)."""
    need(0 <= index < size, "a record lies beyond its checkpoint")
    first, last, found = index, size - 1, leaf
    for one in proof:
        need(last > 0, "a proof is too long")
        if first & 1 or first == last:
            found = node(one, found)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            found = node(found, one)
        first, last = first >> 1, last >> 1
    need(last == 0, "a proof is too short")
    return found


class Journal:
    """The records of an export, by `shard:number:hash`, and what proves them."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.records: dict[str, dict] = {}
        self.trees: dict[int, Tree] = {}
        self.links: dict[int, bytes] = {}
        self.marks: dict[int, list[tuple[int, bytes]]] = {}
        self.roots: dict[tuple[int, int], list[bytes]] = {}
        self.proven = 0
        self.stands: dict[str, tuple[str, str]] = {}

    def read(self, path: Path) -> None:
        """The file of records, of either form."""
        with path.open(encoding="utf-8", newline="\n") as lines:
            header = json.loads(next(lines))
            whole = header["format"].startswith("kine-gateway/journal/")
            need(whole or header["format"] == "kine-gateway/selection/1", "an unknown format of records")
            need(header["origin"] == self.key.name, "the records are of another journal")
            for line in lines:
                self.line(line.rstrip("\n"), whole)
        for shard in self.marks if whole else ():
            size = self.trees.get(shard, Tree()).size
            need(max(self.marks[shard])[0] <= size, "records are missing: a checkpoint counts more of them")
        for shard, head in enumerate(header.get("shards", [header])) if whole else ():
            there = self.trees.get(shard, Tree())
            need((there.size, there.root().hex()) == (head["size"], head["root"]), "the header counts other records")

    def line(self, line: str, whole: bool) -> None:
        """One line of it."""
        if line.startswith('{"hash":"'):
            self.linked(line)
            return
        value = json.loads(line)
        if "checkpoint" in value:
            self.mark(value["checkpoint"])
        elif "proof" in value and not whole:
            self.included(value)
        elif "state" in value:
            said = (value["state"], value["receipt"])
            need(self.stands.get(value["delivery"]) == said, "a delivery's state is not that of its last record")

    def mark(self, note: str) -> None:
        """A checkpoint that the records have to lead to."""
        shard, size, root = self.key.checkpoint(note)
        self.marks.setdefault(shard, []).append((size, root))
        self.roots.setdefault((shard, size), []).append(root)

    def linked(self, line: str) -> None:
        """A record of the whole journal: its hash follows from the one before it."""
        head, raw = line.split('","record":', 1)
        data = raw[:-1].encode()
        record = json.loads(data)
        shard = record["shard"]
        tree = self.trees.setdefault(shard, Tree())
        self.links[shard] = sha256(b"\x00" + self.links.get(shard, bytes(32)) + data).digest()
        need(head == '{"hash":"' + self.links[shard].hex(), f"record {record['seq']} was changed, added or removed")
        need(record["seq"] == tree.size, f"record {record['seq']} is not in its place")
        leaf = sha256(b"\x00" + data).digest()
        tree.grow(leaf)
        for root in self.roots.get((shard, tree.size), ()):
            need(root == tree.root(), "the records are not those that a checkpoint signed")
        self.keep(record, leaf)

    def included(self, value: dict) -> None:
        """A record with the hashes that lead from it to a signed root."""
        data = value["record"].encode()
        record = json.loads(data)
        need((record["shard"], record["seq"]) == (value["shard"], value["seq"]), "a record is shown as another one")
        leaf = sha256(b"\x00" + data).digest()
        proof = [bytes.fromhex(one) for one in value["proof"]]
        size, root = self.marks[value["shard"]][-1]
        need(leads_to(leaf, value["seq"], size, proof) == root, f"record {value['seq']} is not in the signed journal")
        self.keep(record, leaf)

    def keep(self, record: dict, leaf: bytes) -> None:
        """Remember a record that was proven, and where it leaves its delivery."""
        self.records[f"{record['shard']}:{record['seq']}:{leaf.hex()}"] = record
        self.proven += 1
        if "delivery" in record and "state" in record:
            self.stands[record["delivery"]] = (record["state"], record["receipt"])

    def find(self, reference: str) -> dict:
        """The record that a line names."""
        need(reference in self.records, f"a line names a record that is not there: {reference[:20]}")
        return self.records[reference]


def check_csv(path: Path, journal: Journal) -> int:
    """Every cell is what the record says."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        number = 0
        for number, row in enumerate(csv.DictReader(file, delimiter=";"), 1):
            record = journal.find(row.pop("record"))
            for name, cell in row.items():
                value = record.get(name, "")
                text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
                need(cell == ("'" + text if text.startswith(FORMULA) else text), f"line {number}: {name} differs")
            need(set(record) - {"v"} <= set(row) | {"v"}, f"line {number}: something of the record is left out")
        return number


def check_attempt(references: list[str], journal: Journal, said: dict[str, str], number: int) -> None:
    """A message says what its records say: when, how it ended, for whom, which document."""
    records = [journal.find(one) for one in references]
    need(len(records) >= 4, f"message {number} does not name its records")
    document, delivery, first, last = records[0], records[1], records[2], records[-1]
    need(document["event"] == "document_accepted" and delivery["event"] == "accepted", f"message {number}: its records")
    need(all(one["delivery"] == delivery["delivery"] for one in records[1:]), f"message {number}: another delivery")
    need(all(one["document"] == document["document"] for one in records[1:]), f"message {number}: another document")
    need(all(one["attempt"] == first["attempt"] for one in records[2:]), f"message {number}: another attempt")
    told = {
        "recorded": last["at"],
        "outcome": OUTCOMES.get(last.get("verdict", ""), "4"),
        "patient": document["patient"],
        "document": document["document"],
        "delivery": delivery["delivery"],
        "account": document["account"],
    }
    for name, value in told.items():
        need(said[name] == value, f"message {number}: {name} is not what the journal says")


def filled(lines: list[str]) -> list[str]:
    """The lines that hold something."""
    return [line for line in lines if line]


def check_fhir(path: Path, journal: Journal) -> int:
    """FHIR AuditEvents, one a line."""
    number = 0
    for number, line in enumerate(filled(path.read_text(encoding="utf-8").split("\n")), 1):
        event = json.loads(line)
        agents = {one["type"]["coding"][0]["code"]: one["who"]["identifier"]["value"] for one in event["agent"]}
        person, document = event["entity"]
        details = [one["valueString"] for one in document["detail"] if one["type"] == "journal-record"]
        said = {
            "recorded": event["recorded"],
            "outcome": event["outcome"],
            "patient": person["what"]["identifier"]["value"],
            "document": document["what"]["identifier"]["value"],
            "delivery": agents["110152"],
            "account": agents["110153"],
        }
        check_attempt(details, journal, said, number)
    return number


def check_atna(path: Path, journal: Journal) -> int:
    """DICOM audit messages, one a line."""
    number = 0
    for number, line in enumerate(filled(path.read_text(encoding="utf-8").split("\n")), 1):
        need("<!DOCTYPE" not in line, f"message {number} has a DTD")
        message = ET.fromstring(line)
        event = message.find("EventIdentification").attrib
        users = {one.find("RoleIDCode").get("csd-code"): one.get("UserID") for one in message.iter("ActiveParticipant")}
        person, document = message.iter("ParticipantObjectIdentification")
        details = [one.attrib for one in document.iter("ParticipantObjectDetail")]
        records = [base64.b64decode(one["value"]).decode() for one in details if one["type"] == "journal-record"]
        said = {
            "recorded": event["EventDateTime"],
            "outcome": event["EventOutcomeIndicator"],
            "patient": person.get("ParticipantObjectID"),
            "document": document.get("ParticipantObjectID"),
            "delivery": users["110152"],
            "account": users["110153"],
        }
        check_attempt(records, journal, said, number)
    return number


CHECKS = {
    "journal.csv": check_csv,
    "auditevents.ndjson": check_fhir,
    "audit-messages.xml.txt": check_atna,
}


def verify(folder: Path, key: Key, held: str | None) -> str:
    """Everything; returns what was found. Raises WrongError."""
    if folder.is_file():
        return verify_file(folder, key, held)
    manifest = (folder / "export.json").read_bytes()
    subject, line = key.open((folder / "export.sig").read_text(encoding="utf-8")).split("\n")
    need(subject == "kine-gateway/export/1", "the signature is not of an export")
    need(line == f"manifest {sha256(manifest).hexdigest()}", "the manifest is not the one that was signed")
    named = json.loads(manifest)["files"]
    there = {path.name for path in folder.iterdir()} - {"export.json", "export.sig"}
    need(there == set(named), f"files are missing or too many: {sorted(there ^ set(named))}")
    for name, known in named.items():
        need(sha256((folder / name).read_bytes()).hexdigest() == known["sha256"], f"{name} was changed")
    journal = Journal(key)
    if held is not None:
        journal.mark(held)
        with (folder / "journal.jsonl").open(encoding="utf-8") as file:
            need("/journal/" in json.loads(next(file))["format"], "a kept checkpoint needs the whole journal")
    journal.read(folder / "journal.jsonl")
    need(bool(journal.marks), "no checkpoint")
    lines = [f"{name}: {check(folder / name, journal)} lines" for name, check in CHECKS.items() if name in named]
    return f"{signed(journal)} " + "; ".join(lines)


def verify_file(file: Path, key: Key, held: str | None) -> str:
    """The file of `kine-gateway journal export` alone."""
    journal = Journal(key)
    if held is not None:
        journal.mark(held)
    journal.read(file)
    need(bool(journal.marks), "no checkpoint")
    return signed(journal)


def signed(journal: Journal) -> str:
    """How much was proven."""
    sizes = ", ".join(f"{max(marks)[0]}" for marks in journal.marks.values())
    return f"{journal.proven} records, signed up to {sizes}."


def main() -> int:
    """Verify the folder named on the command line."""
    parser = argparse.ArgumentParser(description="Verifies an export of kine-gateway's journal.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--public-key", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="kept from an earlier visit")
    given = parser.parse_args()
    try:
        key = Key(given.public_key.read_text(encoding="utf-8"))
        held = given.checkpoint.read_text(encoding="utf-8") if given.checkpoint else None
        print("OK:", verify(given.folder, key, held))
    except WrongError as fault:
        print("WRONG:", fault)
        return 1
    except (OSError, ValueError, KeyError, IndexError, AttributeError, ET.ParseError) as fault:
        print("WRONG: cannot be read:", type(fault).__name__, fault)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
