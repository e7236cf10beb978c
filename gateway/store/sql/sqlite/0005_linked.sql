-- Schema 5. Linked deliveries (one takes the place of another: readdressed, prepared again) and withdrawn documents.

ALTER TABLE delivery ADD COLUMN succeeds TEXT REFERENCES delivery (id);     -- the one whose place this one took
ALTER TABLE delivery ADD COLUMN succeeded_by TEXT REFERENCES delivery (id); -- and the same link from the other end
ALTER TABLE delivery ADD COLUMN purpose TEXT NOT NULL DEFAULT 'document' CHECK (purpose IN (
  'document', 'retraction', 'deletion', 'recall'));                         -- what is delivered

ALTER TABLE document ADD COLUMN withdrawn_at INTEGER;
ALTER TABLE document ADD COLUMN withdrawn_by TEXT;
ALTER TABLE document ADD COLUMN withdrawn_for TEXT;                         -- reason, a code
ALTER TABLE document ADD COLUMN withdrawal_ended_at INTEGER;                -- every consequence of it is confirmed
