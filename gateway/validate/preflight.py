"""Preflight of a CDA: what no official suite notices, and what would hurt most (spec cda §8).

It reads any CDA, ours or somebody else's, and never raises on what it reads.
"""

from __future__ import annotations

from gateway.findings import Finding, Severity, error
from gateway.render.cda import profile
from gateway.render.cda.xml import TAGS
from gateway.validate import body, coding, content, entries, header, minimal, patient, templates
from gateway.validate.parsing import parse
from gateway.validate.view import Rule, Terms, View, child

_RULES: tuple[Rule, ...] = (
    *patient.RULES,
    *header.RULES,
    *minimal.RULES,
    *coding.RULES,
    *body.RULES,
    *templates.RULES,
    *entries.RULES,
    *content.RULES,
)


def check(cda: bytes, terminology: Terms) -> list[Finding]:
    """Findings `CDA-0xx` on one document, errors first, each with its XPath and line."""
    root, refused = parse(cda)
    if root is None:
        return refused
    type_id = child(root, "typeId")
    if root.tag != TAGS["ClinicalDocument"] or type_id is None or type_id.get("extension") != "POCD_HD000040":
        message = "Ce n'est pas un document CDA R2 (racine ClinicalDocument, typeId POCD_HD000040)."
        return [error("CDA-005", "/", message, "Vérifier le fichier choisi.", "CDA R2")]
    view = View(root, terminology, profile.load())
    findings = [finding for rule in _RULES for finding in rule(view)]
    return sorted(findings, key=lambda finding: list(Severity).index(finding.severity))
