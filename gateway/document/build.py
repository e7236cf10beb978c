"""From records to ClinicalDocument: everything the input says, in the sections that it fills, and nothing else."""

from __future__ import annotations

from typing import cast

from gateway.document import build_care as care
from gateway.document import build_clinical as clinical
from gateway.document import build_exam as exam
from gateway.document import build_measures as measures
from gateway.document.build_codes import check
from gateway.document.build_frame import Frame
from gateway.document.build_header import DocumentIds, build_header
from gateway.document.model import ClinicalDocument, Header, Section
from gateway.errors import InputError
from gateway.records.level1 import AnySubmission, Level1, Level1Metadata
from gateway.settings import AccountSettings
from gateway.terminology import Terminology

__all__ = ["DocumentIds", "build", "check", "header_of"]


def build(
    submission: AnySubmission,
    account: AccountSettings,
    terminology: Terminology,
    *,
    ids: DocumentIds,
    software: str,
    claimed_mode: str | None = None,
) -> ClinicalDocument:
    """The document that a submission makes. Pure: the same arguments give an equal document.

    `claimed_mode` is the access mode that the rules let the document claim (`rules.claimed_mode`); None claims the
    declared one. Raises InputError with the findings of `check`, or where no document can do without what is absent.
    """
    unknown = check(submission, terminology)
    if unknown:
        raise InputError(unknown)
    if isinstance(submission, Level1):
        header = build_header(Frame(submission, terminology, ""), account, ids, software)
        return ClinicalDocument(header, (), submission.pdf)
    frame = Frame(submission, terminology, claimed_mode or submission.access.mode.value)
    header = build_header(frame, account, ids, software)
    sections = _sections(frame, header)
    order = terminology.order[header.kind]
    return ClinicalDocument(header, tuple(sections[key] for key in order if key in sections))


def _sections(frame: Frame, header: Header) -> dict[str, Section]:
    taken = measures.taken(frame)
    made = (
        clinical.reason(frame),
        clinical.complaint(frame),
        clinical.history(frame),
        clinical.past_illness(frame),
        clinical.surgeries(frame),
        clinical.problems(frame),
        care.evolution(frame, taken),
        clinical.functional_status(frame, taken),
        exam.physical_exam(frame),
        clinical.vital_signs(frame, taken),
        clinical.results(frame, taken),
        care.acts(frame),
        care.sessions(frame),
        care.conclusion(frame),
        care.care_plan(frame),
        care.comment(frame, header),
    )
    return {section.key: section for section in made if section is not None}


def header_of(
    submission: AnySubmission | Level1Metadata, account: AccountSettings, terminology: Terminology, software: str
) -> Header:
    """The header of a document that is not made: who acts for which patient, for a question to the DMP.

    Its identifiers are empty. Raises InputError when a trait of the patient is missing.
    """
    frame = Frame(cast("AnySubmission", submission), terminology, "")
    return build_header(frame, account, DocumentIds("", ""), software)
