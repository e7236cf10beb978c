-- Statements of the store, by name: those of SQLite, where PostgreSQL wants them otherwise. Times are UTC milliseconds.
-- A statement with `unnest` takes one array for each column, so that any number of rows costs one round trip.

-- name: meta_get
SELECT value FROM meta WHERE name = :name

-- name: meta_put
INSERT INTO meta (name, value) VALUES (:name, :value)

-- name: home_get
SELECT value FROM home WHERE name = :name

-- name: home_set
INSERT INTO home (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: home_delete
DELETE FROM home WHERE name = :name

-- name: document_by_key
SELECT document.id, document.account, document.key_mac, document.content_sha256
FROM unnest(:account::text[], :key_mac::bytea[]) AS wanted (account, key_mac)
JOIN document ON document.account = wanted.account AND document.key_mac = wanted.key_mac

-- name: document_repeated
SELECT found.id, wanted.*
FROM unnest(:account::text[], :patient::text[], :document_type::text[], :document_date::text[])
  AS wanted (account, patient, document_type, document_date)
CROSS JOIN LATERAL (
  SELECT id FROM document
  WHERE document.account = wanted.account AND document.patient = wanted.patient
    AND document.document_type = wanted.document_type AND document.document_date = wanted.document_date
    AND withdrawn_at IS NULL
  ORDER BY accepted_at DESC LIMIT 1) AS found

-- name: document_insert
INSERT INTO document (id, account, key_mac, content_sha256, patient, kind, document_type, document_date, replaces,
                      mapping_pack, findings, accepted_at, key_id, wrapped_key, manifest, unique_id,
                      traits_mac, pdf_mac)
SELECT * FROM unnest(:id::text[], :account::text[], :key_mac::bytea[], :content_sha256::bytea[], :patient::text[],
                     :kind::text[], :document_type::text[], :document_date::text[], :replaces::text[],
                     :mapping_pack::text[], :findings::text[], :accepted_at::bigint[], :key_id::text[],
                     :wrapped_key::bytea[], :manifest::bytea[], :unique_id::text[], :traits_mac::bytea[],
                     :pdf_mac::bytea[])

-- name: document_get
SELECT * FROM document WHERE id = :id

-- name: document_of_other_patient
SELECT id FROM document WHERE pdf_mac = :pdf_mac AND traits_mac IS DISTINCT FROM :traits_mac LIMIT 1

-- name: document_last_traits
SELECT traits_mac FROM document WHERE account = :account AND patient = :patient AND traits_mac IS NOT NULL
ORDER BY accepted_at DESC, place DESC LIMIT 1

-- name: document_named
SELECT * FROM document WHERE account = :account AND (id = :name OR unique_id = :name) LIMIT 1

-- name: document_successor
SELECT id FROM document WHERE replaces = :id LIMIT 1

-- name: documents_of_patient
SELECT * FROM document WHERE account = :account AND patient = :patient ORDER BY accepted_at, id

-- name: documents_with_traits
SELECT id, patient FROM document WHERE account = :account AND traits_mac = :traits_mac

-- name: document_erase
UPDATE document SET wrapped_key = NULL, manifest = NULL, traits_mac = NULL, pdf_mac = NULL, erased_at = :at
WHERE id = :id AND erased_at IS NULL

-- name: artifact_insert
INSERT INTO artifact (document_id, sha256, size, sealed)
SELECT * FROM unnest(:document_id::text[], :sha256::bytea[], :size::bigint[], :sealed::bytea[])

-- name: artifact_get
SELECT artifact.document_id, artifact.sha256, artifact.sealed
FROM unnest(:document_id::text[], :sha256::bytea[]) AS wanted (document_id, sha256)
JOIN artifact ON artifact.document_id = wanted.document_id AND artifact.sha256 = wanted.sha256

-- name: artifacts_erase
DELETE FROM artifact WHERE document_id = :document_id

-- name: delivery_insert
INSERT INTO delivery (id, document_id, account, destination, role, channel, priority, state, receipt, reason, actor,
                      created_at, changed_at, due_at, manifest, waits_for, needs_it, succeeds, purpose,
                      message_mac, envid_mac, recipient_mac)
SELECT id, document_id, account, destination, role, channel, priority, state, receipt, reason, actor, at, at, due_at,
       manifest, waits_for, needs_it, succeeds, purpose, message_mac, envid_mac, recipient_mac
FROM unnest(:id::text[], :document_id::text[], :account::text[], :destination::text[], :role::text[],
            :channel::text[], :priority::integer[], :state::text[], :receipt::text[], :reason::text[],
            :actor::text[], :at::bigint[], :due_at::bigint[], :manifest::bytea[], :waits_for::text[],
            :needs_it::integer[], :succeeds::text[], :purpose::text[], :message_mac::bytea[], :envid_mac::bytea[],
            :recipient_mac::bytea[]) WITH ORDINALITY
  AS new (id, document_id, account, destination, role, channel, priority, state, receipt, reason, actor, at, due_at,
          manifest, waits_for, needs_it, succeeds, purpose, message_mac, envid_mac, recipient_mac, number)
ORDER BY number

-- name: delivery_get
SELECT * FROM delivery WHERE id = :id

-- name: deliveries_of_ids
SELECT delivery.*, document.patient, document.withdrawn_at,
       EXISTS (SELECT 1 FROM delivery AS later WHERE later.waits_for = delivery.id) AS followed
FROM delivery JOIN document ON document.id = delivery.document_id
WHERE delivery.id IN (SELECT json_array_elements_text(:ids::json))

-- name: deliveries_of_document
SELECT * FROM delivery WHERE document_id = :document_id ORDER BY place

-- name: deliveries_list
SELECT * FROM delivery
WHERE (:account::text IS NULL OR account = :account)
  AND (:states::text IS NULL OR state IN (SELECT json_array_elements_text(:states::json)))
  AND (:destination::text IS NULL OR destination = :destination)
  AND created_at >= :since
ORDER BY created_at DESC, place DESC LIMIT :limit

-- name: delivery_counts
SELECT account, channel, state, count(*) AS number, min(created_at) AS oldest FROM delivery WHERE state IN (
  'prepared', 'sending', 'transmitting', 'retry', 'in_doubt', 'held', 'waiting_for_session')
GROUP BY account, channel, state ORDER BY account, channel, state

-- name: delivery_lanes
SELECT account, channel FROM delivery
WHERE state IN ('prepared', 'retry') AND (:account::text IS NULL OR account = :account)
  AND (:channel::text IS NULL OR channel = :channel)
GROUP BY account, channel

-- name: delivery_lanes_doubtful
SELECT account, channel FROM delivery
WHERE state = 'in_doubt' AND (:account::text IS NULL OR account = :account) AND (:channel::text IS NULL OR channel = :channel)
GROUP BY account, channel

-- name: delivery_due
SELECT delivery.*, document.wrapped_key, document.key_id FROM delivery JOIN document ON document.id = delivery.document_id
WHERE delivery.state IN ('prepared', 'retry') AND delivery.account = :account AND delivery.channel = :channel
  AND delivery.priority = :priority AND delivery.due_at <= :now
ORDER BY delivery.due_at, delivery.place LIMIT :limit
FOR UPDATE OF delivery SKIP LOCKED

-- name: delivery_doubtful
SELECT delivery.*, document.wrapped_key, document.key_id FROM delivery JOIN document ON document.id = delivery.document_id
WHERE delivery.state = 'in_doubt' AND delivery.account = :account AND delivery.channel = :channel
  AND delivery.due_at <= :now AND (delivery.lease_until IS NULL OR delivery.lease_until < :now)
ORDER BY delivery.due_at, delivery.place LIMIT :limit
FOR UPDATE OF delivery SKIP LOCKED

-- name: delivery_claim
UPDATE delivery SET state = new.state, attempts = new.attempt, fence = new.fence, lease_owner = new.worker,
                    lease_until = new.until, changed_at = new.now, reason = new.reason, actor = NULL
FROM unnest(:id::text[], :state::text[], :attempt::integer[], :fence::integer[], :worker::text[], :until::bigint[],
            :now::bigint[], :reason::text[])
  AS new (id, state, attempt, fence, worker, until, now, reason)
WHERE delivery.id = new.id

-- name: delivery_transmit
UPDATE delivery SET state = 'transmitting', changed_at = new.now
FROM unnest(:id::text[], :fence::integer[], :now::bigint[]) AS new (id, fence, now)
WHERE delivery.id = new.id AND delivery.fence = new.fence AND delivery.state = 'sending'
RETURNING delivery.id

-- name: delivery_renew
UPDATE delivery SET lease_until = :until
WHERE id = :id AND fence = :fence AND lease_until IS NOT NULL AND state IN ('sending', 'transmitting', 'in_doubt')

-- name: delivery_move
UPDATE delivery SET state = new.state, receipt = new.receipt, reason = new.reason, actor = new.actor, means = new.means,
                    handed_at = new.handed_at, changed_at = new.now, due_at = new.due_at, failures = new.failures,
                    burned_ms = new.burned_ms, reference = new.reference, lease_owner = NULL, lease_until = NULL,
                    awaited_until = coalesce(new.awaited, delivery.awaited_until)
FROM unnest(:id::text[], :state::text[], :receipt::text[], :reason::text[], :actor::text[], :means::text[],
            :handed_at::bigint[], :now::bigint[], :due_at::bigint[], :failures::integer[], :burned_ms::bigint[],
            :reference::text[], :awaited::bigint[])
  AS new (id, state, receipt, reason, actor, means, handed_at, now, due_at, failures, burned_ms, reference, awaited)
WHERE delivery.id = new.id

-- name: deliveries_waiting_for
SELECT * FROM delivery WHERE waits_for = :id AND purpose = 'document' AND state IN ('prepared', 'retry')
  AND due_at IS NULL

-- name: deliveries_following
SELECT * FROM delivery WHERE waits_for = :id AND purpose <> 'document' AND state IN ('prepared', 'retry')
  AND due_at IS NULL

-- name: deliveries_behind
SELECT state, due_at, needs_it FROM delivery WHERE waits_for = :id AND purpose = 'document'

-- name: delivery_waits_move
UPDATE delivery SET waits_for = :successor WHERE waits_for = :id AND state IN ('prepared', 'retry') AND due_at IS NULL

-- name: delivery_succeeded
UPDATE delivery SET succeeded_by = :successor WHERE id = :id

-- name: document_withdraw
UPDATE document SET withdrawn_at = :now, withdrawn_by = :actor, withdrawn_for = :reason
WHERE id = :id AND withdrawn_at IS NULL

-- name: withdrawal_open
SELECT count(*) AS number FROM delivery
WHERE document_id = :id AND (
  (purpose = 'document' AND state IN (
    'prepared', 'retry', 'waiting_for_session', 'held', 'sending', 'transmitting', 'in_doubt'))
  OR (purpose <> 'document' AND state NOT IN ('sent', 'handed_over', 'cancelled', 'superseded'))
  OR (purpose <> 'document' AND state = 'sent' AND receipt = 'refused'))

-- name: withdrawal_end
UPDATE document SET withdrawal_ended_at = :now WHERE id = :id AND withdrawal_ended_at IS NULL

-- name: delivery_receipt
UPDATE delivery SET receipt = :receipt, receipt_reason = :reason, alerted_at = :alerted_at,
                    awaited_until = :awaited_until, replies = :replies
WHERE id = :id

-- name: delivery_await
UPDATE delivery SET awaited_until = new.until
FROM unnest(:id::text[], :until::bigint[]) AS new (id, until) WHERE delivery.id = new.id

-- name: delivery_closed
UPDATE delivery SET awaited_until = NULL, alerted_at = NULL WHERE id = :id

-- name: delivery_keyed
UPDATE delivery SET message_mac = :message_mac, envid_mac = :envid_mac, recipient_mac = :recipient_mac WHERE id = :id

-- name: delivery_by_message
SELECT * FROM delivery WHERE account = :account AND message_mac = :mac LIMIT 1

-- name: delivery_by_envelope
SELECT * FROM delivery WHERE account = :account AND envid_mac = :mac LIMIT 1

-- name: deliveries_unkeyed
SELECT id FROM delivery
WHERE channel = 'mssante' AND manifest IS NOT NULL AND message_mac IS NULL
ORDER BY id LIMIT :limit

-- name: deliveries_overdue
SELECT * FROM delivery
WHERE awaited_until <= :now AND (:account::text IS NULL OR account = :account)
ORDER BY awaited_until

-- name: deliveries_of_pair
SELECT delivery.* FROM delivery JOIN document ON document.id = delivery.document_id
WHERE document.account = :account AND document.patient = :patient AND delivery.recipient_mac = :recipient_mac
ORDER BY delivery.created_at, delivery.id

-- name: deliveries_leased
SELECT * FROM delivery
WHERE lease_until IS NOT NULL AND (:account::text IS NULL OR account = :account) AND (:all::boolean OR lease_until < :now)

-- name: deliveries_ahead_of_time
UPDATE delivery SET due_at = :now, changed_at = :now
WHERE due_at IS NOT NULL AND changed_at > :limit AND state IN ('prepared', 'retry', 'in_doubt') AND state IN (
  'prepared', 'sending', 'transmitting', 'retry', 'in_doubt', 'held', 'waiting_for_session')

-- name: deliveries_waiting_for_session
SELECT * FROM delivery
WHERE account = :account AND channel = :channel AND state = 'waiting_for_session' AND state IN (
  'prepared', 'sending', 'transmitting', 'retry', 'in_doubt', 'held', 'waiting_for_session')

-- name: deliveries_unsent
SELECT * FROM delivery
WHERE state IN ('prepared', 'retry', 'waiting_for_session', 'sending', 'transmitting') AND manifest IS NOT NULL

-- name: delivery_next_due
SELECT min(due_at) AS due_at FROM delivery
WHERE state IN ('prepared', 'retry') AND account = :account AND channel = :channel AND priority = :priority

-- name: delivery_next_doubtful
SELECT min(due_at) AS due_at FROM delivery
WHERE state = 'in_doubt' AND account = :account AND channel = :channel

-- name: attempt_insert
INSERT INTO attempt (delivery_id, number, kind, worker, started_at)
SELECT * FROM unnest(:delivery_id::text[], :number::integer[], :kind::text[], :worker::text[], :now::bigint[])

-- name: attempt_transmit
UPDATE attempt SET transmitting_at = new.now
FROM unnest(:delivery_id::text[], :number::integer[], :now::bigint[]) AS new (delivery_id, number, now)
WHERE attempt.delivery_id = new.delivery_id AND attempt.number = new.number

-- name: attempt_end
UPDATE attempt SET ended_at = new.now, verdict = new.verdict, reason = new.reason, text = new.text,
                   reference = new.reference, host = new.host
FROM unnest(:delivery_id::text[], :number::integer[], :now::bigint[], :verdict::text[], :reason::text[], :text::text[],
            :reference::text[], :host::text[])
  AS new (delivery_id, number, now, verdict, reason, text, reference, host)
WHERE attempt.delivery_id = new.delivery_id AND attempt.number = new.number

-- name: attempts_of
SELECT * FROM attempt WHERE delivery_id = :delivery_id ORDER BY number

-- name: receipt_insert
INSERT INTO receipt (delivery_id, kind, evidence, at, code) VALUES (:delivery_id, :kind, :evidence, :now, :code)
ON CONFLICT DO NOTHING

-- name: note_insert
INSERT INTO note (delivery_id, at, action, actor, name, sealed)
VALUES (:delivery_id, :at, :action, :actor, :name, :sealed)

-- name: notes_of
SELECT * FROM note WHERE delivery_id = :delivery_id ORDER BY id

-- name: documents_kept
SELECT id, accepted_at FROM document
WHERE erased_at IS NULL AND accepted_at <= :before AND (mails_erased_at IS NULL OR accepted_at <= :last)
  AND (accepted_at, id) > (:at::bigint, :after::text)
ORDER BY accepted_at, id LIMIT :limit

-- name: documents_ended
SELECT document.id, document.account, document.accepted_at, document.mails_erased_at,
       (SELECT max(delivery.changed_at) FROM delivery WHERE delivery.document_id = document.id) AS moved_at,
       (SELECT max(receipt.at) FROM delivery JOIN receipt ON receipt.delivery_id = delivery.id
        WHERE delivery.document_id = document.id) AS heard_at
FROM document
WHERE document.id IN (SELECT json_array_elements_text(:ids::json)) AND document.erased_at IS NULL
  AND (document.withdrawn_at IS NULL OR document.withdrawal_ended_at IS NOT NULL)
  AND NOT EXISTS (
    SELECT 1 FROM delivery WHERE delivery.document_id = document.id AND (
      delivery.state NOT IN ('sent', 'handed_over', 'superseded', 'cancelled', 'impossible')
      OR delivery.awaited_until IS NOT NULL OR delivery.alerted_at IS NOT NULL OR delivery.replies > 0))
  AND NOT EXISTS (
    SELECT 1 FROM document AS later JOIN delivery AS after ON after.document_id = later.id
    WHERE later.replaces = document.id AND after.state NOT IN (
      'sent', 'handed_over', 'superseded', 'cancelled', 'impossible'))
  AND NOT EXISTS (SELECT 1 FROM fact_due WHERE fact_due.document_id = document.id)
  AND NOT EXISTS (
    SELECT 1 FROM patient_stop
    WHERE patient_stop.account = document.account AND patient_stop.patient = document.patient)
  AND NOT EXISTS (
    SELECT 1 FROM pair_hold WHERE pair_hold.account = document.account AND pair_hold.patient = document.patient)
ORDER BY document.accepted_at, document.id

-- name: document_mails_erased
UPDATE document SET mails_erased_at = :at WHERE id = :id AND mails_erased_at IS NULL

-- name: artifact_sizes
SELECT sha256, size FROM artifact WHERE document_id = :document_id

-- name: artifact_erase
DELETE FROM artifact WHERE document_id = :document_id AND sha256 = :sha256

-- name: store_bytes
SELECT coalesce(sum(size), 0)::bigint AS bytes FROM artifact

-- name: pause_put
INSERT INTO pause (account, channel, reason, actor, since) VALUES (:account, :channel, :reason, :actor, :now)
ON CONFLICT DO NOTHING

-- name: pause_delete
DELETE FROM pause WHERE account = :account AND channel = :channel

-- name: pause_all
SELECT * FROM pause ORDER BY account, channel

-- name: pause_covering
SELECT 1 AS found FROM pause WHERE account IN (:account, '*') AND channel IN (:channel, '*') LIMIT 1

-- name: clock_put
INSERT INTO clock_reading (boot, source, low_ms, high_ms, at_ms, samples, noted)
VALUES (:boot, :source, :low_ms, :high_ms, :at_ms, :samples, :now)
ON CONFLICT (boot, source) DO UPDATE SET
  low_ms = excluded.low_ms, high_ms = excluded.high_ms, at_ms = excluded.at_ms, samples = excluded.samples,
  noted = excluded.noted

-- name: clock_readings
SELECT * FROM clock_reading WHERE boot = :boot ORDER BY source

-- name: clock_drop
DELETE FROM clock_reading WHERE boot <> :boot AND noted < :before

-- name: journal_head
SELECT size, hash, frontier FROM journal_head WHERE shard = :shard

-- name: journal_insert
INSERT INTO journal (shard, seq, record, hash, delivery)
SELECT * FROM unnest(:shard::integer[], :seq::bigint[], :record::text[], :hash::bytea[], :delivery::text[])

-- name: journal_head_insert
INSERT INTO journal_head (shard, size, hash, frontier) VALUES (:shard, 0, :hash, '')

-- name: journal_advance
UPDATE journal_head SET size = :size, hash = :hash, frontier = :frontier WHERE shard = :shard

-- name: journal_page
SELECT seq, record, hash, delivery FROM journal WHERE shard = :shard AND seq > :after ORDER BY seq LIMIT :limit

-- name: journal_of_delivery
SELECT record FROM journal WHERE delivery = :delivery ORDER BY shard, seq

-- name: documents_touched
SELECT DISTINCT delivery.document_id FROM journal JOIN delivery ON delivery.id = journal.delivery
WHERE journal.shard = :shard AND journal.seq >= :after AND journal.delivery IS NOT NULL

-- name: journal_hash
SELECT hash FROM journal WHERE shard = :shard AND seq = :seq

-- name: deliveries_moved
SELECT * FROM delivery
WHERE id IN (SELECT delivery FROM journal WHERE shard = :shard AND seq >= :after AND seq < :upto)
  AND account = :account
ORDER BY changed_at, id

-- name: delivery_states
SELECT id, state, receipt FROM delivery ORDER BY id

-- name: journal_last
SELECT record FROM journal WHERE shard = :shard ORDER BY seq DESC LIMIT 1

-- name: cursor_get
SELECT uidvalidity, uid FROM mail_cursor WHERE account = :account AND folder = :folder

-- name: cursor_seen
SELECT MAX(seen_at) AS at FROM received_mail
WHERE account = :account AND folder = :folder AND uidvalidity = :uidvalidity

-- name: cursor_put
INSERT INTO mail_cursor (account, folder, uidvalidity, uid) VALUES (:account, :folder, :uidvalidity, :uid)
ON CONFLICT (account, folder) DO UPDATE SET uidvalidity = excluded.uidvalidity, uid = excluded.uid

-- name: received_get
SELECT * FROM received_mail WHERE account = :account AND evidence = :evidence

-- name: received_put
INSERT INTO received_mail (account, evidence, seen_at, kind, verdict, reason, delivery_id, report_mac,
                           folder, uidvalidity, uid)
VALUES (:account, :evidence, :now, :kind, :verdict, :reason, :delivery_id, :report_mac, :folder, :uidvalidity, :uid)
ON CONFLICT (account, evidence) DO UPDATE SET
  seen_at = excluded.seen_at, verdict = excluded.verdict, reason = excluded.reason, delivery_id = excluded.delivery_id

-- name: received_again
SELECT 1 AS found FROM received_mail
WHERE delivery_id = :delivery_id AND report_mac = :report_mac AND reason = :reason
  AND verdict IN ('applied', 'noted')
LIMIT 1

-- name: received_of
SELECT * FROM received_mail WHERE delivery_id = :delivery_id ORDER BY seen_at, evidence

-- name: received_loose
SELECT * FROM received_mail
WHERE verdict IN ('unmatched', 'forged', 'wrong_recipient', 'ambiguous') AND (:account::text IS NULL OR account = :account)
ORDER BY seen_at DESC, evidence LIMIT :limit

-- name: pair_get
SELECT pair_hold.*
FROM unnest(:account::text[], :patient::text[], :recipient_mac::bytea[]) AS wanted (account, patient, recipient_mac)
JOIN pair_hold ON pair_hold.account = wanted.account AND pair_hold.patient = wanted.patient
  AND pair_hold.recipient_mac = wanted.recipient_mac

-- name: pair_put
INSERT INTO pair_hold (account, patient, recipient_mac, delivery_id, reason, actor, since)
VALUES (:account, :patient, :recipient_mac, :delivery_id, :reason, :actor, :now)
ON CONFLICT DO NOTHING

-- name: pair_delete
DELETE FROM pair_hold WHERE account = :account AND patient = :patient AND recipient_mac = :recipient_mac

-- name: pairs_of_patient
SELECT delivery_id, reason, actor, since FROM pair_hold WHERE account = :account AND patient = :patient
ORDER BY since, delivery_id

-- name: pair_all
SELECT account, delivery_id, reason, actor, since FROM pair_hold ORDER BY since, delivery_id

-- name: patient_stop_put
INSERT INTO patient_stop (account, patient, reason, actor, since) VALUES (:account, :patient, :reason, :actor, :now)
ON CONFLICT (account, patient) DO UPDATE SET reason = excluded.reason, actor = excluded.actor

-- name: patient_stop_delete
DELETE FROM patient_stop WHERE account = :account AND patient = :patient

-- name: patient_stops
SELECT * FROM patient_stop ORDER BY since, account, patient

-- name: patient_stop_get
SELECT patient_stop.account, patient_stop.patient, patient_stop.reason
FROM unnest(:account::text[], :patient::text[]) AS wanted (account, patient)
JOIN patient_stop ON patient_stop.account = wanted.account AND patient_stop.patient = wanted.patient

-- name: opposition_get
SELECT opposition.account, opposition.patient, opposition.target
FROM unnest(:account::text[], :patient::text[]) AS wanted (account, patient)
JOIN opposition ON opposition.account = wanted.account AND opposition.patient = wanted.patient

-- name: patient_stop_of_document
SELECT patient_stop.reason FROM patient_stop
JOIN document ON document.account = patient_stop.account AND document.patient = patient_stop.patient
WHERE document.id = :document

-- name: opposition_put
INSERT INTO opposition (account, patient, target, actor, since) VALUES (:account, :patient, :target, :actor, :now)
ON CONFLICT DO NOTHING

-- name: opposition_delete
DELETE FROM opposition WHERE account = :account AND patient = :patient AND target = :target

-- name: opposition_list
SELECT * FROM opposition
WHERE (:account::text IS NULL OR account = :account) AND (:patient::text IS NULL OR patient = :patient)
ORDER BY since, account, patient, target

-- name: opposition_of_document
SELECT opposition.target FROM opposition
JOIN document ON document.account = opposition.account AND document.patient = opposition.patient
WHERE document.id = :document

-- name: deliveries_of_patient
SELECT delivery.* FROM delivery JOIN document ON document.id = delivery.document_id
WHERE document.account = :account AND document.patient = :patient
ORDER BY delivery.created_at, delivery.id

-- name: fact_insert
INSERT INTO episode_fact (document_id, account, patient, episode, author, key_id, sealed)
SELECT * FROM unnest(:document_id::text[], :account::text[], :patient::text[], :episode::text[], :author::text[],
                     :key_id::text[], :sealed::bytea[])

-- name: fact_get
SELECT document_id FROM episode_fact WHERE document_id = :document_id

-- name: facts_of_patient
SELECT count(*) AS number FROM episode_fact WHERE document_id IN (
  SELECT id FROM document WHERE account = :account AND patient = :patient)

-- name: facts_list
SELECT episode_fact.*, document.accepted_at, document.erased_at, document.withdrawn_at,
       (SELECT min(later.id) FROM document AS later WHERE later.replaces = document.id) AS replaced_by
FROM episode_fact JOIN document ON document.id = episode_fact.document_id
WHERE :account::text IS NULL OR episode_fact.account = :account
ORDER BY document.accepted_at, document.id

-- name: facts_of_episode
SELECT episode_fact.*, document.accepted_at, document.erased_at, document.withdrawn_at,
       (SELECT min(later.id) FROM document AS later WHERE later.replaces = document.id) AS replaced_by
FROM episode_fact JOIN document ON document.id = episode_fact.document_id
WHERE episode_fact.account = :account AND episode_fact.episode = :episode
ORDER BY document.accepted_at, document.id

-- name: fact_due_insert
INSERT INTO fact_due (document_id) SELECT * FROM unnest(:document_id::text[])

-- name: fact_due_list
SELECT document_id FROM fact_due ORDER BY document_id

-- name: fact_due_delete
DELETE FROM fact_due WHERE document_id = :document_id

-- name: obligation_alert_put
INSERT INTO obligation_alert (account, episode, subject, reader, since)
VALUES (:account, :episode, :subject, :reader, :now)
ON CONFLICT DO NOTHING

-- name: deliveries_page
SELECT delivery.*, document.patient FROM delivery JOIN document ON document.id = delivery.document_id
WHERE (:accounts::text IS NULL OR delivery.account IN (SELECT json_array_elements_text(:accounts::json)))
  AND (:states::text IS NULL OR delivery.state IN (SELECT json_array_elements_text(:states::json)))
  AND (:receipts::text IS NULL OR delivery.receipt IN (SELECT json_array_elements_text(:receipts::json)))
  AND (:destination::text IS NULL OR delivery.destination = :destination)
  AND (:reference::text IS NULL OR :reference::text IN (delivery.id, delivery.document_id, delivery.reference)
       OR delivery.document_id IN (SELECT named.id FROM document AS named WHERE named.unique_id = :reference))
  AND (:attention = 0 OR delivery.state IN ('in_doubt', 'held', 'waiting_for_session', 'dead')
       OR (delivery.state = 'impossible' AND COALESCE(delivery.reason, '') NOT IN (SELECT json_array_elements_text(:closed::json)))
       OR (delivery.state = 'sent' AND delivery.receipt IN ('refused', 'overdue')))
  AND delivery.created_at >= :since AND delivery.created_at < :until AND delivery.created_at <= :before
  AND (delivery.created_at < :before OR delivery.id < :before_id)
ORDER BY delivery.created_at DESC, delivery.id DESC LIMIT :limit

-- name: deliveries_page_of_patient
SELECT delivery.*, document.patient FROM document CROSS JOIN delivery
WHERE document.account IN (SELECT json_array_elements_text(:accounts::json)) AND document.patient = :patient
  AND delivery.document_id = document.id
  AND (:states::text IS NULL OR delivery.state IN (SELECT json_array_elements_text(:states::json)))
  AND (:receipts::text IS NULL OR delivery.receipt IN (SELECT json_array_elements_text(:receipts::json)))
  AND (:destination::text IS NULL OR delivery.destination = :destination)
  AND (:reference::text IS NULL OR :reference::text IN (delivery.id, delivery.document_id, delivery.reference)
       OR document.unique_id = :reference)
  AND (:attention = 0 OR delivery.state IN ('in_doubt', 'held', 'waiting_for_session', 'dead')
       OR (delivery.state = 'impossible' AND COALESCE(delivery.reason, '') NOT IN (SELECT json_array_elements_text(:closed::json)))
       OR (delivery.state = 'sent' AND delivery.receipt IN ('refused', 'overdue')))
  AND delivery.created_at >= :since AND delivery.created_at < :until AND delivery.created_at <= :before
  AND (delivery.created_at < :before OR delivery.id < :before_id)
ORDER BY delivery.created_at DESC, delivery.id DESC LIMIT :limit

-- name: journal_records
SELECT CAST(sum(size) AS bigint) AS size FROM journal_head

-- name: master_current
SELECT id FROM master_key WHERE turn IS NOT NULL ORDER BY turn DESC LIMIT 1

-- name: master_get
SELECT * FROM master_key WHERE id = :id

-- name: master_list
SELECT * FROM master_key ORDER BY turn IS NULL, turn, id

-- name: master_insert
INSERT INTO master_key (id, made_at) VALUES (:id, :made_at)

-- name: master_use
UPDATE master_key SET turn = (SELECT coalesce(max(turn), 0) + 1 FROM master_key) WHERE id = :id AND turn IS NULL

-- name: master_retire
UPDATE master_key SET retired_at = :now WHERE id = :id AND retired_at IS NULL

-- name: documents_by_master
SELECT key_id, count(*) AS number FROM document WHERE wrapped_key IS NOT NULL GROUP BY key_id

-- name: documents_under
SELECT id AS document_id, wrapped_key AS sealed FROM document
WHERE key_id = :key_id AND wrapped_key IS NOT NULL LIMIT :limit

-- name: facts_by_master
SELECT key_id, count(*) AS number FROM episode_fact GROUP BY key_id

-- name: facts_under
SELECT document_id, sealed FROM episode_fact WHERE key_id = :key_id LIMIT :limit

-- name: document_rewrap
UPDATE document SET key_id = new.key_id, wrapped_key = new.sealed
FROM unnest(:document_id::text[], :key_id::text[], :sealed::bytea[]) AS new (document_id, key_id, sealed)
WHERE document.id = new.document_id AND document.wrapped_key IS NOT NULL

-- name: fact_reseal
UPDATE episode_fact SET key_id = new.key_id, sealed = new.sealed
FROM unnest(:document_id::text[], :key_id::text[], :sealed::bytea[]) AS new (document_id, key_id, sealed)
WHERE episode_fact.document_id = new.document_id
