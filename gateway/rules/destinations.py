"""Findings about where a document goes: the account it leaves from, each destination, visibility.

What makes a destination impossible is decided once, in `routes`; here each reason becomes a finding. Only an
address that would take the document to the wrong place is an error: a destination that cannot be reached is
said and kept as a delivery in state `impossible`, and the others leave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.findings import Finding, Severity, error, warning
from gateway.identity.matricule import PATIENT_DOMAIN
from gateway.records.access import DIRECT_MODES, AccessMode, PractitionerStatus
from gateway.records.level1 import AnySubmission
from gateway.records.people import Recipient, RecipientRole
from gateway.rules.calendar import add_months
from gateway.rules.routes import Route, routes
from gateway.rules.trust_space import TrustList
from gateway.settings import AccountSettings, Settings

_TRUST = "espace de confiance MSSanté"


@dataclass(frozen=True, slots=True)
class _Said:
    """Severity and French text of a reason."""

    severity: Severity
    message: str
    advice: str


_REASONS = {
    "DST-NO-MT": _Said(
        Severity.WARNING,
        "Pas de médecin traitant connu : envoi impossible à ce destinataire.",
        "Remettre le document au patient et l'inviter à désigner un médecin traitant.",
    ),
    "DST-NO-PRESCRIBER": _Said(
        Severity.WARNING,
        "Le prescripteur n'est pas parmi les destinataires : il ne peut pas être informé.",
        "L'ajouter aux destinataires avec le rôle prescripteur, ou lui écrire et le déclarer.",
    ),
    "DST-UNKNOWN": _Said(
        Severity.WARNING,
        "Destinataire dit inconnu : envoi impossible.",
        "Compléter sa fiche, ou retirer ce destinataire.",
    ),
    "DST-OPPOSITION": _Said(
        Severity.INFO, "Opposition du patient : rien ne part vers ce destinataire.", "Aucune action."
    ),
    "DST-NO-BOX": _Said(
        Severity.WARNING,
        "Pas d'adresse MSSanté : envoi impossible à ce destinataire.",
        "Chercher l'adresse dans l'annuaire santé, ou envoyer par courrier et le déclarer.",
    ),
    "DST-OUTSIDE": _Said(
        Severity.ERROR,
        "Adresse hors de l'espace de confiance MSSanté.",
        "Corriger l'adresse. Une donnée de santé ne part jamais vers une messagerie ordinaire.",
    ),
    "DST-NO-SMTP": _Said(
        Severity.WARNING, "Ce compte n'a pas de messagerie MSSanté configurée.", "Compléter [account.smtp]."
    ),
    "DST-HIDDEN": _Said(
        Severity.INFO,
        "Document caché au patient ou à ses représentants : il ne lui est pas envoyé.",
        "Le lui annoncer de vive voix, puis lever le masquage.",
    ),
    "DST-NO-INS": _Said(
        Severity.WARNING,
        "Envoi impossible sans INS qualifié.",
        "Qualifier l'identité (INSi et pièce d'identité), ou remettre le document autrement et le déclarer.",
    ),
    "DST-NO-DMP": _Said(Severity.INFO, "Le patient n'a pas de DMP.", "Aucune action."),
    "DST-NO-DMP-ACCESS": _Said(
        Severity.WARNING, "Ce compte n'a pas d'accès au DMP configuré.", "Compléter [account.dmp]."
    ),
    "DST-OTHER-CARD": _Said(
        Severity.WARNING,
        "Le DMP en authentification directe demande la carte de l'auteur, et ce compte a celle du titulaire.",
        "Déposer au DMP avec la carte du remplaçant, ou par l'authentification indirecte du cabinet.",
    ),
    "DST-VISIBILITY": _Said(
        Severity.WARNING,
        "Le DMP n'admet pas à la fois « masqué aux professionnels » et « invisible au patient ».",
        "Choisir l'un des deux ; en attendant rien n'est déposé au DMP.",
    ),
    "DST-PATIENT-TRUST": _Said(
        Severity.WARNING,
        f"Le domaine {PATIENT_DOMAIN} n'est pas dans la liste de l'espace de confiance.",
        "Compléter la liste (modèle : config/trust-space.example.txt).",
    ),
}


def check_destinations(submission: AnySubmission, account: AccountSettings, trust: TrustList | None) -> list[Finding]:
    """Findings on every destination, DMP and patient included. `trust` None: addresses are not checked."""
    found = [_of_route(route) for route in routes(submission, account, trust) if route.reason]
    if trust is None:
        advice = "Renseigner [trust_space] dans la configuration ; rien ne peut partir sans elle."
        found.append(Finding("DST-NO-TRUST", Severity.INFO, "", "Adresses non vérifiées.", advice, _TRUST))
    for place, recipient in enumerate(submission.recipients):
        found += _recipient(f"/recipients/{place}", recipient, account)
    return [*found, *_same_address(submission), *_visibility(submission), *_unsaid(submission)]


def _of_route(route: Route) -> Finding:
    said = _REASONS[route.reason or ""]
    source = _TRUST if route.reason == "DST-OUTSIDE" else ""
    return Finding(route.reason or "", said.severity, _path(route), said.message, said.advice, source)


def _path(route: Route) -> str:
    if route.recipient is None:
        return {"patient": "/patient/delivery", "dmp": "/patient/dmp"}.get(route.destination, "/recipients")
    suffix = "/mssante" if route.reason in {"DST-OUTSIDE", "DST-NO-BOX"} else ""
    return f"/recipients/{route.recipient}{suffix}"


def _recipient(path: str, recipient: Recipient, account: AccountSettings) -> Iterator[Finding]:
    address = (recipient.mssante or "").lower()
    if address.endswith(f"@{PATIENT_DOMAIN}"):
        message = "Adresse de Mon espace santé donnée pour un professionnel."
        advice = "Donner la boîte du professionnel ; celle du patient se déduit de son INS."
        yield error("DST-PATIENT-BOX", f"{path}/mssante", message, advice, _TRUST)
    if address and address == account.mailbox.lower():
        advice = "Vérifier le destinataire : le document reviendrait à son auteur."
        yield warning("DST-SELF", f"{path}/mssante", "Le destinataire est la boîte de l'auteur.", advice)
    if recipient.rpps is not None and not luhn(recipient.rpps):
        yield _bad_rpps(f"{path}/rpps")


def _same_address(submission: AnySubmission) -> Iterator[Finding]:
    counted = Counter(r.mssante.lower() for r in submission.recipients if r.mssante)
    if any(count > 1 for count in counted.values()):
        message = "La même adresse figure pour deux destinataires : elle recevra deux messages."
        yield warning("DST-TWICE", "/recipients", message, "Retirer le destinataire en double.")


def _visibility(submission: AnySubmission) -> Iterator[Finding]:
    visibility, path = submission.visibility, "/visibility"
    born, day = submission.patient.birth_date, submission.document.date.date()
    if visibility.hidden_from_representatives and born and add_months(born, 18 * 12) <= day:
        message = "Document caché aux représentants légaux d'un patient majeur."
        advice = "Vérifier : ce masquage concerne un mineur ou un majeur protégé."
        yield warning("DST-ADULT", f"{path}/hidden_from_representatives", message, advice)
    mailed = any(r.mssante and not r.opposition for r in submission.recipients)
    if visibility.masked_to_professionals and mailed:
        message = "Document masqué aux professionnels dans le DMP, mais envoyé à un professionnel."
        advice = "Vérifier l'accord du patient ; sinon noter son opposition à ce destinataire."
        yield warning("DST-MASKED", f"{path}/masked_to_professionals", message, advice)


def _unsaid(submission: AnySubmission) -> Iterator[Finding]:
    """spec kine §1 rows 11 and 23: the médecin traitant, known or not, is said in the submission."""
    roles = {recipient.role for recipient in submission.recipients}
    access = submission.access
    unprescribed = access is not None and access.mode in {*DIRECT_MODES, AccessMode.URGENCE}
    if unprescribed and RecipientRole.MEDECIN_TRAITANT not in roles:
        message = "Accès sans ordonnance : le médecin traitant n'est pas indiqué."
        advice = "L'ajouter aux destinataires, avec known : false s'il n'y en a pas."
        yield warning("DST-UNSAID", "/recipients", message, advice, "accès direct, destinataires du bilan")


def check_account(submission: AnySubmission, settings: Settings) -> list[Finding]:
    """Whether the submission's account exists and is its author's. Both faults are errors."""
    account = settings.find_account(submission.account)
    if account is None:
        advice = "Employer l'identifiant d'un compte de la configuration ([[account]])."
        return [error("CPT-001", "/account", "Compte inconnu de la passerelle.", advice)]
    return check_author(submission, account)


def other_account() -> Finding:
    """An error: the document came through the folder of another account than its own."""
    message = "Ce document est destiné à un autre compte que celui de ce dossier."
    return error("CPT-004", "/account", message, "Le déposer dans le dossier de son compte.")


def check_author(submission: AnySubmission, account: AccountSettings) -> list[Finding]:
    """Whether the author is the one this account sends for: a document never leaves from another's mailbox."""
    found = [] if luhn(submission.author.rpps) else [_bad_rpps("/author/rpps")]
    if submission.author.rpps in {account.rpps, *account.replacements}:
        return [*found, *_replaced(submission, account)]
    advice = "Choisir le compte de l'auteur, corriger le RPPS, ou l'ajouter aux remplaçants du compte (replacements)."
    return [*found, error("CPT-002", "/author/rpps", "L'auteur n'est pas celui de ce compte.", advice)]


def _replaced(submission: AnySubmission, account: AccountSettings) -> Iterator[Finding]:
    """spec kine §1 row 2: who replaces is the author, the mailbox stays the owner's."""
    path = "/author/rpps"
    if submission.author.rpps == account.rpps:
        return
    message = "L'auteur est un remplaçant : le document est le sien, il part de la boîte du titulaire."
    yield Finding("CPT-005", Severity.INFO, path, message, "Aucune action.")
    status = submission.access.practitioner_status if submission.access is not None else None
    if status is not None and status is not PractitionerStatus.REMPLACANT:
        advice = "Renseigner practitioner_status : remplacant, ou choisir le compte de l'auteur."
        message = "L'auteur est un remplaçant de ce compte, et son statut en dit un autre."
        yield warning("CPT-006", "/access/practitioner_status", message, advice)


def _bad_rpps(path: str) -> Finding:
    advice = "Vérifier le numéro dans l'annuaire santé."
    return warning("CPT-003", path, "Numéro RPPS dont la clé de contrôle est fausse.", advice, "RPPS, clé de Luhn")


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn key of the others (ISO/IEC 7812-1 annex B). For RPPS: warns only.

    That RPPS numbers follow it is recalled, not read in a reference (spec kine §6).
    """
    doubled = "0246813579"
    total = sum(int(doubled[int(c)]) if place % 2 else int(c) for place, c in enumerate(reversed(digits)))
    return total % 10 == 0
