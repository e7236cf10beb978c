-- Schema 4. What comes back: how far each mailbox was read, which mails were taken in, and what a receipt is found by.
-- Message-ID, envelope id and recipient are kept as keyed hashes: the recipient may be a patient.

ALTER TABLE delivery ADD COLUMN message_mac BLOB;        -- NULL: not known yet (or no mail); empty: never will be
ALTER TABLE delivery ADD COLUMN envid_mac BLOB;
ALTER TABLE delivery ADD COLUMN recipient_mac BLOB;
ALTER TABLE delivery ADD COLUMN awaited_until INTEGER;   -- when a missing receipt becomes overdue
ALTER TABLE delivery ADD COLUMN receipt_reason TEXT;     -- code: what the receipt says
ALTER TABLE delivery ADD COLUMN alerted_at INTEGER;      -- since when the receipt axis asks for a person
ALTER TABLE delivery ADD COLUMN replies INTEGER NOT NULL DEFAULT 0; -- answers in the mailbox that nobody noted as read

CREATE INDEX delivery_message ON delivery (account, message_mac) WHERE message_mac IS NOT NULL;
CREATE INDEX delivery_envelope ON delivery (account, envid_mac) WHERE envid_mac IS NOT NULL;
CREATE INDEX delivery_awaited ON delivery (awaited_until) WHERE awaited_until IS NOT NULL;
CREATE INDEX delivery_unkeyed ON delivery (id)
  WHERE channel = 'mssante' AND manifest IS NOT NULL AND message_mac IS NULL;

CREATE TABLE mail_cursor (
  account     TEXT NOT NULL,
  folder      TEXT NOT NULL,
  uidvalidity INTEGER NOT NULL,
  uid         INTEGER NOT NULL,
  PRIMARY KEY (account, folder)
) STRICT, WITHOUT ROWID;

CREATE TABLE received_mail (             -- no sender, no subject, no text
  account     TEXT NOT NULL,
  evidence    BLOB NOT NULL,             -- SHA-256 of the whole mail
  seen_at     INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  verdict     TEXT NOT NULL,             -- what was done with it
  reason      TEXT,                      -- code
  delivery_id TEXT REFERENCES delivery (id),
  report_mac  BLOB,                      -- keyed hash of its own Message-ID: the same report in another copy
  folder      TEXT,
  uidvalidity INTEGER,
  uid         INTEGER,
  PRIMARY KEY (account, evidence)
) STRICT;

CREATE INDEX received_delivery ON received_mail (delivery_id) WHERE delivery_id IS NOT NULL;

CREATE TABLE pair_hold (                 -- nothing goes to this recipient about this patient
  account       TEXT NOT NULL,
  patient       TEXT NOT NULL,           -- keyed pseudonym
  recipient_mac BLOB NOT NULL,
  delivery_id   TEXT NOT NULL REFERENCES delivery (id),
  reason        TEXT NOT NULL,
  actor         TEXT NOT NULL,
  since         INTEGER NOT NULL,
  PRIMARY KEY (account, patient, recipient_mac)
) STRICT, WITHOUT ROWID;
