"""The engine: accepts, claims, sends, records and recovers; the only one that changes a delivery's state."""
