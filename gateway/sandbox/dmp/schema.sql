-- What a DMP of the sandbox holds. Metadata versions of one document share logical_id; entry_uuid changes.
-- A change of these tables takes another number in database.py: an older file is refused, not read wrongly.
CREATE TABLE IF NOT EXISTS patient (
  matricule TEXT NOT NULL, oid TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('active', 'closed', 'absent')),
  authorisation TEXT NOT NULL,
  PRIMARY KEY (matricule, oid)
) STRICT;
-- A structure that the DMP does not know (person empty), or a person that is not linked to it.
CREATE TABLE IF NOT EXISTS refused_structure (
  structure TEXT NOT NULL, person TEXT NOT NULL,
  PRIMARY KEY (structure, person)
) STRICT;
CREATE TABLE IF NOT EXISTS submission (
  id INTEGER PRIMARY KEY, unique_id TEXT NOT NULL UNIQUE, entry_uuid TEXT NOT NULL,
  matricule TEXT NOT NULL, oid TEXT NOT NULL, source_id TEXT NOT NULL,
  author_id TEXT NOT NULL, structure TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('feed', 'update')),
  received_at TEXT NOT NULL, metadata TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS submission_by_patient ON submission (matricule);
CREATE TABLE IF NOT EXISTS content (
  unique_id TEXT PRIMARY KEY, bytes BLOB NOT NULL
) STRICT;
-- submission_id: the set that fed the document, so that every version keeps its owner.
CREATE TABLE IF NOT EXISTS document (
  id INTEGER PRIMARY KEY, submission_id INTEGER NOT NULL REFERENCES submission (id),
  entry_uuid TEXT NOT NULL UNIQUE, logical_id TEXT NOT NULL, version INTEGER NOT NULL,
  latest INTEGER NOT NULL, unique_id TEXT NOT NULL REFERENCES content (unique_id),
  hash TEXT NOT NULL, size INTEGER NOT NULL, mime TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('Approved', 'Deprecated', 'Archived', 'Deleted')),
  is_signature INTEGER NOT NULL, title TEXT NOT NULL,
  type_code TEXT NOT NULL, class_code TEXT NOT NULL, creation_time TEXT NOT NULL,
  confidentiality TEXT NOT NULL, cda_set_id TEXT NOT NULL, cda_version INTEGER NOT NULL,
  metadata TEXT NOT NULL,
  UNIQUE (logical_id, version)
) STRICT;
CREATE INDEX IF NOT EXISTS document_by_unique_id ON document (unique_id);
CREATE INDEX IF NOT EXISTS document_by_submission ON document (submission_id);
CREATE TABLE IF NOT EXISTS association (
  id INTEGER PRIMARY KEY, submission_id INTEGER NOT NULL REFERENCES submission (id),
  entry_uuid TEXT NOT NULL, type TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL, slots TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS association_by_source ON association (source);
CREATE INDEX IF NOT EXISTS association_by_target ON association (target);
CREATE TABLE IF NOT EXISTS reception (
  id INTEGER PRIMARY KEY, set_unique_id TEXT NOT NULL, received_at TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('accepted', 'refused', 'fault')),
  codes TEXT NOT NULL, request_sha256 TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS reception_by_set ON reception (set_unique_id);
CREATE TABLE IF NOT EXISTS question (
  id INTEGER PRIMARY KEY, query_id TEXT NOT NULL, asked_at TEXT NOT NULL,
  results INTEGER NOT NULL, codes TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS seen (
  kind TEXT NOT NULL CHECK (kind IN ('assertion', 'message')), id TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT;
CREATE TABLE IF NOT EXISTS exchange (
  id INTEGER PRIMARY KEY, at TEXT NOT NULL, transaction_name TEXT NOT NULL, path TEXT NOT NULL,
  action TEXT NOT NULL, peer TEXT NOT NULL, message_id TEXT NOT NULL, patient TEXT NOT NULL,
  subjects TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('accepted', 'refused', 'fault', 'lost')),
  codes TEXT NOT NULL, status INTEGER NOT NULL,
  request_headers TEXT NOT NULL, request BLOB, answer_headers TEXT NOT NULL, answer BLOB
) STRICT;
