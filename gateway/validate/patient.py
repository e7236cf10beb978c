"""Rules on the patient's identity in the header: the INS, its key, its traits (spec cda §3)."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.findings import Finding, Severity
from gateway.identity.matricule import read
from gateway.identity.roots import INS_C_OID, INS_ROOTS, NSS_OIDS
from gateway.settings import Environment
from gateway.validate.view import Element, Rule, View, found

_ROLE = "/c:ClinicalDocument/c:recordTarget/c:patientRole"
_NIR = "structure du NIR"
_INSI = "Reprendre le matricule et son OID de la réponse d'INSi."


def _ins_ids(view: View) -> list[Element]:
    return [item for item in view.find(f"{_ROLE}/c:id") if item.get("root") in INS_ROOTS]


def _one_ins(view: View) -> Iterator[Finding]:
    ids = _ins_ids(view)
    for extra in ids[1:]:
        message = "Deux INS pour un même patient (ou un INS de test et un de production)"
        yield found("CDA-012", extra, message, "Ne garder qu'un seul INS.", "CI-SIS, RNIV")
    if not ids:
        target = view.first(_ROLE)
        message = "Le document ne porte pas d'INS : ni DMP ni messagerie du patient"
        if target is not None:
            yield found("CDA-013", target, message, "Qualifier l'identité.", "RNIV", severity=Severity.WARNING)


def _digits(view: View) -> Iterator[Finding]:
    for item in _ins_ids(view):
        root = INS_ROOTS[str(item.get("root"))]
        matricule = read(item.get("extension") or "")
        if matricule is None:
            message = "Le matricule INS n'a pas la forme attendue (15 caractères)"
            yield found("CDA-010", item, message, _INSI, _NIR)
        elif not matricule.key_holds():
            # several test matricules published as examples do not satisfy the key (spec kine §0.4)
            test = root.environment is Environment.TEST
            severity = Severity.WARNING if test else Severity.ERROR
            message = "La clé du matricule INS ne correspond pas à ses 13 premiers caractères"
            yield found("CDA-011", item, message, _INSI, _NIR, severity=severity)


def _no_other_number(view: View) -> Iterator[Finding]:
    """A social security number may stand beside the INS, never in its place; an INS-C nowhere."""
    for place, item in enumerate(view.find(f"{_ROLE}/c:id")):
        if item.get("root") == INS_C_OID:
            message = "INS-C (ancien INS calculé) : ce n'est plus un identifiant d'identité"
            yield found("CDA-014", item, message, _INSI)
        elif place == 0 and item.get("root") in NSS_OIDS:
            message = "Numéro de sécurité sociale en place d'identifiant : c'est celui de l'assuré"
            yield found("CDA-014", item, message, _INSI)


_TRAITS = (
    "c:patient/c:name/c:family[@qualifier='BR']",
    "c:patient/c:name/c:given[@qualifier='BR']",
    "c:patient/c:name/c:given[not(@qualifier)]",
    "c:patient/c:birthTime[@value]",
    "c:patient/c:birthplace/c:place/c:addr/c:county",
    "c:patient/c:administrativeGenderCode[@code]",
)


def _traits(view: View) -> Iterator[Finding]:
    ids = _ins_ids(view)
    if ids and not all(view.find(f"{_ROLE}/{path}") for path in _TRAITS):
        message = "L'INS n'est pas accompagné de tous ses traits (noms de naissance, date, lieu, sexe)"
        yield found("CDA-015", ids[0], message, "Compléter les traits ou retirer l'INS.", "CI-SIS, RNIV")


RULES: tuple[Rule, ...] = (_one_ins, _digits, _no_other_number, _traits)
