"""Measures against the catalogue: known, in its unit, within its range, with side and place where they matter.

spec kine §3 "Controls": range, unit equal to the catalogue's, pair of sides, initial against final; what is
only unlikely warns. A score outside its scale is impossible and stops; a physical quantity beyond the usual
range warns, and stops only far outside, where a lost decimal point or another unit is the explanation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Protocol

from gateway.findings import Finding, error, warning
from gateway.records.clinical import Goal, Measure, Outcome, TreatmentSummary
from gateway.records.submission import Submission
from gateway.terminology.model import MeasureDef

_SOURCE = "catalogue des mesures"
_SCALES = frozenset({"{score}", "%", "code", "{#}/(30.s)"})
"""Units of closed scales: a value outside the catalogue's range does not exist."""
_FAR = 3
"""A physical quantity beyond three times the upper bound is a typing error, not a patient."""
_JOINT_GROUPS = frozenset({"mobilite", "force"})
_IMPROVED = frozenset({Outcome.GOALS_REACHED, Outcome.PARTIAL})


class Catalogue(Protocol):
    """What holds the rows: `gateway.terminology.Terminology`."""

    def measure(self, code: str) -> MeasureDef | None:
        """The row of a code, None when it is unknown."""


def check_measures(submission: Submission, catalogue: Catalogue) -> list[Finding]:
    """Findings on every measure of the document, initial ones included."""
    document = submission.document
    found = [*_list("/document/measures", document.measures, catalogue), *_targets(document.goals, catalogue)]
    if isinstance(document, TreatmentSummary):
        found += _list("/document/initial_measures", document.initial_measures, catalogue)
        found += _retested(document)
        found += _against_outcome(document, catalogue)
    return found


def _list(path: str, measures: Sequence[Measure], catalogue: Catalogue) -> Iterator[Finding]:
    for place, measure in enumerate(measures):
        row = catalogue.measure(measure.code)
        if row is None:
            advice = "Employer un code du catalogue, ou écrire ce résultat dans le texte du bilan."
            yield error("MES-001", f"{path}/{place}/code", "Mesure inconnue du catalogue.", advice, _SOURCE)
        else:
            yield from _one(f"{path}/{place}", measure, row)
    yield from _twice(path, measures)


def _targets(goals: Sequence[Goal], catalogue: Catalogue) -> Iterator[Finding]:
    """What a goal aims at obeys the same rules as a measured value."""
    for place, goal in enumerate(goals):
        if goal.target is not None:
            row, path = catalogue.measure(goal.target.code), f"/document/goals/{place}/target"
            if row is None:
                advice = "Employer un code du catalogue, ou dire la cible dans le texte de l'objectif."
                yield error("MES-001", f"{path}/code", "Mesure inconnue du catalogue.", advice, _SOURCE)
            else:
                yield from _one(path, Measure.model_validate(goal.target.model_dump()), row)


def _one(path: str, measure: Measure, row: MeasureDef) -> Iterator[Finding]:
    if measure.value is None:
        return  # not measured, and the record says why
    if measure.unit != row.input_unit:
        advice = f"Convertir la valeur et écrire l'unité {row.input_unit}."
        yield error("MES-002", f"{path}/unit", "Unité différente de celle du catalogue.", advice, _SOURCE)
    elif row.answers:
        yield from _answer(f"{path}/value", measure.value, row)
    else:
        yield from _range(f"{path}/value", measure.value, row)
    yield from _place(path, measure, row)


def _answer(path: str, value: Decimal, row: MeasureDef) -> Iterator[Finding]:
    if value not in row.answers:
        advice = f"Valeurs possibles : {', '.join(str(known) for known in row.answers)}."
        yield error("MES-003", path, "Réponse qui n'existe pas dans cette échelle.", advice, _SOURCE)


def _range(path: str, value: Decimal, row: MeasureDef) -> Iterator[Finding]:
    low, high = row.minimum, row.maximum
    if (low is None or value >= low) and (high is None or value <= high):
        return
    advice = f"Attendu : de {low} à {high} (unité {row.input_unit})."
    if row.input_unit in _SCALES or _far_outside(value, low, high):
        yield error("MES-003", path, "Valeur impossible pour cette mesure.", advice, _SOURCE)
    else:
        yield warning("MES-004", path, "Valeur peu vraisemblable pour cette mesure.", advice, _SOURCE)


def _far_outside(value: Decimal, low: Decimal | None, high: Decimal | None) -> bool:
    if high is not None and value > high * _FAR:
        return True
    return low is not None and value < min(low * _FAR, Decimal(0))


def _place(path: str, measure: Measure, row: MeasureDef) -> Iterator[Finding]:
    """Side where a code exists for one side only; joint or muscle where the measure has no meaning without it."""
    by_side_alone = any(site == "" for site, _ in row.by_site)
    if measure.side is None and (by_side_alone or any(site == measure.site for site, _ in row.by_site)):
        advice = "Renseigner « side » : droite, gauche ou bilateral."
        yield warning("MES-005", f"{path}/side", "Côté absent pour une mesure propre à un côté.", advice, _SOURCE)
    if measure.site is None and row.group in _JOINT_GROUPS and not by_side_alone:
        advice = "Renseigner « site » : l'articulation ou le muscle mesuré."
        yield warning("MES-006", f"{path}/site", "Mesure sans articulation ni muscle.", advice, _SOURCE)


def _key(measure: Measure) -> tuple[str | None, ...]:
    return measure.code, measure.side, measure.site, measure.context


def _twice(path: str, measures: Sequence[Measure]) -> Iterator[Finding]:
    """Two values of one measure that nothing tells apart: the reader cannot know which is which."""
    places = defaultdict(list)
    for place, measure in enumerate(measures):
        places[(*_key(measure), measure.aid)].append(place)
    for same in places.values():
        if len(same) > 1:
            advice = "Distinguer les deux valeurs par « side », « site » ou « context » (repos, mouvement, nuit)."
            yield warning("MES-007", f"{path}/{same[1]}", "La même mesure est donnée deux fois.", advice, _SOURCE)


def _retested(document: TreatmentSummary) -> Iterator[Finding]:
    """spec kine §2.4: the summary re-tests the initial measures (NGAP)."""
    again = {_key(measure) for measure in document.measures}
    left = [str(place + 1) for place, measure in enumerate(document.initial_measures) if _key(measure) not in again]
    if left:
        total = len(document.initial_measures)
        message = f"{len(left)} mesures initiales sur {total} ne sont pas reprises (n° {', '.join(left)})."
        advice = "Reprendre ces mesures au bilan final, ou dire pourquoi elles ne le sont pas."
        yield warning("MES-008", "/document/initial_measures", message, advice, "NGAP, titre XIV")


def _against_outcome(document: TreatmentSummary, catalogue: Catalogue) -> Iterator[Finding]:
    changes = [change for change in _changes(document, catalogue) if change]
    if document.outcome in _IMPROVED and changes and all(change < 0 for change in changes):
        message = "Le résultat annoncé est une amélioration, mais toutes les mesures comparables se dégradent."
        advice = "Vérifier le résultat et le sens des valeurs."
        yield warning("MES-009", "/document/outcome", message, advice, _SOURCE)


def _changes(document: TreatmentSummary, catalogue: Catalogue) -> Iterator[Decimal]:
    """Change of each re-tested measure, positive when it got better."""
    final = {_key(measure): measure.value for measure in document.measures}
    for measure in document.initial_measures:
        row = catalogue.measure(measure.code)
        if row is None or row.better not in {"high", "low"} or _key(measure) not in final:
            continue
        last, first = final[_key(measure)], measure.value
        if last is not None and first is not None:
            yield last - first if row.better == "high" else first - last
