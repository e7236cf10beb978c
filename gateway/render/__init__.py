"""Renderings: three siblings, each ClinicalDocument -> bytes; none imports another."""
