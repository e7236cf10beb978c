"""The audit: verify the journal, export it, prove one record of it. Reads only, trusts what it recomputes."""
