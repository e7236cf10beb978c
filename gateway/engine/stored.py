"""Records read back from the store, and what names a patient there."""

from __future__ import annotations

import json
import unicodedata
from hashlib import sha256
from typing import TYPE_CHECKING

from gateway import wording
from gateway.errors import NotFoundError
from gateway.findings import Finding, Severity, warning
from gateway.records.level1 import FORMAT as LEVEL1
from gateway.records.level1 import Level1, Level1Metadata
from gateway.records.submission import Submission, canonical
from gateway.store.base import Guard
from gateway.store.identity import OTHER_PATIENT, OTHER_TRAITS
from gateway.store.oppositions import KINDS, Person

if TYPE_CHECKING:
    from gateway.records.level1 import AnySubmission
    from gateway.records.people import Patient
    from gateway.store.base import DocumentRow, Store


def content_hash(submission: AnySubmission) -> str:
    """SHA-256 of the canonical submission, hex, its PDF included: two files that mean the same hash the same."""
    attached = sha256(submission.pdf).digest() if isinstance(submission, Level1) else b""
    return sha256(canonical(submission) + attached).hexdigest()


def guard(submission: AnySubmission, hold: str | None = None) -> Guard:
    """What the store compares to find a PDF of the wrong patient: birth traits, and the PDF's hash at level 1."""
    pdf = sha256(submission.pdf).hexdigest() if isinstance(submission, Level1) else None
    return Guard(birth_traits(submission.patient), pdf, hold)


def birth_traits(patient: Patient) -> str:
    """The birth traits of a patient in one text, whoever wrote them: what the store keeps a keyed hash of."""
    given = patient.first_birth_given or next(iter(patient.birth_given), "")
    traits = (patient.birth_family, given, patient.birth_date, patient.sex)
    return "|".join(_plain(str(trait or "")) for trait in traits)


def suspicion(store: Store, submission: AnySubmission) -> list[Finding]:
    """What the store has against sending this document at once: a warning, the delivery will be held."""
    reason = store.suspicion(submission.account, patient_key(submission.patient), guard(submission))
    if reason is None:
        return []
    message = {
        OTHER_PATIENT: "Ce même PDF a déjà été confié pour un autre patient.",
        OTHER_TRAITS: "L'identifiant de ce patient est déjà venu avec d'autres traits d'identité.",
    }[reason]
    advice = "Vérifier le patient ; l'envoi est retenu jusqu'à ce qu'une personne le libère."
    return [warning(reason, "/patient", message, advice, "identitovigilance")]


def stopped(store: Store, submission: AnySubmission) -> list[Finding]:
    """Whether the patient's INS was refused or changed: a warning, every delivery will be held."""
    if not store.patient_stops([submission.account], patient_key(submission.patient)):
        return []
    message = "L'INS de ce patient a été refusé ou a changé : ce document sera retenu."
    advice = "Corriger l'identité d'après INSi (ins search), ou lever l'arrêt (ins resume)."
    return [warning("INS-046", "/patient/ins", message, advice, "identitovigilance")]


def opposed(store: Store, submission: AnySubmission) -> list[Finding]:
    """Whether the patient objects to destinations, as was recorded after an earlier document: what does not leave."""
    known = store.oppositions(Person(submission.account, patient=patient_key(submission.patient)))
    advice = "Aucune action. S'il a changé d'avis : kine-gateway patient unoppose."
    return [
        Finding("DST-OPPOSED", Severity.INFO, "/patient", f"Opposition enregistrée : {target(one.target)}.", advice)
        for one in known
    ]


def target(kind: str) -> str:
    """A target of an opposition in French."""
    return wording.destination(kind) if kind in KINDS else "une boîte précise"


def _plain(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in spread if char.isalnum())


def patient_key(patient: Patient) -> str:
    """What tells this patient from the others of the account: matricule, else local number, else birth traits.

    It becomes a keyed pseudonym in the store and is never written itself.
    """
    if patient.ins is not None:
        return f"ins|{patient.ins.matricule}"
    if patient.identifiers:
        return f"id|{patient.identifiers[0].root}|{patient.identifiers[0].value}"
    traits = (patient.birth_family, patient.used_family, *patient.birth_given, patient.used_given, patient.birth_date)
    return "traits|" + "|".join(str(trait or "") for trait in traits).casefold()


def submission(store: Store, row: DocumentRow) -> Submission | Level1Metadata | None:
    """The records of a document; None once it is erased, or when another version of the schema wrote them."""
    if row.erased_at is not None:
        return None
    try:
        data = store.rendering(row.id, "submission").data
    except NotFoundError:
        return None
    model = Level1Metadata if json.loads(data).get("format") == LEVEL1 else Submission
    try:
        return model.model_validate_json(data)
    except ValueError:
        return None
