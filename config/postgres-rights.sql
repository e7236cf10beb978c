-- Rights of the role under which the gateway runs, when it is not the owner of the tables (docs/scale.md).
-- The owner runs this after the first start and after each update: psql -v role=kine_gateway -f postgres-rights.sql
-- The journal can then be added to and read, and nothing else, whatever becomes of the role's password.

SELECT format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), :'role') \gexec
SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO %I', tablename, :'role')
FROM pg_tables WHERE schemaname = current_schema() AND tablename NOT IN ('journal', 'journal_head', 'schema_version', 'meta') \gexec
SELECT format('REVOKE DELETE ON %I FROM %I', tablename, :'role')
FROM pg_tables WHERE schemaname = current_schema() AND tablename IN ('document', 'delivery', 'attempt', 'receipt', 'note') \gexec
SELECT format('GRANT SELECT, INSERT ON journal, meta TO %I', :'role') \gexec
SELECT format('GRANT SELECT, INSERT, UPDATE ON journal_head TO %I', :'role') \gexec
SELECT format('GRANT SELECT ON schema_version TO %I', :'role') \gexec
