-- Schema 8, the first on PostgreSQL: what schemas 1 to 8 hold on SQLite. From here on the two go by the same numbers.
-- Clear columns hold ids, codes, hashes, times and a keyed pseudonym; whatever names a person or says something of his
-- health is sealed. Times are UTC milliseconds since 1970. `place` is the order of insertion.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE document (
  id                  TEXT PRIMARY KEY,
  place               BIGINT GENERATED ALWAYS AS IDENTITY,
  account             TEXT NOT NULL,
  key_mac             BYTEA NOT NULL,      -- keyed hash of the caller's key: a file name may name the patient
  content_sha256      BYTEA NOT NULL,
  patient             TEXT NOT NULL,       -- keyed pseudonym
  kind                TEXT NOT NULL,
  document_type       TEXT NOT NULL,
  document_date       TEXT NOT NULL,
  replaces            TEXT REFERENCES document (id),
  mapping_pack        TEXT NOT NULL,
  findings            TEXT NOT NULL,       -- JSON list of codes
  accepted_at         BIGINT NOT NULL,
  key_id              TEXT NOT NULL,       -- master key that wraps the document's key
  wrapped_key         BYTEA,               -- NULL once erased: the document is gone, the journal still verifies
  manifest            BYTEA,               -- sealed: names and hashes of the submission and the renderings
  erased_at           BIGINT,
  unique_id           TEXT,                -- ClinicalDocument/id
  traits_mac          BYTEA,
  pdf_mac             BYTEA,               -- level 1 only
  withdrawn_at        BIGINT,
  withdrawn_by        TEXT,
  withdrawn_for       TEXT,                -- reason, a code
  withdrawal_ended_at BIGINT,              -- every consequence of it is confirmed
  UNIQUE (account, key_mac)
);

CREATE INDEX document_repeat ON document (account, patient, document_type, document_date);
CREATE INDEX document_unique ON document (unique_id) WHERE unique_id IS NOT NULL;
CREATE INDEX document_replaces ON document (replaces) WHERE replaces IS NOT NULL;
CREATE INDEX document_pdf ON document (pdf_mac) WHERE pdf_mac IS NOT NULL;

CREATE TABLE artifact (
  document_id TEXT NOT NULL REFERENCES document (id),
  sha256      BYTEA NOT NULL,              -- of the clear bytes
  size        BIGINT NOT NULL,             -- of the clear bytes
  sealed      BYTEA NOT NULL,
  PRIMARY KEY (document_id, sha256)
);
ALTER TABLE artifact ALTER COLUMN sealed SET STORAGE EXTERNAL; -- sealed bytes do not compress

CREATE TABLE delivery (
  id             TEXT PRIMARY KEY,
  place          BIGINT GENERATED ALWAYS AS IDENTITY,
  document_id    TEXT NOT NULL REFERENCES document (id),
  account        TEXT NOT NULL,
  destination    TEXT NOT NULL,
  role           TEXT NOT NULL,
  channel        TEXT NOT NULL,
  priority       INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
  state          TEXT NOT NULL CHECK (state IN (
    'prepared', 'sending', 'transmitting', 'sent', 'retry', 'in_doubt', 'held', 'waiting_for_session',
    'impossible', 'handed_over', 'superseded', 'dead', 'cancelled')),
  receipt        TEXT NOT NULL CHECK (receipt IN (
    'none', 'awaited', 'delivered', 'processed', 'integrated', 'refused', 'overdue')),
  reason         TEXT,                     -- code: why it is in this state
  actor          TEXT,                     -- who put it there: `gateway` or a named person
  means          TEXT,                     -- how it was handed over (code)
  handed_at      BIGINT,                   -- when, as that person says
  created_at     BIGINT NOT NULL,
  changed_at     BIGINT NOT NULL,
  due_at         BIGINT,                   -- when the engine looks again; NULL: not by itself
  attempts       INTEGER NOT NULL DEFAULT 0,
  failures       INTEGER NOT NULL DEFAULT 0, -- those that count against the schedule
  burned_ms      BIGINT NOT NULL DEFAULT 0,  -- reachable time spent waiting
  fence          INTEGER NOT NULL DEFAULT 0, -- grows with each claim; an older holder writes nothing
  lease_owner    TEXT,
  lease_until    BIGINT,
  reference      TEXT,                     -- receipt of the other side: queue id, submission set id
  manifest       BYTEA,                    -- sealed: send context, and the parts by name and hash; NULL: no package
  waits_for      TEXT REFERENCES delivery (id),
  needs_it       INTEGER NOT NULL DEFAULT 0, -- cannot go unless that one was received
  message_mac    BYTEA,                    -- NULL: not known yet (or no mail); empty: never will be
  envid_mac      BYTEA,
  recipient_mac  BYTEA,
  awaited_until  BIGINT,                   -- when a missing receipt becomes overdue
  receipt_reason TEXT,                     -- code: what the receipt says
  alerted_at     BIGINT,                   -- since when the receipt axis asks for a person
  replies        INTEGER NOT NULL DEFAULT 0, -- answers in the mailbox that nobody noted as read
  succeeds       TEXT REFERENCES delivery (id), -- the one whose place this one took
  succeeded_by   TEXT REFERENCES delivery (id), -- and the same link from the other end
  purpose        TEXT NOT NULL DEFAULT 'document' CHECK (purpose IN (
    'document', 'retraction', 'deletion', 'recall')) -- what is delivered
) WITH (fillfactor = 70);                  -- a row changes several times: room for its next versions on its own page

CREATE INDEX delivery_document ON delivery (document_id);
CREATE INDEX delivery_created ON delivery (created_at);
CREATE INDEX delivery_due ON delivery (account, channel, priority, due_at, place)
  WHERE state IN ('prepared', 'retry');
CREATE INDEX delivery_doubt ON delivery (account, channel, due_at) WHERE state = 'in_doubt';
CREATE INDEX delivery_leased ON delivery (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX delivery_waits ON delivery (waits_for) WHERE waits_for IS NOT NULL;
CREATE INDEX delivery_message ON delivery (account, message_mac) WHERE message_mac IS NOT NULL;
CREATE INDEX delivery_envelope ON delivery (account, envid_mac) WHERE envid_mac IS NOT NULL;
CREATE INDEX delivery_awaited ON delivery (awaited_until) WHERE awaited_until IS NOT NULL;
CREATE INDEX delivery_unkeyed ON delivery (id)
  WHERE channel = 'mssante' AND manifest IS NOT NULL AND message_mac IS NULL;
CREATE INDEX delivery_open ON delivery (account, channel, state, created_at) WHERE state IN (
  'prepared', 'sending', 'transmitting', 'retry', 'in_doubt', 'held', 'waiting_for_session');

CREATE TABLE attempt (
  delivery_id     TEXT NOT NULL REFERENCES delivery (id),
  number          INTEGER NOT NULL,
  kind            TEXT NOT NULL CHECK (kind IN ('send', 'resolve')),
  worker          TEXT NOT NULL,
  started_at      BIGINT NOT NULL,
  transmitting_at BIGINT,                  -- from here on bytes may have left
  ended_at        BIGINT,
  verdict         TEXT,
  reason          TEXT,
  text            TEXT,                    -- the server's reply, scrubbed
  reference       TEXT,
  host            TEXT,
  PRIMARY KEY (delivery_id, number)
) WITH (fillfactor = 80);

CREATE TABLE receipt (
  delivery_id TEXT NOT NULL REFERENCES delivery (id),
  kind        TEXT NOT NULL,
  evidence    BYTEA NOT NULL,              -- SHA-256 of what proves it (a DSN, an MDN, an answer)
  at          BIGINT NOT NULL,
  code        TEXT,
  PRIMARY KEY (delivery_id, kind, evidence)
);

CREATE TABLE note (                        -- a person's own words: sealed with the document, erased with it
  id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  delivery_id TEXT NOT NULL REFERENCES delivery (id),
  at          BIGINT NOT NULL,
  action      TEXT NOT NULL,
  actor       TEXT NOT NULL,
  sealed      BYTEA NOT NULL
);

CREATE INDEX note_delivery ON note (delivery_id);

CREATE TABLE pause (                       -- channel '*': the whole account
  account TEXT NOT NULL,
  channel TEXT NOT NULL,
  reason  TEXT NOT NULL,
  actor   TEXT NOT NULL,
  since   BIGINT NOT NULL,
  PRIMARY KEY (account, channel)
);

CREATE TABLE mail_cursor (
  account     TEXT NOT NULL,
  folder      TEXT NOT NULL,
  uidvalidity BIGINT NOT NULL,
  uid         BIGINT NOT NULL,
  PRIMARY KEY (account, folder)
);

CREATE TABLE received_mail (               -- no sender, no subject, no text
  account     TEXT NOT NULL,
  evidence    BYTEA NOT NULL,              -- SHA-256 of the whole mail
  seen_at     BIGINT NOT NULL,
  kind        TEXT NOT NULL,
  verdict     TEXT NOT NULL,               -- what was done with it
  reason      TEXT,                        -- code
  delivery_id TEXT REFERENCES delivery (id),
  report_mac  BYTEA,                       -- keyed hash of its own Message-ID: the same report in another copy
  folder      TEXT,
  uidvalidity BIGINT,
  uid         BIGINT,
  PRIMARY KEY (account, evidence)
);

CREATE INDEX received_delivery ON received_mail (delivery_id) WHERE delivery_id IS NOT NULL;

CREATE TABLE pair_hold (                   -- nothing goes to this recipient about this patient
  account       TEXT NOT NULL,
  patient       TEXT NOT NULL,             -- keyed pseudonym
  recipient_mac BYTEA NOT NULL,
  delivery_id   TEXT NOT NULL REFERENCES delivery (id),
  reason        TEXT NOT NULL,
  actor         TEXT NOT NULL,
  since         BIGINT NOT NULL,
  PRIMARY KEY (account, patient, recipient_mac)
);

CREATE TABLE patient_stop (
  account TEXT NOT NULL,
  patient TEXT NOT NULL,                   -- keyed pseudonym
  reason  TEXT NOT NULL,                   -- code
  actor   TEXT NOT NULL,
  since   BIGINT NOT NULL,
  PRIMARY KEY (account, patient)
);

CREATE TABLE journal (
  shard    INTEGER NOT NULL,
  seq      BIGINT NOT NULL,
  record   TEXT NOT NULL,                  -- canonical JSON
  hash     BYTEA NOT NULL,                 -- SHA-256(0x00, hash before, record)
  delivery TEXT,                           -- copy of the record's own field, to find it by
  PRIMARY KEY (shard, seq)
);

CREATE INDEX journal_delivery ON journal (delivery) WHERE delivery IS NOT NULL;

-- One row for each shard, changed by every commit: its pages are kept nearly empty, so that a change stays on its page.
CREATE TABLE journal_head (
  shard    INTEGER PRIMARY KEY,
  size     BIGINT NOT NULL,
  hash     BYTEA NOT NULL,
  frontier BYTEA NOT NULL                  -- roots of the complete subtrees, largest first (RFC 9162 §2.1)
) WITH (fillfactor = 10);

CREATE FUNCTION journal_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- After each INSERT, whatever its number of rows: they follow the last one that was there, without a gap.
CREATE FUNCTION journal_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM (SELECT shard, min(seq) AS low, max(seq) AS high, count(*) AS number FROM added GROUP BY shard) AS run
    WHERE high - low + 1 <> number
      OR EXISTS (SELECT 1 FROM journal AS later WHERE later.shard = run.shard AND later.seq > run.high)
      OR (low > 0 AND NOT EXISTS (SELECT 1 FROM journal AS last WHERE last.shard = run.shard AND last.seq = low - 1))
      OR low < 0
  ) THEN
    RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER journal_no_update BEFORE UPDATE OR DELETE ON journal
  FOR EACH ROW EXECUTE FUNCTION journal_refuse();
CREATE TRIGGER journal_no_truncate BEFORE TRUNCATE ON journal
  FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse();
CREATE TRIGGER journal_in_order AFTER INSERT ON journal
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION journal_follows();
CREATE TRIGGER journal_head_no_delete BEFORE DELETE ON journal_head
  FOR EACH ROW EXECUTE FUNCTION journal_refuse();
CREATE TRIGGER journal_head_no_truncate BEFORE TRUNCATE ON journal_head
  FOR EACH STATEMENT EXECUTE FUNCTION journal_refuse();
CREATE TRIGGER journal_head_grows BEFORE UPDATE ON journal_head
  FOR EACH ROW WHEN (NEW.size <= OLD.size OR NEW.shard <> OLD.shard) EXECUTE FUNCTION journal_refuse();

INSERT INTO journal_head (shard, size, hash, frontier) VALUES (0, 0, decode(repeat('00', 32), 'hex'), '');
