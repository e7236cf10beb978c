-- Schema 13. Master keys by id: the keys themselves are in the keyring file. The one with the highest turn wraps what
-- is new; what an earlier one wraps is wrapped again, batch by batch, until that one can be retired.

CREATE TABLE master_key (
  id         TEXT PRIMARY KEY,
  made_at    BIGINT,                       -- NULL: by a release that did not note it
  turn       INTEGER UNIQUE,               -- NULL: made, not in use yet
  retired_at BIGINT
);

INSERT INTO master_key (id, turn) SELECT value, 1 FROM meta WHERE name = 'key_id';

CREATE INDEX document_master ON document (key_id) WHERE wrapped_key IS NOT NULL;

-- Facts are sealed under a key that derives from a master key: this says from which.
ALTER TABLE episode_fact ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
UPDATE episode_fact SET key_id = (SELECT value FROM meta WHERE name = 'key_id');
CREATE INDEX episode_fact_master ON episode_fact (key_id);

-- Binds a person's words to their own row; NULL: sealed before this schema, bound to their delivery alone.
ALTER TABLE note ADD COLUMN name TEXT;
