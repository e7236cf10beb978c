-- Schema 15. What the clocks of servers said, so that a process that asks nobody knows it too. Distances are those from
-- the clock that counts since the machine started: they mean something during that one run of the machine (`boot`).

CREATE TABLE clock_reading (
  boot    TEXT NOT NULL,                 -- the run of a machine
  source  TEXT NOT NULL,                 -- host name of a server
  low_ms  BIGINT NOT NULL,              -- its time less the machine's elapsed clock: at least
  high_ms BIGINT NOT NULL,              -- and at most
  at_ms   BIGINT NOT NULL,              -- elapsed clock at the last answer
  samples BIGINT NOT NULL,
  noted   BIGINT NOT NULL,
  PRIMARY KEY (boot, source)
);
