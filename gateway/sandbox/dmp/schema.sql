-- What a DMP of the sandbox holds. Metadata versions of one document share logical_id; entry_uuid changes.
CREATE TABLE IF NOT EXISTS patient (
  matricule TEXT NOT NULL, oid TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('active', 'closed', 'absent')),
  authorisation TEXT NOT NULL,
  PRIMARY KEY (matricule, oid)
) STRICT;
CREATE TABLE IF NOT EXISTS submission (
  id INTEGER PRIMARY KEY, unique_id TEXT NOT NULL UNIQUE, entry_uuid TEXT NOT NULL,
  matricule TEXT NOT NULL, oid TEXT NOT NULL, source_id TEXT NOT NULL,
  author_id TEXT NOT NULL, structure TEXT NOT NULL, received_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS document (
  id INTEGER PRIMARY KEY, submission_id INTEGER NOT NULL REFERENCES submission (id),
  entry_uuid TEXT NOT NULL UNIQUE, logical_id TEXT NOT NULL, version INTEGER NOT NULL,
  unique_id TEXT NOT NULL, hash TEXT NOT NULL, size INTEGER NOT NULL, mime TEXT NOT NULL,
  status TEXT NOT NULL, is_signature INTEGER NOT NULL, title TEXT NOT NULL,
  type_code TEXT NOT NULL, class_code TEXT NOT NULL, creation_time TEXT NOT NULL,
  confidentiality TEXT NOT NULL, cda_set_id TEXT NOT NULL, cda_version INTEGER NOT NULL,
  metadata TEXT NOT NULL, content BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS document_by_unique_id ON document (unique_id);
CREATE TABLE IF NOT EXISTS association (
  id INTEGER PRIMARY KEY, submission_id INTEGER NOT NULL REFERENCES submission (id),
  type TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL
) STRICT;
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
