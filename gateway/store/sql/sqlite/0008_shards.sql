-- Schema 8. How many chains the journal has: one here, several on PostgreSQL. The number is fixed from now on.

INSERT INTO meta (name, value) VALUES ('shards', '1') ON CONFLICT DO NOTHING;
