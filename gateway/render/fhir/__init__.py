"""FHIR R4 document: a Bundle with a Composition first, on the FR Core profiles."""

from __future__ import annotations

from gateway.render.fhir.bundle import build, render

__all__ = ["build", "render"]
