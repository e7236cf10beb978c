"""Rules of access to care: experiment of direct access, convention (avenant 7), renewal, protocols.

The numbers `row N` are those of the table in spec/kine.md §1, where each rule has its sources. A breach is
never an error (DESIGN §1): the care has happened and the doctor must be told. What it changes is the access
mode that the document may claim, see `claimed_mode`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gateway.findings import Finding, Severity, warning
from gateway.records.access import Access, AccessMode, PractitionerStatus, ProofType
from gateway.records.clinical import Assessment, Outcome, PrescriberInformation, TreatmentSummary
from gateway.records.history import EpisodeHistory
from gateway.records.people import RecipientRole
from gateway.records.submission import Submission
from gateway.rules.calendar import add_months
from gateway.rules.departments import AccessFigures, Departments, load
from gateway.settings import RulesSettings

NOT_ESTABLISHED = "non_etabli"
"""What a document claims when the conditions of the declared direct access are not all met."""

_EXPERIMENT = "expérimentation de l'accès direct, ARS"
_CONVENTION = "avenant 7 à la convention"
_DIRECT = {AccessMode.DIRECT_CPTS, AccessMode.DIRECT_STRUCTURE}
_ANNUL_DIRECT = frozenset(
    {"ACC-001", "ACC-002", "ACC-003", "ACC-004", "ACC-005", "ACC-006", "ACC-008", "ACC-011", "ACC-014"}
)


@dataclass(frozen=True, slots=True)
class Case:
    """What one rule looks at: the submission, the day of its document, the figures and the past."""

    submission: Submission
    settings: RulesSettings
    departments: Departments
    history: EpisodeHistory

    @property
    def access(self) -> Access:
        """The declared access."""
        return self.submission.access

    @property
    def day(self) -> dt.date:
        """Day of the document, in the author's own time zone: rules count calendar days there."""
        return self.submission.document.date.date()

    @property
    def figures(self) -> AccessFigures:
        """Sessions, days and months of config/departments.toml."""
        return self.departments.access

    @property
    def sessions(self) -> int:
        """Sessions done in the episode: the most that the submission or the store knows of."""
        document = self.submission.document
        done = document.sessions_done if isinstance(document, TreatmentSummary) else 0
        return max(self.access.episode.sessions_already_done + done, self.history.sessions_done)


def check_access(
    submission: Submission,
    settings: RulesSettings,
    *,
    history: EpisodeHistory | None = None,
    departments: Departments | None = None,
) -> list[Finding]:
    """Findings on the access mode, never errors. `departments` replaces the shipped table."""
    case = Case(submission, settings, departments or load(), history or EpisodeHistory())
    return [finding for rule in _RULES[submission.access.mode] for finding in rule(case)]


def claimed_mode(submission: Submission, findings: Iterable[Finding]) -> str:
    """The access mode that the document may claim: the declared one, or `NOT_ESTABLISHED`.

    A direct access whose conditions are not met is still carried, as not established: saying nothing would hide
    how the patient came, saying "direct access" would claim a right that was not there.
    """
    declared = submission.access.mode
    broken = declared in _DIRECT and any(finding.code in _ANNUL_DIRECT for finding in findings)
    return NOT_ESTABLISHED if broken else declared.value


def _info(code: str, path: str, message: str, advice: str, source: str) -> Finding:
    return Finding(code, Severity.INFO, path, message, advice, source)


def _declared(case: Case) -> Iterator[Finding]:
    """Rows 1 and 30: on the list of the ARS, before the episode, not withdrawn."""
    declared, withdrawn = case.access.declared_to_ars_on, case.access.withdrawn_on
    path = "/access/declared_to_ars_on"
    if declared is None:
        advice = "Renseigner la date de déclaration à l'ARS, ou un autre mode d'accès."
        yield warning("ACC-001", path, "Accès direct sans déclaration à l'ARS.", advice, _EXPERIMENT)
    elif declared > case.access.episode.start:
        advice = "Vérifier les dates ; les soins d'avant la déclaration ne relèvent pas de l'expérimentation."
        yield warning("ACC-002", path, "Déclaration à l'ARS après le début de l'épisode.", advice, _EXPERIMENT)
    if withdrawn is not None and withdrawn <= case.day:
        advice = "Renseigner un autre mode d'accès pour les soins d'après le retrait."
        message = "Retrait de l'expérimentation avant la date du document."
        yield warning("ACC-003", "/access/withdrawn_on", message, advice, _EXPERIMENT)


def _practitioner(case: Case) -> Iterator[Finding]:
    """Row 2: titulaire or collaborateur; a replacement is excluded."""
    if case.access.practitioner_status not in {PractitionerStatus.TITULAIRE, PractitionerStatus.COLLABORATEUR}:
        message = "Accès direct par un kinésithérapeute qui n'est ni titulaire ni collaborateur."
        advice = "Vérifier le statut à la date de l'acte, ou renseigner un autre mode d'accès."
        yield warning("ACC-004", "/access/practitioner_status", message, advice, _EXPERIMENT)


def _department(case: Case) -> Iterator[Finding]:
    """Rows 3 and 5: the site lies in a department of the experiment, at the time of the document."""
    row, path = case.departments.by_code.get(case.access.department), "/access/department"
    if row is None:
        advice = "Vérifier le département du lieu d'exercice (celui du site, pas du domicile)."
        yield warning("ACC-005", path, "Département hors de l'expérimentation.", advice, _EXPERIMENT)
        return
    start = row.valid_from or case.settings.experiment_start
    if case.access.episode.start < start or (row.valid_until and case.day > row.valid_until):
        message = "Soins hors de la période de l'expérimentation dans ce département."
        advice = f"Début retenu : {start.isoformat()} (réglage experiment_start et config/departments.toml)."
        yield warning("ACC-006", path, message, advice, _EXPERIMENT)


def _cpts(case: Case) -> Iterator[Finding]:
    """Row 4: active member of a CPTS of the department, with a proof renewed every year."""
    cpts = case.access.cpts
    advice = "Joindre l'attestation d'adhésion à la CPTS du département, renouvelée chaque année."
    if cpts is None or not cpts.active_member:
        message = "Accès direct sans adhésion active à une CPTS."
        yield warning("ACC-008", "/access/cpts", message, advice, _EXPERIMENT)
        return
    if cpts.department != case.access.department:
        message = "La CPTS n'est pas du département du lieu d'exercice."
        yield warning("ACC-009", "/access/cpts/department", message, advice, _EXPERIMENT)
    yield from _cpts_proof(case, cpts.proof_valid_until, advice)


def _cpts_proof(case: Case, until: dt.date | None, advice: str) -> Iterator[Finding]:
    path = "/access/cpts/proof_valid_until"
    if until is None:
        yield warning("ACC-010", path, "Preuve d'adhésion à la CPTS sans date de fin.", advice, _EXPERIMENT)
    elif until < case.day:
        yield warning("ACC-011", path, "Preuve d'adhésion à la CPTS expirée.", advice, _EXPERIMENT)
    elif (until - case.day).days < case.figures.cpts_notice_days:
        yield _info("ACC-012", path, "La preuve d'adhésion à la CPTS expire bientôt.", advice, _EXPERIMENT)


def _sessions(case: Case) -> Iterator[Finding]:
    """Rows 6 and 14: at most eight sessions an episode without a prior diagnosis, then back to a physician."""
    if case.access.prior_diagnosis:
        return
    cap, path = case.figures.session_cap, "/access/episode/sessions_already_done"
    advice = f"Au-delà de {cap} séances il faut un diagnostic médical préalable : orienter vers un médecin."
    if case.sessions > cap:
        message = f"{case.sessions} séances dans l'épisode sans diagnostic préalable (au plus {cap})."
        yield warning("ACC-014", path, message, advice, _EXPERIMENT)
    elif case.sessions >= case.figures.session_notice:
        message = f"{case.sessions} séances sur {cap} sans diagnostic préalable."
        yield _info("ACC-013", path, message, advice, _EXPERIMENT)
    plan = case.submission.document.plan
    if plan and plan.sessions_planned and case.sessions + plan.sessions_planned > cap:
        message = f"Le plan de soins dépasse {cap} séances sans diagnostic préalable."
        yield _info("ACC-015", "/document/plan/sessions_planned", message, advice, _EXPERIMENT)
    yield from _no_improvement(case, cap)


def _no_improvement(case: Case, cap: int) -> Iterator[Finding]:
    document = case.submission.document
    stuck = isinstance(document, TreatmentSummary) and document.outcome in {Outcome.STABLE, Outcome.WORSE}
    if stuck and case.sessions >= cap and document.reorientation is None:
        message = f"Pas d'amélioration après {cap} séances, et pas de réorientation."
        advice = "Orienter le patient vers son médecin traitant ou un autre médecin, et l'écrire dans le document."
        yield warning("ACC-016", "/document/reorientation", message, advice, "ARS Nouvelle-Aquitaine")


def _episode(case: Case) -> Iterator[Finding]:
    """Row 7: an episode lasts a set number of months; a new one for the same region needs a reason."""
    start, months = case.access.episode.start, case.settings.episode_months
    if case.day > add_months(start, months):
        message = f"Le document est daté de plus de {months} mois après le début de l'épisode."
        advice = "Ouvrir un nouvel épisode avec son propre début, ou corriger la date de début."
        yield warning("ACC-017", "/access/episode/start", message, advice, _EXPERIMENT)
    region = case.submission.document.body_site
    for past in case.history.previous_episodes:
        near = past.start <= start < add_months(past.start, months) and past.id != case.access.episode.id
        if near and region is not None and (past.region or "").casefold() == region.label.casefold():
            message = f"Second épisode pour la même région en moins de {months} mois."
            advice = "Vérifier qu'il s'agit bien d'un nouvel épisode ; en dire la raison dans le document."
            yield warning("ACC-018", "/access/episode/start", message, advice, _EXPERIMENT)


def _proof(case: Case) -> Iterator[Finding]:
    """Rows 8 to 10: a prior diagnosis has a dated proof, of a known kind, kept at the disposal of the insurer."""
    proof, path = case.access.proof, "/access/proof"
    if not case.access.prior_diagnosis:
        if proof is not None:
            advice = "Renseigner prior_diagnosis : true si la preuve établit un diagnostic préalable."
            yield warning("ACC-020", path, "Preuve jointe sans diagnostic préalable déclaré.", advice, _EXPERIMENT)
        return
    if proof is None:
        advice = "Renseigner le type et la date de la preuve (ALD, compte rendu, information du médecin...)."
        yield warning("ACC-019", path, "Diagnostic préalable déclaré sans preuve.", advice, _EXPERIMENT)
        return
    if proof.date > case.day:
        advice = "Vérifier la date de la preuve."
        yield warning("ACC-021", f"{path}/date", "La preuve est postérieure au document.", advice, _EXPERIMENT)
    if proof.type is ProofType.OTHER:
        advice = "Préciser la preuve dans « note » ; la liste de l'Assurance maladie peut ne pas l'admettre."
        yield warning("ACC-022", f"{path}/type", "Preuve d'un type hors liste.", advice, _EXPERIMENT)
    if not proof.kept_in_record:
        advice = "Garder la preuve au dossier, à la disposition du service médical."
        yield warning("ACC-023", f"{path}/kept_in_record", "Preuve non gardée au dossier.", advice, _EXPERIMENT)


def _to_declare(case: Case) -> Iterator[Finding]:
    """Row 15: reorientations and adverse events are declared to the ARS."""
    document = case.submission.document
    if document.reorientation is not None:
        advice = "Déclarer la réorientation sur demarches-simplifiees.fr."
        yield _info("ACC-024", "/document/reorientation", "Réorientation à déclarer à l'ARS.", advice, _EXPERIMENT)
    for place, event in enumerate(document.adverse_events):
        if not event.reported_ars:
            path = f"/document/adverse_events/{place}/reported_ars"
            advice = "Déclarer l'événement sur demarches-simplifiees.fr."
            yield warning("ACC-025", path, "Événement indésirable non déclaré à l'ARS.", advice, _EXPERIMENT)


def _renewal(case: Case) -> Iterator[Finding]:
    """Rows 19 to 21: a prescription of less than a year at the renewal, whose author is told of it."""
    written, path = case.access.prescription_date, "/access/prescription_date"
    document = case.submission.document
    renewed = document.annotation.date if isinstance(document, PrescriberInformation) else case.access.episode.start
    if written is None:
        advice = "Renseigner la date de l'ordonnance renouvelée."
        yield warning("ACC-026", path, "Renouvellement sans date d'ordonnance.", advice, _CONVENTION)
    elif renewed > add_months(written, case.figures.renewal_months):
        advice = "Demander une nouvelle ordonnance : elle doit dater de moins d'un an le jour du renouvellement."
        yield warning("ACC-027", path, "Ordonnance de plus d'un an au renouvellement.", advice, _CONVENTION)
    if renewed < case.figures.renewal_from:
        advice = "Vérifier le début de l'épisode."
        message = "Renouvellement avant l'entrée en vigueur de l'avenant 7."
        yield warning("ACC-028", "/access/episode/start", message, advice, _CONVENTION)
    yield from _told(case, RecipientRole.PRESCRIPTEUR, "ACC-029", "Le prescripteur n'est pas parmi les destinataires.")


def _prescription(case: Case) -> Iterator[Finding]:
    """Code de la santé publique R4321-2: the prescriber receives the assessment and the summary."""
    if case.access.prescription_date is None:
        advice = "Renseigner la date de l'ordonnance."
        path = "/access/prescription_date"
        yield warning("ACC-030", path, "Soins sur ordonnance sans date d'ordonnance.", advice, "R4321-2 CSP")
    # The médecin traitant is usually the prescriber: then one recipient is enough.
    roles = {recipient.role for recipient in case.submission.recipients}
    if RecipientRole.MEDECIN_TRAITANT not in roles:
        message = "Le prescripteur n'est pas parmi les destinataires."
        yield from _told(case, RecipientRole.PRESCRIPTEUR, "ACC-029", message)


def _protocol(case: Case) -> Iterator[Finding]:
    """Row 24: a cooperation protocol is named, and its delegating physician is told."""
    if case.access.protocol is None:
        advice = "Renseigner le nom ou le numéro du protocole."
        yield warning(
            "ACC-031", "/access/protocol", "Protocole de coopération non nommé.", advice, "protocole national"
        )
    yield from _told(case, RecipientRole.DELEGANT, "ACC-032", "Le délégant n'est pas parmi les destinataires.")


def _told(case: Case, role: RecipientRole, code: str, message: str) -> Iterator[Finding]:
    if all(recipient.role is not role for recipient in case.submission.recipients):
        advice = f"Ajouter un destinataire de rôle « {role.value} », ou dire qu'il n'est pas connu."
        yield warning(code, "/recipients", message, advice, _CONVENTION)


def _letters(case: Case) -> Iterator[Finding]:
    """NGAP (spec kine §4): letters withdrawn from the nomenclature."""
    document = case.submission.document
    sessions = document.sessions if isinstance(document, TreatmentSummary) else ()
    for place, session in enumerate(sessions):
        retired = session.act_letter in case.figures.retired_letters
        if retired and session.date >= case.figures.retired_letters_from:
            path = f"/document/sessions/{place}/act_letter"
            advice = "Vérifier la version de la NGAP du logiciel de facturation."
            yield warning("ACC-033", path, "Lettre-clé supprimée de la NGAP.", advice, "NGAP, 22 février 2024")


def _unbilled(case: Case) -> Iterator[Finding]:
    """Row 25: an act outside the nomenclature carries no key letter."""
    document = case.submission.document
    sessions = document.sessions if isinstance(document, TreatmentSummary) else ()
    for place, session in enumerate(sessions):
        if session.act_letter is not None:
            path = f"/document/sessions/{place}/act_letter"
            advice = "Retirer la lettre-clé : un acte hors nomenclature ne se cote pas."
            yield warning("ACC-034", path, "Lettre-clé sur un acte hors nomenclature.", advice, "NGAP")


def _red_flags(case: Case) -> Iterator[Finding]:
    """Spec kine §2.4: in direct access the search for red flags is part of the assessment."""
    document = case.submission.document
    if isinstance(document, Assessment) and (document.red_flags is None or not document.red_flags.checked):
        message = "Accès direct : la recherche de signes d'alerte n'est pas décrite."
        advice = "Renseigner les signes recherchés, ceux qui sont présents et la décision."
        yield warning("ACC-035", "/document/red_flags", message, advice, "accès direct, bilan initial")


_Rule = Callable[[Case], Iterator[Finding]]
_DIRECT_CARE: tuple[_Rule, ...] = (_sessions, _episode, _proof, _red_flags, _letters)
_RULES: dict[AccessMode, tuple[_Rule, ...]] = {
    AccessMode.DIRECT_CPTS: (_declared, _practitioner, _department, _cpts, *_DIRECT_CARE, _to_declare),
    AccessMode.DIRECT_STRUCTURE: _DIRECT_CARE,  # row 23: no department, no CPTS, no indicators of the ARS
    AccessMode.PRESCRIPTION: (_prescription, _letters),
    AccessMode.RENEWAL: (_renewal, _letters),
    AccessMode.URGENCE: (_red_flags,),
    AccessMode.PROTOCOLE: (_protocol, _letters),
    AccessMode.HORS_NOMENCLATURE: (_unbilled,),
}
"""Which rules look at which mode; rows 11, 28 and 29 are those of destinations and identity."""
