-- Schema 7. Deliveries that are not at an end are few, whatever the table has grown to: they are counted and found
-- by an index that holds them alone.

CREATE INDEX delivery_open ON delivery (account, channel, state, created_at) WHERE state IN (
  'prepared', 'sending', 'transmitting', 'retry', 'in_doubt', 'held', 'waiting_for_session');

-- Received mails that no delivery could be found for: few as well, shown newest first.
CREATE INDEX received_loose ON received_mail (seen_at, evidence) WHERE verdict IN (
  'unmatched', 'forged', 'wrong_recipient', 'ambiguous');
