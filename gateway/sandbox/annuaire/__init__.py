"""The Annuaire Santé of the sandbox: the FHIR API and the daily file over HTTPS, with invented professionals."""

from gateway.sandbox.annuaire.people import Box, Place, Post, Professional
from gateway.sandbox.annuaire.server import KEY, AnnuaireServer
from gateway.sandbox.annuaire.service import AnnuaireService

__all__ = ["KEY", "AnnuaireServer", "AnnuaireService", "Box", "Place", "Post", "Professional"]
