"""What each document must contain (spec kine §2.4), beyond what the schema already demands.

Two gaps stop a document, because it would then tell its reader nothing: an assessment with no measure and no
reason for it, and an assessment without its diagnosis. Everything else warns: the doctor must be told, and a
thin document tells him more than none (DESIGN §1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.findings import Finding, error, warning
from gateway.records.clinical import (
    Assessment,
    Clinical,
    Outcome,
    RedFlagDecision,
    RedFlags,
    ReorientationLetter,
    TreatmentSummary,
)
from gateway.records.submission import Submission
from gateway.rules.letters import check_letter

_BDK = "NGAP titre XIV, R4321-2 CSP"
_REORIENTED = frozenset({RedFlagDecision.PLANNED, RedFlagDecision.WITHIN_24H, RedFlagDecision.EMERGENCY})


def check_completeness(submission: Submission) -> list[Finding]:
    """Findings on what the document lacks or says against itself."""
    document = submission.document
    if isinstance(document, Assessment):
        return [*_assessment(document), *_any(document)]
    if isinstance(document, TreatmentSummary):
        return [*_summary(document), *_any(document)]
    flags = document.red_flags if isinstance(document, ReorientationLetter) else None
    said = _red_flags(flags, has_reorientation=True) if flags else ()
    return [*check_letter(submission), *said, *_any(document)]


def _missing(code: str, field: str, message: str, advice: str, source: str = _BDK) -> Finding:
    return warning(code, f"/document/{field}", message, advice, source)


def _assessment(document: Assessment) -> Iterator[Finding]:
    if not document.measures and document.not_measurable is None:
        advice = "Ajouter au moins une mesure, ou dire dans « not_measurable » pourquoi rien n'a pu être mesuré."
        yield error("CMP-001", "/document/measures", "Bilan sans aucune mesure.", advice, _BDK)
    if document.diagnosis is None:
        advice = "Renseigner le diagnostic kinésithérapique : c'est ce que le médecin attend du bilan."
        yield error("CMP-002", "/document/diagnosis", "Bilan sans diagnostic kinésithérapique.", advice, _BDK)
    yield from _expected_in_assessment(document)
    if document.red_flags is not None:
        yield from _red_flags(document.red_flags, has_reorientation=document.reorientation is not None)
    yield from _consent(document)


def _expected_in_assessment(document: Assessment) -> Iterator[Finding]:
    history = document.history
    expected: tuple[tuple[str, str, str, Any], ...] = (
        ("CMP-003", "goals", "Bilan sans objectif de soins.", document.goals),
        ("CMP-004", "plan", "Bilan sans plan de soins (techniques, nombre et rythme).", document.plan),
        ("CMP-005", "prognosis", "Bilan sans pronostic fonctionnel.", document.prognosis),
        ("CMP-006", "icf", "Bilan sans limitation d'activité ni de participation (CIF).", document.icf),
        ("CMP-007", "history", "Bilan sans antécédent ni traitement.", history.model_dump(exclude_defaults=True)),
        ("CMP-008", "problems", "Bilan sans problème ni région traitée.", document.problems or document.body_site),
    )
    for code, field, message, value in expected:
        if not value:
            yield _missing(code, field, message, "Compléter le bilan ; à défaut il part sans cette rubrique.")
    for place, goal in enumerate(document.goals):
        if goal.due is None:
            advice = "Dater l'objectif."
            yield _missing("CMP-009", f"goals/{place}/due", "Objectif sans échéance.", advice)


def _red_flags(flags: RedFlags, *, has_reorientation: bool) -> Iterator[Finding]:
    source = "recherche de signes d'alerte"
    path = "red_flags/decision"
    if flags.present and flags.decision is RedFlagDecision.NONE:
        message = "Un signe d'alerte est présent et la décision est de ne pas réorienter."
        yield _missing("CMP-010", path, message, "Vérifier la décision, et l'expliquer dans le commentaire.", source)
    if flags.decision in _REORIENTED and not has_reorientation:
        message = "La décision est de réorienter, mais la réorientation n'est pas décrite."
        yield _missing("CMP-011", "reorientation", message, "Renseigner vers qui, quand et pourquoi.", source)


def _consent(document: Assessment) -> Iterator[Finding]:
    source = "L1111-4 et L1110-4 CSP"
    consent = document.consent
    if consent is None:
        advice = "Renseigner le consentement aux soins et l'information sur le partage."
        yield _missing("CMP-012", "consent", "Consentement et information non tracés.", advice, source)
        return
    if not consent.care:
        message = "Le consentement aux soins n'est pas acquis."
        yield _missing("CMP-013", "consent/care", message, "Vérifier avant toute transmission.", source)
    if not consent.sharing_informed:
        message = "Le patient n'a pas été informé du partage des documents."
        advice = "L'informer de l'envoi par messagerie sécurisée et du dépôt au DMP."
        yield _missing("CMP-014", "consent/sharing_informed", message, advice, source)


def _summary(document: TreatmentSummary) -> Iterator[Finding]:
    expected: tuple[tuple[str, str, str, Any], ...] = (
        ("CMP-015", "diagnosis", "Compte rendu sans rappel du diagnostic kinésithérapique.", document.diagnosis),
        ("CMP-016", "goals", "Compte rendu sans les objectifs de soins.", document.goals),
        ("CMP-017", "treatment_done", "Compte rendu sans les soins réalisés.", document.treatment_done),
        ("CMP-018", "evolution", "Compte rendu sans évolution.", document.evolution),
        ("CMP-019", "advice", "Compte rendu sans conseil ni suite proposée.", document.advice),
        ("CMP-020", "measures", "Compte rendu sans mesure finale.", document.measures or document.not_measurable),
    )
    for code, field, message, value in expected:
        if not value:
            yield _missing(code, field, message, "Compléter ; à défaut le document part sans cette rubrique.")
    if any(goal.reached is None for goal in document.goals):
        advice = "Dire de chaque objectif s'il est atteint : reached true ou false."
        yield _missing("CMP-021", "goals", "Objectif dont on ne sait pas s'il est atteint.", advice)
    if document.outcome is Outcome.REORIENTED and document.reorientation is None:
        message = "Le résultat est une réorientation, mais elle n'est pas décrite."
        yield _missing("CMP-011", "reorientation", message, "Renseigner vers qui, quand et pourquoi.")
    yield from _sessions(document)


def _sessions(document: TreatmentSummary) -> Iterator[Finding]:
    numbers = [session.n for session in document.sessions]
    if numbers and len(numbers) != document.sessions_done:
        message = "Le nombre de séances réalisées n'est pas celui des séances listées."
        yield _missing("CMP-022", "sessions_done", message, "Corriger le nombre ou la liste des séances.")
    if len(set(numbers)) != len(numbers):
        yield _missing("CMP-023", "sessions", "Deux séances portent le même numéro.", "Renuméroter les séances.")
    if document.initial_measures and document.initial_date is None:
        message = "Mesures initiales sans date."
        yield _missing("CMP-024", "initial_date", message, "Renseigner la date du bilan initial.")


def _any(document: Clinical) -> Iterator[Finding]:
    if document.measures and document.not_measurable is not None:
        message = "Des mesures sont données, avec une raison de n'avoir rien mesuré."
        advice = "Garder l'un des deux ; écrire ce qui n'a pas pu l'être dans le texte."
        yield _missing("CMP-025", "not_measurable", message, advice)
    for place, event in enumerate(document.adverse_events):
        if event.severity == "grave" and event.physician_informed is None:
            path = f"adverse_events/{place}/physician_informed"
            message = "Événement indésirable grave sans information d'un médecin."
            yield _missing("CMP-026", path, message, "Prévenir le médecin et noter la date.")
