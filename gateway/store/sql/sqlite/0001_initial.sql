-- Schema 1. Clear columns hold ids, codes, hashes, times and a keyed pseudonym; whatever names a person or says
-- something of his health is sealed. Times are UTC milliseconds since 1970.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE document (
  id             TEXT PRIMARY KEY,
  account        TEXT NOT NULL,
  key_mac        BLOB NOT NULL,          -- keyed hash of the caller's key: a file name may name the patient
  content_sha256 BLOB NOT NULL,
  patient        TEXT NOT NULL,          -- keyed pseudonym
  kind           TEXT NOT NULL,
  document_type  TEXT NOT NULL,
  document_date  TEXT NOT NULL,
  replaces       TEXT REFERENCES document (id),
  mapping_pack   TEXT NOT NULL,
  findings       TEXT NOT NULL,          -- JSON list of codes
  accepted_at    INTEGER NOT NULL,
  key_id         TEXT NOT NULL,          -- master key that wraps the document's key
  wrapped_key    BLOB,                   -- NULL once erased: the document is gone, the journal still verifies
  manifest       BLOB,                   -- sealed: names and hashes of the submission and the renderings
  erased_at      INTEGER,
  UNIQUE (account, key_mac)
) STRICT;

CREATE INDEX document_repeat ON document (account, patient, document_type, document_date);

CREATE TABLE artifact (
  document_id TEXT NOT NULL REFERENCES document (id),
  sha256      BLOB NOT NULL,             -- of the clear bytes
  size        INTEGER NOT NULL,          -- of the clear bytes
  sealed      BLOB NOT NULL,
  PRIMARY KEY (document_id, sha256)
) STRICT;

CREATE TABLE delivery (
  id          TEXT PRIMARY KEY,
  document_id TEXT NOT NULL REFERENCES document (id),
  account     TEXT NOT NULL,
  destination TEXT NOT NULL,
  role        TEXT NOT NULL,
  channel     TEXT NOT NULL,
  priority    INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
  state       TEXT NOT NULL CHECK (state IN (
    'prepared', 'sending', 'transmitting', 'sent', 'retry', 'in_doubt', 'held', 'waiting_for_session',
    'impossible', 'handed_over', 'superseded', 'dead', 'cancelled')),
  receipt     TEXT NOT NULL CHECK (receipt IN (
    'none', 'awaited', 'delivered', 'processed', 'integrated', 'refused', 'overdue')),
  reason      TEXT,                      -- code: why it is in this state
  actor       TEXT,                      -- who put it there: `gateway` or a named person
  means       TEXT,                      -- how it was handed over (code)
  handed_at   INTEGER,                   -- when, as that person says
  created_at  INTEGER NOT NULL,
  changed_at  INTEGER NOT NULL,
  due_at      INTEGER,                   -- when the engine looks again; NULL: not by itself
  attempts    INTEGER NOT NULL DEFAULT 0,
  failures    INTEGER NOT NULL DEFAULT 0, -- those that count against the schedule
  burned_ms   INTEGER NOT NULL DEFAULT 0, -- reachable time spent waiting
  fence       INTEGER NOT NULL DEFAULT 0, -- grows with each claim; an older holder writes nothing
  lease_owner TEXT,
  lease_until INTEGER,
  reference   TEXT,                      -- receipt of the other side: queue id, submission set id
  manifest    BLOB                       -- sealed: send context, and the parts by name and hash; NULL: no package
) STRICT;

CREATE INDEX delivery_document ON delivery (document_id);
CREATE INDEX delivery_created ON delivery (created_at);
CREATE INDEX delivery_due ON delivery (account, channel, priority, due_at) WHERE state IN ('prepared', 'retry');
CREATE INDEX delivery_doubt ON delivery (account, channel, due_at) WHERE state = 'in_doubt';
CREATE INDEX delivery_leased ON delivery (lease_until) WHERE lease_until IS NOT NULL;

CREATE TABLE attempt (
  delivery_id     TEXT NOT NULL REFERENCES delivery (id),
  number          INTEGER NOT NULL,
  kind            TEXT NOT NULL CHECK (kind IN ('send', 'resolve')),
  worker          TEXT NOT NULL,
  started_at      INTEGER NOT NULL,
  transmitting_at INTEGER,               -- from here on bytes may have left
  ended_at        INTEGER,
  verdict         TEXT,
  reason          TEXT,
  text            TEXT,                  -- the server's reply, scrubbed
  reference       TEXT,
  host            TEXT,
  PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipt (
  delivery_id TEXT NOT NULL REFERENCES delivery (id),
  kind        TEXT NOT NULL,
  evidence    BLOB NOT NULL,             -- SHA-256 of what proves it (a DSN, an MDN, an answer)
  at          INTEGER NOT NULL,
  code        TEXT,
  PRIMARY KEY (delivery_id, kind, evidence)
) STRICT, WITHOUT ROWID;

CREATE TABLE note (                      -- a person's own words: sealed with the document, erased with it
  id          INTEGER PRIMARY KEY,
  delivery_id TEXT NOT NULL REFERENCES delivery (id),
  at          INTEGER NOT NULL,
  action      TEXT NOT NULL,
  actor       TEXT NOT NULL,
  sealed      BLOB NOT NULL
) STRICT;

CREATE INDEX note_delivery ON note (delivery_id);

CREATE TABLE pause (                     -- channel '*': the whole account
  account TEXT NOT NULL,
  channel TEXT NOT NULL,
  reason  TEXT NOT NULL,
  actor   TEXT NOT NULL,
  since   INTEGER NOT NULL,
  PRIMARY KEY (account, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
  shard    INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  record   TEXT NOT NULL,                -- canonical JSON
  hash     BLOB NOT NULL,                -- SHA-256(0x00, hash before, record)
  delivery TEXT,                         -- copy of the record's own field, to find it by
  PRIMARY KEY (shard, seq)
) STRICT;

CREATE INDEX journal_delivery ON journal (delivery) WHERE delivery IS NOT NULL;

CREATE TABLE journal_head (
  shard    INTEGER PRIMARY KEY,
  size     INTEGER NOT NULL,
  hash     BLOB NOT NULL,
  frontier BLOB NOT NULL                 -- roots of the complete subtrees, largest first (RFC 9162 §2.1)
) STRICT;

CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- Stops INSERT OR REPLACE, which fires no DELETE trigger on a connection without recursive_triggers, and gaps.
CREATE TRIGGER journal_in_order BEFORE INSERT ON journal
WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq) + 1, 0) FROM journal WHERE shard = NEW.shard)
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER journal_head_no_delete BEFORE DELETE ON journal_head
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER journal_head_grows BEFORE UPDATE ON journal_head WHEN NEW.size <= OLD.size
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

INSERT INTO journal_head (shard, size, hash, frontier) VALUES (0, 0, zeroblob(32), x'');
