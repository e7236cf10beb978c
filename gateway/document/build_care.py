"""Care sections: acts, sessions, evolution, conclusion, plan, mentions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from gateway.document import build_letters as letters
from gateway.document import build_measures as measures
from gateway.document import build_words as words
from gateway.document import model
from gateway.document.build_codes import goals_start
from gateway.document.build_frame import Frame, items, labelled, paragraph
from gateway.document.model import (
    ActEntry,
    AdverseEventEntry,
    Block,
    Concept,
    Entry,
    GoalEntry,
    Header,
    Section,
    SessionEntry,
    Span,
    Table,
)
from gateway.records.clinical import (
    AdverseEvent,
    Assessment,
    Goal,
    GoalTarget,
    Measure,
    Plan,
    RedFlags,
    ReorientationLetter,
    Session,
    TreatmentSummary,
)


def acts(frame: Frame) -> Section | None:
    """The assessment itself, or the treatment given."""
    clinical = frame.clinical
    if isinstance(clinical, Assessment):
        done = frame.terms.evaluation_act
        concept = Concept(done.display, None, done, (done,))
        shown = Span(f"{done.display}, le {words.day(frame.day)}", "acte-1")
        return frame.section("acts", (items((shown,)),), (ActEntry("acte-1", concept, "EVN", frame.day),))
    if not isinstance(clinical, TreatmentSummary | ReorientationLetter):
        return None
    spans = [Span(text, f"acte-{position}") for position, text in enumerate(clinical.treatment_done, start=1)]
    # A letter tells what was done without its days: none is made up.
    period = clinical.period if isinstance(clinical, TreatmentSummary) else None
    first, last = (period.start, period.end) if period else (None, None)
    entries = [ActEntry(span.anchor or "", Concept(span.text), "EVN", first, last) for span in spans]
    return frame.section("acts", (items(spans),), entries)


def sessions(frame: Frame) -> Section | None:
    """Number of sessions and period, then every session that was listed."""
    clinical = frame.clinical
    if not isinstance(clinical, TreatmentSummary):
        return None
    done, period = clinical.sessions_done, clinical.period
    plural = "s" if done > 1 else ""
    text = f"{done} séance{plural} du {words.day(period.start)} au {words.day(period.end)}."
    entries = [SessionEntry(f"seance-{place}", one.n, one.date) for place, one in enumerate(clinical.sessions, 1)]
    return frame.section("sessions", (paragraph(text), _session_table(clinical.sessions)), entries)


def _session_table(listed: Sequence[Session]) -> Table | None:
    if not listed:
        return None
    rows = tuple(
        (
            Span(str(one.n), f"seance-{place}"),
            Span(words.day(one.date)),
            Span(words.join((one.act_letter, one.act_coefficient), " ")),
            Span(one.note or ""),
        )
        for place, one in enumerate(listed, start=1)
    )
    return words.without_empty(Table(("Séance", "Date", "Acte", "Remarque"), rows))


def evolution(frame: Frame, taken: Sequence[measures.Taken]) -> Section | None:
    """What changed: text, outcome, reason of the summary, initial against final."""
    clinical = frame.clinical
    if not isinstance(clinical, TreatmentSummary):
        return None
    terms = frame.terms
    outcome = terms.label("outcome", clinical.outcome.value)
    ended = terms.label("end_reason", clinical.end_reason.value)
    blocks = (
        paragraph(clinical.evolution, "evolution"),
        labelled("Résultat", outcome, "resultat"),
        labelled("Motif du compte rendu", ended, "motif-fin"),
        measures.comparison(frame, taken),
        _undated(clinical),
    )
    entries = (
        frame.statement("resultat", "outcome", clinical.outcome.value),
        frame.statement("motif-fin", "end_reason", clinical.end_reason.value),
    )
    return frame.section("evolution", blocks, entries)


def _undated(clinical: TreatmentSummary) -> Block | None:
    """Said aloud where the day of the first measures is only the first day of the period."""
    if clinical.initial_measures and clinical.initial_date is None:
        return paragraph("Date des mesures initiales non renseignée : début de la période.")
    return None


def conclusion(frame: Frame) -> Section | None:
    """Prognosis, red flags, undesirable events, reorientation or its absence, advice."""
    clinical = frame.clinical
    blocks: list[Block | None] = [labelled("Pronostic", clinical.prognosis, "pronostic")]
    entries: list[Entry] = []
    if isinstance(clinical, Assessment | ReorientationLetter) and clinical.red_flags is not None:
        blocks.append(items(_red_flags(frame, clinical.red_flags)))
        entries.append(frame.statement("signes-alerte", "red_flag_decision", clinical.red_flags.decision.value))
    events = list(enumerate(clinical.adverse_events, start=1))
    blocks += _events(frame, events)
    entries += [_event(frame, place, event) for place, event in events]
    if isinstance(clinical, TreatmentSummary) and clinical.reorientation is None:
        blocks.append(paragraph("Réorientation : aucune."))
    blocks.append(labelled("Conseils et suites", clinical.advice, "conseils"))
    return frame.section("conclusion", blocks, entries)


def _red_flags(frame: Frame, flags: RedFlags) -> Iterator[Span | None]:
    searched, found = (", ".join(map(frame.terms.red_flag, names)) for names in (flags.checked, flags.present))
    yield Span(f"Signes d'alerte recherchés : {searched}") if searched else None
    yield Span(f"Signes d'alerte présents : {found or 'aucun'}")
    decision = frame.terms.label("red_flag_decision", flags.decision.value)
    yield Span(f"Décision : {decision}", "signes-alerte")
    yield Span(f"Commentaire : {flags.comment}") if flags.comment else None


def _events(frame: Frame, events: Sequence[tuple[int, AdverseEvent]]) -> Iterator[Block | None]:
    if not events:
        # A summary says so aloud: silence would not tell a doctor that none happened (spec kine §2.4).
        yield paragraph("Événement indésirable : aucun.") if isinstance(frame.clinical, TreatmentSummary) else None
        return
    yield items(Span(_event_text(frame, event), f"evenement-{place}") for place, event in events)


def _event_text(frame: Frame, event: AdverseEvent) -> str:
    severity = frame.terms.label("severity", event.severity)
    kind = frame.terms.wording("adverse_event", event.kind)
    informed = f"médecin informé le {words.day(event.physician_informed)}" if event.physician_informed else None
    declared = "déclaré à l'ARS" if event.reported_ars else None
    name = f"Événement indésirable {event.id} du {words.day(event.date)}, gravité {severity} : {kind}"
    return words.join((name, event.detail, informed, declared))


def _event(frame: Frame, place: int, event: AdverseEvent) -> AdverseEventEntry:
    return AdverseEventEntry(
        anchor=f"evenement-{place}",
        identifier=event.id,
        day=event.date,
        kind=frame.terms.wording("adverse_event", event.kind),
        severity=event.severity,
        detail=event.detail,
    )


def care_plan(frame: Frame) -> Section | None:
    """Goals, planned care, reorientation."""
    clinical = frame.clinical
    goals = list(enumerate(clinical.goals, start=1))
    mentions, mentioned = letters.prescription(frame)
    blocks: list[Block | None] = [*mentions, _goal_table(goals, frame)]
    entries: list[Entry] = [*mentioned, *(_goal(frame, place, goal) for place, goal in goals)]
    if clinical.plan is not None:
        blocks += _plan(frame, clinical.plan)
        entries += _planned(frame, clinical.plan)
    if clinical.reorientation is not None and not isinstance(clinical, ReorientationLetter):
        blocks.append(paragraph(letters.referral_text(frame), "reorientation"))
        entries.append(letters.referral(frame))
    return frame.section("care_plan", blocks, entries)


def _goal(frame: Frame, place: int, goal: Goal) -> GoalEntry:
    """A goal runs from the assessment: this one, or the one at the beginning of the period of a summary."""
    aim = _aim(frame, goal.target) if goal.target else None
    return GoalEntry(f"objectif-{place}", goal.text, goals_start(frame.clinical), goal.due, goal.reached, aim)


_AT_BEST: dict[str, Literal["<=", ">=", "="]] = {"low": "<=", "high": ">=", "none": "="}
"""A goal is reached at most or at least at its target, as less or more is better."""
_SIGNS = {"<=": "≤", ">=": "≥", "=": "="}


def _aim(frame: Frame, target: GoalTarget) -> model.GoalTarget:
    known, place = frame.terms.measure(target.code), words.where(target, frame.terms)
    like = Measure.model_validate(target.model_dump())
    concept = frame.terms.measure_concept(like)
    named = replace(concept, text=f"{concept.text} ({place})") if place else concept
    unit = None if known is not None and known.ucum is None else target.unit
    return model.GoalTarget(named, _AT_BEST[known.better if known else "none"], target.value, unit)


def _aimed(frame: Frame, goal: Goal) -> str:
    """The target in words: `Douleur, échelle numérique ≤ 2/10`."""
    if goal.target is None:
        return ""
    aim, known = _aim(frame, goal.target), frame.terms.measure(goal.target.code)
    value = words.said(aim.value, goal.target.unit, known, frame.terms)
    return f"{aim.concept.text} {_SIGNS[aim.comparator]}{words.NBSP}{value}"


def _goal_table(goals: Sequence[tuple[int, Goal]], frame: Frame) -> Table | None:
    if not goals:
        return None
    reached = {None: "non renseigné" if isinstance(frame.clinical, TreatmentSummary) else "", True: "oui", False: "non"}
    rows = tuple(
        (
            Span(goal.text, f"objectif-{place}"),
            Span(_aimed(frame, goal)),
            Span(words.day(goal.due) if goal.due else ""),
            Span(reached[goal.reached]),
        )
        for place, goal in goals
    )
    return words.without_empty(Table(("Objectif", "Cible", "Échéance", "Atteint"), rows))


def _plan(frame: Frame, plan: Plan) -> Iterator[Block | None]:
    place = frame.terms.wording("plan_place", plan.place) if plan.place else None
    number = plan.sessions_planned
    sessions = None if number is None else f"{number or 'aucune'} séance{'s' if number > 1 else ''}"
    yield labelled("Prévu", words.join((sessions, plan.frequency, place), ", ") or None, "plan")
    yield items(Span(text, f"technique-{order}") for order, text in enumerate(plan.techniques, start=1))
    yield paragraph(plan.note, "plan-note")


def _planned(frame: Frame, plan: Plan) -> Iterator[ActEntry]:
    for order, text in enumerate(plan.techniques, start=1):
        yield ActEntry(f"technique-{order}", Concept(text), "INT", frame.day)


def comment(frame: Frame, header: Header) -> Section | None:
    """Consent, recipients, community, visibility: what a reader may want to know beside the care."""
    return frame.section("comment", (items(_mentions(frame, header)),))


def _mentions(frame: Frame, header: Header) -> Iterator[str | None]:
    clinical, access = frame.clinical, frame.access
    if isinstance(clinical, Assessment) and clinical.consent is not None:
        given = clinical.consent
        yield f"Consentement aux soins : {_yes(given.care)}, le {words.day(given.date)}"
        yield f"Patient informé du partage des documents : {_yes(given.sharing_informed)}"
        yield f"Interprète : {given.interpreter}" if given.interpreter else None
    yield from _recipients(frame, header)
    status = frame.terms.label("practitioner_status", access.practitioner_status.value)
    yield f"Statut du masseur-kinésithérapeute : {status}"
    if access.declared_to_ars_on is not None:
        yield f"Déclaration à l'ARS : {words.day(access.declared_to_ars_on)}"
    if access.cpts is not None:
        yield f"CPTS : {access.cpts.name} (département {access.cpts.department})"
    yield from (f"Visibilité : {code.display}" for code in header.visibility)


def _yes(value: bool) -> str:
    return "oui" if value else "non"


def _recipients(frame: Frame, header: Header) -> Iterator[str]:
    for addressee in header.addressees:
        name = " ".join(
            part for part in (addressee.professional.name.given, addressee.professional.name.family) if part
        )
        role = frame.terms.label("recipient_role", _role(addressee.role))
        kind = f", {addressee.professional.specialty}" if addressee.professional.specialty else ""
        yield f"Destinataire : {name} ({role}{kind})"
    if header.medecin_traitant is None:
        yield "Médecin traitant : non connu"


def _role(name: str) -> str:
    """The role without the number that tells two recipients of one role apart."""
    head, _, tail = name.rpartition("_")
    return head if tail.isdigit() else name
