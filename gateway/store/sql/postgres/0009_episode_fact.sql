-- Schema 9. What indicators and obligations are computed from once a document is erased: frozen at acceptance, no
-- identity. Pseudonyms are keyed; the facts themselves are sealed under a key of the store, which outlives documents.

CREATE TABLE episode_fact (
  document_id TEXT PRIMARY KEY REFERENCES document (id),
  account     TEXT NOT NULL,
  patient     TEXT NOT NULL,             -- keyed pseudonym, that of the document
  episode     TEXT,                      -- keyed pseudonym; NULL: the document says of no episode
  author      TEXT NOT NULL,             -- keyed pseudonym of the professional, the same in every account
  sealed      BYTEA NOT NULL
);

CREATE INDEX episode_fact_episode ON episode_fact (account, episode) WHERE episode IS NOT NULL;

-- Documents that an earlier release took over: their facts are frozen once, from what is sealed of them.
CREATE TABLE fact_due (
  document_id TEXT PRIMARY KEY REFERENCES document (id)
);

INSERT INTO fact_due (document_id) SELECT id FROM document WHERE erased_at IS NULL;

-- Obligations that were told to be late: each is told once.
CREATE TABLE obligation_alert (
  account  TEXT NOT NULL,
  episode  TEXT NOT NULL,                -- keyed pseudonym, or the document where there is no episode
  subject  TEXT NOT NULL,                -- document, or the kind of document that is missing
  reader   TEXT NOT NULL,
  since    BIGINT NOT NULL,
  PRIMARY KEY (account, episode, subject, reader)
);
