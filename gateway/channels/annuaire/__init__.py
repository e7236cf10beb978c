"""The national directory of MSSanté boxes: its FHIR API, its daily file, and one lookup over both (spec mssante §5)."""
