"""What the sandbox's DMP holds, in one SQLite file that survives a restart: both doors read and write it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

from gateway.clock import Clock
from gateway.sandbox.dmp.database import Database
from gateway.sandbox.dmp.exchanges import ExchangeLog
from gateway.sandbox.dmp.records import (
    APPROVED,
    DEPRECATED,
    DmpAssociation,
    DmpDocument,
    DmpPatient,
    DmpSubmission,
    NewAssociation,
    NewDocument,
    NewSubmission,
    Outcome,
    Question,
    Reception,
)

_DOCUMENT = (
    "d.entry_uuid, d.unique_id, d.hash, d.size, d.mime, d.is_signature, d.title, d.type_code, d.class_code,"
    " d.creation_time, d.confidentiality, d.cda_set_id, d.cda_version, d.metadata, c.bytes,"
    " d.logical_id, d.version, d.latest, d.status, s.unique_id, s.matricule, s.oid, s.author_id, s.structure"
)
_FROM = "FROM document d JOIN submission s ON s.id = d.submission_id JOIN content c ON c.unique_id = d.unique_id"
_SUBMISSION = (
    "s.unique_id, s.entry_uuid, s.matricule, s.oid, s.source_id, s.author_id, s.structure, s.kind, s.received_at,"
    " s.metadata, (SELECT count(*) FROM document d WHERE d.submission_id = s.id AND d.is_signature = 0"
    " AND d.version = 1)"
)


class DmpStore:
    """Access to the file; every method is safe from any thread. Raises ConfigError SBX-005 (see Database)."""

    def __init__(self, file: Path, clock: Clock) -> None:
        self._clock = clock
        self._database = Database(file)
        self.exchanges = ExchangeLog(self._database, clock)

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._database.close()

    def clear(self) -> None:
        """Forget everything: patients, documents, exchanges."""
        self._database.clear()

    def transaction(self) -> AbstractContextManager[None]:
        """Checks and writes of one request, together or not at all."""
        return self._database.transaction()

    def _now(self) -> str:
        return self._clock.now().isoformat()

    # -- patients and structures

    def set_patient(self, patient: DmpPatient) -> None:
        """Create or change a patient's DMP."""
        self._database.rows(
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
        rows = self._database.rows(sql, matricule, oid)
        return DmpPatient(*map(str, rows[0])) if rows else None

    def patients(self) -> list[DmpPatient]:
        """Patients that were configured, and those who have a document."""
        sql = (
            "SELECT matricule, oid, status, authorisation FROM patient UNION"
            " SELECT DISTINCT matricule, oid, 'active', 'VALIDE' FROM submission s WHERE NOT EXISTS"
            " (SELECT 1 FROM patient p WHERE p.matricule = s.matricule AND p.oid = s.oid) ORDER BY 1, 2"
        )
        return [DmpPatient(*map(str, row)) for row in self._database.rows(sql)]

    def refuse_structure(self, structure: str, person: str = "", *, refused: bool = True) -> None:
        """Say that the DMP does not know a structure or, with `person` (PS_IdNat), that both are not linked."""
        self._database.rows("DELETE FROM refused_structure WHERE structure = ? AND person = ?", structure, person)
        if refused:
            self._database.rows("INSERT INTO refused_structure VALUES (?, ?)", structure, person)

    def is_refused(self, structure: str, person: str = "") -> bool:
        """Whether `refuse_structure` said so of exactly these."""
        sql = "SELECT 1 FROM refused_structure WHERE structure = ? AND person = ?"
        return bool(self._database.rows(sql, structure, person))

    # -- replay

    def first_time(self, kind: Literal["assertion", "message"], identifier: str) -> bool:
        """Remember an identifier that may serve once; False when it was already seen."""
        return self._database.changed("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", kind, identifier, self._now()) == 1

    # -- submissions

    def has_submission(self, unique_id: str) -> bool:
        """Whether a set of this uniqueId was accepted."""
        return bool(self._database.rows("SELECT 1 FROM submission WHERE unique_id = ?", unique_id))

    def add_submission(self, new: NewSubmission) -> None:
        """Store a set, its documents and associations."""
        number = self._database.insert(
            "submission",
            new.unique_id,
            new.entry_uuid,
            new.matricule,
            new.oid,
            new.source_id,
            new.author_id,
            new.structure,
            new.kind,
            self._now(),
            new.metadata,
        )
        for document in new.documents:
            self._add_document(number, document)
        for link in new.associations:
            self._add_association(number, link)

    def _add_association(self, submission: int, link: NewAssociation) -> None:
        slots = json.dumps(link.slots)
        self._database.insert("association", submission, link.entry_uuid, link.type, link.source, link.target, slots)

    def _add_document(self, submission: int, new: NewDocument) -> None:
        self._database.rows("INSERT INTO content VALUES (?, ?)", new.unique_id, new.content)
        self._database.insert(
            "document",
            submission,
            new.entry_uuid,
            new.entry_uuid,
            1,
            1,
            new.unique_id,
            new.hash,
            new.size,
            new.mime,
            APPROVED,
            int(new.is_signature),
            new.title,
            new.type_code,
            new.class_code,
            new.creation_time,
            json.dumps(new.confidentiality),
            new.cda_set_id,
            new.cda_version,
            new.metadata,
        )

    def submissions(self, matricule: str | None = None) -> list[DmpSubmission]:
        """Accepted sets, oldest first, of one patient or all."""
        sql = f"SELECT {_SUBMISSION} FROM submission s WHERE ?1 IS NULL OR s.matricule = ?1 ORDER BY s.id"  # noqa: S608
        return [DmpSubmission(*row) for row in self._database.rows(sql, matricule)]  # type: ignore[arg-type]

    def submission(self, identifier: str) -> DmpSubmission | None:
        """The set of this uniqueId or entryUUID."""
        sql = f"SELECT {_SUBMISSION} FROM submission s WHERE s.unique_id = ?1 OR s.entry_uuid = ?1"  # noqa: S608
        rows = self._database.rows(sql, identifier)
        return DmpSubmission(*rows[0]) if rows else None  # type: ignore[arg-type]

    # -- associations

    def associations(self, identifiers: Sequence[str]) -> list[DmpAssociation]:
        """Links that leave from or arrive at one of these entryUUIDs, oldest first."""
        sql = (
            "SELECT a.entry_uuid, a.type, a.source, a.target, a.slots, s.matricule, s.oid FROM association a"
            " JOIN submission s ON s.id = a.submission_id WHERE a.source IN (SELECT value FROM json_each(?1))"
            " OR a.target IN (SELECT value FROM json_each(?1)) ORDER BY a.id"
        )
        return [_association(row) for row in self._database.rows(sql, json.dumps(list(identifiers)))]

    # -- documents

    def documents(
        self, matricule: str | None = None, *, signatures: bool = False, versions: bool = False
    ) -> list[DmpDocument]:
        """Stored documents, oldest first; signatures of sets and former metadata versions only when asked for."""
        where = "WHERE (?1 IS NULL OR s.matricule = ?1) AND (?2 OR d.is_signature = 0) AND (?3 OR d.latest) ORDER BY "
        order = "d.logical_id, d.version" if versions else "c.rowid"
        return self._documents(where + order, matricule, int(signatures), int(versions))

    def by_unique_id(self, unique_id: str) -> list[DmpDocument]:
        """The document of this uniqueId in its latest metadata version, as a list of at most one."""
        return self._documents("WHERE d.unique_id = ? AND d.latest", unique_id)

    def by_entry_uuid(self, entry_uuid: str) -> DmpDocument | None:
        """The metadata version of this entryUUID."""
        found = self._documents("WHERE d.entry_uuid = ?", entry_uuid)
        return found[0] if found else None

    def versions(self, logical_id: str) -> list[DmpDocument]:
        """Metadata versions of a document by its logical id, oldest first."""
        return self._documents("WHERE d.logical_id = ? ORDER BY d.version", logical_id)

    def _documents(self, where: str, *values: object) -> list[DmpDocument]:
        return [_document(row) for row in self._database.rows(f"SELECT {_DOCUMENT} {_FROM} {where}", *values)]

    def set_status(self, entry_uuid: str, status: str) -> None:
        """Change availabilityStatus (one of the four of records.py); no new version (ITI TF-2 §3.57)."""
        self._database.rows("UPDATE document SET status = ? WHERE entry_uuid = ?", status, entry_uuid)

    def add_version(self, old: DmpDocument, entry_uuid: str, confidentiality: Sequence[str], metadata: str) -> None:
        """Store a new metadata version of a document; the former one becomes Deprecated and keeps its entryUUID."""
        self._database.rows(
            "INSERT INTO document SELECT NULL, submission_id, ?2, logical_id, version + 1, 1, unique_id, hash, size,"
            " mime, status, is_signature, title, type_code, class_code, creation_time, ?3, cda_set_id, cda_version, ?4"
            " FROM document WHERE entry_uuid = ?1",
            old.entry_uuid,
            entry_uuid,
            json.dumps(list(confidentiality)),
            metadata,
        )
        former = "UPDATE document SET latest = 0, status = ? WHERE entry_uuid = ?"
        self._database.rows(former, DEPRECATED, old.entry_uuid)  # the new row copied the status before this

    # -- receptions

    def add_reception(self, set_unique_id: str, outcome: Outcome, codes: Sequence[str], request_sha256: str) -> None:
        """Count one physical arrival."""
        self._database.insert("reception", set_unique_id, self._now(), outcome, json.dumps(codes), request_sha256)

    def receptions(self, set_unique_id: str | None = None) -> list[Reception]:
        """Physical arrivals, oldest first, of one set or all."""
        sql = (
            "SELECT set_unique_id, received_at, outcome, codes, request_sha256 FROM reception"
            " WHERE ?1 IS NULL OR set_unique_id = ?1 ORDER BY id"
        )
        return [
            Reception(str(row[0]), str(row[1]), str(row[2]), tuple(json.loads(str(row[3]))), str(row[4]))
            for row in self._database.rows(sql, set_unique_id)
        ]

    # -- queries

    def add_question(self, query_id: str, results: int, codes: Sequence[str]) -> None:
        """Count one stored query."""
        self._database.insert("question", query_id, self._now(), results, json.dumps(codes))

    def questions(self) -> list[Question]:
        """Stored queries, oldest first."""
        rows = self._database.rows("SELECT query_id, asked_at, results, codes FROM question ORDER BY id")
        return [Question(str(row[0]), str(row[1]), int(str(row[2])), tuple(json.loads(str(row[3])))) for row in rows]


def _document(row: tuple[object, ...]) -> DmpDocument:
    values = list(row)
    values[5], values[17] = bool(values[5]), bool(values[17])
    values[10] = tuple(json.loads(str(values[10])))
    return DmpDocument(*values)  # type: ignore[arg-type]


def _association(row: tuple[object, ...]) -> DmpAssociation:
    slots = tuple((name, tuple(values)) for name, values in json.loads(str(row[4])))
    entry_uuid, kind, source, target, _, matricule, oid = map(str, row)
    return DmpAssociation(entry_uuid, kind, source, target, slots, matricule, oid)
