-- Schema 6. Patients whose INS the national service refused or changed: nothing about them leaves until a person has
-- looked. The pseudonym is that of the documents; the journal tells who stopped and who resumed.

CREATE TABLE patient_stop (
  account TEXT NOT NULL,
  patient TEXT NOT NULL,                 -- keyed pseudonym
  reason  TEXT NOT NULL,                 -- code
  actor   TEXT NOT NULL,
  since   INTEGER NOT NULL,
  PRIMARY KEY (account, patient)
) STRICT, WITHOUT ROWID;
