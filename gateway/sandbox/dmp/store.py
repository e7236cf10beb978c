"""What the sandbox's DMP remembers, in one SQLite file that survives a restart."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from gateway.clock import Clock

Outcome = Literal["accepted", "refused", "fault"]
VALID = "VALIDE"

_DOCUMENT = (
    "d.entry_uuid, d.logical_id, d.version, d.unique_id, d.hash, d.size, d.mime, d.status, d.is_signature,"
    " d.title, d.type_code, d.class_code, d.creation_time, d.confidentiality, d.cda_set_id, d.cda_version,"
    " d.metadata, d.content, s.unique_id, s.matricule, s.oid, s.author_id,"
    " s.structure"
)
_FROM = "FROM document d JOIN submission s ON s.id = d.submission_id"


@dataclass(frozen=True, slots=True)
class DmpPatient:
    """A DMP: `status` active, closed or absent; `authorisation` VALIDE or anything else (opposition)."""

    matricule: str
    oid: str
    status: str
    authorisation: str


@dataclass(frozen=True, slots=True)
class DmpDocument:
    """A stored document and what is known of it; `confidentiality` lists the codes."""

    entry_uuid: str
    logical_id: str
    version: int
    unique_id: str
    hash: str
    size: int
    mime: str
    status: str
    is_signature: bool
    title: str
    type_code: str
    class_code: str
    creation_time: str
    confidentiality: tuple[str, ...]
    cda_set_id: str
    cda_version: int
    metadata: str
    content: bytes
    set_unique_id: str
    matricule: str
    oid: str
    author_id: str
    structure: str


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document about to be stored."""

    entry_uuid: str
    unique_id: str
    hash: str
    size: int
    mime: str
    is_signature: bool
    title: str
    type_code: str
    class_code: str
    creation_time: str
    confidentiality: tuple[str, ...]
    cda_set_id: str
    cda_version: int
    metadata: str
    content: bytes


@dataclass(frozen=True, slots=True)
class NewSubmission:
    """A submission set about to be stored; associations are (type, source, target)."""

    unique_id: str
    entry_uuid: str
    matricule: str
    oid: str
    source_id: str
    author_id: str
    structure: str
    documents: tuple[NewDocument, ...]
    associations: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class DmpSubmission:
    """An accepted submission set."""

    unique_id: str
    matricule: str
    oid: str
    source_id: str
    author_id: str
    structure: str
    received_at: str
    documents: int


@dataclass(frozen=True, slots=True)
class Reception:
    """One physical arrival of a set, whatever its fate. `codes`: the errors answered."""

    set_unique_id: str
    received_at: str
    outcome: str
    codes: tuple[str, ...]
    request_sha256: str


@dataclass(frozen=True, slots=True)
class Question:
    """One stored query: its id, how many entries it was answered, and the errors."""

    query_id: str
    asked_at: str
    results: int
    codes: tuple[str, ...]


class DmpStore:
    """Access to the file; every method is safe from any thread."""

    def __init__(self, file: Path, clock: Clock) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._lock = threading.RLock()
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        # One process writes. NORMAL survives the death of the process, and a sandbox need not survive a power cut.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA foreign_keys=ON")
        schema = files("gateway.sandbox.dmp").joinpath("schema.sql").read_text(encoding="utf-8")
        self._db.executescript(f"BEGIN; {schema} COMMIT;")

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Checks and writes of one request, together or not at all."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    # -- patients

    def set_patient(self, patient: DmpPatient) -> None:
        """Create or change a patient's DMP."""
        self._rows(
            "INSERT INTO patient VALUES (?, ?, ?, ?) ON CONFLICT (matricule, oid)"
            " DO UPDATE SET status = excluded.status, authorisation = excluded.authorisation",
            patient.matricule,
            patient.oid,
            patient.status,
            patient.authorisation,
        )

    def patient(self, matricule: str, oid: str) -> DmpPatient | None:
        """The patient as configured, None when the sandbox was told nothing."""
        sql = "SELECT matricule, oid, status, authorisation FROM patient WHERE matricule = ? AND oid = ?"
        rows = self._rows(sql, matricule, oid)
        return DmpPatient(*map(str, rows[0])) if rows else None

    # -- replay

    def first_time(self, kind: Literal["assertion", "message"], identifier: str) -> bool:
        """Remember an identifier that may serve once; False when it was already seen."""
        with self._lock:
            at = self._clock.now().isoformat()
            cursor = self._db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (kind, identifier, at))
            return cursor.rowcount == 1

    # -- submissions

    def has_submission(self, unique_id: str) -> bool:
        """Whether a set of this uniqueId was accepted."""
        return bool(self._rows("SELECT 1 FROM submission WHERE unique_id = ?", unique_id))

    def add_submission(self, new: NewSubmission) -> None:
        """Store a set, its documents and associations; a RPLC deprecates its target."""
        with self._lock:
            at = self._clock.now().isoformat()
            row = (
                new.unique_id,
                new.entry_uuid,
                new.matricule,
                new.oid,
                new.source_id,
                new.author_id,
                new.structure,
                at,
            )
            marks = "INSERT INTO submission VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)"
            number = self._db.execute(marks, row).lastrowid
            for document in new.documents:
                self._add_document(number, document)
            for kind, source, target in new.associations:
                self._db.execute("INSERT INTO association VALUES (NULL, ?, ?, ?, ?)", (number, kind, source, target))

    def _add_document(self, submission: int | None, new: NewDocument) -> None:
        row = (
            submission,
            new.entry_uuid,
            new.entry_uuid,
            1,
            new.unique_id,
            new.hash,
            new.size,
            new.mime,
            "Approved",
            int(new.is_signature),
            new.title,
            new.type_code,
            new.class_code,
            new.creation_time,
            json.dumps(new.confidentiality),
            new.cda_set_id,
            new.cda_version,
            new.metadata,
            new.content,
        )
        marks = ", ?" * len(row)
        self._db.execute(f"INSERT INTO document VALUES (NULL{marks})", row)  # noqa: S608 marks only

    def deprecate(self, entry_uuid: str) -> None:
        """Mark a replaced document Deprecated."""
        self._rows("UPDATE document SET status = 'Deprecated' WHERE entry_uuid = ?", entry_uuid)

    def submissions(self, matricule: str | None = None) -> list[DmpSubmission]:
        """Accepted sets, oldest first, of one patient or all."""
        sql = (
            "SELECT s.unique_id, s.matricule, s.oid, s.source_id, s.author_id, s.structure, s.received_at,"
            " (SELECT count(*) FROM document d WHERE d.submission_id = s.id AND d.is_signature = 0)"
            " FROM submission s WHERE ?1 IS NULL OR s.matricule = ?1 ORDER BY s.id"
        )
        return [DmpSubmission(*row) for row in self._rows(sql, matricule)]  # type: ignore[arg-type]

    # -- documents

    def documents(self, matricule: str | None = None, *, signatures: bool = False) -> list[DmpDocument]:
        """Stored documents, oldest first; signatures of sets only when asked for."""
        where = "WHERE (?1 IS NULL OR s.matricule = ?1) AND (?2 OR d.is_signature = 0) ORDER BY d.id"
        return self._documents(where, matricule, int(signatures))

    def by_unique_id(self, unique_id: str) -> list[DmpDocument]:
        """Every version of the document of this uniqueId."""
        return self._documents("WHERE d.unique_id = ?", unique_id)

    def by_entry_uuid(self, entry_uuid: str) -> DmpDocument | None:
        """The document of this entryUUID."""
        found = self._documents("WHERE d.entry_uuid = ?", entry_uuid)
        return found[0] if found else None

    def _documents(self, where: str, *values: object) -> list[DmpDocument]:
        rows = self._rows(f"SELECT {_DOCUMENT} {_FROM} {where}", *values)
        return [_document(row) for row in rows]

    # -- receptions

    def add_reception(self, set_unique_id: str, outcome: Outcome, codes: Sequence[str], request_sha256: str) -> None:
        """Count one physical arrival."""
        at = self._clock.now().isoformat()
        self._rows(
            "INSERT INTO reception VALUES (NULL, ?, ?, ?, ?, ?)",
            set_unique_id,
            at,
            outcome,
            json.dumps(codes),
            request_sha256,
        )

    def receptions(self, set_unique_id: str | None = None) -> list[Reception]:
        """Physical arrivals, oldest first, of one set or all."""
        sql = (
            "SELECT set_unique_id, received_at, outcome, codes, request_sha256 FROM reception"
            " WHERE ?1 IS NULL OR set_unique_id = ?1 ORDER BY id"
        )
        return [
            Reception(str(row[0]), str(row[1]), str(row[2]), tuple(json.loads(str(row[3]))), str(row[4]))
            for row in self._rows(sql, set_unique_id)
        ]

    # -- queries

    def add_question(self, query_id: str, results: int, codes: Sequence[str]) -> None:
        """Count one stored query."""
        at = self._clock.now().isoformat()
        self._rows("INSERT INTO question VALUES (NULL, ?, ?, ?, ?)", query_id, at, results, json.dumps(codes))

    def questions(self) -> list[Question]:
        """Stored queries, oldest first."""
        rows = self._rows("SELECT query_id, asked_at, results, codes FROM question ORDER BY id")
        return [Question(str(row[0]), str(row[1]), int(str(row[2])), tuple(json.loads(str(row[3])))) for row in rows]


def _document(row: tuple[object, ...]) -> DmpDocument:
    values = list(row)
    values[8] = bool(values[8])
    values[13] = tuple(json.loads(str(values[13])))
    return DmpDocument(*values)  # type: ignore[arg-type]
