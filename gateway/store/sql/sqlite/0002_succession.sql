-- Schema 2. Corrected versions: which CDA a document is, and which delivery of the earlier version one waits for.

ALTER TABLE document ADD COLUMN unique_id TEXT;          -- ClinicalDocument/id, drawn at random; NULL before schema 2
ALTER TABLE delivery ADD COLUMN waits_for TEXT REFERENCES delivery (id);
ALTER TABLE delivery ADD COLUMN needs_it INTEGER NOT NULL DEFAULT 0; -- cannot go unless that one was received

CREATE INDEX document_unique ON document (unique_id) WHERE unique_id IS NOT NULL;
CREATE INDEX document_replaces ON document (replaces) WHERE replaces IS NOT NULL;
CREATE INDEX delivery_waits ON delivery (waits_for) WHERE waits_for IS NOT NULL;
