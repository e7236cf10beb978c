"""What must hold before a document can be built: codes of the national value sets, goals that end after they begin."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from gateway.findings import Finding, error
from gateway.records.clinical import Clinical, TreatmentSummary
from gateway.records.level1 import AnySubmission, PdfDocument
from gateway.terminology import Terminology

_SOURCE = "CI-SIS structuration minimale"


def check(submission: AnySubmission, terminology: Terminology) -> list[Finding]:
    """`DOC-001` to `DOC-003`: a code that its value set does not hold. `DOC-004`: a goal due before it begins.

    All of them are errors: the document could not be understood, or the preflight would refuse it.
    """
    unknown = [
        error(code, path, f"Code absent de {name}.", advice, _SOURCE)
        for code, path, name, set_name, value, advice in _named(submission)
        if not terminology.has_value(set_name, value)
    ]
    return [*unknown, *_late(submission)]


def _late(submission: AnySubmission) -> Iterator[Finding]:
    clinical = submission.document
    if isinstance(clinical, PdfDocument):
        return
    start = goals_start(clinical)
    for place, goal in enumerate(clinical.goals):
        if goal.due is not None and goal.due < start:
            message = "Échéance d'un objectif avant le début des soins."
            yield error("DOC-004", f"/document/goals/{place}/due", message, "Corriger la date.", "HL7 IVL_TS")


def goals_start(clinical: Clinical) -> date:
    """The day goals run from: the assessment, or the beginning of the period that a summary describes."""
    return clinical.period.start if isinstance(clinical, TreatmentSummary) else clinical.date.date()


def _named(submission: AnySubmission) -> Iterator[tuple[str, str, str, str, str, str]]:
    practice = submission.organization
    yield (
        *("DOC-001", "/organization/practice_setting", "JDV_J04 (cadre d'exercice)", "J04", practice.practice_setting),
        "AMBULATOIRE pour un cabinet, SAD pour des soins à domicile.",
    )
    yield (
        *("DOC-002", "/organization/facility_type", "JDV_J02 (type de structure)", "J02", practice.facility_type),
        "SA07 pour un cabinet individuel, SA08 pour un cabinet de groupe.",
    )
    yield (
        *("DOC-003", "/author/profession", "JDV_J01 (profession)", "J01", submission.author.profession),
        "G15_70 pour un masseur-kinésithérapeute.",
    )
    for place, recipient in enumerate(submission.recipients):
        if recipient.profession:
            yield (
                *("DOC-003", f"/recipients/{place}/profession", "JDV_J01 (profession)", "J01", recipient.profession),
                "G15_10 pour un médecin ; en cas de doute, retirer ce champ.",
            )
