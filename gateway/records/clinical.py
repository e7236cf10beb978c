"""The clinical documents: Assessment, TreatmentSummary, ReorientationLetter, PrescriberInformation."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.records.base import Count, Date, Flag, Instant, Line, Number, Record, Text


class Side(StrEnum):
    """Laterality (JDV_J161)."""

    RIGHT = "droite"
    LEFT = "gauche"
    BOTH = "bilateral"


class Coding(Record):
    """A code in a named terminology, as the billing software knows it."""

    system: Literal["CIM-10", "SNOMED-CT", "CIF"]
    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.]{1,18}$")]
    label: Line


class Problem(Record):
    """A problem or diagnosis treated; text is always there, a code where one is known."""

    label: Line
    code: Coding | None = None
    side: Side | None = None
    onset: Date | None = None
    note: Text | None = None


class BodySite(Record):
    """Region treated, by its French label (JDV_LocalisationAnatomique where it is listed)."""

    label: Line
    side: Side | None = None


class History(Record):
    """What the patient brings along."""

    conditions: tuple[Line, ...] = Field(default=(), description="Antécédents médicaux.")
    surgeries: tuple[Line, ...] = ()
    treatments: tuple[Line, ...] = ()
    allergies: tuple[Line, ...] = ()
    work: Line | None = None
    activity: Line | None = None
    dominant_hand: Side | None = None


class RedFlagDecision(StrEnum):
    """What the search for red flags led to."""

    NONE = "pas_de_reorientation"
    ADAPT = "adaptation_et_information"
    INFORM = "information_medecin_traitant"
    PLANNED = "reorientation_programmee"
    WITHIN_24H = "reorientation_24h"
    EMERGENCY = "urgence"


class RedFlags(Record):
    """Red flags searched and found. A flag is named by its code or in words."""

    checked: tuple[Line, ...] = ()
    present: tuple[Line, ...] = ()
    decision: RedFlagDecision
    comment: Text | None = None


MeasureCode = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,60}$")]
Amount = Annotated[Number, Field(max_digits=12, decimal_places=4, allow_inf_nan=False)]


class Measure(Record):
    """One measured value: `code` of the catalogue (mappings), unit of the catalogue (UCUM).

    What could not be measured says why in `not_done`, and then has neither value nor unit. `context` tells two
    values of one code apart (rest, movement, night), `raw` keeps what was written where the number does not say it
    all (`4-`, `1+`).
    """

    code: MeasureCode
    value: Amount | None = None
    unit: Line | None = None
    not_done: Line | None = Field(default=None, description="Why it was not measured, instead of value and unit.")
    side: Side | None = None
    site: Line | None = Field(default=None, description="Joint, muscle or place measured.")
    context: Line | None = None
    aid: Line | None = None
    raw: Line | None = None

    @model_validator(mode="after")
    def _measured_or_not(self) -> Self:
        if self.not_done is None and self.value is None:
            raise ValueError("measure_without_value")
        if self.not_done is None and self.unit is None:
            raise ValueError("measure_without_unit")
        if self.not_done is not None and (self.value is not None or self.unit is not None):
            raise ValueError("measured_and_not_done")
        return self


class ExamDomain(StrEnum):
    """Part of the physical examination (subsections of the coded physical exam, IHE PCC)."""

    GENERAL = "etat_general"
    MUSCULOSKELETAL = "musculosquelettique"
    LIMBS = "membres"
    NERVOUS = "systeme_nerveux"


class ExamFinding(Record):
    """What was seen, felt or provoked: a finding that is no number."""

    domain: ExamDomain = ExamDomain.MUSCULOSKELETAL
    method: Literal["inspection", "palpation", "test"]
    text: Text
    code: Coding | None = None
    side: Side | None = None
    site: Line | None = Field(default=None, description="Joint, muscle or place examined.")


class GoalTarget(Record):
    """The value that a goal aims at: a measure of the catalogue, in its unit. At most where less is better."""

    code: MeasureCode
    value: Amount
    unit: Line
    side: Side | None = None
    site: Line | None = None
    context: Line | None = None


class IcfItem(Record):
    """An item of the international classification of functioning (CIF)."""

    code: Annotated[str, StringConstraints(pattern=r"^[bsde][0-9]{1,5}(\.[0-9+])?$")]
    label: Line | None = None


class Goal(Record):
    """A care objective, with its date and, in a summary, whether it was reached."""

    text: Text
    due: Date | None = None
    reached: Flag | None = None
    target: GoalTarget | None = Field(default=None, description="What is measured, and the value aimed at.")


class Plan(Record):
    """Planned care."""

    sessions_planned: Count | None = Field(default=None, ge=0, le=500)
    frequency: Line | None = None
    techniques: tuple[Line, ...] = ()
    place: Line | None = None
    note: Text | None = None


class Consent(Record):
    """Consent to care, and information given on the sharing of the documents."""

    care: Flag
    sharing_informed: Flag
    date: Date
    interpreter: Line | None = None


class Reorientation(Record):
    """Referral to a physician."""

    to: Line
    date: Date
    reason: Text
    urgency: Literal["programmee", "24h", "urgence"]
    communicated_by: tuple[Line, ...] = ()


class AdverseEvent(Record):
    """An undesirable event of the care."""

    id: Line
    date: Date
    kind: Line
    detail: Text | None = None
    severity: Literal["legere", "moderee", "grave"]
    physician_informed: Date | None = None
    reported_ars: Flag = False


class Session(Record):
    """One session. The act is opaque text: letters and coefficients change with each NGAP version."""

    n: Count = Field(ge=1, le=500)
    date: Date
    act_letter: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,5}$")] | None = None
    act_coefficient: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}([.,][0-9]{1,2})?$")] | None = None
    note: Line | None = None


class Outcome(StrEnum):
    """State of the patient at the end of the period."""

    GOALS_REACHED = "objectifs_atteints"
    PARTIAL = "amelioration_partielle"
    STABLE = "stable"
    WORSE = "aggravation"
    CONTINUED = "poursuite"
    REORIENTED = "reorientation"
    ABANDONED = "abandon"


class EndReason(StrEnum):
    """Why the summary is written now."""

    END_OF_CARE = "fin_de_traitement"
    SESSION_CAP = "plafond_8_seances"
    INTERMEDIATE = "bilan_intermediaire"
    PATIENT = "decision_patient"
    DEATH = "deces"
    OTHER = "autre"


class Period(Record):
    """First and last day of the care described."""

    start: Date
    end: Date


class _Clinical(Record):
    id: Line = Field(description="The author's own number for this document.")
    date: Instant = Field(description="Date of the assessment or summary, with offset.")
    reason: Text
    complaint: Text | None = Field(default=None, description="Plainte principale, dans les mots du patient.")
    problems: tuple[Problem, ...] = ()
    body_site: BodySite | None = None
    history: History = History()
    icf: tuple[IcfItem, ...] = ()
    goals: tuple[Goal, ...] = ()
    examination: tuple[ExamFinding, ...] = ()
    measures: tuple[Measure, ...] = ()
    not_measurable: Line | None = Field(
        default=None, description="Why nothing could be measured, when `measures` is empty."
    )
    diagnosis: Text | None = Field(default=None, description="Diagnostic kinésithérapique.")
    prognosis: Text | None = None
    plan: Plan | None = None
    reorientation: Reorientation | None = None
    adverse_events: tuple[AdverseEvent, ...] = ()
    advice: Text | None = None


class Assessment(_Clinical):
    """Bilan initial de kinésithérapie."""

    kind: Literal["assessment"]
    red_flags: RedFlags | None = None
    consent: Consent | None = None


class TreatmentSummary(_Clinical):
    """Compte rendu des soins: what was done, what changed, what follows."""

    kind: Literal["treatment_summary"]
    period: Period
    sessions_done: Count = Field(ge=0, le=500)
    sessions: tuple[Session, ...] = ()
    initial_date: Instant | None = Field(default=None, description="When `initial_measures` were taken.")
    initial_measures: tuple[Measure, ...] = ()
    treatment_done: tuple[Line, ...] = ()
    evolution: Text | None = None
    outcome: Outcome
    end_reason: EndReason


class ReorientationLetter(_Clinical):
    """Lettre d'adressage: to whom, why, how soon, what was found, and how to call back."""

    kind: Literal["reorientation_letter"]
    reorientation: Reorientation
    red_flags: RedFlags | None = None
    treatment_done: tuple[Line, ...] = Field(default=(), description="Ce qui a déjà été fait.")
    question: Text | None = Field(default=None, description="Ce qui est demandé au médecin.")
    phone: Line | None = Field(
        default=None, description="Where the physician can call back; the author's or the practice's number otherwise."
    )


class PrescriptionChange(StrEnum):
    """What the physiotherapist did with the prescription (avenant 7, spec kine §1 rows 19 to 21)."""

    RENEWAL = "renouvellement"
    ADAPTATION = "adaptation"
    BOTH = "renouvellement_et_adaptation"


class Annotation(Record):
    """What the original prescription now bears; it is given back to the patient."""

    date: Date
    signed: Flag = Field(description="The annotation bears the physiotherapist's signature.")
    given_to_patient: Flag = True


class PrescriberInformation(_Clinical):
    """Information of the prescriber: the prescription was renewed or adapted.

    The date of the prescription itself is `access.prescription_date`.
    """

    kind: Literal["prescriber_information"]
    change: PrescriptionChange
    sessions_prescribed: Count = Field(ge=1, le=500, description="Number of sessions after the renewal or adaptation.")
    adaptation: Text | None = Field(default=None, description="What was adapted; compulsory for an adaptation.")
    annotation: Annotation
    sessions_so_far: Count | None = Field(default=None, ge=0, le=500, description="Sessions done so far.")


Clinical = Assessment | TreatmentSummary | ReorientationLetter | PrescriberInformation
"""Any clinical document; `kind` tells which."""
