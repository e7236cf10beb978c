-- Schema 15. What the clocks of servers said, so that a process that asks nobody knows it too. Distances are those from
-- the clock that counts since the machine started: they mean something during that one run of the machine (`boot`).

CREATE TABLE clock_reading (
  boot    TEXT NOT NULL,                 -- the run of a machine
  source  TEXT NOT NULL,                 -- host name of a server
  low_ms  INTEGER NOT NULL,              -- its time less the machine's elapsed clock: at least
  high_ms INTEGER NOT NULL,              -- and at most
  at_ms   INTEGER NOT NULL,              -- elapsed clock at the last answer
  samples INTEGER NOT NULL,
  noted   INTEGER NOT NULL,
  PRIMARY KEY (boot, source)
) STRICT, WITHOUT ROWID;
