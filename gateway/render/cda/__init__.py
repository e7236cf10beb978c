"""CDA R2 level 3, structured for the CI-SIS: ClinicalDocument -> bytes."""

from gateway.render.cda.document import render, tree

__all__ = ["render", "tree"]
