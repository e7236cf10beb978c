"""ClinicalDocument: the document itself, independent of CDA, FHIR and PDF."""
