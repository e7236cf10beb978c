"""What may be said of a patient's INS: checks as findings, and whether it may leave the gateway.

Strict for production OIDs; for test ones key and ranges only warn, since several matricules published as
examples do not satisfy the key (spec kine §0.4). A matricule that is not 15 well-formed characters, an OID that
is no INS, an OID of the other environment and two INS are errors everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.findings import Finding, Severity, error, has_errors, warning
from gateway.identity import traits
from gateway.identity.matricule import PATIENT_DOMAIN, Matricule, key_of, patient_mailbox, read
from gateway.identity.roots import INS_C_OID, INS_ROOTS, NSS_OIDS, InsKind, InsRoot
from gateway.records.people import IdentityAttribute, IdentityStatus, Ins, Patient
from gateway.settings import Environment

__all__ = [
    "INS_ROOTS",
    "PATIENT_DOMAIN",
    "InsKind",
    "InsRoot",
    "Matricule",
    "check_patient",
    "ins_may_leave",
    "key_of",
    "patient_mailbox",
    "read",
]

_MATRICULE = "/patient/ins/matricule"
_OID = "/patient/ins/oid"
_NIR = "structure du NIR"
_DOUBT = frozenset({IdentityAttribute.DOUTEUSE, IdentityAttribute.FICTIVE})
_DMP = "DMP et messagerie du patient impossibles : le document part sans INS."


def check_patient(patient: Patient, environment: Environment) -> list[Finding]:
    """Every finding on the identity, for an account of that environment. No trait is repeated in a message."""
    return [
        *_check_ins(patient, environment),
        *_check_local_identifiers(patient),
        *_check_status(patient),
        *traits.missing(patient),
        *traits.check_values(patient),
    ]


def ins_may_leave(patient: Patient, environment: Environment) -> bool:
    """Whether the INS may appear in a document, a header or an address (DESIGN §4, Identity).

    Qualified status and no doubt, sound matricule, an OID of the account's environment, one INS only, all traits.
    """
    if patient.ins is None or patient.identity_status is not IdentityStatus.QUALIFIEE or _in_doubt(patient):
        return False
    faults = [*_check_ins(patient, environment), *_check_local_identifiers(patient)]
    return not has_errors(faults) and traits.complete(patient)


def _check_ins(patient: Patient, environment: Environment) -> Iterator[Finding]:
    if patient.ins is None:
        return
    yield from _check_root(patient.ins, environment)
    matricule = read(patient.ins.matricule)
    if matricule is None:
        yield error(
            "INS-001",
            _MATRICULE,
            "Le matricule INS n'a pas la forme attendue.",
            "15 caractères sans espace : 13 du NIR ou NIA (lettres : 2A ou 2B seulement, au département) et 2 de clé.",
            _NIR,
        )
        return
    yield from _check_digits(matricule, _strictness(patient.ins))
    yield from traits.check_against_digits(patient, matricule)


def _strictness(ins: Ins) -> Severity:
    root = INS_ROOTS.get(ins.oid)
    return Severity.WARNING if root and root.environment is Environment.TEST else Severity.ERROR


def _check_digits(matricule: Matricule, severity: Severity) -> Iterator[Finding]:
    advice = "Ressaisir le matricule depuis la réponse d'INSi ; ne jamais corriger la clé à la main."
    if not matricule.key_holds():
        message = "La clé du matricule INS ne correspond pas à ses 13 premiers caractères."
        yield Finding("INS-002", severity, _MATRICULE, message, advice, f"{_NIR} : 97 - (N mod 97)")
    if not matricule.first_digit_allowed():
        message = "Le premier chiffre du matricule INS n'est pas 1, 2, 3, 4, 7 ou 8."
        yield Finding("INS-003", severity, _MATRICULE, message, advice, _NIR)
    if not matricule.month_allowed():
        message = "Le mois du matricule INS n'est pas dans 01-12, 20-42 ou 50-99."
        yield Finding("INS-004", severity, _MATRICULE, message, advice, _NIR)


def _check_root(ins: Ins, environment: Environment) -> Iterator[Finding]:
    root = INS_ROOTS.get(ins.oid)
    if root is None:
        yield _not_an_ins(ins.oid)
    elif root.environment is not environment:
        worlds = {Environment.TEST: "de test", Environment.PRODUCTION: "de production"}
        yield error(
            "INS-008",
            _OID,
            f"OID {worlds[root.environment]} dans un compte {worlds[environment]}.",
            "Un INS de test ne part jamais en production, ni l'inverse : corriger l'OID ou le compte.",
            "DESIGN §4, Identity",
        )
    elif root.kind is InsKind.NIR and environment is Environment.PRODUCTION and ins.matricule[:1] in {"7", "8"}:
        message = "Le matricule commence par 7 ou 8 (forme d'un NIA) sous l'OID du NIR."
        yield warning("INS-011", _OID, message, "Vérifier l'OID rendu par INSi (NIA : 1.2.250.1.213.1.4.9).", _NIR)


def _not_an_ins(oid: str) -> Finding:
    advice = "Utiliser l'OID rendu par INSi avec le matricule."
    if oid == INS_C_OID:
        return error("INS-006", _OID, "INS-C (ancien INS calculé) : ce n'est plus un identifiant d'identité.", advice)
    if oid in NSS_OIDS:
        message = "Numéro de sécurité sociale : c'est celui de l'assuré, pas un INS."
        return error("INS-007", _OID, message, advice, "CI-SIS, structuration minimale")
    return error("INS-005", _OID, "Cet OID n'est pas celui d'un INS.", advice, "CI-SIS, structuration minimale")


def _check_local_identifiers(patient: Patient) -> Iterator[Finding]:
    for place, identifier in enumerate(patient.identifiers):
        path = f"/patient/identifiers/{place}/root"
        if identifier.root in INS_ROOTS:
            message = "Un INS figure parmi les identifiants locaux."
            if patient.ins is not None:
                message = "Deux INS pour un même patient."
            advice = "Garder un seul INS, dans « ins » ; ici seulement les numéros de dossier de la structure."
            yield error("INS-009", path, message, advice, "CI-SIS, structuration minimale")
        elif identifier.root == INS_C_OID or identifier.root in NSS_OIDS:
            message = "INS-C ou numéro de sécurité sociale parmi les identifiants locaux."
            yield error("INS-012", path, message, "Retirer cet identifiant du document.", "RNIV")


def _in_doubt(patient: Patient) -> bool:
    return not _DOUBT.isdisjoint(patient.identity_attributes)


def _check_status(patient: Patient) -> Iterator[Finding]:
    path = "/patient/identity_status"
    if _in_doubt(patient) and patient.identity_status is not IdentityStatus.PROVISOIRE:
        message = f"Identité douteuse ou fictive : son statut doit rester provisoire. {_DMP}"
        advice = "Ramener le statut à PROV, ou retirer l'attribut une fois le doute levé."
        yield warning("INS-024", path, message, advice, "RNIV, EXI SI 09")
    if patient.identity_status is not IdentityStatus.QUALIFIEE:
        advice = "Qualifier l'identité : appel à INSi et contrôle d'une pièce d'identité."
        yield warning("INS-010", path, f"Identité non qualifiée. {_DMP}", advice, "RNIV")
    elif patient.ins is None:
        advice = "Joindre le matricule et l'OID rendus par INSi, ou corriger le statut."
        yield warning("INS-019", path, f"Identité dite qualifiée sans INS. {_DMP}", advice, "RNIV")
