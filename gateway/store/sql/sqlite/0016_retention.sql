-- Schema 16. What was transmitted goes before the document does: since when the mails of a document are erased. And
-- documents whose content is still there, oldest first: a look at what is finished reads those alone. Where the store
-- works: a copy of it started elsewhere is recognised by that.

ALTER TABLE document ADD COLUMN mails_erased_at INTEGER;

CREATE INDEX document_kept ON document (accepted_at, id, mails_erased_at) WHERE erased_at IS NULL;

CREATE TABLE home (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
