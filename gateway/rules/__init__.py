"""Rules over records: pure functions from what was written to findings."""
