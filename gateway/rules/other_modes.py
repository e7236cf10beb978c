"""Rules of care on prescription, renewed, urgent, by protocol, outside the nomenclature. Rows of access_rules.toml."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.findings import Finding, warning
from gateway.records.access import PractitionerStatus
from gateway.records.clinical import Assessment, EndReason, Outcome, PrescriberInformation, TreatmentSummary
from gateway.records.people import RecipientRole
from gateway.rules import duties
from gateway.rules.calendar import add_months
from gateway.rules.case import Case, info

_UNDER_PRESCRIPTION = "Un remplaçant n'exerce que sur ordonnance."


def replacement(case: Case) -> Iterator[Finding]:
    """Row 2: outside the experiment too, a replacement works under prescription only."""
    if case.access.practitioner_status is PractitionerStatus.REMPLACANT:
        advice = "Vérifier le statut à la date de l'acte, ou renseigner l'ordonnance et son mode d'accès."
        yield warning("ACC-037", "/access/practitioner_status", _UNDER_PRESCRIPTION, advice)


def urgent(_case: Case) -> Iterator[Finding]:
    """Row 12: an urgent act without a physician is outside the convention."""
    message = "Urgence sans médecin : acte hors convention, non remboursé."
    advice = "Devis au-delà de 70 €, facture ; envoyer le bilan au patient et au médecin traitant."
    yield info("ACC-038", "/access/mode", message, advice)


def summary_due(case: Case) -> Iterator[Finding]:
    """Row 31: when the code de la santé publique has the summary sent to the prescriber."""
    document = case.submission.document
    if not isinstance(document, TreatmentSummary):
        return
    last = document.end_reason is not EndReason.INTERMEDIATE
    enough = last and case.sessions >= duties.load().r4321_2.sessions
    changed = case.history.plan_changed
    cases = {
        "dix séances ou plus": enough,
        "traitement modifié": changed,
        "complication": bool(document.adverse_events) or document.outcome is Outcome.WORSE,
    }
    said = ", ".join(name for name, holds in cases.items() if holds)
    if said:
        advice = "S'assurer que le prescripteur est parmi les destinataires."
        yield info("ACC-039", "/recipients", f"Compte rendu à envoyer au prescripteur : {said}.", advice)


def renewal(case: Case) -> Iterator[Finding]:
    """Rows 19 to 21: a prescription of less than a year at the renewal, whose author is told of it."""
    written, path = case.access.prescription_date, "/access/prescription_date"
    document = case.submission.document
    renewed = document.annotation.date if isinstance(document, PrescriberInformation) else case.access.episode.start
    if written is None:
        advice = "Renseigner la date de l'ordonnance renouvelée."
        yield warning("ACC-026", path, "Renouvellement sans date d'ordonnance.", advice)
    elif renewed > add_months(written, case.figures.renewal_months):
        advice = "Demander une nouvelle ordonnance : elle doit dater de moins d'un an le jour du renouvellement."
        yield warning("ACC-027", path, "Ordonnance de plus d'un an au renouvellement.", advice)
    if renewed < case.figures.renewal_from:
        advice = "Vérifier le début de l'épisode."
        message = "Renouvellement avant l'entrée en vigueur de l'avenant 7."
        yield warning("ACC-028", "/access/episode/start", message, advice)
    yield from _told(case, RecipientRole.PRESCRIPTEUR, "ACC-029", "Le prescripteur n'est pas parmi les destinataires.")


def prescription(case: Case) -> Iterator[Finding]:
    """Code de la santé publique R4321-2: the prescriber receives the assessment and the summary."""
    if case.access.prescription_date is None:
        advice = "Renseigner la date de l'ordonnance."
        path = "/access/prescription_date"
        yield warning("ACC-030", path, "Soins sur ordonnance sans date d'ordonnance.", advice)
    # The médecin traitant is usually the prescriber: then one recipient is enough.
    roles = {recipient.role for recipient in case.submission.recipients}
    if RecipientRole.MEDECIN_TRAITANT not in roles:
        message = "Le prescripteur n'est pas parmi les destinataires."
        yield from _told(case, RecipientRole.PRESCRIPTEUR, "ACC-029", message)


def protocol(case: Case) -> Iterator[Finding]:
    """Row 24: a cooperation protocol is named, and its delegating physician is told."""
    if case.access.protocol is None:
        advice = "Renseigner le nom ou le numéro du protocole."
        yield warning("ACC-031", "/access/protocol", "Protocole de coopération non nommé.", advice)
    yield from _told(case, RecipientRole.DELEGANT, "ACC-032", "Le délégant n'est pas parmi les destinataires.")


def _told(case: Case, role: RecipientRole, code: str, message: str) -> Iterator[Finding]:
    if all(recipient.role is not role for recipient in case.submission.recipients):
        advice = f"Ajouter un destinataire de rôle « {role.value} », ou dire qu'il n'est pas connu."
        yield warning(code, "/recipients", message, advice)


def letters(case: Case) -> Iterator[Finding]:
    """NGAP (spec kine §4): letters withdrawn from the nomenclature."""
    document = case.submission.document
    sessions = document.sessions if isinstance(document, TreatmentSummary) else ()
    for place, session in enumerate(sessions):
        retired = session.act_letter in case.figures.retired_letters
        if retired and session.date >= case.figures.retired_letters_from:
            path = f"/document/sessions/{place}/act_letter"
            advice = "Vérifier la version de la NGAP du logiciel de facturation."
            yield warning("ACC-033", path, "Lettre-clé supprimée de la NGAP.", advice)


def unbilled(case: Case) -> Iterator[Finding]:
    """Row 25: an act outside the nomenclature carries no key letter."""
    document = case.submission.document
    sessions = document.sessions if isinstance(document, TreatmentSummary) else ()
    for place, session in enumerate(sessions):
        if session.act_letter is not None:
            path = f"/document/sessions/{place}/act_letter"
            advice = "Retirer la lettre-clé : un acte hors nomenclature ne se cote pas."
            yield warning("ACC-034", path, "Lettre-clé sur un acte hors nomenclature.", advice)


def red_flags(case: Case) -> Iterator[Finding]:
    """Spec kine §2.4: in direct access the search for red flags is part of the assessment."""
    document = case.submission.document
    if isinstance(document, Assessment) and (document.red_flags is None or not document.red_flags.checked):
        message = "Accès direct : la recherche de signes d'alerte n'est pas décrite."
        advice = "Renseigner les signes recherchés, ceux qui sont présents et la décision."
        yield warning("ACC-035", "/document/red_flags", message, advice)
