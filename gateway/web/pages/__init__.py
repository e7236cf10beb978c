"""The audit pages: what an auditor and a practice read, in French and English, without clinical content."""
