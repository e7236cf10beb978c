"""Identity: matricule INS, OIDs, RNIV status, and what may leave the gateway."""
