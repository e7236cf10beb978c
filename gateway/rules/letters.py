"""What a letter must contain: a reorientation that a doctor can act on, an information that repeats the prescription.

Nothing here stops a letter: the doctor must be told (DESIGN §1).
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.findings import Finding, warning
from gateway.records.access import AccessMode
from gateway.records.clinical import PrescriberInformation, PrescriptionChange, ReorientationLetter
from gateway.records.submission import Submission

_LETTER = "accès direct, réorientation"
_CONVENTION = "convention, avenant 7"
_ON_PRESCRIPTION = frozenset({AccessMode.RENEWAL, AccessMode.PRESCRIPTION})


def check_letter(submission: Submission) -> Iterator[Finding]:
    """Findings on a reorientation letter or on an information of the prescriber; none on other documents."""
    document = submission.document
    if isinstance(document, ReorientationLetter):
        yield from _reorientation(document, submission)
    elif isinstance(document, PrescriberInformation):
        yield from _information(document, submission)


def _reorientation(letter: ReorientationLetter, submission: Submission) -> Iterator[Finding]:
    if not (letter.phone or submission.author.phone or submission.organization.phone):
        advice = "Renseigner « phone » : le médecin doit pouvoir rappeler."
        yield warning("CMP-027", "/document/phone", "Lettre sans numéro de téléphone.", advice, _LETTER)
    if letter.reorientation.urgency != "programmee" and "telephone" not in letter.reorientation.communicated_by:
        message = "Réorientation pressée, sans appel téléphonique."
        advice = "Appeler aussi le médecin : un message peut attendre. Noter l'appel dans « communicated_by »."
        yield warning("CMP-028", "/document/reorientation/communicated_by", message, advice, _LETTER)
    found = letter.measures or letter.problems or letter.diagnosis
    if not found and (letter.red_flags is None or not letter.red_flags.present):
        message = "Lettre sans constatation : ni signe d'alerte, ni mesure, ni problème."
        advice = "Dire ce qui a été constaté et qui motive l'avis."
        yield warning("CMP-029", "/document", message, advice, _LETTER)


def _information(document: PrescriberInformation, submission: Submission) -> Iterator[Finding]:
    if document.change is not PrescriptionChange.RENEWAL and document.adaptation is None:
        advice = "Dire dans « adaptation » ce qui a été adapté : l'ordonnance annotée doit le porter."
        yield warning(
            "CMP-030", "/document/adaptation", "Adaptation dont la nature n'est pas dite.", advice, _CONVENTION
        )
    if not document.annotation.signed:
        advice = "Signer l'annotation de l'ordonnance, puis renseigner signed : true."
        path = "/document/annotation/signed"
        yield warning("CMP-031", path, "Ordonnance annotée sans signature.", advice, _CONVENTION)
    if document.annotation.date > document.date.date():
        advice = "Corriger la date de l'annotation ou celle du document."
        path = "/document/annotation/date"
        yield warning("CMP-032", path, "Annotation datée d'après le document.", advice, _CONVENTION)
    if submission.access.mode not in _ON_PRESCRIPTION:
        message = "Information du prescripteur pour des soins qui ne sont pas sur ordonnance."
        yield warning("CMP-033", "/access/mode", message, "Vérifier le mode d'accès.", _CONVENTION)
    elif submission.access.mode is AccessMode.PRESCRIPTION and document.change is not PrescriptionChange.ADAPTATION:
        message = "Renouvellement déclaré, mais le mode d'accès n'est pas « renewal »."
        yield warning("CMP-034", "/access/mode", message, "Renseigner renewal.", _CONVENTION)
