"""What only the letters have: the opening of a reorientation letter, the mentions of an annotated prescription."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.document import build_words as words
from gateway.document.build_frame import Frame, items, labelled, paragraph
from gateway.document.model import ActEntry, Block, Concept, Entry, ReferralEntry, Section, Span
from gateway.records.clinical import PrescriberInformation, PrescriptionChange, ReorientationLetter


def opening(frame: Frame, access: tuple[Span, ...], entries: tuple[Entry, ...]) -> Section | None:
    """The first section of a reorientation letter: to whom, how soon, why, what is asked, where to call back."""
    clinical = frame.clinical
    if not isinstance(clinical, ReorientationLetter):
        return None
    blocks = (
        paragraph(referral_text(frame), "reorientation"),
        paragraph(clinical.reason, "motif"),
        labelled("Demande", clinical.question, "demande"),
        labelled("Pour rappeler le masseur-kinésithérapeute", callback(frame), "rappel"),
        items(access),
    )
    return frame.section("reason", blocks, (referral(frame), *entries), title="Adressage : motif et mode d'accès")


def callback(frame: Frame) -> str | None:
    """The number where a physician reaches the author: the letter's, else the author's, else the practice's."""
    clinical, known = frame.clinical, frame.submission
    own = clinical.phone if isinstance(clinical, ReorientationLetter) else None
    return own or known.author.phone or known.organization.phone


def referral_text(frame: Frame) -> str:
    """The reorientation in one sentence."""
    sent = frame.clinical.reorientation
    assert sent is not None
    urgency = frame.terms.label("urgency", sent.urgency)
    told = ", ".join(frame.terms.wording("channel", means) for means in sent.communicated_by)
    to = frame.terms.wording("reorientation_to", sent.to)
    head = f"Réorientation {urgency} vers {to}, le {words.day(sent.date)}"
    reason = frame.terms.wording("reorientation_reason", sent.reason)
    return words.join((head, f"motif : {reason}", f"transmis par {told}" if told else None))


def referral(frame: Frame) -> ReferralEntry:
    """The reorientation as an entry."""
    sent = frame.clinical.reorientation
    assert sent is not None
    return ReferralEntry(
        anchor="reorientation",
        to=frame.terms.wording("reorientation_to", sent.to),
        day=sent.date,
        reason=frame.terms.wording("reorientation_reason", sent.reason),
        urgency=sent.urgency,
    )


def prescription(frame: Frame) -> tuple[tuple[Block | None, ...], tuple[Entry, ...]]:
    """The mentions that the annotated prescription bears (spec kine §1 row 19), and what they say as data."""
    clinical = frame.clinical
    if not isinstance(clinical, PrescriberInformation):
        return (), ()
    count = clinical.sessions_prescribed
    sessions = f"{count} séance{'s' * (count > 1)} de masso-kinésithérapie"
    entries = (
        frame.statement("suite-prescription", "prescription_change", clinical.change.value),
        ActEntry("seances-prescrites", Concept(sessions), "INT", clinical.annotation.date),
    )
    return (items(_mentions(frame, clinical, sessions)),), entries


def _mentions(frame: Frame, clinical: PrescriberInformation, sessions: str) -> Iterator[Span]:
    author, annotation, fixed = frame.submission.author, clinical.annotation, frame.terms.renewal
    change = frame.terms.label("prescription_change", clinical.change.value)
    yield Span(f"Suite donnée à la prescription : {change}", "suite-prescription")
    if frame.access.prescription_date is not None:
        yield Span(f"Prescription d'origine du {words.day(frame.access.prescription_date)}")
    if clinical.change is not PrescriptionChange.ADAPTATION:
        yield Span(f"Mention portée sur l'ordonnance : « {fixed['words']} »")
    yield Span(f"Identité : {author.given} {author.family}, masseur-kinésithérapeute, RPPS {author.rpps}")
    yield Span(f"Nombre de séances : {sessions}", "seances-prescrites")
    if clinical.adaptation is not None:
        yield Span(f"Adaptation : {clinical.adaptation}")
    yield Span(f"Date : {words.day(annotation.date)}")
    yield Span(f"Signature sur l'ordonnance : {_yes(annotation.signed)}")
    yield Span(f"Ordonnance annotée remise au patient : {_yes(annotation.given_to_patient)}")
    if clinical.sessions_so_far is not None:
        yield Span(f"Séances déjà réalisées : {clinical.sessions_so_far}")
    yield Span(f"Numéro de prescripteur à facturer : {fixed['prescriber_number']}")


def _yes(value: bool) -> str:
    return "oui" if value else "non"
