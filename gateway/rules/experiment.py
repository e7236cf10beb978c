"""Rules of the direct access: experiment (CPTS) and convention (structures). Rows of config/access_rules.toml."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from gateway.findings import Finding, warning
from gateway.records.access import PractitionerStatus, Proof, ProofType
from gateway.records.clinical import Assessment, Outcome, TreatmentSummary
from gateway.rules.calendar import add_months
from gateway.rules.case import Case, info

_NOT_BETTER = frozenset({Outcome.STABLE, Outcome.WORSE, Outcome.CONTINUED})


def declared(case: Case) -> Iterator[Finding]:
    """Rows 1 and 30: on the list of the ARS, before the episode, not withdrawn."""
    since, withdrawn = case.access.declared_to_ars_on, case.access.withdrawn_on
    path = "/access/declared_to_ars_on"
    if since is None:
        advice = "Renseigner la date de déclaration à l'ARS, ou un autre mode d'accès."
        yield warning("ACC-001", path, "Accès direct sans déclaration à l'ARS.", advice)
    elif since > case.access.episode.start:
        advice = "Vérifier les dates ; les soins d'avant la déclaration ne relèvent pas de l'expérimentation."
        yield warning("ACC-002", path, "Déclaration à l'ARS après le début de l'épisode.", advice)
    if since is not None and since > case.settings.enrolment_until:
        advice = "Vérifier auprès de l'ARS que l'inscription a été acceptée."
        yield warning("ACC-036", path, "Déclaration à l'ARS après la fin des inscriptions.", advice)
    if withdrawn is not None and withdrawn <= case.day:
        advice = "Renseigner un autre mode d'accès pour les soins d'après le retrait."
        message = "Retrait de l'expérimentation avant la date du document."
        yield warning("ACC-003", "/access/withdrawn_on", message, advice)


def practitioner(case: Case) -> Iterator[Finding]:
    """Row 2: titulaire or collaborateur; a replacement is excluded."""
    if case.access.practitioner_status not in {PractitionerStatus.TITULAIRE, PractitionerStatus.COLLABORATEUR}:
        message = "Accès direct par un kinésithérapeute qui n'est ni titulaire ni collaborateur."
        advice = "Vérifier le statut à la date de l'acte, ou renseigner un autre mode d'accès."
        yield warning("ACC-004", "/access/practitioner_status", message, advice)


def department(case: Case) -> Iterator[Finding]:
    """Rows 3 and 5: the site lies in a department of the experiment, at the time of the document."""
    row, path = case.departments.by_code.get(case.access.department), "/access/department"
    if row is None:
        advice = "Vérifier le département du lieu d'exercice (celui du site, pas du domicile)."
        yield warning("ACC-005", path, "Département hors de l'expérimentation.", advice)
        return
    start = row.valid_from or case.settings.experiment_start
    if case.access.episode.start < start or (row.valid_until and case.day > row.valid_until):
        message = "Soins hors de la période de l'expérimentation dans ce département."
        advice = f"Début retenu : {start.isoformat()} (réglage experiment_start et config/departments.toml)."
        yield warning("ACC-006", path, message, advice)
    if case.access.episode.start > case.settings.experiment_end:
        advice = "Vérifier auprès de l'ARS si l'expérimentation est prolongée, puis le réglage experiment_end."
        yield warning("ACC-007", path, "Épisode commencé après la fin prévue de l'expérimentation.", advice)


def cpts(case: Case) -> Iterator[Finding]:
    """Row 4: active member of a CPTS of the department, with a proof renewed every year."""
    member = case.access.cpts
    advice = "Joindre l'attestation d'adhésion à la CPTS du département, renouvelée chaque année."
    if member is None or not member.active_member:
        message = "Accès direct sans adhésion active à une CPTS."
        yield warning("ACC-008", "/access/cpts", message, advice)
        return
    if member.department != case.access.department:
        message = "La CPTS n'est pas du département du lieu d'exercice."
        yield warning("ACC-009", "/access/cpts/department", message, advice)
    if case.settings.cpts_proof == "yearly":
        yield from _cpts_proof(case, member.proof_valid_until, advice)


def _cpts_proof(case: Case, until: dt.date | None, advice: str) -> Iterator[Finding]:
    path = "/access/cpts/proof_valid_until"
    if until is None:
        yield warning("ACC-010", path, "Preuve d'adhésion à la CPTS sans date de fin.", advice)
    elif until < case.day:
        yield warning("ACC-011", path, "Preuve d'adhésion à la CPTS expirée.", advice)
    elif (until - case.day).days < case.figures.cpts_notice_days:
        yield info("ACC-012", path, "La preuve d'adhésion à la CPTS expire bientôt.", advice)


def sessions(case: Case) -> Iterator[Finding]:
    """Rows 6 and 14: at most eight sessions an episode without a prior diagnosis, then back to a physician."""
    if case.access.prior_diagnosis:
        return
    cap, path = case.figures.session_cap, "/access/episode/sessions_already_done"
    advice = f"Au-delà de {cap} séances il faut un diagnostic médical préalable : orienter vers un médecin."
    if case.sessions > cap:
        message = f"{case.sessions} séances dans l'épisode sans diagnostic préalable (au plus {cap})."
        yield warning("ACC-014", path, message, advice)
    elif case.sessions >= case.figures.session_notice:
        message = f"{case.sessions} séances sur {cap} sans diagnostic préalable."
        yield warning("ACC-013", path, message, advice)
    plan = case.clinical.plan if case.clinical is not None else None
    if plan and plan.sessions_planned and case.sessions + plan.sessions_planned > cap:
        message = f"Le plan de soins dépasse {cap} séances sans diagnostic préalable."
        yield info("ACC-015", "/document/plan/sessions_planned", message, advice)
    yield from _no_improvement(case, cap)


def _no_improvement(case: Case, cap: int) -> Iterator[Finding]:
    """Row 14. An outcome that says nothing of an improvement counts as none."""
    document = case.submission.document
    if (
        case.sessions < cap
        or not case.settings.reorient_at_cap
        or not isinstance(document, TreatmentSummary | Assessment)
    ):
        return
    stuck = isinstance(document, Assessment) or document.outcome in _NOT_BETTER
    if stuck and document.reorientation is None:
        message = f"{cap} séances sans amélioration constatée, et pas de réorientation."
        advice = "Orienter le patient vers son médecin traitant ou un autre médecin, et l'écrire dans le document."
        yield warning("ACC-016", "/document/reorientation", message, advice)


def episode(case: Case) -> Iterator[Finding]:
    """Row 7: an episode lasts a set number of months; a new one for the same region needs a reason."""
    start, months = case.access.episode.start, case.settings.episode_months
    if case.day > add_months(start, months):
        message = f"Le document est daté de plus de {months} mois après le début de l'épisode."
        advice = "Ouvrir un nouvel épisode avec son propre début, ou corriger la date de début."
        yield warning("ACC-017", "/access/episode/start", message, advice)
    region = case.clinical.body_site if case.clinical is not None else None
    for past in case.history.previous_episodes:
        near = past.start <= start < add_months(past.start, months) and past.id != case.access.episode.id
        if near and region is not None and (past.region or "").casefold() == region.label.casefold():
            message = f"Second épisode pour la même région en moins de {months} mois."
            advice = "Vérifier qu'il s'agit bien d'un nouvel épisode ; en dire la raison dans le document."
            yield warning("ACC-018", "/access/episode/start", message, advice)


def proof(case: Case) -> Iterator[Finding]:
    """Rows 8 to 10: a prior diagnosis has a dated proof, of a known kind, kept at the disposal of the insurer."""
    proof, path = case.access.proof, "/access/proof"
    if not case.access.prior_diagnosis:
        if proof is not None:
            advice = "Renseigner prior_diagnosis : true si la preuve établit un diagnostic préalable."
            yield warning("ACC-020", path, "Preuve jointe sans diagnostic préalable déclaré.", advice)
        return
    if proof is None:
        advice = "Renseigner le type et la date de la preuve (ALD, compte rendu, information du médecin...)."
        yield warning("ACC-019", path, "Diagnostic préalable déclaré sans preuve.", advice)
        return
    yield from _proof_itself(case, proof)
    if not proof.kept_in_record:
        advice = "Garder la preuve au dossier, à la disposition du service médical."
        yield warning("ACC-023", f"{path}/kept_in_record", "Preuve non gardée au dossier.", advice)


def _proof_itself(case: Case, given: Proof) -> Iterator[Finding]:
    path = "/access/proof"
    if given.date > case.day:
        advice = "Vérifier la date de la preuve."
        yield warning("ACC-021", f"{path}/date", "La preuve est postérieure au document.", advice)
    if given.type.value not in case.settings.accepted_proofs:
        advice = "Vérifier que l'Assurance maladie l'admet ; les types admis sont un réglage."
        yield warning("ACC-022", f"{path}/type", "Preuve d'un type hors liste.", advice)
    if given.type is ProofType.OTHER and given.note is None:
        advice = "Dire dans « note » de quelle preuve il s'agit."
        yield warning("ACC-040", f"{path}/note", "Preuve d'un autre type, sans dire lequel.", advice)


def to_declare(case: Case) -> Iterator[Finding]:
    """Row 15: reorientations and adverse events are declared to the ARS."""
    document = case.clinical
    if document is None:
        return
    if document.reorientation is not None:
        advice = "Déclarer la réorientation sur demarches-simplifiees.fr."
        yield info("ACC-024", "/document/reorientation", "Réorientation à déclarer à l'ARS.", advice)
    for place, event in enumerate(document.adverse_events):
        if not event.reported_ars:
            path = f"/document/adverse_events/{place}/reported_ars"
            advice = "Déclarer l'événement sur demarches-simplifiees.fr."
            yield warning("ACC-025", path, "Événement indésirable non déclaré à l'ARS.", advice)
