"""Records: what the physiotherapist wrote, typed and versioned. The JSON Schema is generated from here."""
