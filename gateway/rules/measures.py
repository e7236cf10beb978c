"""Measures against the catalogue: known, in its unit, within its range, with side and place where they matter.

spec kine §3 "Controls": range, unit equal to the catalogue's, pair of sides, initial against final; what is
only unlikely warns. A score outside its scale is impossible and stops; a physical quantity beyond the usual
range warns, and stops only far outside, where a lost decimal point or another unit is the explanation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from gateway.findings import Finding, error, warning
from gateway.records.clinical import Measure, Outcome, TreatmentSummary
from gateway.records.submission import Submission

_SOURCE = "catalogue des mesures"
_SCALES = frozenset({"{score}", "%", "code", "{#}/(30.s)"})
"""Units of closed scales: a value outside the catalogue's range does not exist."""
_FAR = 3
"""A physical quantity beyond three times the upper bound is a typing error, not a patient."""
_JOINT_GROUPS = frozenset({"mobilite", "force"})
_IMPROVED = frozenset({Outcome.GOALS_REACHED, Outcome.PARTIAL})


class MeasureRow(Protocol):
    """The part of a catalogue row that the checks read."""

    @property
    def group(self) -> str:
        """Family of the measure: `mobilite`, `douleur`..."""

    @property
    def ucum(self) -> str:
        """Its only unit."""

    @property
    def min(self) -> Decimal | None:
        """Lower bound, in that unit."""

    @property
    def max(self) -> Decimal | None:
        """Upper bound, in that unit."""

    @property
    def better(self) -> str | None:
        """`high`, `low`, or neither."""

    @property
    def loinc_by_side(self) -> Mapping[str, str] | None:
        """Codes that exist for one side only."""


class Catalogue(Protocol):
    """What holds the rows: `gateway.terminology.Terminology`."""

    def measure(self, code: str) -> MeasureRow | None:
        """The row of a code, None when it is unknown."""


def check_measures(submission: Submission, catalogue: Catalogue) -> list[Finding]:
    """Findings on every measure of the document, initial ones included."""
    document = submission.document
    found = list(_list("/document/measures", document.measures, catalogue))
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


def _one(path: str, measure: Measure, row: MeasureRow) -> Iterator[Finding]:
    if measure.unit != row.ucum:
        advice = f"Convertir la valeur et écrire l'unité {row.ucum} (UCUM)."
        yield error("MES-002", f"{path}/unit", "Unité différente de celle du catalogue.", advice, _SOURCE)
    else:
        yield from _range(f"{path}/value", measure.value, row)
    if row.loinc_by_side and measure.side is None:
        advice = "Renseigner « side » : droite, gauche ou bilateral."
        yield warning("MES-005", f"{path}/side", "Côté absent pour une mesure propre à un côté.", advice, _SOURCE)
    if row.group in _JOINT_GROUPS and not row.loinc_by_side and measure.site is None:
        advice = "Renseigner « site » : l'articulation ou le muscle mesuré."
        yield warning("MES-006", f"{path}/site", "Mesure sans articulation ni muscle.", advice, _SOURCE)


def _range(path: str, value: Decimal, row: MeasureRow) -> Iterator[Finding]:
    low, high = row.min, row.max
    if (low is None or value >= low) and (high is None or value <= high):
        return
    advice = f"Attendu : de {low} à {high} {row.ucum}."
    if row.ucum in _SCALES or _far_outside(value, low, high):
        yield error("MES-003", path, "Valeur impossible pour cette mesure.", advice, _SOURCE)
    else:
        yield warning("MES-004", path, "Valeur peu vraisemblable pour cette mesure.", advice, _SOURCE)


def _far_outside(value: Decimal, low: Decimal | None, high: Decimal | None) -> bool:
    if high is not None and value > high * _FAR:
        return True
    return low is not None and value < min(low * _FAR, Decimal(0))


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
        change = final[_key(measure)] - measure.value
        yield change if row.better == "high" else -change
