-- Schema 3. What tells a PDF of the wrong patient: keyed hashes of the birth traits and of a PDF handed over as it is.
-- Both are the same for every account of this store, and mean nothing without the master key.

ALTER TABLE document ADD COLUMN traits_mac BLOB;         -- NULL before schema 3
ALTER TABLE document ADD COLUMN pdf_mac BLOB;            -- level 1 only

CREATE INDEX document_pdf ON document (pdf_mac) WHERE pdf_mac IS NOT NULL;
