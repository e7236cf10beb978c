"""Loaded once, before the victims are forked: a life of a few seconds should not go on this."""

from gateway import terminology
from gateway.render.fhir.bundle import check
from gateway.render.pdf.legible import wording

terminology.load()
wording()
__all__ = ["check"]
