-- Schema 18. ANALYZE keeps values of each column, and would keep the key of a document that was erased since: of this
-- one it keeps none any more. Setting the type, to what it is, drops what was kept.

ALTER TABLE document ALTER COLUMN wrapped_key TYPE BYTEA;
ALTER TABLE document ALTER COLUMN wrapped_key SET STATISTICS 0;
