-- Schema 17. What came into the mailboxes and belongs to nothing is found by an index, as on SQLite since schema 7.

CREATE INDEX received_loose ON received_mail (seen_at, evidence)
  WHERE verdict IN ('unmatched', 'forged', 'wrong_recipient', 'ambiguous');
