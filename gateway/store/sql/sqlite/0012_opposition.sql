-- Schema 12. Destinations that a patient objects to, as a named person recorded. The pseudonym is that of the
-- documents; a mailbox is kept as keyed hash. The journal tells who recorded and who ended each.

CREATE TABLE opposition (
  account TEXT NOT NULL,
  patient TEXT NOT NULL,                 -- keyed pseudonym
  target  TEXT NOT NULL,                 -- a kind of destination, or box: and the keyed hash of a mailbox
  actor   TEXT NOT NULL,
  since   INTEGER NOT NULL,
  PRIMARY KEY (account, patient, target)
) STRICT, WITHOUT ROWID;
